"""Rewriting a day's files: built aside, synced, exchanged for the old ones in one step. For purging and re-sanitizing.

A published Parquet file never gets another content. The rewritten one has a revision in its name and lies in a new
folder, beside links to the files that stay as they are; the two folders then change names. A query that is under way on
the old files fails loudly rather than count wrongly. Runs in a worker: it imports pyarrow.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from .layout import parquet_name, parquet_revision
from .manifest import replace_day
from .parquet import ROW_GROUP_ROWS, ParquetFileWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from telem.sanitize.records import Signal

    from .disk import Disk
    from .layout import Layout

    Change = Callable[[pa.Table], pa.Table]

PIECE_BYTES = 64 * 1024 * 1024
"""About this much of a file is held at once, uncompressed."""

PIECE_ROWS_MIN, PIECE_ROWS_MAX = 1024, ROW_GROUP_ROWS // 3
"""Whole row groups of Claude-Code-like rows took 520 MB, thirds of them 380; a rewritten file has smaller ones."""


def rewrite_day(layout: Layout, signal: Signal, day: str, changes: Mapping[Path, Change], disk: Disk) -> None:
    """Put changed files in the place of those of one day.

    Args:
        changes: by file, what becomes of its rows. A file that loses all of them stays as one without rows, since its
            name says whose segments are in Parquet.

    Raises:
        CannotExchangeError: the file system cannot do it in one step; the day is as it was.
        OSError: a step failed; the day is as it was, or wholly changed.
    """
    aside = layout.merging(signal) / f"ingest_day={day}"
    if aside.exists():  # what a failed one left would be exchanged in beside its rows
        shutil.rmtree(aside)
    disk.directory(aside)
    try:
        for path in sorted(layout.day(signal, day).glob("*.parquet")):
            if path in changes:
                _rewrite(signal, path, aside / renamed(path.name), changes[path], disk)
            else:
                disk.link(path, aside / path.name)
        replace_day(layout, signal, day, aside, disk)
    finally:
        shutil.rmtree(aside, ignore_errors=True)  # its space is needed, whatever happened


def renamed(name: str) -> str:
    """The file's name with its next revision."""
    stem = name.removesuffix(".parquet").split("-r")[0]
    first, last = map(int, stem.split("-"))
    return parquet_name(first, last, parquet_revision(name) + 1)


def _rewrite(signal: Signal, old: Path, new: Path, change: Change, disk: Disk) -> None:
    with ParquetFileWriter(signal, new, disk) as writer:
        written = 0
        for table in pieces(old):
            kept = change(table)
            written += kept.num_rows
            if kept.num_rows:
                writer.write(kept)
        if not written:
            writer.write(pq.ParquetFile(old).schema_arrow.empty_table())


def pieces(path: Path) -> Iterator[pa.Table]:
    """The file's rows in pieces that fit into memory."""
    with pq.ParquetFile(path) as file:
        sizes = [file.metadata.row_group(number).total_byte_size for number in range(file.num_row_groups)]
        row_bytes = max(1, sum(sizes) // max(1, file.metadata.num_rows))
        rows = min(PIECE_ROWS_MAX, max(PIECE_ROWS_MIN, PIECE_BYTES // row_bytes))
        for batch in file.iter_batches(batch_size=rows):
            yield pa.Table.from_batches([batch])
