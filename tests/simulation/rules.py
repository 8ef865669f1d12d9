"""Rules of order that are no single call: the product with one of them broken, which the simulation must notice."""

from __future__ import annotations

import contextlib
import inspect
import textwrap
import types
from typing import TYPE_CHECKING, Any
from unittest import mock

from tests.simulation import scenes
from tests.simulation.mutants import recoded

from telem.agent import keeper, purging
from telem.agent.keeper import Keeper
from telem.agent.retention import Retention
from telem.storage import (
    catalog,
    closing,
    manifest,
    merge,
    purge,
    quarantine,
    recovery,
    retention,
    retire,
    retries,
    rollups,
    sureclock,
    worker,
)
from telem.storage.disk import Disk
from telem.storage.inventory import ParquetFile
from telem.storage.journal import Journal
from telem.storage.rollups import Rollups

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    Broken = Callable[[], AbstractContextManager[Any]]


def edited(function: Any, *changes: tuple[str, str]) -> Broken:
    """The function with its text changed, wherever it is called from."""
    text = textwrap.dedent(inspect.getsource(function))
    for before, after in changes:
        assert text.count(before) == 1, f"{function.__qualname__} has {before!r} no more: say the rule anew"
        text = text.replace(before, after)
    made: dict[str, Any] = {}
    exec(compile(f"from __future__ import annotations\n{text}", f"{function.__name__}, edited", "exec"), made)
    code: types.CodeType = made[function.__name__].__code__
    return lambda: recoded(function, code)


def _publish_first(layout: Any, disk: Any, cutoff: str) -> bool:
    """Publishing, with the promise after what relies on it."""
    with mock.patch.object(catalog, "write_cutoff"):
        return _PUBLISH(layout, disk, cutoff)


def _all_published(layout: Any, _signal: Any) -> list[ParquetFile]:
    """Every segment is taken to be in Parquet, by a file of a folder that is there."""
    return [ParquetFile(layout.cutoff, "", 1, 1000)]


def _into_closed_days() -> AbstractContextManager[Any]:
    """Nobody asks which days are closed before a file is written."""
    stack = contextlib.ExitStack()
    stack.enter_context(mock.patch.object(worker, "rollups", types.SimpleNamespace(read=lambda _layout: Rollups())))
    stack.enter_context(mock.patch.object(Keeper, "_ingest_day", lambda keeper, _signal: keeper._day))
    return stack


_PUBLISH = catalog.publish
_WRITE_NEW = "rollups.write(layout, disk, after)"
_NEW_VERSION = "after = replace(in_force, version=rollups.next_version(layout, in_force))"

