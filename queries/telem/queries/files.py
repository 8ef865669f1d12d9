"""Which files hold the telemetry at this moment (names only; opens nothing)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telem.storage.inventory import parquet_files
from telem.storage.journal import segments
from telem.storage.views import Files

if TYPE_CHECKING:
    from pathlib import Path

    from telem.sanitize.records import Signal
    from telem.storage.layout import Layout


def files_of(layout: Layout, signal: Signal) -> Files:
    """What there is to read: every Parquet file, and the segments whose rows are in none of them.

    The segments are listed first: one that becomes Parquet in between is then in the second list and left out here.
    """
    try:
        listed = [(number, path) for number, path in segments(layout, signal) if _size(path)]
    except FileNotFoundError:
        listed = []
    parquet = parquet_files(layout, signal)
    covered = {number for file in parquet for number in range(file.first, file.last + 1)}
    return Files(
        parquet=tuple(str(file.path) for file in parquet),
        segments=tuple(str(path) for number, path in listed if number not in covered),
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
