"""Removing rows for good: from segments, Parquet, rollups and quarantine. Runs in a worker (duckdb, pyarrow).

What is to go stands in an intent file until all of it is gone, so an interrupted purge is finished by the next start;
every step can be done again. Only files that hold such rows are rewritten. The receipt says what, how much and when,
and names nobody. The caller has set the tombstone, closed the segments and made them into Parquet before.
"""

from __future__ import annotations

import json
import shutil
import time
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import duckdb

from telem.sanitize.records import Signal
from telem.sanitize.tombs import SESSION, USER, USER_COLUMNS

from . import closing, meant, quarantine, retries, rollups, snapshot
from .intent import BEFORE, Done, Target
from .inventory import covered_segments, is_left, parquet_files
from .journal import segments
from .making_room import Found, rewrite_days
from .meant import is_meant
from .views import glob_safe, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from .disk import Disk
    from .layout import Layout
    from .meant import Meant

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {"threads": 1, "memory_limit": "256MB"}


class SegmentError(RuntimeError):
    """The journal holds rows of the target that are in no Parquet file yet; try again later."""


def where(target: Target) -> str:
    """SQL condition for rows of raw tables."""
    return meant.where(meant.of(target))


def where_summed(target: Target) -> str:
    """SQL condition for rows of the rollups."""
    return meant.where_summed(meant.of(target))


def find(layout: Layout, target: Target) -> list[Found]:
    """Which Parquet files hold rows of the target, and how many. Reads one column or two, where statistics let it."""
    found = []
    for signal in Signal:
        paths = [str(file.path) for file in parquet_files(layout, signal)]
        if not paths:
            continue
        by_name = {glob_safe(path): path for path in paths}
        listed = ", ".join(quote(glob_safe(path)) for path in paths)
        with duckdb.connect(config=_SETTINGS) as connection:
            rows = connection.execute(
                f"SELECT filename, count(*) FROM read_parquet([{listed}], filename = true, hive_partitioning = false) "
                f"WHERE {where(target)} GROUP BY filename ORDER BY filename"
            ).fetchall()
        counts = {by_name.get(str(name), str(name)): int(count) for name, count in rows}
        found += [Found(file.path, signal, file.day, counts[str(file.path)])
                  for file in parquet_files(layout, signal) if counts.get(str(file.path))]  # fmt: skip
    return found


def neighbours(layout: Layout, target: Target) -> list[str]:
    """Other stand-ins that occur in rows of a user; rows with only these stay."""
    if target.kind != USER:
        return []
    others: set[str] = set()
    for found in find(layout, target):
        columns = ", ".join(USER_COLUMNS)
        with duckdb.connect(config=_SETTINGS) as connection:
            source = f"read_parquet({quote(glob_safe(str(found.path)))})"
            rows = connection.execute(f"SELECT DISTINCT {columns} FROM {source} WHERE {where(target)}").fetchall()
        others |= {str(value) for row in rows for value in row if value is not None}
    return sorted(others - {target.value})


def purge(
    layout: Layout,
    disk: Disk,
    target: Target,
    progress: Callable[[int, int], None],
    note: Callable[[Done], None] = lambda _so_far: None,
    so_far: Done | None = None,
) -> Done:
    """Remove the target's rows; returns what the receipt says. Doing it again finds what is left.

    Args:
        note: keeps what was done, for one that goes on after an interruption.
        so_far: what was kept of it.

    Raises:
        SegmentError: a segment holds such rows and is not ready.
        DiskFullError: there is no space for what stays of some day. All others are done; free some, and go on.
    """
    said = so_far or Done()
    _settle(layout, disk)
    said.segments += _segments(layout, disk, target)  # first: one whose rows are in no Parquet file would be read
    snapshot.sweep(layout, disk)  # what a killed backup left has rows as they were, and takes space
    rewrite_days(layout, disk, find(layout, target), meant.of(target), progress, partial(_count_in, layout, said, note))
    _settle(layout, disk)
    said.rollup_rows += _rollups(layout, disk, meant.of(target))
    said.quarantined += quarantine.take_out(layout, disk, meant.of(target))
    said.home = True
    note(said)
    return said


def _count_in(layout: Layout, said: Done, note: Callable[[Done], None], files: Sequence[Found]) -> None:
    """Note files that are about to be rewritten, unless they were before an interruption."""
    for file in files:
        name = str(file.path.relative_to(layout.home))
        if name not in said.files:
            said.files.append(name)
            said.rows[file.signal.value] = said.rows.get(file.signal.value, 0) + file.rows
    with suppress(OSError):  # a full disk; then the receipt of a purge that is interrupted knows less
        note(said)


