"""The journal: what was acknowledged is there exactly once, whatever call of the disk fails."""

from __future__ import annotations

import contextlib
import zlib
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from tests.daemons import journal_rows, names
from tests.fakes import FaultyDisk
from tests.storage.test_disk import small_files

from telem.sanitize.records import SanitizedBatch, Signal
from telem.storage import journal as journal_module
from telem.storage.compact import read_segment
from telem.storage.disk import Disk, DiskFullError
from telem.storage.journal import Journal, scan, segments
from telem.storage.layout import Layout
from telem.storage.recovery import recover

if TYPE_CHECKING:
    from pathlib import Path

    from tests.storage.conftest import MakeBatch

LOGS = Signal.LOGS


def open_journal(layout: Layout, disk: Disk | None = None, first: int = 1) -> Journal:
    return Journal(layout, LOGS, disk or Disk(), first)


def readable(home: Path) -> list[str]:
    """The names that a reader finds who skips what is not a row, as read_json does."""
    found = []
    for _, path in segments(Layout(home), LOGS):
        for line in path.read_bytes().splitlines():
            with contextlib.suppress(orjson.JSONDecodeError):
                row = orjson.loads(line)
                found += [row["attributes"]["record.name"]] if "seg" in row else []
    return sorted(found)


def readable_in_duckdb(home: Path) -> list[str]:
    """The same, as DuckDB sees it."""
    rows = [row for _, path in segments(Layout(home), LOGS) for row in read_segment(LOGS, path).to_pylist()]
    return sorted(orjson.loads(row["attributes"])["record.name"] for row in rows)


# -- what a segment looks like -------------------------------------------------------------------------------------


def test_rows_carry_their_segment_and_a_commit_line_follows(layout: Layout, batch: MakeBatch) -> None:
    """Each batch is its rows and one commit line with request, count and checksum."""
    journal = open_journal(layout, first=7)
    one = batch("a", "b")
    journal.append([one, batch("c")], 0.0)
    journal.close()
    lines = layout.segment(LOGS, 7).read_bytes().splitlines(keepends=True)
    assert [orjson.loads(line).get("seg") for line in lines] == [7, 7, None, 7, None]
    commit = orjson.loads(lines[2])["commit"]
    assert commit["request"] == one.request_id
    assert commit["rows"] == 2
    assert commit["crc"] == zlib.crc32(b"".join(lines[:2]))
    assert commit["at"] == one.received_at_ns // 1000
    assert names(journal_rows(layout.home)) == ["a", "b", "c"]


def test_positions_say_where_each_batch_ends(layout: Layout, batch: MakeBatch) -> None:
    """A position names segment and offset, in the order of the batches."""
    journal = open_journal(layout)
    first = journal.append([batch("a")], 0.0)
    second = journal.append([batch("b"), batch("c")], 0.0)
    journal.close()
    data = layout.segment(LOGS, 1).read_bytes()
    ends = [position.end_bytes for position in first + second]
    assert ends == [end for _, end, _ in scan(data)]
    assert ends[-1] == len(data)


def test_nothing_is_created_before_the_first_batch(layout: Layout) -> None:
    """An idle daemon leaves no empty segments."""
    journal = open_journal(layout)
    journal.close()
    assert segments(layout, LOGS) == []
    assert journal.closed == []


