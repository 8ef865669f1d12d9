"""The same rows in two engines in this process: DuckDB over a store, ClickHouse over the exporter's tables."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any, Self

import duckdb
from chdb.session import Session
from tests.queries.answers import opened
from tests.queries.values import plain

from telem.queries.clickhouse_views import statements
from telem.queries.dialect import for_clickhouse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from telem.queries.canned import Canned
    from telem.storage.layout import Layout

TABLES = (
    "otel_logs",
    "otel_traces",
    "otel_metrics_sum",
    "otel_metrics_gauge",
    "otel_metrics_histogram",
    "sanitizer_audit",
)


class Engines:
    """Both, open; a process can have one ClickHouse.

    Args:
        where: folder and configuration of ClickHouse's engine; a temporary one if empty.
        told: what makes its tables and views.
    """

    suffix = ""  # of the tables that take rows

    def __init__(self, where: str = "", told: Sequence[str] = ()) -> None:
        self.duckdb = duckdb.connect()
        self.clickhouse = Session(where) if where else Session()
        for statement in told or statements():
            self.clickhouse.query(statement)

    def fill(self, layout: Layout, folder: Path) -> Self:
        """Ask about this store from now on; ClickHouse gets what the store's exporter-shaped tables show."""
        self.duckdb.close()
        self.duckdb = opened(layout)
        for table in TABLES:
            path = folder / f"{table}.parquet"
            self.duckdb.execute(f"COPY (FROM {table}) TO '{path}' (FORMAT parquet)")
            names = ", ".join(f'"{row[0]}"' for row in self.duckdb.execute(f"DESCRIBE {table}").fetchall())
            into = table + self.suffix
            self.clickhouse.query(f"TRUNCATE TABLE {into}")
            self.clickhouse.query(f"INSERT INTO {into} ({names}) SELECT {names} FROM file('{path}', Parquet)")
        return self

    def columns(self, sql: str) -> list[list[Any]]:
        """What ClickHouse answers to a statement, by columns."""
        return list(json.loads(str(self.clickhouse.query(sql, "JSONCompactColumns"))))

    def ask_duckdb(self, query: Canned, bound: dict[str, object]) -> list[list[Any]]:
        """Rows of a ready-made question."""
        return [[plain(value) for value in row] for row in self.duckdb.execute(query.sql, bound).fetchall()]

    def ask_clickhouse(self, query: Canned, bound: dict[str, object]) -> list[list[Any]]:
        """Rows of the same question in its ClickHouse form."""
        given = {name: _written(value) for name, value in bound.items()}
        table = self.clickhouse.query(for_clickhouse(query), "ArrowTable", params=given)
        return [[plain(value) for value in row.values()] for row in table.to_pylist()]

    def close(self) -> None:
        """End both."""
        self.clickhouse.close()
        self.duckdb.close()


def _written(value: object) -> object:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return value.isoformat() if isinstance(value, dt.date) else value
