"""Which files hold the telemetry at this moment (names only; opens nothing).

Asked for every question, over folders of which all but one or two have not changed for days: a folder is listed again
only when it has. That takes a year of days from 20 ms to 4.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from telem.storage.inventory import ParquetFile
from telem.storage.journal import segments
from telem.storage.layout import SEED_NAME, parquet_span
from telem.storage.views import Files

if TYPE_CHECKING:
    from telem.sanitize.records import Signal
    from telem.storage.layout import Layout

_SETTLED_NS = 2_000_000_000
"""A folder that was changed within this time may change again without its time telling."""

_DAY = "ingest_day="

_known: dict[str, tuple[tuple[int, int], list[ParquetFile]]] = {}
"""By a day's folder: its inode and time of change, and its files."""


def files_of(layout: Layout, signal: Signal) -> Files:
    """What there is to read: every Parquet file, and the segments whose rows are in none of them.

    The newest are first: DuckDB reads them in this order, and when the newest rows are asked for, it leaves out files
    that are older than what it has. A search in the prompts of 1,000,000 events takes 11 ms instead of 28.
    The segments are listed first: one that becomes Parquet in between is then in the second list and left out here.
    """
    try:
        listed = [(number, path) for number, path in segments(layout, signal) if _size(path)]
    except FileNotFoundError:
        listed = []
    parquet = _parquet(layout, signal)
    covered = {number for file in parquet for number in range(file.first, file.last + 1)} if listed else set()
    return Files(
        parquet=tuple(str(file.path) for file in reversed(parquet)),
        segments=tuple(str(path) for number, path in listed if number not in covered),
    )


def _parquet(layout: Layout, signal: Signal) -> list[ParquetFile]:
    """As `telem.storage.inventory.parquet_files`."""
    found: list[ParquetFile] = []
    for version in _folders(str(layout.parquet(signal)), "v="):
        for day in _folders(version.path, _DAY):
            found += _files(day)
    return sorted(found, key=lambda file: (file.first, file.last))


def _folders(path: str, prefix: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return [entry for entry in entries if entry.name.startswith(prefix)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _files(day: os.DirEntry[str]) -> list[ParquetFile]:
    """The Parquet files of a day, without the zero-row seed."""
    try:
        now = day.stat()
    except FileNotFoundError:
        _known.pop(day.path, None)
        return []
    stamp = (now.st_ino, now.st_mtime_ns)
    known = _known.get(day.path)
    if known is not None and known[0] == stamp:
        return known[1]
    found = []
    for entry in _folders(day.path, ""):
        span = parquet_span(entry.name)
        if span and entry.name != SEED_NAME:
            found.append(ParquetFile(Path(entry.path), day.name.removeprefix(_DAY), *span))
    if time.time_ns() - now.st_mtime_ns > _SETTLED_NS:
        _known[day.path] = (stamp, found)
    return found


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
