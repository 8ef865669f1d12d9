r"""TabSeparated, CSV, Markdown, Vertical and Pretty (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telem.queries.render import visible, width

from .text import escaped, text_writer
from .types import NUMBERS, TO_THE_RIGHT, type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from telem.queries.table import ColumnInfo

    Row = tuple[object, ...]

NULL_SIGN = "ᴺᵁᴸᴸ"
PRETTY_ROWS_MAX = 10_000
PRETTY_CELL_CHARS_MAX = 10_000


class TabSeparated:
    r"""A row a line, values between tabs; NULL is \N."""

    def __init__(self, columns: Sequence[ColumnInfo], *, names: bool = False, types: bool = False) -> None:
        self._columns = columns
        self._names = names
        self._types = types
        self._writers = [_tab_writer(column.type) for column in columns]

    def start(self) -> str:
        """The lines above the rows."""
        lines = []
        if self._names:
            lines.append("\t".join(escaped(column.name) for column in self._columns))
        if self._types:
            lines.append("\t".join(escaped(type_name(column.type)) for column in self._columns))
        return "".join(f"{line}\n" for line in lines)

    def rows(self, batch: Sequence[Row]) -> str:
        """Some rows."""
        writers = self._writers
        lines = []
        for row in batch:
            cells = ["\\N" if value is None else write(value) for value, write in zip(row, writers, strict=True)]
            lines.append("\t".join(cells))
        lines.append("")
        return "\n".join(lines)

    def finish(self, rows: int, elapsed_s: float) -> str:  # noqa: ARG002 (the writers' common signature)
        """Nothing."""
        return ""


def _tab_writer(kind: str) -> Callable[[object], str]:
    write = text_writer(kind)
    if NUMBERS.match(kind) or kind.startswith(("TIMESTAMP", "DATE", "BOOLEAN", "UUID")):
        return write
    if kind.endswith((")", "]")):
        return write  # nested texts are escaped where they are quoted
    return lambda value: escaped(write(value))


class Csv:
    r"""A row a line, texts in double quotes; NULL is \N."""

    def __init__(self, columns: Sequence[ColumnInfo], *, names: bool = False) -> None:
        self._columns = columns
        self._names = names
        self._writers = [_csv_writer(column.type) for column in columns]

    def start(self) -> str:
        """The line above the rows."""
        return ",".join(_in_quotes(column.name) for column in self._columns) + "\n" if self._names else ""

    def rows(self, batch: Sequence[Row]) -> str:
        """Some rows."""
        writers = self._writers
        lines = []
        for row in batch:
            cells = ["\\N" if value is None else write(value) for value, write in zip(row, writers, strict=True)]
            lines.append(",".join(cells))
        lines.append("")
        return "\n".join(lines)

    def finish(self, rows: int, elapsed_s: float) -> str:  # noqa: ARG002
        """Nothing."""
        return ""


def _csv_writer(kind: str) -> Callable[[object], str]:
    write = text_writer(kind)
    if NUMBERS.match(kind) or kind == "BOOLEAN":
        return write
    return lambda value: _in_quotes(write(value))


def _in_quotes(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


class Markdown:
    """A table as GitHub reads it."""

    def __init__(self, columns: Sequence[ColumnInfo]) -> None:
        self._columns = columns
        self._writers = [_tab_writer(column.type) for column in columns]

    def start(self) -> str:
        """Header and rule."""
        names = " | ".join(_markdown_cell(column.name) for column in self._columns)
        rule = "|".join("-:" if TO_THE_RIGHT.match(column.type) else ":-" for column in self._columns)
        return f"| {names} |\n|{rule}|\n"

    def rows(self, batch: Sequence[Row]) -> str:
        """Some rows."""
        lines = []
        for row in batch:
            cells = (
                "\\N" if value is None else _markdown_cell(write(value))
                for value, write in zip(row, self._writers, strict=True)
            )
            lines.append(f"| {' | '.join(cells)} |\n")
        return "".join(lines)

    def finish(self, rows: int, elapsed_s: float) -> str:  # noqa: ARG002
        """Nothing."""
        return ""


def _markdown_cell(text: str) -> str:
    return visible(text).replace("|", "\\|")


class Vertical:
    """A value a line, each with its column's name."""

    def __init__(self, columns: Sequence[ColumnInfo]) -> None:
        self._names = [visible(column.name) for column in columns]
        longest = max(map(width, self._names), default=0)
        self._labels = [f"{name}:{' ' * (longest - width(name))}" for name in self._names]
        self._writers = [text_writer(column.type) for column in columns]
        self._number = 0

    def start(self) -> str:
        """Nothing."""
        return ""

    def rows(self, batch: Sequence[Row]) -> str:
        """Some rows."""
        parts = []
        for row in batch:
            self._number += 1
            title = f"Row {self._number}:"
            parts.append(f"{'' if self._number == 1 else chr(10)}{title}\n{'─' * len(title)}\n")
            for label, value, write in zip(self._labels, row, self._writers, strict=True):
                parts.append(f"{label} {NULL_SIGN if value is None else _shown(write(value))}\n")
        return "".join(parts)

    def finish(self, rows: int, elapsed_s: float) -> str:  # noqa: ARG002
        """Nothing."""
        return ""