def test_a_full_segment_is_closed_and_the_next_begun(
    layout: Layout, batch: MakeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Segments are numbered without gaps and handed over when they reach the limit."""
    monkeypatch.setattr(journal_module, "SEGMENT_LIMIT_BYTES", 1)
    journal = open_journal(layout, first=3)
    for name in "abc":
        journal.append([batch(name)], 0.0)
    assert journal.closed == [3, 4, 5]
    assert [number for number, _ in segments(layout, LOGS)] == [3, 4, 5]
    assert not journal.is_open


def test_every_batch_is_synced_before_it_is_acknowledged(layout: Layout, batch: MakeBatch) -> None:
    """One sync for a group of batches, none left out."""
    disk = FaultyDisk("sync")
    journal = open_journal(layout, disk)
    for calls in (1, 2, 3):
        journal.append([batch(f"a{calls}"), batch(f"b{calls}")], 0.0)
        assert disk.calls == calls
    journal.close()


# -- failures ------------------------------------------------------------------------------------------------------


def test_a_disk_that_is_full_cuts_back_and_takes_up_again(layout: Layout, batch: MakeBatch) -> None:
    """A short write leaves no torn line; the same journal goes on in the same segment once there is room."""
    journal = open_journal(layout)
    journal.append([batch("a")], 0.0)
    size = layout.segment(LOGS, 1).stat().st_size
    with small_files(size + 100), pytest.raises(DiskFullError):
        journal.append([batch("b", "c", "d")], 0.0)
    assert layout.segment(LOGS, 1).stat().st_size == size
    journal.append([batch("b", "c", "d")], 0.0)
    journal.close()
    assert names(journal_rows(layout.home)) == ["a", "b", "c", "d"]


def test_a_failed_sync_abandons_the_segment_and_writes_the_batch_anew(layout: Layout, batch: MakeBatch) -> None:
    """The pages may be gone, so the batch goes to a new segment and is readable exactly once."""
    journal = open_journal(layout, FaultyDisk("sync", 2))
    journal.append([batch("a")], 0.0)
    position = journal.append([batch("b")], 0.0)[0]
    journal.close()
    assert position.segment == 2
    assert journal.closed == [1, 2]
    assert names(journal_rows(layout.home)) == ["a", "b"]


def test_two_failed_syncs_are_told_and_nothing_is_left_to_be_read(layout: Layout, batch: MakeBatch) -> None:
    """The client hears of it and its retry is stored once."""
    journal = open_journal(layout, FaultyDisk("sync", 2, 3))
    journal.append([batch("a")], 0.0)
    with pytest.raises(OSError, match="sync failed"):
        journal.append([batch("b")], 0.0)
    assert names(journal_rows(layout.home)) == ["a"]
    journal.append([batch("b")], 0.0)
    journal.close()
    assert names(journal_rows(layout.home)) == ["a", "b"]


def test_a_torn_line_that_could_not_be_cut_back_is_never_appended_to(layout: Layout, batch: MakeBatch) -> None:
    """It would swallow the good line after it; the next batch begins a new segment."""
    journal = open_journal(layout, FaultyDisk("torn", 2))
    journal.append([batch("a")], 0.0)
    with pytest.raises(OSError, match="told to fail"):
        journal.append([batch("b")], 0.0)
    journal.append([batch("b")], 0.0)
    journal.close()
    assert readable(layout.home) == readable_in_duckdb(layout.home) == ["a", "b"]
    assert [number for number, _ in segments(layout, LOGS)] == [1, 2]


def test_a_failed_retreat_after_a_failed_sync_still_abandons_the_segment(layout: Layout, batch: MakeBatch) -> None:
    """Nothing is ever appended to, or synced in, a segment whose sync failed."""

    class Both(FaultyDisk):
        def step(self, kind: str) -> bool:
            return kind == "retreat" or super().step(kind)

    journal = open_journal(layout, Both("sync", 2))
    journal.append([batch("a")], 0.0)
    journal.append([batch("b")], 0.0)
    journal.append([batch("c")], 0.0)
    journal.close()
    assert {row["seg"] for row in journal_rows(layout.home) if row["attributes"]["record.name"] == "c"} == {2}


def test_a_segment_that_could_not_be_created_does_not_block_the_next(layout: Layout, batch: MakeBatch) -> None:
    """A name that is taken, by whatever accident, costs one attempt and not all of them."""
    layout.segment(LOGS, 1).write_bytes(b"")
    journal = open_journal(layout)
    with pytest.raises(FileExistsError):
        journal.append([batch("a")], 0.0)
    journal.append([batch("a")], 0.0)
    journal.close()
    assert names(journal_rows(layout.home)) == ["a"]


@pytest.mark.parametrize("kind", ["create", "append", "torn", "sync"])
@pytest.mark.parametrize("at", [(1,), (2,), (3,), (4,), (5,), (6,), (2, 3), (3, 4, 5), (1, 2, 3, 4)], ids=str)
def test_whatever_call_fails_acknowledged_rows_are_there_once(
    kind: str, at: tuple[int, ...], layout: Layout, batch: MakeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault at the n-th call, clients retry: before and after recovery every acknowledged row is there once."""
    monkeypatch.setattr(journal_module, "SEGMENT_LIMIT_BYTES", 1_500)  # a few batches, so that creates happen too
    journal = open_journal(layout, FaultyDisk(kind, *at))
    acknowledged: list[str] = []
    for number in range(6):
        made = [batch(f"{number}a", f"{number}b"), batch(f"{number}c")]
        if _stored(journal, made):
            acknowledged += [f"{number}a", f"{number}b", f"{number}c"]
    assert set(acknowledged) <= set(readable(layout.home))
    found = recover(layout, LOGS, Disk(), 0)  # the process dies here; another life begins
    assert readable(layout.home) == sorted(acknowledged)
    second = open_journal(layout, first=found.next_segment)
    second.append([batch("later")], 0.0)
    second.close()
    assert readable(layout.home) == sorted([*acknowledged, "later"])


def _stored(journal: Journal, batches: list[SanitizedBatch]) -> bool:
    for _ in range(6):
        try:
            journal.append(batches, 0.0)
        except OSError:
            continue
        return True
    return False


def test_segments_ignores_files_of_other_names(layout: Layout) -> None:
    """Only numbered segments count."""
    for name in ("s-1.ndjson", ".tmp-s-000000000001.ndjson", "s-000000000002.ndjson", "notes.txt"):
        (layout.journal(LOGS) / name).write_bytes(b"")
    assert [number for number, _ in segments(layout, LOGS)] == [2]


def test_scan_finds_nothing_in_nothing() -> None:
    """An empty segment has no batches."""
    found: list[Any] = list(scan(b""))
    assert found == []
