"""SQL -> Table, in an in-memory DuckDB that can read the telemetry files and nothing else.

The files are listed first and read by that list, which needs none of the care the shell's views take. A file that
vanished since (retention, merging) is no error: the list is made again, once.

`run` takes and returns plain values only, so that a child process can be put between a caller and it.
"""

from __future__ import annotations

import difflib
import re
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from telem.sanitize.records import Signal
from telem.storage import audit, rollups
from telem.storage.inventory import parquet_files
from telem.storage.journal import segments
from telem.storage.views import Files, quote, view_names, worker_sql

from .gate import named_parameters, plain_text
from .table import ColumnInfo, Limits, Problem, QueryError, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from telem.storage.layout import Layout

_ATTEMPTS = 2
_VANISHED = ("No such file", "No files found", "Cannot open file")

_OPTIONAL = {
    "max_temp_directory_size": "'0B'",
    "allow_community_extensions": "false",
    "allow_extension_repositories": "'forbidden'",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
    "max_expression_depth": "250",
}
"""Settings that harden further; not every supported DuckDB knows each of them."""


_ABOUT_ALL = re.compile(r"\bshow\b|duckdb_|information_schema|sqlite_|\bpg_", re.IGNORECASE)
"""Questions about the tables themselves, which are to see all of them."""


def run(layout: Layout, sql: str, params: Mapping[str, object] | None = None, limits: Limits | None = None) -> Table:
    """Answer one question. `params` are values for `$name` in it: always bound, never put into its text.

    Raises:
        QueryError: no answer; the error says why and what to try.
    """
    limits = limits or Limits()
    started = time.perf_counter()
    for _ in range(_ATTEMPTS - 1):
        try:
            return _attempt(layout, sql, params or {}, limits, started)
        except duckdb.IOException as error:
            if not any(text in str(error) for text in _VANISHED):
                raise _explained(error, limits) from error
        except duckdb.Error as error:
            raise _explained(error, limits) from error
    try:
        return _attempt(layout, sql, params or {}, limits, started)
    except duckdb.Error as error:
        raise _explained(error, limits) from error


def _attempt(layout: Layout, sql: str, params: Mapping[str, object], limits: Limits, started: float) -> Table:
    with _opened(layout, sql, limits) as connection:
        bound = _bound(named_parameters(connection, sql, limits), params)
        return _execute(connection, sql, bound, limits, started)


def files_of(layout: Layout, signal: Signal) -> Files:
    """What there is to read: every Parquet file, and the segments whose rows are in none of them.

    The segments are listed first: one that becomes Parquet in between is then in the second list and left out here.
    """
    try:
        listed = [(number, path) for number, path in segments(layout, signal) if _size(path)]
    except FileNotFoundError:
        listed = []
    parquet = parquet_files(layout, signal)
    covered = {number for file in parquet for number in range(file.first, file.last + 1)}
    return Files(
        parquet=[str(file.path) for file in parquet],
        segments=[str(path) for number, path in listed if number not in covered],
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@contextmanager
def _opened(layout: Layout, sql: str, limits: Limits) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with all views, locked: no other file, no network, no setting can be reached from it."""
    directories = [
        str((layout.home / name).resolve()) + "/" for name in ("parquet", "journal", "rollups", "sanitizer_audit")
    ]
    with duckdb.connect(":memory:", config={"threads": limits.threads}) as connection:
        connection.execute(f"SET memory_limit = '{limits.memory_mb}MB'")
        connection.execute("SET temp_directory = ''")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET autoinstall_known_extensions = false")
        connection.execute("SET autoload_known_extensions = false")
        for name, value in _OPTIONAL.items():
            try:
                connection.execute(f"SET {name} = {value}")
            except duckdb.CatalogException:
                continue
        about = None if _ABOUT_ALL.search(sql) else sql
        counted = [str(path) for path in audit.months(layout)]
        in_force = rollups.read(layout)  # before the files are listed: what it gives up is removed a grace later
        totals = rollups.files(layout, in_force) if in_force.version else None
        files = {signal: files_of(layout, signal) for signal in Signal}
        imported = layout.transcripts.exists()
        for statement in worker_sql(files, about, counted, imported=imported, rollups=in_force, totals=totals):
            connection.execute(statement)
        # The order matters: the list of directories is inert, and can be set, only while external access is still on.
        connection.execute(f"SET allowed_directories = [{', '.join(map(quote, directories))}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection


def _bound(needed: set[str], given: Mapping[str, object]) -> dict[str, object]:
    if missing := sorted(needed - set(given)):
        names = ", ".join(f"${name}" for name in missing)
        raise QueryError(f"No value for {names}.", "Give one with --param NAME=VALUE.", Problem.PARAMETER)
    if surplus := sorted(set(given) - needed):
        names = ", ".join(surplus)
        has = ", ".join(sorted(needed)) or "none"
        raise QueryError(f"The statement has no parameter {names}.", f"Its parameters are: {has}.", Problem.PARAMETER)
    return dict(given)


def _execute(
    connection: duckdb.DuckDBPyConnection, sql: str, params: dict[str, object], limits: Limits, started: float
) -> Table:
    timer = threading.Timer(limits.seconds, connection.interrupt)
    timer.start()
    try:
        cursor = connection.execute(sql, params or None)
        columns = tuple(ColumnInfo(str(item[0]), str(item[1])) for item in cursor.description or ())
        rows = cursor.fetchmany(limits.rows + 1)
    finally:
        timer.cancel()
    elapsed_ms = (time.perf_counter() - started) * 1000
    return Table(columns, tuple(map(tuple, rows[: limits.rows])), len(rows) > limits.rows, elapsed_ms)


def _explained(error: duckdb.Error, limits: Limits) -> QueryError:
    """DuckDB's error in the words of the house, with what to try."""
    text = plain_text(error)
    first = text.partition("\n")[0]
    match error:
        case duckdb.InterruptException():
            message = f"The question took longer than {limits.seconds:g} s and was stopped."
            found = QueryError(message, "Ask about less time, or raise the limit.", Problem.TIMEOUT)
        case duckdb.OutOfMemoryException():
            message = f"The question needs more than {limits.memory_mb} MB of memory."
            found = QueryError(message, "Ask about less time, or aggregate before sorting.", Problem.MEMORY)
        case duckdb.ParserException():
            found = QueryError(f"The statement does not parse: {text}", "", Problem.SYNTAX)
        case duckdb.CatalogException() if table := _MISSING_TABLE.match(text):
            found = QueryError(f"There is no table {table[1]}.", _tables_hint(table[1]), Problem.UNKNOWN_TABLE)
        case duckdb.BinderException() if "column" in first.lower():
            found = QueryError(text, "DESCRIBE TABLE_NAME lists the columns of a table.", Problem.UNKNOWN_COLUMN)
        case duckdb.PermissionException():
            found = QueryError(f"Only the telemetry can be read: {first}", _tables_hint(""), Problem.REFUSED)
        case duckdb.IOException() | duckdb.InvalidInputException():
            hint = "If the file is damaged, move it out of the data folder; the others answer without it."
            found = QueryError(f"A file could not be read: {first}", hint, Problem.STORAGE)
        case _:
            found = QueryError(text)
    return found


_MISSING_TABLE = re.compile(r"Table with name (\S+) does not exist")


def _tables_hint(wanted: str) -> str:
    near = difflib.get_close_matches(wanted, view_names(), n=1)
    meant = f"Did you mean {near[0]}? " if near else ""
    return f"{meant}Tables: {', '.join(sorted(view_names()))}."
