"""Closed segments -> a Parquet file. Runs in a short-lived worker: it imports duckdb and pyarrow.

DuckDB reads the journal's JSON as the views do. A few segments at a time become a row group, sorted, so the worker
holds no more than that however many go into the file. One connection reads them all: to open one takes as long as
reading 4,000 rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
from pyarrow._compute import SortOptions, TakeOptions, call_function  # pyarrow.compute describes all: 40 ms, 3 %

from telem.sanitize.columns import Type

from .layout import SEED_DAY, SEED_NAME, parquet_name
from .parquet import ParquetFileWriter
from .schema import COLUMNS, journal_columns, order_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from telem.sanitize.records import Signal

    from .disk import Disk
    from .layout import Layout

ROW_GROUP_BYTES = 20 * 1024 * 1024
"""Of the journal: three full segments. One at a time takes 5 % more CPU and 6 % more bytes; four, 8 MB more memory."""

_TIME = pa.timestamp("us", "UTC")

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
        for paths in _together([layout.segment(signal, number) for number in numbers]):
            writer.write(read_segments(signal, paths, connection))
    return path


def _together(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Segments in their order, as many at a time as make a row group."""
    taken: list[Path] = []
    size = 0
    for path in paths:
        found = path.stat().st_size
        if taken and size + found > ROW_GROUP_BYTES:
            yield taken
            taken, size = [], 0
        taken.append(path)
        size += found
    if taken:
        yield taken


def read_segment(signal: Signal, segment: Path) -> pa.Table:
    """Rows of a journal segment in the shape and order of a Parquet file."""
    with duckdb.connect(config=_SETTINGS) as connection:
        return read_segments(signal, [segment], connection)


def read_segments(signal: Signal, paths: Sequence[Path], connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """The same of several, sorted together."""
    relation = connection.sql(  # all columns are selected, but not by name: that is bound twice, for 2 ms more
        f"FROM read_json(?, format='newline_delimited', ignore_errors=true, columns={journal_columns(signal)}) "
        "WHERE seg IS NOT NULL",
        params=[[str(path) for path in paths]],
    )
    times = [column.name for column in COLUMNS[signal] if column.type is Type.TIME]
    return _sorted(_timed(relation.to_arrow_table(), times), order_of(signal).split(", "))


def _timed(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Columns of microseconds as times: the same bytes, which DuckDB would turn one by one."""
    for name in names:
        chunks = [chunk.view(_TIME) for chunk in table[name].chunks]
        times = pa.chunked_array(chunks, _TIME)  # type: ignore[arg-type]  # the stubs know no time zone here
        table = table.set_column(table.column_names.index(name), name, times)
    return table


def _sorted(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Sort by columns. Half of all are empty and need not be moved; DuckDB, which moves them, takes 2 µs more a row."""
    filled = [name for name in table.column_names if table[name].null_count < len(table)]
    order = call_function("sort_indices", [table], SortOptions([(name, "ascending") for name in names]))
    moved = call_function("take", [table.select(filled), order], TakeOptions(boundscheck=False))
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
