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
import pyarrow as pa

from .disk import CannotExchangeError
from .inventory import runs_of_day
from .layout import parquet_name
from .manifest import replace_day
from .parquet import ROW_GROUP_ROWS, ParquetFileWriter
from .schema import column_list, order_of

if TYPE_CHECKING:
    from pathlib import Path

    from telem.sanitize.records import Signal

    from .disk import Disk
    from .inventory import ParquetFile
    from .layout import Layout

MEMORY_LIMIT_MB = 256
"""What sorting may hold in memory; beyond it DuckDB spills into the folder being written."""


def merge(layout: Layout, signal: Signal, day: str, disk: Disk) -> int:
    """Merge a day's files; returns how many there are left. Files between which a segment is missing stay apart."""
    target = layout.merging(signal) / f"ingest_day={day}"
    shutil.rmtree(target, ignore_errors=True)
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
    spill = path.parent / "spill"
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "memory_limit": f"{MEMORY_LIMIT_MB}MB",
        "temp_directory": str(spill),
        "preserve_insertion_order": False,
    }
    with duckdb.connect(config=config) as connection:
        relation = connection.sql(
            f"SELECT {column_list(signal)} FROM read_parquet(?, hive_partitioning=false) ORDER BY {order_of(signal)}",
            params=[[str(file.path) for file in run]],
        )
        with ParquetFileWriter(signal, path, disk) as writer:
            for batch in relation.to_arrow_reader(ROW_GROUP_ROWS):
                writer.write(pa.Table.from_batches([batch]))
    shutil.rmtree(spill, ignore_errors=True)