def _shown(text: str) -> str:
    """A text of several lines keeps them; whatever else a terminal would act upon is escaped."""
    return "\n".join(map(visible, text.split("\n")))


class Pretty:
    """A table with rules, for reading; it is held until the end, and ends at 10,000 rows."""

    def __init__(self, columns: Sequence[ColumnInfo]) -> None:
        self._columns = columns
        self._writers = [text_writer(column.type) for column in columns]
        self._rows: list[list[list[str]]] = []
        self._count = 0

    def start(self) -> str:
        """Nothing yet."""
        return ""

    def rows(self, batch: Sequence[Row]) -> str:
        """Nothing yet."""
        self._count += len(batch)
        for row in batch[: PRETTY_ROWS_MAX - len(self._rows)]:
            cells = [
                [NULL_SIGN] if value is None else _lines(write(value))
                for value, write in zip(row, self._writers, strict=True)
            ]
            self._rows.append(cells)
        return ""

    def finish(self, rows: int, elapsed_s: float) -> str:  # noqa: ARG002
        """The table."""
        if not self._rows:
            return ""
        names = [visible(column.name) for column in self._columns]
        right = [bool(TO_THE_RIGHT.match(column.type)) for column in self._columns]
        widths = [width(name) for name in names]
        for row in self._rows:
            for index, lines in enumerate(row):
                widths[index] = max(widths[index], *map(width, lines))
        header = [_cell([name], 0, size, side) for name, size, side in zip(names, widths, right, strict=True)]
        indent = max(len(str(len(self._rows))) + 2, 3)
        parts = [_rule(indent, widths, "┏━┳┓"), f"{' ' * indent}┃{'┃'.join(header)}┃\n"]
        parts.append(_rule(indent, widths, "┡━╇┩"))
        for number, row in enumerate(self._rows, 1):
            if number > 1:
                parts.append(_rule(indent, widths, "├─┼┤"))
            label = f"{number}. ".rjust(indent)
            for index in range(max(map(len, row))):
                cells = [_cell(lines, index, size, side) for lines, size, side in zip(row, widths, right, strict=True)]
                parts.append(f"{label if index == 0 else ' ' * indent}│{'│'.join(cells)}│\n")
        parts.append(_rule(indent, widths, "└─┴┘"))
        if self._count > len(self._rows):
            parts.append(f"Showed {len(self._rows)} out of {self._count} rows.\n")
        return "".join(parts)


def _lines(text: str) -> list[str]:
    """The lines of a cell."""
    if len(text) > PRETTY_CELL_CHARS_MAX:
        text = text[:PRETTY_CELL_CHARS_MAX] + "⋯"
    return [visible(line) for line in text.split("\n")]


def _cell(lines: Sequence[str], index: int, size: int, to_the_right: bool) -> str:
    """One line of a cell; marks on its sides say that it goes on from the line above, or on the one below."""
    line = lines[index] if index < len(lines) else ""
    space = " " * (size - width(line))
    before = "↳" if 0 < index < len(lines) else " "
    after = "↴" if index < len(lines) - 1 else " "
    return f"{before}{space}{line}{after}" if to_the_right else f"{before}{line}{space}{after}"


def _rule(indent: int, widths: Sequence[int], signs: str) -> str:
    start, line, between, end = (*signs,)
    return " " * indent + start + between.join(line * (size + 2) for size in widths) + end + "\n"
