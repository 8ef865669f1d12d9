"""Which files there are: Parquet files, the segments they hold, sizes. Names only; opens nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .journal import segments
from .layout import SEED_NAME, parquet_span

if TYPE_CHECKING:
    from pathlib import Path

    from telem.sanitize.records import Signal

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


def sizes(layout: Layout, signal: Signal) -> Sizes:
    """Bytes on disk of one signal, as the files' lengths."""
    files = [file.path.stat().st_size for file in parquet_files(layout, signal)]
    journal = sum(path.stat().st_size for _, path in segments(layout, signal))
    return Sizes(journal, sum(files), len(files))
