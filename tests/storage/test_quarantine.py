"""A purge takes out of damaged pieces what is meant, and what does not say whose it is; what is of others stays."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from telem.sanitize.tombs import USER_COLUMNS
from telem.storage import intent, quarantine
from telem.storage.disk import Disk
from telem.storage.meant import of

if TYPE_CHECKING:
    from pathlib import Path

    from telem.storage.layout import Layout
    from telem.storage.meant import Meant

DISK = Disk()
TORN = b'{"id":"no longer says whose it'


@pytest.fixture
def pieces(layout: Layout) -> Path:
    """The quarantine, with a file of a session and of a user of 2026, whole and cut."""
    DISK.directory(layout.quarantine)
    nobody = dict.fromkeys(USER_COLUMNS, pa.array([None, None], pa.string()))
    at = pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * 2, pa.timestamp("us", "UTC"))
    rows = pa.table({"session_id": ["one", "two"], "time": at, **nobody, USER_COLUMNS[0]: [None, "user:1"]})
    pq.write_table(rows, layout.quarantine / "whole.parquet", write_page_checksum=True)
    data = (layout.quarantine / "whole.parquet").read_bytes()
    (layout.quarantine / "cut.parquet").write_bytes(data[:-9])
    (layout.quarantine / "lines.damaged").write_bytes(b'{"session_id":"two"}\n{"requests":1}\n%b\n' % TORN)
    return layout.quarantine


def meant(kind: str, value: str) -> Meant:
    """As a purge means it."""
    return of(intent.target_of(kind, value))


@pytest.mark.parametrize(
    ("kind", "value", "gone", "left"),
    [
        ("session", "one", 3, {"lines.damaged"}),
        ("user", "user:1", 3, {"lines.damaged"}),
        ("session", "nobody's", 2, {"lines.damaged", "whole.parquet"}),
        ("before", "2025-12-31", 0, {"lines.damaged", "cut.parquet", "whole.parquet"}),
        ("before", "2026-01-02", 1, {"lines.damaged", "cut.parquet"}),
        ("all", "", 3, set()),
    ],
)
def test_what_goes(kind: str, value: str, gone: int, left: set[str], layout: Layout, pieces: Path) -> None:
    """A torn line and a cut file say nothing; they are younger than the times asked for."""
    assert quarantine.count(layout, meant(kind, value)) == gone
    assert quarantine.take_out(layout, DISK, meant(kind, value)) == gone
    assert quarantine.count(layout, meant(kind, value)) == 0
    assert {path.name for path in pieces.iterdir()} == left
    if kind in ("session", "user"):
        assert (pieces / "lines.damaged").read_bytes() == b'{"session_id":"two"}\n{"requests":1}\n'


def test_what_is_older_than_the_time_goes_although_it_does_not_say_when_it_was(layout: Layout, pieces: Path) -> None:
    """It was put aside after everything in it had happened."""
    for path in pieces.iterdir():
        os.utime(path, (1.0, 1.0))
    assert quarantine.take_out(layout, DISK, meant("before", "2025-12-31")) == 2
    assert {path.name for path in pieces.iterdir()} == {"lines.damaged", "whole.parquet"}
    assert TORN not in (pieces / "lines.damaged").read_bytes()


def test_a_flipped_bit_does_not_hide_a_session(layout: Layout, pieces: Path) -> None:
    """A reader that believes pages would read another name."""
    path = pieces / "whole.parquet"
    path.write_bytes(path.read_bytes().replace(b"one", b"ome"))
    assert quarantine.take_out(layout, DISK, meant("session", "one")) == 3
    assert not path.exists()


def test_a_piece_of_which_nothing_is_left_goes(layout: Layout, pieces: Path) -> None:
    """Not an empty file that says damaged pieces are there."""
    (pieces / "lines.damaged").write_bytes(TORN)
    quarantine.take_out(layout, DISK, meant("session", "one"))
    assert not list(pieces.iterdir())
