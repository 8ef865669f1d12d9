"""A closed segment -> a Parquet file. Runs in a short-lived worker: it imports duckdb and pyarrow.

DuckDB reads the journal's JSON with the same select list as the views, pyarrow writes the file, because only it
writes page checksums. The file appears under its name complete and synced, or not at all.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from telem.sanitize.columns import COLUMNS, Type

from .layout import SEED_DAY, SEED_NAME, parquet_name
from .schema import journal_columns, journal_select

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from telem.sanitize.records import Signal

    from .disk import Disk
    from .layout import Layout

ROW_GROUP_ROWS = 122_880
"""DuckDB's own vector multiple; one row group a file at our sizes."""

COMPRESSION_LEVEL = 9
"""zstd 9 takes 15 % more CPU than 3 over the whole compaction and saves 4 % of the bytes."""

LINE_BYTES_MIN = 1024 * 1024

_ORDER = {"logs": "event_name, time", "metrics": "metric, time", "traces": "name, time"}
_DELTA = ("time", "received_at")
"""Sorted, or nearly: differences take half of what a dictionary does."""

_PLAIN_TEXT = ("id", "span_id", "parent_span_id", "trace_id")
"""Texts that hardly repeat: a dictionary would only be written in vain."""


def compact(layout: Layout, signal: Signal, numbers: Sequence[int], day: str, disk: Disk) -> Path:
    """Write the rows of these segments into one Parquet file of the given ingest day.

    Args:
        numbers: consecutive closed segments.

    Returns:
        The published file. The segments still lie there; retiring them is the caller's business, and later.
    """
    paths = [str(layout.segment(signal, number)) for number in numbers]
    table = read_segments(signal, paths)
    path = layout.day(signal, day) / parquet_name(numbers[0], numbers[-1])
    write_parquet(table, signal, path, disk)
    return path


def read_segments(signal: Signal, paths: Sequence[str]) -> pa.Table:
    """Rows of journal segments in the shape and order of a Parquet file."""
    with duckdb.connect(config={"threads": 1, "memory_limit": "256MB"}) as connection:
        relation = connection.sql(
            f"SELECT {journal_select(signal)} FROM read_json(?, format='newline_delimited', ignore_errors=true, "
            f"columns={journal_columns(signal)}, maximum_object_size={_longest_line_bytes(paths)}) "
            f"WHERE seg IS NOT NULL ORDER BY {_ORDER[signal]}, id",
            params=[list(paths)],
        )
        return relation.to_arrow_table()


def _longest_line_bytes(paths: Sequence[str]) -> int:
    """What read_json must be able to hold. It allocates twice this at once: 32 MB by default, for lines of 1 KB."""
    longest = 0
    for path in paths:
        with open(path, "rb") as file:  # noqa: PTH123 (names come as texts)
            longest = max(longest, max(map(len, file), default=0))
    return max(LINE_BYTES_MIN, longest + 1)


def write_parquet(table: pa.Table, signal: Signal, path: Path, disk: Disk) -> None:
    """Publish a table as a Parquet file with page checksums."""
    disk.directory(path.parent)
    temporary = path.with_name(f".tmp-{path.name}-{time.monotonic_ns():x}")
    text = [column.name for column in COLUMNS[signal] if column.type in (Type.TEXT, Type.JSON)]
    numbers = [column.name for column in COLUMNS[signal] if column.type in (Type.INT, Type.TIME)]
    dictionary = [name for name in (*text, *numbers) if name not in (*_PLAIN_TEXT, *_DELTA)]
    try:
        pq.write_table(
            table,
            temporary,
            compression="zstd",
            compression_level=COMPRESSION_LEVEL,
            row_group_size=ROW_GROUP_ROWS,
            use_dictionary=dictionary,
            column_encoding=dict.fromkeys(_DELTA, "DELTA_BINARY_PACKED"),
            write_page_checksum=True,
            store_schema=False,
        )
        disk.publish(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_seed(layout: Layout, signal: Signal, disk: Disk) -> None:
    """A zero-row file, so that the views' glob always matches something."""
    path = layout.day(signal, SEED_DAY) / SEED_NAME
    if not path.exists():
        write_parquet(read_segments(signal, [str(_empty(layout, signal))]), signal, path, disk)


def _empty(layout: Layout, signal: Signal) -> Path:
    """The journal's own seed: an empty file, which read_json takes as no rows."""
    path = layout.segment(signal, 0)
    path.touch(mode=0o600)
    return path
