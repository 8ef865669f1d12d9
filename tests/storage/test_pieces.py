"""Whatever rows a day has, its merged file has them all, once, in order, and no more of them are sorted at once."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from telem.sanitize.columns import COLUMNS
from telem.sanitize.records import Signal
from telem.storage import pieces
from telem.storage.disk import Disk
from telem.storage.inventory import ParquetFile
from telem.storage.parquet import ParquetFileWriter
from telem.storage.pieces import pieces_of
from telem.storage.schema import order_of, sql_type

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa
    import pytest

MINUTE_US = 60_000_000
Row = tuple[str | None, int | None]


def file_of(folder: Path, signal: Signal, number: int, rows: Sequence[Row]) -> ParquetFile:
    """A Parquet file with rows of these kinds and times; each has an id of its own."""
    kind = order_of(signal).partition(",")[0]
    columns = ", ".join(
        f"{known}::{sql_type(column)} AS {column.name}"
        for column in COLUMNS[signal]
        for known in [{kind: "kind", "time": "make_timestamptz(us)", "id": "id"}.get(column.name, "NULL")]
    )
    path = folder / f"{number:012d}-{number:012d}.parquet"
    with duckdb.connect() as connection, ParquetFileWriter(signal, path, Disk()) as writer:
        connection.execute("CREATE TABLE made (kind VARCHAR, us BIGINT, id VARCHAR)")
        if rows:
            named = [[*row, f"{number}.{at}"] for at, row in enumerate(rows)]
            connection.executemany("INSERT INTO made VALUES (?, ?, ?)", named)
        writer.write(connection.sql(f"SELECT {columns} FROM made").to_arrow_table())
    return ParquetFile(path, "2026-01-01", number, number)


def merged(files: list[ParquetFile], signal: Signal) -> list[pa.Table]:
    """Its tables, one after the other."""
    with duckdb.connect(config={"threads": 1, "memory_limit": "100MB"}) as connection:
        return [table for piece in pieces_of(connection, files, signal) for table in piece.tables(connection)]


def keys(table: pa.Table, signal: Signal) -> list[tuple[bool, str, bool, float]]:
    """What a table is sorted by; NULL comes last."""
    kind = order_of(signal).partition(",")[0]
    times = [time.timestamp() if time else None for time in table["time"].to_pylist()]
    return [(name is None, name or "", at is None, at or 0.0)
            for name, at in zip(table[kind].to_pylist(), times, strict=True)]  # fmt: skip


times = st.none() | st.integers(-3 * MINUTE_US, 3 * MINUTE_US) | st.integers(-(10**15), 10**16)
rows = st.lists(st.tuples(st.sampled_from([None, "", "a", "b", "\U0010ffff"]), times), max_size=12)


@settings(max_examples=25, deadline=None)
@given(st.lists(rows, min_size=1, max_size=4), st.sampled_from(list(Signal)), st.sampled_from([2, 5, 100]))
def test_any_rows_come_out_sorted_and_once(
    tmp_path_factory: pytest.TempPathFactory, found: list[list[Row]], signal: Signal, limit: int
) -> None:
    """Kinds and times that are missing, the same, or far apart; files without rows."""
    folder = tmp_path_factory.mktemp("day")
    files = [file_of(folder, signal, number, some) for number, some in enumerate(found, 1)]
    with mock.patch.multiple(pieces, PIECE_ROWS_MIN=1, PIECE_ROWS_MAX=limit, MUCH=1000):
        tables = merged(files, signal)
    made = [key for table in tables for key in keys(table, signal)]
    assert made == sorted(made)
    ids = [str(one) for table in tables for one in table["id"].to_pylist()]
    assert sorted(ids) == sorted(f"{number}.{at}" for number, some in enumerate(found, 1) for at in range(len(some)))


def test_a_piece_is_not_larger_than_it_may_be(tmp_path: Path) -> None:
    """And reads only the files whose times reach into it."""
    files = [
        file_of(tmp_path, Signal.LOGS, number, [("a", (number * 10 + at) * MINUTE_US) for at in range(10)])
        for number in range(1, 6)
    ]
    with duckdb.connect() as connection, mock.patch.multiple(pieces, PIECE_ROWS_MIN=1, PIECE_ROWS_MAX=10):
        found = list(pieces_of(connection, files, Signal.LOGS))
        assert [piece.rows for piece in found] == [10] * 5
        assert [list(piece.paths) for piece in found] == [[str(file.path)] for file in files]


def test_a_minute_with_too_many_rows_is_taken_as_it_comes(tmp_path: Path) -> None:
    """Nobody knows how many records a clock that stands still will bring."""
    files = [file_of(tmp_path, Signal.LOGS, 1, [("a", 5)] * 50 + [("a", MINUTE_US)])]
    with mock.patch.multiple(pieces, PIECE_ROWS_MIN=4, PIECE_ROWS_MAX=4):
        tables = merged(files, Signal.LOGS)
    assert sum(table.num_rows for table in tables) == 51
    assert max(table.num_rows for table in tables) <= 2048


def test_rows_too_long_to_be_sorted_are_taken_as_they_come(tmp_path: Path) -> None:
    """DuckDB says that it cannot; nothing is lost or doubled."""
    files = [file_of(tmp_path, Signal.LOGS, 1, [("a", 5), ("b", 6), ("a", 3)])]
    real = pieces.Piece._relation

    def refuses(piece: pieces.Piece, connection: duckdb.DuckDBPyConnection, order: str) -> duckdb.DuckDBPyRelation:
        if order:
            raise duckdb.OutOfMemoryException("too long")
        return real(piece, connection, order)

    with mock.patch.object(pieces.Piece, "_relation", refuses):
        assert sum(table.num_rows for table in merged(files, Signal.LOGS)) == 3
