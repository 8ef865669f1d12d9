"""JSON, JSONCompact, JSONEachRow and JSONCompactEachRow (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .text import float_text, json_text, json_writer
from .types import type_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telem.queries.table import ColumnInfo

    Row = tuple[object, ...]


ROW_INDENT = 3


class EachRow:
    """An object (or an array) a line."""

    def __init__(self, columns: Sequence[ColumnInfo], *, compact: bool = False) -> None:
        self._compact = compact
        self._names = [json_text(name) for name in distinct([column.name for column in columns])]
        self._writers = [json_writer(column.type) for column in columns]

    def start(self) -> str:
        """Nothing."""
        return ""

    def rows(self, batch: Sequence[Row]) -> str:
        """Some rows."""
        if self._compact:
            return "".join(f"[{', '.join(self._values(row))}]\n" for row in batch)
        return "".join(f"{{{','.join(map(_pair, self._names, self._values(row)))}}}\n" for row in batch)

    def _values(self, row: Row) -> list[str]:
        return ["null" if value is None else write(value) for value, write in zip(row, self._writers, strict=True)]

    def finish(self, rows: int, elapsed_s: float) -> str:  # noqa: ARG002 (the writers' common signature)
        """Nothing."""
        return ""


def _pair(name: str, value: str) -> str:
    return f"{name}:{value}"


class Document:
    """One object: what the columns are, the rows, how many, how long it took."""

    def __init__(self, columns: Sequence[ColumnInfo], *, compact: bool = False) -> None:
        self._columns = columns
        self._compact = compact
        self._names = [json_text(name) for name in distinct([column.name for column in columns])]
        self._writers = [json_writer(column.type, 0 if compact else ROW_INDENT) for column in columns]
        self._first = True

    def start(self) -> str:
        """Everything up to the rows."""
        members = ",\n".join(
            f'\t\t{{\n\t\t\t"name": {name},\n\t\t\t"type": {json_text(type_name(column.type))}\n\t\t}}'
            for name, column in zip(self._names, self._columns, strict=True)
        )
        return f'{{\n\t"meta":\n\t[\n{members}\n\t],\n\n\t"data":\n\t[\n'

    def rows(self, batch: Sequence[Row]) -> str:
        """Some rows."""
        text = ",\n".join(self._compact_row(row) if self._compact else self._object(row) for row in batch)
        comma = "" if self._first or not batch else ",\n"
        self._first = self._first and not batch
        return comma + text

    def _compact_row(self, row: Row) -> str:
        return f"\t\t[{', '.join(self._values(row))}]"

    def _object(self, row: Row) -> str:
        members = ",\n".join(
            f"\t\t\t{name}: {value}" for name, value in zip(self._names, self._values(row), strict=True)
        )
        return f"\t\t{{\n{members}\n\t\t}}"

    def _values(self, row: Row) -> list[str]:
        return ["null" if value is None else write(value) for value, write in zip(row, self._writers, strict=True)]

    def finish(self, rows: int, elapsed_s: float) -> str:
        """Everything after the rows."""
        return (
            f'\n\t],\n\n\t"rows": {rows},\n\n\t"statistics":\n\t{{\n\t\t"elapsed": {float_text(round(elapsed_s, 9))},\n'
            f'\t\t"rows_read": {rows},\n\t\t"bytes_read": 0\n\t}}\n}}\n'
        )


def distinct(names: Sequence[str]) -> list[str]:
    """Column names without repetitions: an object cannot have a member twice."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return found
