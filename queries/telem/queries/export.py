"""A table into one file that other programs read: Parquet, CSV or JSON lines. Any size; memory does not grow with it.

It reads a snapshot, so compaction and merging go on, and what was acknowledged before the call is in it, once.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import duckdb

from telem.sanitize.records import Signal
from telem.storage import access, audit, rollups
from telem.storage.snapshot import snapshot
from telem.storage.views import Files, quote, view_names, worker_sql

from .canned import first_ingest_day
from .table import Problem, QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from telem.storage.disk import Disk
    from telem.storage.layout import Layout
    from telem.storage.snapshot import Snapshot

FORMATS = ("parquet", "csv", "jsonl")
TABLE_OF = {Signal.LOGS: "events", Signal.METRICS: "metrics", Signal.TRACES: "spans"}
TIME_COLUMNS = ("time", "Timestamp", "TimeUnix", "started_at", "last_seen", "day")
"""What `since` and `until` are about: the first of these that a table has."""

MEMORY_LIMIT_MB = 512
POLL_S = 0.2
PIPE_BYTES = 1 << 16

_OPTIONS = {
    "parquet": "FORMAT parquet, COMPRESSION zstd",
    "csv": "FORMAT csv, HEADER true",
    "jsonl": "FORMAT json, ARRAY false",
}
_COMPRESSION = {".gz": "gzip", ".zst": "zstd"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to export: a table, and from when (inclusive) until when (exclusive) it happened."""

    table: str
    form: str
    since: datetime | None = None
    until: datetime | None = None


def export_to_file(
    layout: Layout, disk: Disk, wanted: Wanted, path: Path, progress: Callable[[float], object] = lambda _percent: None
) -> int:
    """Write a file, complete or not at all; returns the number of rows. `.gz` and `.zst` at its end compress.

    Raises:
        QueryError: there is no such table, or it has no time to choose by.
        OSError: the file cannot be written.
    """
    temporary = path.with_name(f".tmp-{path.name}-{os.getpid()}")
    try:
        rows = _export(layout, disk, wanted, str(temporary), path.suffix, progress)
        disk.publish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return rows


def export_to_stream(
    layout: Layout, disk: Disk, wanted: Wanted, target: BinaryIO, progress: Callable[[float], object] = lambda _p: None
) -> int:
    """Write to a stream, such as standard output.

    Raises:
        QueryError: as above.
        BrokenPipeError: nobody reads it any more.
    """
    reading, writing = os.pipe()
    copier = _Copier(reading, target)
    copier.start()
    try:
        rows = _export(layout, disk, wanted, f"/dev/fd/{writing}", "", progress)
    except QueryError:
        if copier.error is not None:
            raise copier.error from None
        raise
    finally:
        os.close(writing)
        copier.join()
    if copier.error is not None:
        raise copier.error
    return rows


class _Copier(threading.Thread):
    """Moves what comes out of a pipe into a stream; DuckDB writes to a name, and would cut a redirected file."""

    def __init__(self, reading: int, target: BinaryIO) -> None:
        super().__init__(daemon=True)
        self._reading = reading
        self._target = target
        self.error: OSError | None = None

    def run(self) -> None:
        with os.fdopen(self._reading, "rb", buffering=0) as source:
            try:
                while data := source.read(PIPE_BYTES):
                    self._target.write(data)
                self._target.flush()
            except OSError as error:
                self.error = error  # the pipe is closed by this, and DuckDB's next write fails


def check(wanted: Wanted) -> None:
    """Tell whether it can be had, before anything is written.

    Raises:
        QueryError: there is no such table, or it has no time to choose by.
    """
    with _over_nothing(wanted.table) as connection:
        select_sql(connection, wanted)


def postgresql_ddl(table: str) -> str:
    """The table that a CSV export fits into, for PostgreSQL.

    Raises:
        QueryError: there is no such table.
    """
    with _over_nothing(table) as connection:
        columns = connection.execute(f'DESCRIBE "{table}"').fetchall()
    lines = ",\n".join(f'    "{name}" {_postgresql_type(str(kind))}' for name, kind, *_ in columns)
    return f'CREATE TABLE IF NOT EXISTS "{table}" (\n{lines}\n);\n'


_POSTGRESQL = {
    "VARCHAR": "text",
    "DOUBLE": "double precision",
    "UBIGINT": "numeric(20)",
    "HUGEINT": "numeric(38)",
    "UTINYINT": "smallint",
    "UINTEGER": "bigint",
    "JSON": "jsonb",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
}


def _postgresql_type(kind: str) -> str:
    if kind.endswith("]") or kind.startswith(("MAP", "STRUCT")):
        return "jsonb"
    return _POSTGRESQL.get(kind, kind.lower().replace("decimal", "numeric"))