def _segments(layout: Layout, disk: Disk, target: Target) -> list[str]:
    """Unlink segments whose rows are in Parquet and that hold some of the target's, or may again.

    Unlinked, not emptied as retiring does: a query that has listed one and not opened it yet fails, where an emptied
    one would read as no rows although its Parquet file was not there yet when the query began.
    """
    gone, rows = [], meant.of(target)
    for signal in Signal:
        covered = covered_segments(layout, signal)
        hits = [
            (number, path)
            for number, path in segments(layout, signal)
            if any(is_meant(line, rows) for line in _lines(path)) or (number in covered and is_left(path))
        ]
        doomed = [path for number, path in hits if number in covered]
        if target.kind in (SESSION, USER) and len(doomed) < len(hits):  # of these nothing is stored any more
            raise SegmentError(f"a segment of {signal} could not be made whole yet, and holds such rows")
        retries.keep(layout, signal, doomed, disk)
        for path in doomed:
            disk.remove(path)
        gone += [f"{signal}/{path.name}" for path in doomed]
    return gone


def _settle(layout: Layout, disk: Disk) -> None:
    """Take away what a step that failed left aside, with rows as they were, and sync every folder with changed names.

    A step whose sync failed is not seen to be unfinished by the purge that is tried again; with a power cut it would
    be undone, and what was said to be gone be back.
    """
    folders = [layout.quarantine]
    for signal in Signal:
        for aside in (layout.merging(signal), layout.removing(signal)):
            if aside.exists():
                shutil.rmtree(aside)
        below = layout.parquet(signal)
        list(disk.sweep_temporary(below))  # a file that could be neither finished nor removed
        folders += [layout.journal(signal), below, *below.glob("v=*"), *below.glob("v=*/ingest_day=*")]
    for folder in folders:
        if folder.is_dir():
            disk.sync_directory(folder)


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def _rollups(layout: Layout, disk: Disk, rows: Meant) -> int:
    """A new version without the rows that are meant; all older ones go at once. Returns how many rows it lost."""
    in_force = rollups.read(layout)
    if not in_force.version:
        return 0
    condition, of_series = meant.where_summed(rows), meant.where_series(rows)
    usage, series = rollups.files(layout, in_force)
    conditions = {usage: condition, rollups.imported(layout, in_force): condition, series: of_series}
    hits = {path: _count(path, sql) for path, sql in conditions.items() if path.exists()}
    if any(hits.values()):
        after = replace(in_force, version=rollups.next_version(layout, in_force))
        for path, hit in hits.items():
            new = layout.rollup(after.version) / path.name
            disk.directory(new.parent)
            if hit:
                _keep(path, conditions[path], new, disk)
            else:
                disk.link(path, new)
        rollups.write(layout, disk, after)
        in_force = after
    rollups.sweep(layout, disk, in_force)
    return sum(hit for path, hit in hits.items() if path != series)


def _count(path: Path, condition: str) -> int:
    """How many rows of a file of the rollups are meant."""
    with duckdb.connect(config=_SETTINGS) as connection:
        rows = connection.execute(f"SELECT count(*) FROM ({closing.rows_of(path)}) WHERE {condition}").fetchall()
    return int(rows[0][0])


def _keep(path: Path, condition: str, new: Path, disk: Disk) -> None:
    """Write the other rows into another one."""
    with duckdb.connect(config=_SETTINGS) as connection:
        kept = f"SELECT * FROM ({closing.rows_of(path)}) WHERE ({condition}) IS NOT TRUE"
        closing.publish(connection, kept, new, disk)


def receipt(
    layout: Layout, disk: Disk, target: Target, said: Mapping[str, Any], digest: str, *, here: bool = True
) -> Path:
    """Write what was done, without who it was about; if it was done here, the intent is fulfilled then."""
    now_s = time.time()
    disk.directory(layout.receipts)
    name = f"{time.strftime('%Y-%m-%dT%H%M%SZ', time.gmtime(now_s))}-{target.id}.json"
    about = {**asdict(target), "value": target.value if target.kind == BEFORE else None}
    text = json.dumps({"schema": 1, **about, "tombstone": digest or None, "finished_at_s": now_s, **said}, indent=2)
    disk.write(layout.receipts / name, text.encode() + b"\n")
    if here:
        with suppress(FileNotFoundError):
            layout.intent.unlink()
        disk.sync_directory(layout.home)
    return layout.receipts / name