RULES: dict[str, Broken] = {
    # the journal
    "what was never acknowledged is cut": lambda: mock.patch.object(recovery, "mend", return_value=True),
    "what was being written when its life ended is written anew": lambda: mock.patch.object(
        recovery, "is_unsure", return_value=False
    ),
    "what cannot be put aside is not stored again": lambda: mock.patch.object(
        recovery, "_rows_in_doubt", return_value=()
    ),
    "a retry after a restart is known": lambda: mock.patch.object(recovery, "REMEMBER_AT_LEAST", 0),
    "a segment is closed before it becomes Parquet": edited(
        Journal.close, ("segment, self._open = self._open, None", "segment = self._open"), ("finish()", "pass")
    ),
    "a segment that could not be cut back is no Parquet yet": lambda: mock.patch.object(
        Journal, "_abandon", lambda journal, _: journal.close()
    ),
    "a name that could not be made is not tried again": edited(
        Journal._create, ("self._next += 1", "pass"), ("self.opened_at_s = now_s", "self._next += 1")
    ),
    "a number in Parquet is not given to a segment again": edited(
        recovery.recover, ("max([*covered, *(number", "max([*(number")
    ),
    "the number of a removed day is not given to a segment again": edited(
        retention.remove, ("_keep_number(layout, disk, day)", "pass")
    ),
    # compaction and merging
    "a segment is emptied only when its rows are in Parquet": lambda: mock.patch.object(
        retire, "parquet_files", _all_published
    ),
    "a segment that may not stay empty says so": edited(Disk.empty, ("path.chmod(WRITING_MODE)", "pass")),
    "a worker looks anew which segments are in Parquet": edited(worker._uncovered, ("in covered", "in ()")),
    "a merge begins with an empty folder": edited(
        merge.merge, ("shutil.rmtree(target)\n    disk", "shutil.rmtree(target, ignore_errors=True)\n    disk")
    ),
    "a closed day gets no row any more": _into_closed_days,
    "what takes the place of other files is in the manifest before": edited(
        manifest.replace_day,
        ("    announce(layout, signal, day, folder, disk)\n", ""),
        ("    note(", "    announce(layout, signal, day, layout.day(signal, day), disk)\n    note("),
    ),
    # the catalog
    "the cutoff is promised before views rely on it": lambda: mock.patch.object(catalog, "publish", _publish_first),
    "the cutoff waits for segments that still hold rows": lambda: mock.patch.object(
        keeper, "days_in_journal", return_value=set()
    ),
    "the script that says what the catalog holds is written after it": edited(
        catalog.publish,
        ("disk.publish(temporary,", 'disk.write(layout.script, f"{header}-- 0\\n".encode()); disk.publish(temporary,'),
    ),
    "the script says nothing of a catalog that is being replaced": edited(
        catalog.publish, ("if layout.script.exists():", "if False:")
    ),
    # closing, giving up, removing
    "the files of new totals are there before they are in force": edited(
        closing.close, ("_write_version(layout, before", f"{_WRITE_NEW}; _write_version(layout, before")
    ),
    "the files of renewed totals are there before they are in force": edited(
        rollups.renew, ("    for old in", "    write(layout, disk, after)\n    for old in")
    ),
    "a day is believed once it was lived through": lambda: mock.patch.object(sureclock, "PATIENCE_S", 0.0),
    "what is given up goes a grace after the catalog says so": edited(
        Retention._settled, ("return spoken and", "return")
    ),
    "totals that shells rely on go before the rows": lambda: mock.patch.object(rollups, "sweep", return_value=[]),
    "a day goes after its segments do": edited(retention.remove, ("if day.day in held[day.signal]:", "if False:")),
    "what goes is listed before": edited(
        retention.remove,
        ("_remember(layout, disk, day, reason, now_s)", "pass"),
        ("gone.append(", "_remember(layout, disk, day, reason, now_s); gone.append("),
    ),
    # purging
    "tombstones are set before rows are taken out of purged sessions": lambda: mock.patch.object(
        purging, "bury", return_value=""
    ),
    "requests of purged segments are remembered": lambda: mock.patch.object(retries, "keep", return_value=None),
    "no purge is done while a segment holds such rows": edited(
        purge._segments, ("if target.kind in (SESSION, USER) and", "if False and")
    ),
    "totals without what was purged are there before they are in force": edited(
        purge._rollups, (_NEW_VERSION, f"{_NEW_VERSION}; {_WRITE_NEW}")
    ),
    "totals without what was purged are in force before others go": edited(
        purge._rollups, (_WRITE_NEW, f"rollups.sweep(layout, disk, after); {_WRITE_NEW}")
    ),
    "torn lines do not outlast a purge": edited(quarantine._judge, ("and (_is_whole(line) or not unsaid)", "")),
    "a purge that is tried again syncs the quarantine": edited(
        purge._settle, ("folders = [layout.quarantine]", "folders = []")
    ),
    "a purge is noted until its receipt is there": edited(
        purge.receipt, ("    text = json.dumps", "    layout.intent.unlink(missing_ok=True)\n    text = json.dumps")
    ),
}

SCENES: dict[str, scenes.Scene] = {
    "a segment that could not be cut back is no Parquet yet": scenes.FAILING,
    "a name that could not be made is not tried again": scenes.FAILING,
    "what was being written when its life ended is written anew": scenes.UNSURE,
    "what cannot be put aside is not stored again": scenes.TORN,
    "the number of a removed day is not given to a segment again": scenes.REMOVING,
    "a segment that may not stay empty says so": scenes.EMPTIED,
    "a worker looks anew which segments are in Parquet": scenes.COMPACTING,
    "what takes the place of other files is in the manifest before": scenes.PURGING,
    "a merge begins with an empty folder": scenes.MERGING,
    "the script that says what the catalog holds is written after it": scenes.PUBLISHING,
    "the script says nothing of a catalog that is being replaced": scenes.TO_AND_FRO,
    "the files of renewed totals are there before they are in force": scenes.GIVING_UP,
    "a day goes after its segments do": scenes.LATE,
    "what goes is listed before": scenes.REMOVING,
    "no purge is done while a segment holds such rows": scenes.HELD,
    "totals without what was purged are there before they are in force": scenes.PURGING,
    "totals without what was purged are in force before others go": scenes.PURGING,
    "torn lines do not outlast a purge": scenes.AGAIN,
    "a purge that is tried again syncs the quarantine": scenes.AGAIN,
}
"""Those that chance would take long to miss, and where they are missed."""