@contextmanager
def _over_nothing(table: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """The views over no files at all."""
    if table not in view_names():
        raise QueryError(f"There is no table {table}.", f"Tables: {', '.join(sorted(view_names()))}.")
    with duckdb.connect(config={"threads": 1}) as connection:
        for statement in worker_sql({signal: Files((), ()) for signal in Signal}, table):
            connection.execute(statement)
        yield connection


def _export(
    layout: Layout, disk: Disk, wanted: Wanted, target: str, suffix: str, progress: Callable[[float], object]
) -> int:
    check(wanted)
    imported = layout.transcripts.exists()
    with (
        snapshot(layout, disk, lambda: _others(layout)) as picture,
        _opened(picture, wanted.table, imported=imported) as connection,
    ):
        select = select_sql(connection, wanted)
        options = _OPTIONS[wanted.form]
        if wanted.form != "parquet" and suffix in _COMPRESSION:
            options += f", COMPRESSION {_COMPRESSION[suffix]}"
        with _reporting(connection, progress):
            try:
                ((rows,),) = connection.execute(f"COPY ({select}) TO {quote(target)} ({options})").fetchall()
            except duckdb.IOException as error:
                raise QueryError(f"The export cannot be written: {error}", "", Problem.STORAGE) from error
    return int(rows)


def _others(layout: Layout) -> Iterator[Path]:
    """What the views read beside the rows: counts, questions, and the totals of closed days."""
    for table in audit.TABLES:
        yield from audit.months(layout, table)
    yield from access.files(layout)
    in_force = rollups.read(layout)
    if in_force.version:
        yield layout.rollups_manifest
        yield from rollups.files(layout, in_force)
        yield rollups.imported(layout, in_force)


@contextmanager
def _opened(picture: Snapshot, table: str, *, imported: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    files = {signal: Files(picture.parquet(signal), picture.segments(signal)) for signal in Signal}
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT_MB}MB'")
        connection.execute(f"SET temp_directory = {quote(str(picture.layout.home / 'spill'))}")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = true")
        connection.execute("SET enable_progress_bar_print = false")
        in_force = rollups.read(picture.layout)
        totals = rollups.files(picture.layout, in_force) if in_force.version else None
        counts = {found.folder: [str(path) for path in audit.months(picture.layout, found)] for found in audit.TABLES}
        counts["access_log"] = [str(path) for path in access.files(picture.layout) if path.stat().st_size]
        for statement in worker_sql(files, table, counts, imported=imported, rollups=in_force, totals=totals):
            connection.execute(statement)
        yield connection


@contextmanager
def _reporting(connection: duckdb.DuckDBPyConnection, progress: Callable[[float], object]) -> Iterator[None]:
    """Say every moment how far the statement is, in percent."""
    done = threading.Event()

    def report() -> None:
        while not done.wait(POLL_S):
            progress(max(0.0, connection.query_progress()))

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        yield
    finally:
        done.set()
        reporter.join()


def select_sql(connection: duckdb.DuckDBPyConnection, wanted: Wanted) -> str:
    """The rows to write, spelled as the format's readers expect."""
    columns = connection.execute(f'DESCRIBE "{wanted.table}"').fetchall()
    names = [str(column[0]) for column in columns]
    parts = [_spelled(str(name), str(kind), wanted.form) for name, kind, *_ in columns]
    conditions = _conditions(names, wanted)
    where = " AND ".join(conditions) or "true"
    return f'SELECT {", ".join(parts)} FROM "{wanted.table}" WHERE {where}'  # noqa: S608 (our own names)


def _conditions(names: list[str], wanted: Wanted) -> list[str]:
    if wanted.since is None and wanted.until is None:
        return []
    moment = next((name for name in TIME_COLUMNS if name in names), None)
    if moment is None:
        raise QueryError(f"{wanted.table} has no time to choose by.", "Export it whole.", Problem.PARAMETER)
    kind = "DATE" if moment == "day" else "TIMESTAMPTZ"
    conditions = []
    if wanted.since is not None:
        conditions.append(f"\"{moment}\" >= {kind} '{_literal(wanted.since, kind)}'")
        if "ingest_day" in names:
            conditions.append(f"ingest_day >= DATE '{first_ingest_day(wanted.since).isoformat()}'")
    if wanted.until is not None:
        conditions.append(f"\"{moment}\" < {kind} '{_literal(wanted.until, kind)}'")
    return conditions


def _literal(moment: datetime, kind: str) -> str:
    return moment.date().isoformat() if kind == "DATE" else moment.isoformat()


def _spelled(name: str, kind: str, form: str) -> str:
    """A column as text formats need it: times in ISO 8601, what is not flat as JSON, no number that JSON lacks."""
    column = f'"{name}"'
    if form == "parquet":
        return column
    if kind.startswith("TIMESTAMP") and not kind.endswith("]"):
        return f"strftime({column} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ') AS {column}"
    if form == "jsonl" and kind == "DOUBLE":
        return f"CASE WHEN isfinite({column}) THEN {column} END AS {column}"
    if form == "csv" and kind == "JSON":
        return f"{_without_nul(f'{column}::VARCHAR')} AS {column}"
    if form == "csv" and (kind.endswith("]") or kind.startswith(("MAP", "STRUCT"))):
        return f"{_without_nul(f'to_json({column})::VARCHAR')} AS {column}"
    if form == "csv" and kind == "VARCHAR":
        return f"replace({column}, chr(0), '\ufffd') AS {column}"
    return column


def _without_nul(text: str) -> str:
    """JSON without the character of code 0, which PostgreSQL's jsonb and text refuse, and with them the whole COPY.

    An escape counts only after an even number of backslashes; RE2 cannot look behind, so neighbours take two rounds.
    """
    once = r"regexp_replace({}, '(^|[^\\])((?:\\\\)*)\\u0000', '\1\2\\ufffd', 'g')"
    return f"CASE WHEN contains({text}, '\\u0000') THEN {once.format(once.format(text))} ELSE {text} END"
