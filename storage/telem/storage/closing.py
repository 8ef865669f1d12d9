"""Closed ingest days -> the rollups. Runs in a worker: it imports duckdb and pyarrow.

A day is closed when no row can join it any more. What its rows add to the totals is then summed up by session and
event day, with the same SQL that the views use, and put beside what earlier days added, in the files of a new version.
Sums of parts are the sums of the whole, sessions are told apart, first and last times are kept: nothing is estimated.
An event of an old day that arrives today belongs to today's ingest day, and is added when that one is closed.

Order: the files of the new version, then the manifest that names them; readers go by the manifest, and by the catalog
that is published next.
"""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from telem.sanitize.records import Signal

from . import rollups
from .inventory import covered_segments, parquet_files
from .journal import segments
from .parquet import COMPRESSION_LEVEL, ROW_GROUP_ROWS
from .rollups import SERIES_COLUMNS, USAGE_COLUMNS, Rollups
from .views import Files, glob_safe, quote, worker_sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from .disk import Disk
    from .inventory import ParquetFile
    from .layout import Layout

MEMORY_LIMIT_MB = 256
HUGE = 1e15
"""Counts beyond it are garbage and stay rows of their own, so that no sum of a part overflows where the whole's would
not have been asked for."""

_KEYS = tuple(name for name, kind in USAGE_COLUMNS.items() if kind in ("DATE", "VARCHAR"))
_ADDED = tuple(
    name for name, kind in USAGE_COLUMNS.items() if name not in (*_KEYS, "sample_ratio") and not kind.startswith("TIME")
)
_TOKENS = tuple(name for name in _ADDED if name.endswith("_tokens"))


def close(layout: Layout, until: str, disk: Disk) -> Rollups:
    """Close all ingest days (YYYY-MM-DD) before `until`; returns the rollups then in force.

    Must not run while something may still publish rows of such a day: workers take turns, and compaction asks for the
    closed days itself.
    """
    before = rollups.read(layout)
    if until <= before.closed:
        return before
    after = replace(before, closed=until)
    if any(before.closed <= file.day < until for signal in _SUMMED for file in parquet_files(layout, signal)):
        after = replace(after, version=rollups.next_version(layout, before))
        write_nothing(layout, disk)
        _write_version(layout, before, after, disk)
    rollups.write(layout, disk, after)
    return after


_SUMMED = (Signal.LOGS, Signal.METRICS)
"""Spans add nothing to the totals."""


def write_nothing(layout: Layout, disk: Disk) -> None:
    """The files of version 0, without rows: views name files that are there."""
    if rollups.read(layout).version:
        return
    for path, columns in zip(rollups.files(layout, Rollups()), (USAGE_COLUMNS, SERIES_COLUMNS), strict=True):
        if not path.exists():
            nothing = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in columns.items())
            with connect(path.parent) as connection:
                publish(connection, f"SELECT {nothing} WHERE false", path, disk)


def _files(layout: Layout, before: Rollups, until: str) -> dict[Signal, Files]:
    """What the facts of these days depend on.

    Points add to what their series had reached before, so only these days' are read. Where a session worked, and which
    events were both exported and read from session logs, may stand in rows of any day.
    """
    points = [file for file in parquet_files(layout, Signal.METRICS) if before.closed <= file.day < until]
    covered = covered_segments(layout, Signal.LOGS)
    waiting = [path for number, path in segments(layout, Signal.LOGS) if number not in covered]
    return {
        Signal.LOGS: Files(_paths(parquet_files(layout, Signal.LOGS)), list(map(str, waiting))),
        Signal.METRICS: Files(_paths(points), ()),
        Signal.TRACES: Files((), ()),
    }


def _paths(found: Sequence[ParquetFile]) -> list[str]:
    return [str(file.path) for file in found]


def _write_version(layout: Layout, before: Rollups, after: Rollups, disk: Disk) -> None:
    files = _files(layout, before, after.closed)
    imported = layout.transcripts.exists()
    old_usage, old_series = rollups.files(layout, before)
    usage, series = rollups.files(layout, after)
    with connect(usage.parent) as connection:
        read, totals = "usage_days metrics", (old_usage, old_series)
        for statement in worker_sql(files, read, imported=imported, rollups=before, totals=totals, own_only=True):
            connection.execute(statement)
        days = f"ingest_day >= DATE '{before.closed}' AND ingest_day < DATE '{after.closed}'"
        publish(connection, f"{rows_of(old_usage)} UNION ALL {summed_up(f'usage_days WHERE {days}')}", usage, disk)
        publish(connection, f"{rows_of(old_series)} UNION ALL {_reached()}", series, disk)
    if (others := rollups.imported(layout, before)).exists():
        disk.link(others, rollups.imported(layout, after))


