"""ClickHouse as a destination: stored rows as Parquet in the exporter's tables, over HTTP.

The rows take the way that shells see: written as a segment, they are read through the views that have the exporter's
columns, so there is one place that says what goes where. Each insert carries a token made of its rows' ids; ClickHouse
drops an insert whose token it knows, which is what makes a lost answer harmless.
"""

from __future__ import annotations

import http.client
import os
import time
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import orjson

from telem.agent.errors import AgentError
from telem.sanitize.records import Signal

from .encode_attributes import ROW_ID
from .sender import (
    ANSWER_LIMIT_BYTES,
    MESSAGE_CHARS,
    Answer,
    Verdict,
    after_s,
    connection_of,
    hang_up_if_left,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from telem.storage.sequence import Row

    from .destinations import Destination

TABLES = {
    "sum": "otel_metrics_sum",
    "gauge": "otel_metrics_gauge",
    "histogram": "otel_metrics_histogram",
    "exponential_histogram": "otel_metrics_exponential_histogram",
    "summary": "otel_metrics_summary",
}
_RARE = ("otel_metrics_exponential_histogram", "otel_metrics_summary")

WINDOW = 10_000
"""Inserts whose tokens a table remembers, where we make it."""

_STOP_CODES = (60, 81, 164, 192, 193, 194, 497, 516)
"""No such table or database, read only, unknown user, wrong password, not allowed."""

_LATER_CODES = (159, 160, 202, 209, 210, 241, 242, 243, 252, 319, 999)
"""Too slow, too many queries or parts, no memory, no space, read only for now."""

_UNKNOWN = (60, 81)
_NOT_ALLOWED = 497


@dataclass(frozen=True, slots=True)
class Insert:
    """One insert, ready to be sent."""

    table: str
    token: str
    columns: tuple[str, ...]
    data: bytes

    def __len__(self) -> int:
        return len(self.data)


def table_of(signal: Signal, row: Row) -> str:
    """The exporter's table a row belongs into."""
    if signal is Signal.METRICS:
        return TABLES[row["kind"]]
    return "otel_logs" if signal is Signal.LOGS else "otel_traces"


class ClickHouseEncoder:
    """Makes inserts of rows of one table.

    Args:
        folder: for the files of the moment.
    """

    def __init__(self, signal: Signal, folder: Path) -> None:
        self._signal = signal
        self._folder = folder

    def request(self, rows: Sequence[Row]) -> Insert:
        """One insert of all rows, which belong into one table."""
        import duckdb

        from telem.storage.views import Files, quote, worker_sql

        table = table_of(self._signal, rows[0])
        source, target = self._folder / f"rows-{os.getpid()}.ndjson", self._folder / f"rows-{os.getpid()}.parquet"
        try:
            source.write_bytes(b"".join(orjson.dumps(self._with_id(row)) + b"\n" for row in rows))
            nothing = Files((), ())
            files = {signal: Files((), (str(source),)) if signal is self._signal else nothing for signal in Signal}
            with duckdb.connect(config={"threads": 1, "memory_limit": "128MB"}) as connection:
                connection.execute("SET TimeZone = 'UTC'")
                for statement in worker_sql(files, table):
                    connection.execute(statement)
                columns = tuple(str(found[0]) for found in connection.execute(f"DESCRIBE {table}").fetchall())
                connection.execute(f"COPY (FROM {table}) TO {quote(str(target))} (FORMAT parquet, COMPRESSION zstd)")
            data = target.read_bytes()
        finally:
            source.unlink(missing_ok=True)
            target.unlink(missing_ok=True)
        token = blake2b("".join(row["id"] for row in rows).encode(), digest_size=16).hexdigest()
        return Insert(table, f"{table}-{token}", columns, data)

    def _with_id(self, row: Row) -> Row:
        """A metric's attributes are part of its sort key there: an id would make each point a series."""
        if self._signal is Signal.METRICS:
            return row
        return {**row, "attributes": {**(row.get("attributes") or {}), ROW_ID: row["id"]}}


class ClickHouseSender:
    """Talks to one ClickHouse over HTTP."""

    def __init__(self, destination: Destination) -> None:
        self._base = urlsplit(destination.url).path.rstrip("/") + "/"
        self._database = destination.database
        self._name = destination.url
        self._connection = connection_of(destination)
        self._headers = {"X-ClickHouse-User": destination.user or "default"}
        if destination.password_file:
            self._headers["X-ClickHouse-Key"] = text_of(destination.password_file).strip()
        self._may_create = destination.create

    def send(self, _signal: Signal, insert: Any) -> Answer:
        """Insert; where the tables are missing and we may, make them first."""
        if not isinstance(insert, Insert):
            return self._run("SELECT 1")
        columns = ", ".join(f"`{column}`" for column in insert.columns)
        query = f"INSERT INTO {insert.table} ({columns}) FORMAT Parquet"
        settings = {"insert_deduplication_token": insert.token, "insert_deduplicate": "1", "async_insert": "0"}
        answer = self._run(query, insert.data, **settings)
        if answer.status in _UNKNOWN and self._may_create:
            made = self._create()
            if made.verdict is not Verdict.DELIVERED:
                return made
            answer = self._run(query, insert.data, **settings)
        return answer

    def _create(self) -> Answer:
        from telem.queries.clickhouse_views import statements

        found = self._run(f"CREATE DATABASE IF NOT EXISTS `{self._database}`", database=None)
        window = f"MODIFY SETTING non_replicated_deduplication_window = {WINDOW}"
        tables = ("otel_logs", "otel_traces", *TABLES.values())
        alters = (f"ALTER TABLE {table} {window}" for table in tables)
        for statement in (*statements(), *map(table_sql, _RARE), *alters):
            if found.verdict is not Verdict.DELIVERED:
                break
            found = self._run(statement)
        return found

    def _run(self, query: str, data: bytes = b"", **settings: str | None) -> Answer:
        try:
            return _judge(*self._exchange(query, data, settings))
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            return Answer(Verdict.LATER, f"{type(error).__name__}: {error}"[:MESSAGE_CHARS])

    def _exchange(
        self, query: str, data: bytes, settings: Mapping[str, str | None]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        said = {"database": self._database, "wait_end_of_query": "1", **settings}
        if data:
            said["query"] = query
        parameters = urlencode({name: value for name, value in said.items() if value is not None})
        hang_up_if_left(self._connection)
        self._connection.request("POST", f"{self._base}?{parameters}", data or query.encode(), self._headers)
        response = self._connection.getresponse()
        return response, response.read(ANSWER_LIMIT_BYTES)

    def ask(self, query: str) -> str:
        """Its answer to a statement, as text.

        Raises:
            AgentError: it has none.
        """
        try:
            response, body = self._exchange(query, b"", {})
        except (OSError, http.client.HTTPException) as error:
            raise AgentError(f"{self._name} cannot be reached: {error}") from error
        answer = _judge(response, body)
        if answer.verdict is Verdict.DELIVERED:
            return body.decode("utf-8", "replace")
        if answer.status == _NOT_ALLOWED:
            raise AgentError(
                f"{self._name} does not let this login do that: {answer.message}",
                "Ask whoever runs it; on the shared machine: ./purge.sh LOGIN session ID",
            )
        raise AgentError(f"{self._name} did not do it: {answer.message}")

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def table_sql(table: str) -> str:
    """The statement for an exporter's table that the shared schema does not have, from the view of its name."""
    import duckdb

    from telem.storage.views import Files, worker_sql

    with duckdb.connect() as connection:
        for statement in worker_sql({signal: Files((), ()) for signal in Signal}, table):
            connection.execute(statement)
        found = connection.execute(f"DESCRIBE {table}").fetchall()
    columns = ", ".join(f"`{name}` {_type(str(kind))}" for name, kind, *_ in found)
    return (
        f"CREATE TABLE IF NOT EXISTS {table} ({columns}) ENGINE = MergeTree PARTITION BY toDate(TimeUnix) "
        "ORDER BY (ServiceName, MetricName, Attributes, toUnixTimestamp64Nano(TimeUnix))"
    )


_TYPES = {
    "VARCHAR": "String",
    "DOUBLE": "Float64",
    "INTEGER": "Int32",
    "UINTEGER": "UInt32",
    "UBIGINT": "UInt64",
    "BOOLEAN": "Bool",
    "TIMESTAMP WITH TIME ZONE": "DateTime64(9)",
    "MAP(VARCHAR, VARCHAR)": "Map(LowCardinality(String), String)",
}


def _type(kind: str) -> str:
    return f"Array({_type(kind[:-2])})" if kind.endswith("[]") else _TYPES[kind]


def _judge(response: http.client.HTTPResponse, body: bytes) -> Answer:
    """What ClickHouse answers; an exception may come after a status of 200."""
    text = " ".join(body[: MESSAGE_CHARS * 4].decode("utf-8", "replace").split())[:MESSAGE_CHARS]
    code = int(response.headers.get("X-ClickHouse-Exception-Code") or 0)
    is_ours = "X-ClickHouse-Summary" in response.headers or "X-ClickHouse-Query-Id" in response.headers
    if response.status == http.client.OK and not code and "DB::Exception" not in text:
        if is_ours:
            return Answer(Verdict.DELIVERED, status=0)
        return Answer(Verdict.LATER, "it answered 200 and is no ClickHouse: a sign-in page?", status=response.status)
    if code in _STOP_CODES or (response.status in (401, 403, 404) and not code):
        return Answer(Verdict.STOP, f"it answered {response.status}: {text}", status=code or response.status)
    if code in _LATER_CODES or not code:
        asked_s = after_s(response.headers.get("Retry-After"), time.time())  # a proxy's
        return Answer(Verdict.LATER, f"it answered {response.status}: {text}", asked_s, status=response.status)
    return Answer(Verdict.REFUSED, f"it answered {response.status}: {text}", status=code)
