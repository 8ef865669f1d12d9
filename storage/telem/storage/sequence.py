"""Stored rows in the order of their segments, for whoever follows them: the journal, and Parquet for what has left it.

A follower holds a position per signal, the first segment it is not done with, and the ids it has dealt with from there.
Both survive compaction, merging, purging and restarts, because they name rows and not places in files.

    unit = next_unit(layout, signal, 17)     the segment 17 of the journal, or some segments of one Parquet file
    JournalTail(unit.path), parquet_rows()   its rows, in chunks, as the journal's JSON has them
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from telem.sanitize.columns import COLUMNS, Type
from telem.sanitize.records import Signal

from .inventory import parquet_files
from .journal import scan, segments

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from .layout import Layout

Row = dict[str, Any]

UNIT_ROWS = 20_000
"""Segments of a Parquet file are taken together up to this many rows: they are sorted, and their ids remembered."""

CHUNK_ROWS = 1_000
CHUNK_BYTES = 4 * 1024 * 1024
MEMORY_LIMIT_MB = 96


@dataclass(frozen=True, slots=True)
class Unit:
    """Segments that are read together. `is_closed`: nothing will be added to them."""

    first: int
    last: int
    path: Path
    in_parquet: bool
    is_closed: bool


def next_unit(layout: Layout, signal: Signal, number: int, only: int | None = None) -> Unit | None:
    """What holds the first rows at or after segment `number`; None when nothing does yet.

    Args:
        only: this one segment and no other.
    """
    listed = _filled(layout, signal)
    files = parquet_files(layout, signal)  # listed second: a segment that becomes Parquet in between is in both
    if only is not None:
        file = next((file for file in files if file.first <= only <= file.last), None)
        return Unit(only, only, file.path, in_parquet=True, is_closed=True) if file else None
    covered = [(max(number, file.first), file) for file in files if file.last >= number]
    first_covered, file = min(covered, key=lambda found: found[0], default=(None, None))
    waiting = [
        (found, path)
        for found, path in listed
        if found >= number and not any(file.first <= found <= file.last for file in files)
    ]
    if waiting and (first_covered is None or waiting[0][0] < first_covered):
        found, path = waiting[0]
        return Unit(found, found, path, in_parquet=False, is_closed=listed[-1][0] > found)
    if file is None or first_covered is None:
        return None
    last = _last_of_unit(str(file.path), first_covered, file.last)
    return Unit(first_covered, last, file.path, in_parquet=True, is_closed=True)


def stamp(layout: Layout) -> list[list[int]]:
    """Changes whenever the journal has something new."""
    found = []
    for signal in Signal:
        found += [[number, _size(path)] for number, path in _filled(layout, signal)[-1:]]
    return found


def reserved(layout: Layout, signal: Signal, since: int, until: int) -> list[int]:
    """Numbers from `since` up to `until` that an import has taken and not published a file for, or not yet."""
    files = parquet_files(layout, signal)
    return [
        number
        for number, path in segments(layout, signal)
        if since <= number < until
        and number
        and _size(path) == 0
        and not any(file.first <= number <= file.last for file in files)
    ]


def _filled(layout: Layout, signal: Signal) -> list[tuple[int, Path]]:
    if not layout.journal(signal).is_dir():
        return []
    return [(number, path) for number, path in segments(layout, signal) if _size(path)]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@lru_cache(maxsize=64)
def _last_of_unit(path: str, first: int, last: int) -> int:
    """The segment up to which one unit of a Parquet file goes. Published files never change."""
    with _connection() as connection:
        counts = connection.execute(
            "SELECT seg, count(*) FROM read_parquet(?, hive_partitioning = false) WHERE seg >= ? "
            "GROUP BY seg ORDER BY seg",
            [path, first],
        ).fetchall()
    rows = 0
    for seg, count in counts:
        if rows and rows + count > UNIT_ROWS:
            return int(seg) - 1
        rows += count
    return last


class JournalTail:
    """The acknowledged rows of one segment, also while it is being written: each once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0

    def read(self) -> list[Row]:
        """Further rows, some at a time; empty when there are no more by now."""
        size = CHUNK_BYTES
        while True:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(size)
            rows, used = _parsed(data)
            self._offset += used
            if rows or len(data) < size:
                return rows
            size = size if used else size * 2  # one batch is larger than that


def _parsed(data: bytes) -> tuple[list[Row], int]:
    """Rows of the whole batches in a piece of a segment, and how far they go."""
    rows: list[Row] = []
    used = 0
    pieces = list(scan(data))
    for start, end, commit in pieces:
        if commit is None:
            if end == len(data):
                break  # not whole yet, or cut off by the size of the piece
            continue  # damaged: recovery moves it to quarantine
        lines = data[start:end].splitlines()
        rows += [orjson.loads(line) for line in lines[:-1]]
        used = end
    return rows, used


def parquet_rows(signal: Signal, unit: Unit) -> Iterator[list[Row]]:
    """The rows of a unit of Parquet, in chunks, spelled as in the journal."""
    with _connection() as connection:
        names, select = _select(signal, _empty_columns(connection, str(unit.path)))
        nested = [name for name in names if _TYPES[signal][name] is Type.JSON]
        cursor = connection.execute(
            f"SELECT {select} FROM read_parquet(?, hive_partitioning = false) WHERE seg BETWEEN ? AND ? "
            "ORDER BY seg, received_at, time, id",
            [str(unit.path), unit.first, unit.last],
        )
        while found := cursor.fetchmany(CHUNK_ROWS):
            yield [_row(names, values, nested) for values in found]


_TYPES = {signal: {column.name: column.type for column in columns} for signal, columns in COLUMNS.items()}


def _empty_columns(connection: Any, path: str) -> set[str]:
    """Columns without a value in the whole file, by its statistics: more than half, for records of one client."""
    found = connection.execute(
        "SELECT path_in_schema FROM parquet_metadata(?) GROUP BY 1 HAVING sum(stats_null_count) = sum(num_values)",
        [path],
    ).fetchall()
    return {str(name) for (name,) in found}


def _select(signal: Signal, without: Collection[str]) -> tuple[list[str], str]:
    parts, names = [], []
    for column in COLUMNS[signal]:
        if column.name in without:
            continue
        names.append(column.name)
        name = f'"{column.name}"'
        if column.type is Type.TIME:
            name = f"epoch_us({name})"
        elif column.type is Type.MONEY:
            name = f"{name}::VARCHAR"
        parts.append(name)
    return names, ", ".join(parts)


def _row(names: Sequence[str], values: Sequence[Any], nested: Sequence[str]) -> Row:
    row = {name: value for name, value in zip(names, values, strict=True) if value is not None}
    for name in nested:
        if name in row:
            row[name] = _json(row[name])
    return row


@lru_cache(maxsize=4096)
def _json(text: str) -> Any:
    """Resources repeat, and so do the attributes of many records. What is returned must not be changed."""
    return orjson.loads(text)


def _connection() -> Any:
    import duckdb

    return duckdb.connect(
        config={"threads": 1, "memory_limit": f"{MEMORY_LIMIT_MB}MB", "preserve_insertion_order": True}
    )
