"""The files of a closed day become one, sorted so that questions about one kind of event read little.

A published Parquet file never gets another content. The merged file is written into a new folder outside every glob,
and the two folders then change names in one step; a query that is under way on the old files fails loudly rather than
count wrongly. What a crash leaves in `merging/` is either unfinished or already replaced, and is removed at the next
start.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import duckdb
import pyarrow.parquet as pq

from .disk import CannotExchangeError
from .inventory import runs_of_day
from .layout import parquet_name
from .manifest import replace_day
from .parquet import ParquetFileWriter
from .pieces import pieces_of

if TYPE_CHECKING:
    from pathlib import Path

    from telem.sanitize.records import Signal

    from .disk import Disk
    from .inventory import ParquetFile
    from .layout import Layout

MEMORY_LIMIT_MB = 144
"""What DuckDB may hold in memory; beyond it, it spills into the folder being written."""


def merge(layout: Layout, signal: Signal, day: str, disk: Disk) -> int:
    """Merge a day's files; returns how many there are left. Files between which a segment is missing stay apart."""
    target = layout.merging(signal) / f"ingest_day={day}"
    if target.exists():  # what a failed one left would be exchanged in beside its rows
        shutil.rmtree(target)
    disk.directory(target)
    runs = runs_of_day(layout, signal, day)
    for run in runs:
        _write(run, signal, target / parquet_name(run[0].first, run[-1].last), disk)
    try:
        replace_day(layout, signal, day, target, disk)
    except CannotExchangeError:
        runs = [[file] for run in runs for file in run]  # the day stays as it is
    shutil.rmtree(target)
    return len(runs)


def _write(run: list[ParquetFile], signal: Signal, path: Path, disk: Disk) -> None:
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "memory_limit": f"{MEMORY_LIMIT_MB}MB",
        "temp_directory": str(path.parent / "spill"),
        "preserve_insertion_order": False,
    }
    with ParquetFileWriter(signal, path, disk) as writer, duckdb.connect(config=config) as connection:
        tables = (table for piece in pieces_of(connection, run, signal) for table in piece.tables(connection))
        nothing = pq.ParquetFile(run[0].path).schema_arrow.empty_table()  # files without rows become one too
        writer.write(next(tables, nothing))
        for table in tables:
            writer.write(table)
    shutil.rmtree(path.parent / "spill", ignore_errors=True)
