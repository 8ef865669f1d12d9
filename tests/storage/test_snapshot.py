"""The still picture: every acknowledged row once, whatever happens to the folder meanwhile."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests.storage.homes import DAY, home_of, parquet, record_names, segment

from telem.sanitize.records import Signal
from telem.storage.disk import Disk
from telem.storage.layout import Layout
from telem.storage.snapshot import snapshot, sweep

if TYPE_CHECKING:
    from pathlib import Path

    from tests.storage.conftest import MakeBatch

LOGS = Signal.LOGS


def test_rows_in_both_places_are_taken_once(home: Path, batch: MakeBatch) -> None:
    """A segment whose rows are in Parquet already, and not emptied yet, is left out."""
    layout = home_of(home)
    segment(layout, 1, batch("a"))
    path = parquet(layout, 2, batch("b"))
    segment_two = layout.segment(LOGS, 2)
    segment_two.unlink()
    segment(layout, 2, batch("b"))
    assert path.exists()
    assert record_names(layout) == ["a", "b"]


def test_what_goes_on_in_the_folder_does_not_show(home: Path, batch: MakeBatch) -> None:
    """Files are merged away, segments are emptied: the picture is what it was."""
    layout = home_of(home)
    parquet(layout, 1, batch("a"))
    segment(layout, 2, batch("b"))
    with snapshot(layout, Disk()) as picture:
        shutil.rmtree(layout.day(LOGS, DAY))
        Disk().empty(layout.segment(LOGS, 2))
        assert record_names(picture.layout) == ["a", "b"]
    assert record_names(layout) == []


def test_unacknowledged_and_damaged_pieces_are_left_out(home: Path, batch: MakeBatch) -> None:
    """Only batches with a commit line that agrees are taken."""
    layout = home_of(home)
    segment(layout, 1, batch("a"), batch("b"))
    path = layout.segment(LOGS, 1)
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"a"', b'"x"', 1) + b'{"seg":1,"id":"torn')
    with snapshot(layout, Disk()) as picture:
        assert record_names(picture.layout) == ["b"]


def test_what_a_killed_reader_left_is_removed(home: Path, batch: MakeBatch) -> None:
    """And what a living one reads is not."""
    layout = home_of(home)
    segment(layout, 1, batch("a"))
    left = layout.snapshots / "0123456789ab"
    left.mkdir(parents=True)
    (left / "file").touch()
    with snapshot(layout, Disk()) as living:
        assert not left.exists()
        with snapshot(layout, Disk()):
            assert record_names(living.layout) == ["a"]
    assert list(layout.snapshots.iterdir()) == []


@pytest.mark.parametrize("signal", Signal)
def test_a_home_of_old_without_journals_is_empty(signal: Signal, home: Path) -> None:
    """A folder that no daemon has used yet has nothing to take."""
    layout = home_of(home)
    shutil.rmtree(layout.journal(signal))
    with snapshot(layout, Disk()) as picture:
        assert picture.segments(signal) == []


def test_where_no_picture_was_ever_taken_there_is_nothing_to_remove(home: Path) -> None:
    """A purge sweeps before any backup was made."""
    sweep(Layout(home), Disk())
    assert list(home.iterdir()) == []
