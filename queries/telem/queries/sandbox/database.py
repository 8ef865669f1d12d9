"""The child's DuckDB: in memory, locked, with the telemetry's tables as views over the files there are (child only).

It stays open between questions, so that what was read of Parquet files' footers is still known; the views of the
signals that a question is about are made anew when their list of files has changed.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import duckdb

from telem.queries.files import files_of
from telem.queries.formats import is_binary
from telem.queries.gate import Checked, check
from telem.queries.problems import explained
from telem.queries.table import ColumnInfo, Problem, QueryError
from telem.sanitize.records import Signal
from telem.storage import access, audit, rollups
from telem.storage.views import quote, worker_sql

from .folders import folders_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from telem.storage.layout import Layout

    from .frames import Question

_ATTEMPTS = 4
"""A purge of many days exchanges one folder after the other; each may end a question that has listed it."""

_VANISHED = ("No such file", "No files found", "Cannot open file")

_SETTINGS = {
    "temp_directory": "''",
    "TimeZone": "'UTC'",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "preserve_insertion_order": "true",
}
_OPTIONAL = {
    "parquet_metadata_cache": "true",
    "errors_as_json": "true",
    "max_temp_directory_size": "'0B'",
    "allow_community_extensions": "false",
    "allow_extension_repositories": "'forbidden'",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
    "max_expression_depth": "250",
}
"""Settings that not every supported DuckDB knows."""


class Database:
    """Answers one question after another."""

    def __init__(self, layout: Layout, memory_mb: int, threads: int) -> None:
        self._layout = layout
        self.connection = duckdb.connect(":memory:", config={"threads": threads})
        self._lock(memory_mb)
        self._made: dict[str, str] = {}

    def _lock(self, memory_mb: int) -> None:
        """Close everything but the data folders; afterwards nothing can be opened again."""
        execute = self.connection.execute
        execute(f"SET memory_limit = '{memory_mb}MB'")
        for name, value in _SETTINGS.items():
            execute(f"SET {name} = {value}")
        for name, value in _OPTIONAL.items():
            try:
                execute(f"SET {name} = {value}")
            except duckdb.Error:
                continue
        # The order matters: the list of directories is inert, and can be set, only while external access is still on.
        execute(f"SET allowed_directories = [{', '.join(quote(f'{path}/') for path in folders_of(self._layout))}]")
        execute("SET enable_external_access = false")
        execute("SET lock_configuration = true")

    def _abort(self) -> None:
        """Give up what is left of the last answer; DuckDB does nothing else before (1.5 has no such call, or need)."""
        abort = getattr(self.connection, "abort", None)
        if abort is not None:
            abort()

    def close(self) -> None:
        """Let go of it."""
        self.connection.close()

    def answer(self, question: Question) -> Answer:
        """Begin to answer.

        Raises:
            QueryError: it is none that is answered, or its answer does not begin.
        """
        started_s = time.perf_counter()
        limits = question.limits
        self._abort()
        try:
            checked = check(self.connection, question.sql, limits, private=question.private)
            params = _bound(checked.parameters, question.params)
            for attempt in range(_ATTEMPTS):
                try:
                    self._refresh(checked)
                    return self._begin(question, params, started_s)
                except duckdb.IOException as error:
                    # A file vanished since it was listed (retention, merging, a purge): the list is made again.
                    if attempt + 1 == _ATTEMPTS or not any(text in str(error) for text in _VANISHED):
                        raise
        except duckdb.Error as error:
            raise explained(error, limits) from error
        raise AssertionError

    def _begin(self, question: Question, params: dict[str, object], started_s: float) -> Answer:
        if is_binary(question.form):
            relation = self.connection.sql(question.sql, params=params or None)
            named = zip(relation.columns, relation.types, strict=True)
            return Answer(relation, tuple(ColumnInfo(name, str(kind)) for name, kind in named), question, started_s)
        cursor = self.connection.execute(question.sql, params or None)
        columns = tuple(ColumnInfo(str(item[0]), str(item[1])) for item in cursor.description or ())
        return Answer(cursor, columns, question, started_s)

    def _refresh(self, checked: Checked) -> None:
        """Make the views that the question needs, where they are not there yet or their files have changed."""
        about = None if checked.about_tables else " ".join(sorted(checked.tables))
        if about == "":
            return
        for statement in self._statements(about):
            name = statement.partition(" AS")[0]
            if self._made.get(name) != statement:
                self.connection.execute(statement)
                self._made[name] = statement

    def _statements(self, about: str | None) -> Iterator[str]:
        layout = self._layout
        counted = {table.folder: [str(path) for path in audit.months(layout, table)] for table in audit.TABLES}
        with contextlib.suppress(PermissionError):  # the daemon has just made the folder: outside of this child's walls
            counted["access_log"] = [str(path) for path in access.files(layout) if path.stat().st_size]
        in_force = rollups.read(layout)  # before the files are listed: what it gives up is removed a grace later
        totals = rollups.files(layout, in_force) if in_force.version else None
        files = {signal: files_of(layout, signal) for signal in Signal}
        imported = layout.transcripts.exists()
        return worker_sql(files, about, counted, imported=imported, rollups=in_force, totals=totals)


class Answer:
    """An answer under way: its columns, and its rows as they are asked for."""

    def __init__(
        self,
        cursor: Any,
        columns: tuple[ColumnInfo, ...],
        question: Question,
        started_s: float,
    ) -> None:
        self._cursor = cursor
        self._question = question
        self._started_s = started_s
        self.columns = columns
        self.count = 0
        self.truncated = False

    @property
    def elapsed_ms(self) -> float:
        """Time since the question came."""
        return (time.perf_counter() - self._started_s) * 1000

    def batches(self, size: int) -> Iterator[list[tuple[object, ...]]]:
        """The rows, at most `size` at a time, up to the limit.

        Raises:
            QueryError: no further row can be had.
        """
        left = self._question.limits.rows
        try:
            while batch := self._cursor.fetchmany(min(size, left + 1)):
                kept = batch[:left]
                self.truncated = len(batch) > left
                left -= len(kept)
                self.count += len(kept)
                if kept:
                    yield kept
                if self.truncated:
                    self._stop()
                    return
        except duckdb.Error as error:
            raise explained(error, self._question.limits) from error

    def _stop(self) -> None:
        if self._question.overflow == "throw":
            limit = self._question.limits.rows
            message = f"The answer has more than {limit:,} rows."
            raise QueryError(message, "Add a LIMIT, or raise the limit.", Problem.TOO_MANY_ROWS)

    def arrow(self, size: int) -> Any:
        """A reader of the rows as Arrow record batches; imports pyarrow."""
        try:
            name = "to_arrow_reader" if hasattr(self._cursor, "to_arrow_reader") else "fetch_arrow_reader"  # DuckDB 1.x
            return getattr(self._cursor, name)(size)
        except duckdb.Error as error:
            raise explained(error, self._question.limits) from error

    def limited(self, reader: Any) -> Iterator[Any]:
        """Its batches, up to the limit.

        Raises:
            QueryError: no further row can be had.
        """
        left = self._question.limits.rows
        try:
            for batch in reader:
                kept = batch.slice(0, left)
                self.truncated = batch.num_rows > left
                left -= kept.num_rows
                self.count += kept.num_rows
                yield kept
                if self.truncated:
                    self._stop()
                    return
        except OSError as error:  # Arrow's error, in which DuckDB's is a text
            kinds = {"INTERRUPT": duckdb.InterruptException, "Out of Memory": duckdb.OutOfMemoryException}
            kind = next((kind for word, kind in kinds.items() if word in str(error)), duckdb.Error)
            raise explained(kind(str(error)), self._question.limits) from error


def _bound(needed: set[str], given: Mapping[str, object]) -> dict[str, object]:
    if missing := sorted(needed - set(given)):
        names = ", ".join(f"${name}" for name in missing)
        raise QueryError(f"No value for {names}.", "Give one with --param NAME=VALUE.", Problem.PARAMETER)
    if surplus := sorted(set(given) - needed):
        names = ", ".join(surplus)
        has = ", ".join(sorted(needed)) or "none"
        raise QueryError(f"The statement has no parameter {names}.", f"Its parameters are: {has}.", Problem.PARAMETER)
    return dict(given)