def write_series(layout: Layout, in_force: Rollups, old: Path, new: Path, disk: Disk) -> None:
    """Write anew what running totals had reached, from the points of closed days that are still there.

    For whoever changed these points: a series is known by a digest of what its points say.
    """
    since = in_force.raw_since[Signal.METRICS]
    points = [file for file in parquet_files(layout, Signal.METRICS) if since <= file.day < in_force.closed]
    files = {signal: Files((), ()) for signal in Signal} | {Signal.METRICS: Files(_paths(points), ())}
    with connect(new.parent) as connection:
        for statement in worker_sql(files, "metrics"):
            connection.execute(statement)
        kept = f"SELECT * FROM ({rows_of(old)}) WHERE ingest_day < DATE '{since}'"
        publish(connection, f"{kept} UNION ALL {_reached()}", new, disk)


def rows_of(path: Path) -> str:
    """All rows of a file of the rollups."""
    return f"SELECT * FROM read_parquet({quote(glob_safe(str(path)))}, hive_partitioning = false)"


def summed_up(facts: str) -> str:
    """Query that sums up facts, of the shape of usage_facts, in the columns of `usage.parquet`."""
    huge = f"CASE WHEN greatest({', '.join(f'abs({name}::DOUBLE)' for name in _TOKENS)}) > {HUGE} THEN random() END"
    return (
        "SELECT max(time) AS time, min(first_time) AS first_time, max(event_time) AS event_time, "
        f"min(first_event_time) AS first_event_time, {_names(_KEYS)}, min(sample_ratio) AS sample_ratio, "
        + ", ".join(f'sum("{name}")::{USAGE_COLUMNS[name]} AS "{name}"' for name in _ADDED)
        + f" FROM {facts} GROUP BY {_names(_KEYS)}, event_time IS NULL, {huge}"
    )


def _reached() -> str:
    """Query for what the running totals of these days had reached, in the columns of `series.parquet`."""
    return (
        "SELECT ingest_day, md5(concat_ws(' ', metric, epoch_us(start_time), attributes, resource, scope_name, "
        'scope_version)) AS series, max(value), any_value(session_id), any_value("user"), any_value(user_id), '
        "any_value(account_id) FROM metrics WHERE kind = 'sum' AND isfinite(value) AND temporality = 'cumulative' "
        "AND monotonic GROUP BY ALL"
    )


def _names(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def connect(spill: Path) -> duckdb.DuckDBPyConnection:
    """A connection that needs little memory; what does not fit goes beside the file being written."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "memory_limit": f"{MEMORY_LIMIT_MB}MB",
        "temp_directory": str(spill / ".spill"),
        "preserve_insertion_order": False,
    }
    return duckdb.connect(config=config)


def publish(connection: duckdb.DuckDBPyConnection, sql: str, path: Path, disk: Disk) -> None:
    """Write the rows of a query as a Parquet file that is there whole or not at all."""
    reader = connection.sql(sql).to_arrow_reader(ROW_GROUP_ROWS)
    nothing = pa.Table.from_batches([], reader.schema)
    publish_batches(chain([nothing], (pa.Table.from_batches([batch]) for batch in reader)), path, disk)


def publish_batches(tables: Iterable[pa.Table], path: Path, disk: Disk) -> None:
    """Write tables of one schema as a Parquet file likewise; the first may be empty, and says the schema."""
    disk.directory(path.parent)
    temporary = path.with_name(f".tmp-{path.name}-{time.monotonic_ns():x}")
    left = iter(tables)
    first = next(left)
    try:
        with pq.ParquetWriter(
            temporary,
            first.schema,
            compression="zstd",
            compression_level=COMPRESSION_LEVEL,
            write_page_checksum=True,
            store_schema=False,
        ) as writer:
            for table in chain([first], left):
                if table.num_rows:
                    writer.write_table(table)
        disk.publish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
