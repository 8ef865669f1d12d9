"""Which files there are: Parquet files, the segments they hold, sizes. Names only; opens nothing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from .disk import WRITING_MODE
from .journal import segments
from .layout import SEED_NAME, parquet_span

if TYPE_CHECKING:
    from pathlib import Path

    from telem.sanitize.records import Signal

    from .disk import Disk
    from .layout import Layout


@dataclass(frozen=True, slots=True)
class ParquetFile:
    """One published file and the segments whose rows it holds."""

    path: Path
    day: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a signal occupies."""

    journal_bytes: int
    parquet_bytes: int
    parquet_files: int


def parquet_files(layout: Layout, signal: Signal) -> list[ParquetFile]:
    """Published files of all schema versions, oldest segment first, without the zero-row seed."""
    found = []
    for path in layout.parquet(signal).glob("v=*/ingest_day=*/*.parquet"):
        span = parquet_span(path.name)
        if span and path.name != SEED_NAME:
            found.append(ParquetFile(path, path.parent.name.removeprefix("ingest_day="), *span))
    return sorted(found, key=lambda file: (file.first, file.last))


def covered_segments(layout: Layout, signal: Signal) -> set[int]:
    """Numbers of the segments whose rows are in Parquet."""
    return {number for file in parquet_files(layout, signal) for number in range(file.first, file.last + 1)}


def first_day(layout: Layout, signal: Signal) -> str:
    """The earliest ingest day (YYYY-MM-DD) that a new file may have, whatever the clock says.

    Not before the cutoff that views were published with: they hold what lies before it to be gone from the journal.
    Where none is known, not before the last file's.
    """
    known = published_cutoff(layout)
    return known or max((file.day for file in parquet_files(layout, signal)), default="")


def published_cutoff(layout: Layout) -> str:
    """The latest cutoff that views may have been published with; empty before the first."""
    try:
        return layout.cutoff.read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return ""


def write_cutoff(layout: Layout, cutoff: str, disk: Disk, *, is_published: bool) -> None:
    """Promise that no new file will be of an earlier day: a later cutoff before its views are published, else after."""
    known = published_cutoff(layout)
    if cutoff > known or (is_published and cutoff < known):
        disk.write(layout.cutoff, f"{cutoff}\n".encode())


def is_unsure(path: Path) -> bool:
    """Was a segment never closed in good order, nor written anew since?"""
    return path.stat().st_mode & 0o777 == WRITING_MODE


def is_left(path: Path) -> bool:
    """Does a segment read as empty, and may its rows come back with a power cut? Emptying it failed, or was killed."""
    return not path.stat().st_size and is_unsure(path)


def days_in_journal(layout: Layout, signal: Signal) -> set[str]:
    """Ingest days of the Parquet files whose segments still hold their rows too, or may again."""
    filled = {number for number, path in segments(layout, signal) if path.stat().st_size or is_left(path)}
    if not filled:
        return set()
    return {
        file.day
        for file in parquet_files(layout, signal)
        if any(file.first <= number <= file.last for number in filled)
    }


def runs_of_day(layout: Layout, signal: Signal, day: str) -> list[list[ParquetFile]]:
    """Files of a day whose segments follow one another: a merged name claims every segment between its numbers.

    Only those of the present schema version; older ones stay as they are.
    """
    return _runs(_mergeable(layout, signal).get(day, []))


def _mergeable(layout: Layout, signal: Signal) -> dict[str, list[ParquetFile]]:
    """Files of the present schema version by day, each day's oldest segment first."""
    version = layout.version(signal)
    days: dict[str, list[ParquetFile]] = {}
    for file in parquet_files(layout, signal):
        if file.path.parents[1] == version:
            days.setdefault(file.day, []).append(file)
    return days


def _runs(ordered: list[ParquetFile]) -> list[list[ParquetFile]]:
    runs = [ordered[:1]] if ordered else []
    for before, file in pairwise(ordered):
        if file.first == before.last + 1:
            runs[-1].append(file)
        else:
            runs.append([file])
    return runs


def days_to_merge(layout: Layout, signal: Signal, before: str) -> list[str]:
    """Closed days (YYYY-MM-DD, earlier than `before`) that still have files to merge."""
    days = _mergeable(layout, signal).items()
    return sorted(day for day, files in days if day < before and any(len(run) > 1 for run in _runs(files)))


def sizes(layout: Layout, signal: Signal) -> Sizes:
    """Bytes on disk of one signal, as the files' lengths."""
    files = [file.path.stat().st_size for file in parquet_files(layout, signal)]
    journal = sum(path.stat().st_size for _, path in segments(layout, signal))
    return Sizes(journal, sum(files), len(files))
