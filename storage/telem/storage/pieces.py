"""The rows of a day's files in pieces that can be sorted in memory, one after the other in the order of a merged file.

DuckDB cannot sort a large day within the memory that a worker may have: rows are wide, and with 100 MB of files it gave
up. So it is first counted how many rows there are of each kind in each minute, by two columns; then one piece after the
other is read and sorted, from those files alone whose times reach into it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import pyarrow.parquet as pq

from .schema import column_list, order_of
from .views import glob_safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from telem.sanitize.records import Signal

    from .inventory import ParquetFile

PIECE_BYTES = 40 * 1024 * 1024
"""About this much of rows, uncompressed, is sorted at once."""

PIECE_ROWS_MIN, PIECE_ROWS_MAX = 2_048, 32_768
"""61,440 rows took 340 MB of memory and a fifth less time, 30,720 took 230."""
MUCH = 4
"""A piece of so many times the rows is one minute with all of them; it is taken as it comes."""

NO_TIME = 2**62
FAR = 10**11
"""Minutes beyond which times are no longer compared as such: DuckDB's years end before."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows between two keys (kind is NULL, kind, minute), both included.

    Args:
        rows: how many there are.
        limit: how many were meant to be.
    """

    signal: Signal
    paths: Sequence[str]
    first: tuple[bool, str, int]
    last: tuple[bool, str, int]
    rows: int
    limit: int

    def tables(self, connection: duckdb.DuckDBPyConnection) -> Iterator[pa.Table]:
        """Its rows, sorted; as they come where they are too many or too long to be."""
        if self.rows <= MUCH * self.limit:
            try:
                yield self._relation(connection, f"ORDER BY {order_of(self.signal)}").to_arrow_table()
            except duckdb.OutOfMemoryException:
                pass
            else:
                return
        import pyarrow as pa

        for batch in self._relation(connection, "").to_arrow_reader(PIECE_ROWS_MIN):
            yield pa.Table.from_batches([batch])

    def _relation(self, connection: duckdb.DuckDBPyConnection, order: str) -> duckdb.DuckDBPyRelation:
        kind = _kind(self.signal)
        conditions = [_beyond(kind, ">"), _beyond(kind, "<")]
        given: list[object] = [[*map(glob_safe, self.paths)]]
        for none, name, minute in (self.first, self.last):
            given += [none, none, name, name, minute]
        if not self.last[0]:  # so that whole row groups are passed over
            conditions.append(f"{kind} BETWEEN ? AND ?")
            given += [self.first[1], self.last[1]]
        if self.first[:2] == self.last[:2] and max(abs(self.first[2]), abs(self.last[2])) < FAR:
            conditions.append("time BETWEEN make_timestamptz(?) AND make_timestamptz(?)")
            given += [(self.first[2] - 1) * 60_000_000, (self.last[2] + 2) * 60_000_000]
        return connection.sql(
            f"SELECT {column_list(self.signal)} FROM read_parquet(?, hive_partitioning = false) "
            f"WHERE {' AND '.join(conditions)} {order}",
            params=given,
        )


_MINUTE = f"coalesce(floor(epoch_us(time) / 60000000)::BIGINT, {NO_TIME})"


def _kind(signal: Signal) -> str:
    return order_of(signal).partition(",")[0]


def _beyond(kind: str, sign: str) -> str:
    """Condition for rows at or beyond a key; it has five parameters."""
    none, name = f"({kind} IS NULL)", f"coalesce({kind}, '')"
    return f"({none} {sign} ? OR ({none} = ? AND ({name} {sign} ? OR ({name} = ? AND {_MINUTE} {sign}= ?))))"


def pieces_of(connection: duckdb.DuckDBPyConnection, files: Sequence[ParquetFile], signal: Signal) -> Iterator[Piece]:
    """All rows of the files, in the order of `order_of`."""
    paths = [str(file.path) for file in files]
    kind, limit = _kind(signal), _rows(paths)
    found = connection.execute(
        f"""
        WITH counted AS (
            SELECT {kind} IS NULL AS none, coalesce({kind}, '') AS kind, {_MINUTE} AS minute, count(*) AS rows
            FROM read_parquet(?, hive_partitioning = false) GROUP BY ALL
        ),
        placed AS (
            SELECT *, (sum(rows) OVER (ORDER BY none, kind, minute) - rows) // ? AS piece FROM counted
        )
        SELECT min((none, kind, minute)), max((none, kind, minute)), sum(rows)::BIGINT
        FROM placed GROUP BY piece ORDER BY 1
        """,
        [[*map(glob_safe, paths)], limit],
    ).fetchall()
    spans = connection.execute(
        f"SELECT filename, min({_MINUTE}), max({_MINUTE}) "
        "FROM read_parquet(?, hive_partitioning = false, filename = true) GROUP BY 1",
        [[*map(glob_safe, paths)]],
    ).fetchall()
    known = {str(name): (int(low), int(high)) for name, low, high in spans}
    spanned = {path: known[path] for path in paths if path in known}  # the others have no rows
    for first, last, rows in found:
        one_kind = first[:2] == last[:2]
        meant = [path for path, (low, high) in spanned.items() if not one_kind or (low <= last[2] and first[2] <= high)]
        yield Piece(signal, meant, first, last, rows, limit)


def _rows(paths: Sequence[str]) -> int:
    """How many rows are about `PIECE_BYTES`."""
    size = rows = 0
    for path in paths:
        found = pq.read_metadata(path)
        rows += found.num_rows
        size += sum(found.row_group(number).total_byte_size for number in range(found.num_row_groups))
    return min(PIECE_ROWS_MAX, max(PIECE_ROWS_MIN, PIECE_BYTES * rows // max(1, size)))
