"""Totals of another folder's days whose rows it has given up: added once, never beside their rows."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from tests.otlp import NOW_NS, logs, raw
from tests.storage.homes import home_of, parquet, segment

from telem.agent.reserve import reserve
from telem.queries.commands import ask
from telem.sanitize.decode import decode
from telem.sanitize.records import SanitizedBatch, Signal
from telem.storage import closing, import_archive, rollups, tombstones
from telem.storage.backup import write_backup
from telem.storage.disk import Disk
from telem.storage.import_archive import Imported, Importer
from telem.storage.intent import target_of
from telem.storage.inventory import parquet_files
from telem.storage.layout import Layout
from telem.storage.purge import purge
from telem.storage.restore import check, restore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from telem.sanitize.gate import Gate

LOGS = Signal.LOGS
DISK = Disk()
DAYS = ("2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04")


@pytest.fixture
def batch(gate: Gate) -> Callable[..., SanitizedBatch]:
    """Prompts of sessions, each a record of its own."""
    numbers = iter(range(1000))

    def make(*sessions: str) -> SanitizedBatch:
        records = [{"event.name": "user_prompt", "session.id": one, "n": next(numbers)} for one in sessions]
        request = raw(LOGS, logs(*records, time_ns=NOW_NS))
        return gate.sanitize(decode(request), gate.request_id(request))

    return make


@pytest.fixture
def there(home: Path, batch: Callable[..., SanitizedBatch]) -> Layout:
    """Another machine: session `a` on each of three days, `b` on the second, `c` in the journal."""
    layout = home_of(home / "there")
    layout.key.write_text("ab" * 32 + "\n")
    for number, sessions in enumerate((("a",), ("a", "b"), ("a",)), 1):
        parquet(layout, number, batch(*sessions), day=DAYS[number - 1])
    segment(layout, 4, batch("c"))
    return layout


@pytest.fixture
def here(home: Path, batch: Callable[..., SanitizedBatch]) -> Layout:
    """This machine, with a session of its own."""
    layout = home_of(home / "here")
    parquet(layout, 1, batch("own"), day=DAYS[0])
    return layout


def give_up(layout: Layout, since: str) -> Layout:
    """Close and forget what is before a day, as retention does."""
    closing.close(layout, since, DISK)
    found = rollups.read(layout)
    for signal in Signal:
        found = rollups.give_up(found, signal, since, 0.0)
    rollups.write(layout, DISK, found)
    for file in parquet_files(layout, LOGS):
        if file.day < since:
            shutil.rmtree(file.path.parent)
            layout.segment(LOGS, file.first).unlink(missing_ok=True)
    return layout


def archive(layout: Layout) -> Path:
    path = layout.home.with_name(f"{layout.home.name}-{len(list(layout.home.parent.iterdir()))}.tar.zst")
    with path.open("wb") as file:
        write_backup(layout, DISK, file)
    return path


def add(layout: Layout, path: Path, *, dry: bool = False, **more: Any) -> Imported:
    with path.open("rb") as file:
        manifest = check(file)
    return Importer(layout, DISK, lambda signal: reserve(layout, signal), **more).add(path, manifest, dry=dry)


def prompts(layout: Layout) -> dict[str, int]:
    by_days: Any = ask(layout, "SELECT session_id, sum(prompts)::INT FROM usage_days GROUP BY 1").rows
    by_facts: Any = ask(layout, "SELECT session_id, sum(prompts)::INT FROM usage_facts GROUP BY 1").rows
    assert dict(by_days) == dict(by_facts)
    return dict(by_days)


ALL = {"own": 1, "a": 3, "b": 1, "c": 1}


def test_sums_come_with_the_rows_and_once(here: Layout, there: Layout) -> None:
    """Imported twice it changes nothing; what is closed, expires or is purged here later stays right."""
    path = archive(give_up(there, DAYS[2]))
    dry = add(here, path, dry=True)
    assert (dry.sums.added, dry.added, prompts(here)) == (3, {"logs": 2}, {"own": 1})
    done = add(here, path)
    assert (done.sums.added, done.sums.known, done.added) == (3, 0, {"logs": 2})
    assert prompts(here) == ALL
    again = add(here, path)
    assert (again.sums.added, again.sums.known, again.added) == (0, 3, {"logs": 0})
    assert prompts(here) == ALL
    today = import_archive.ingest_day(here, LOGS)
    give_up(here, "2999-01-01")
    assert prompts(here) == ALL
    late = add(here, path)
    assert (late.sums.added, late.added, late.expired) == (0, {}, {"logs": 2})
    assert prompts(here) == ALL
    assert today >= DAYS[3]
    said = purge(here, DISK, target_of("session", "a"), lambda _done, _total: None)
    assert said.rollup_rows == 3
    assert prompts(here) == {"own": 1, "b": 1, "c": 1}


def test_a_day_is_taken_as_rows_or_as_sums_never_both(here: Layout, there: Layout) -> None:
    """Whichever archive comes first: the one with rows of all days, or one of later that has only sums of them."""
    rows = archive(there)
    sums = archive(give_up(there, DAYS[3]))
    other = Layout(here.home.with_name("other"))
    shutil.copytree(here.home, other.home)
    for path in (rows, sums, rows):
        add(here, path)
        assert prompts(here) == ALL
    for path in (sums, rows, sums):
        add(other, path)
        assert prompts(other) == ALL
    taken = rollups.read(other).taken
    assert {(one.kind, one.signal) for one in taken if one.signal == "logs"} == {("sums", "logs"), ("rows", "logs")}


def test_days_between_two_archives_come_as_sums(here: Layout, there: Layout, batch: Any) -> None:
    """The first had rows of the first days, the second, much later, has sums of all but the last."""
    first = home_copy(there, "early")
    for path in first.day(LOGS, DAYS[2]).glob("*"):
        path.unlink()
    first.segment(LOGS, 3).unlink()
    first.segment(LOGS, 4).unlink()
    early = archive(first)
    with early.open("rb") as file:
        manifest = check(file)
    manifest.about["created_at"] = f"{DAYS[1]}T12:00:00+00:00"  # it was made then
    Importer(here, DISK, lambda signal: reserve(here, signal)).add(early, manifest)
    assert prompts(here) == {"own": 1, "a": 2, "b": 1}
    parquet(there, 5, batch("a"), day=DAYS[3])
    done = add(here, archive(give_up(there, DAYS[3])))
    assert (done.sums.added, done.sums.known) == (1, 3)
    assert prompts(here) == ALL | {"a": 4}


def home_copy(layout: Layout, name: str) -> Layout:
    target = layout.home.with_name(name)
    shutil.copytree(layout.home, target)
    return Layout(target)


def test_its_own_past_is_not_added_to_a_folder_nor_to_one_restored_from_it(there: Layout, home: Path) -> None:
    """Neither from an earlier nor from a later backup of it, nor back from the restored one, whatever its key."""
    later = archive(give_up(there, DAYS[2]))
    with later.open("rb") as file:
        restore(file, home / "restored", DISK)
    restored = Layout(home / "restored")
    restored.key.write_text("cd" * 32 + "\n")
    wanted = prompts(there)
    for target, path in ((there, later), (restored, later), (there, archive(give_up(restored, DAYS[3])))):
        add(target, path)
        assert prompts(target) == wanted


def test_an_interrupted_import_counts_no_day_twice(here: Layout, there: Layout, monkeypatch: Any) -> None:
    """The sums are there and the rows are not yet; the next attempt adds these alone."""
    path = archive(give_up(there, DAYS[2]))

    def failing(_signal: Signal) -> int:
        raise OSError("told to fail")

    with path.open("rb") as file:
        manifest = check(file)
    with pytest.raises(OSError, match="told to fail"):
        Importer(here, DISK, failing).add(path, manifest)
    assert prompts(here) == {"own": 1, "a": 2, "b": 1}
    assert add(here, path).sums.added == 0
    assert prompts(here) == ALL


def test_purged_sums_do_not_come_back(here: Layout, there: Layout) -> None:
    """They are left out as rows are, and counted."""
    path = archive(give_up(there, DAYS[2]))
    key = bytes(32)
    tombstones.add(here, DISK, key, "session", "a")
    done = add(here, path, tombs=tombstones.read(here, key))
    assert (done.sums.added, done.sums.purged) == (1, 2)
    assert prompts(here) == {"own": 1, "b": 1, "c": 1}


def test_sums_that_were_imported_there_are_taken_over(here: Layout, there: Layout, home: Path) -> None:
    """From machine to machine, and not again when they come from the first one too."""
    first = archive(give_up(there, DAYS[2]))
    middle = home_of(home / "middle")
    middle.key.write_text("ef" * 32 + "\n")
    add(middle, first)
    add(here, archive(middle))
    assert prompts(here) == ALL
    assert add(here, first).sums.added == 0
    assert prompts(here) == ALL
