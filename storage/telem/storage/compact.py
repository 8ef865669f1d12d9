"""Closed segments -> a Parquet file. Runs in a short-lived worker: it imports duckdb and pyarrow.

DuckDB reads the journal's JSON as the views do. Each segment becomes a row group of its own,
sorted, so the worker holds one segment at a time however many go into the file. One connection reads them all: to open
one takes as long as reading 4,000 rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from telem.sanitize.columns import Type

from .layout import SEED_DAY, SEED_NAME, parquet_name
from .parquet import ParquetFileWriter
from .schema import COLUMNS, journal_columns, order_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from telem.sanitize.records import Signal

    from .disk import Disk
    from .layout import Layout

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {"threads": 1, "memory_limit": "256MB"}


def compact(layout: Layout, signal: Signal, numbers: Sequence[int], day: str, disk: Disk) -> Path:
    """Write the rows of these segments into one Parquet file of the given ingest day.

    Args:
        numbers: consecutive closed segments.

    Returns:
        The published file. The segments still lie there; retiring them is the caller's business, and later.
    """
    path = layout.day(signal, day) / parquet_name(numbers[0], numbers[-1])
    with ParquetFileWriter(signal, path, disk) as writer, duckdb.connect(config=_SETTINGS) as connection:
        for number in numbers:
            writer.write(read_segment(signal, layout.segment(signal, number), connection))
    return path


def read_segment(signal: Signal, segment: Path, connection: duckdb.DuckDBPyConnection | None = None) -> pa.Table:
    """Rows of a journal segment in the shape and order of a Parquet file."""
    if connection is None:
        with duckdb.connect(config=_SETTINGS) as own:
            return read_segment(signal, segment, own)
    times = [column.name for column in COLUMNS[signal] if column.type is Type.TIME]
    made = ", ".join(f"make_timestamptz({name}) AS {name}" for name in times)
    relation = connection.sql(  # all columns are selected, but not by name: that is bound twice, for 2 ms more
        f"SELECT * REPLACE ({made}) FROM read_json(?, format='newline_delimited', ignore_errors=true, "
        f"columns={journal_columns(signal)}) WHERE seg IS NOT NULL",
        params=[str(segment)],
    )
    return _sorted(relation.to_arrow_table(), order_of(signal).split(", "))


def _sorted(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Sort by columns. Half of all are empty and need not be moved; DuckDB, which moves them, takes 2 µs more a row."""
    filled = [name for name in table.column_names if table[name].null_count < len(table)]
    order = pc.sort_indices(table, sort_keys=[(name, "ascending") for name in names])
    moved = table.select(filled).take(order)
    empty = set(table.column_names).difference(filled)
    columns = [table[name] if name in empty else moved[name] for name in table.column_names]
    return pa.Table.from_arrays(columns, schema=table.schema)


def write_seed(layout: Layout, signal: Signal, disk: Disk) -> None:
    """The zero-row files that let every glob match something: an empty segment, and a Parquet file without rows."""
    path, segment = layout.day(signal, SEED_DAY) / SEED_NAME, layout.segment(signal, 0)
    segment.touch(mode=0o600)
    if not path.exists():
        with ParquetFileWriter(signal, path, disk) as writer:
            writer.write(read_segment(signal, segment))
