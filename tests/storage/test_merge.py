"""A closed day's files become one, and nothing is lost, doubled or left over on the way."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import duckdb
import pytest

from telem.sanitize.records import Signal
from telem.storage.catalog import publish
from telem.storage.compact import compact
from telem.storage.disk import CannotExchangeError, Disk
from telem.storage.inventory import covered_segments, days_to_merge, parquet_files
from telem.storage.journal import Journal
from telem.storage.merge import merge
from telem.storage.rewrite import rewrite_day

if TYPE_CHECKING:
    from pathlib import Path

    from tests.storage.conftest import MakeBatch

    from telem.storage.layout import Layout

LOGS = Signal.LOGS
DAY, NEXT_DAY = "2026-01-30", "2026-01-31"
"""A closed day, and the day that is not."""


def three_files(layout: Layout, batch: MakeBatch, day: str = DAY) -> list[str]:
    """Three segments, each a Parquet file of its own; their row ids."""
    journal = Journal(layout, LOGS, Disk(), 1)
    for number in (1, 2, 3):
        journal.append([batch(*(f"{name}{number}" for name in "zebra"))], 0.0)
        journal.close()
        compact(layout, LOGS, [number], day, Disk())
    return ids(layout)


def ids(layout: Layout) -> list[str]:
    """Row ids of all Parquet files, sorted."""
    paths = [str(file.path) for file in parquet_files(layout, LOGS)]
    with duckdb.connect() as connection:
        return [row[0] for row in connection.execute("SELECT id FROM read_parquet(?) ORDER BY id", [paths]).fetchall()]


def test_a_closed_day_becomes_one_file_with_the_same_rows(layout: Layout, batch: MakeBatch) -> None:
    """Its name claims the same segments, and the folder aside is gone."""
    before = three_files(layout, batch)
    assert days_to_merge(layout, LOGS, NEXT_DAY) == [DAY]
    assert merge(layout, LOGS, DAY, Disk()) == 1
    (file,) = parquet_files(layout, LOGS)
    assert (file.first, file.last, file.day) == (1, 3, DAY)
    assert ids(layout) == before
    assert covered_segments(layout, LOGS) == {1, 2, 3}
    assert days_to_merge(layout, LOGS, NEXT_DAY) == []
    assert list(layout.merging(LOGS).iterdir()) == []


def test_files_that_lost_all_their_rows_become_one(layout: Layout, batch: MakeBatch) -> None:
    """As a purge leaves them: the name still says which segments must not be read any more."""
    three_files(layout, batch)
    gone = {file.path: lambda table: table.slice(0, 0) for file in parquet_files(layout, LOGS)}
    rewrite_day(layout, LOGS, DAY, gone, Disk())
    assert merge(layout, LOGS, DAY, Disk()) == 1
    assert covered_segments(layout, LOGS) == {1, 2, 3}
    assert ids(layout) == []


def test_the_merged_rows_are_sorted(layout: Layout, batch: MakeBatch) -> None:
    """By kind of event and time, so that a question about one kind reads little."""
    three_files(layout, batch)
    merge(layout, LOGS, DAY, Disk())
    (file,) = parquet_files(layout, LOGS)
    with duckdb.connect() as connection:
        rows = connection.execute("SELECT event_name, time FROM read_parquet(?)", [str(file.path)]).fetchall()
    assert rows == sorted(rows)


def test_a_missing_segment_keeps_its_neighbours_apart(layout: Layout, batch: MakeBatch) -> None:
    """A merged name that claimed it would hide its rows for good."""
    three_files(layout, batch)
    (middle,) = [file.path for file in parquet_files(layout, LOGS) if file.first == 2]
    middle.unlink()
    assert days_to_merge(layout, LOGS, NEXT_DAY) == []
    assert merge(layout, LOGS, DAY, Disk()) == 2
    assert covered_segments(layout, LOGS) == {1, 3}


def test_the_day_that_is_not_over_is_left_alone(layout: Layout, batch: MakeBatch) -> None:
    """More files may still come to it."""
    three_files(layout, batch, NEXT_DAY)
    assert days_to_merge(layout, LOGS, NEXT_DAY) == []


@pytest.mark.parametrize("error", [CannotExchangeError(errno.EINVAL, "not here"), OSError(errno.EIO, "broken")])
def test_a_day_that_cannot_be_exchanged_stays_as_it_is(layout: Layout, batch: MakeBatch, error: OSError) -> None:
    """A file system without the step is no failure, a broken one is; the rows are where they were."""
    before = three_files(layout, batch)

    class Stubborn(Disk):
        def exchange(self, one: Path, other: Path) -> None:
            raise error

    if isinstance(error, CannotExchangeError):
        assert merge(layout, LOGS, DAY, Stubborn()) == 3
        assert list(layout.merging(LOGS).iterdir()) == []
    else:
        with pytest.raises(OSError, match="broken"):
            merge(layout, LOGS, DAY, Stubborn())
    assert ids(layout) == before
    assert len(parquet_files(layout, LOGS)) == 3


def test_a_killed_merge_is_done_again(layout: Layout, batch: MakeBatch) -> None:
    """What it left aside is written anew."""
    before = three_files(layout, batch)
    leftover = layout.merging(LOGS) / f"ingest_day={DAY}" / "000000000001-000000000003.parquet"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"half")
    merge(layout, LOGS, DAY, Disk())
    assert ids(layout) == before


def test_shells_count_the_same_before_and_after(layout: Layout, batch: MakeBatch) -> None:
    """Through the catalog, with the segments still in the journal."""
    before = three_files(layout, batch)
    publish(layout, Disk(), cutoff=DAY)

    def count() -> int:
        with duckdb.connect(str(layout.catalog), read_only=True) as connection:
            return int(connection.execute("SELECT count(*) FROM raw_logs").fetchall()[0][0])

    assert count() == len(before)
    merge(layout, LOGS, DAY, Disk())
    assert count() == len(before)
