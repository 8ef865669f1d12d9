r"""Table -> text (pure): for reading, for programs, for spreadsheets.

* `table`: for reading. Columns aligned by their width on the screen, numbers to the right, NULL as ∅, control
  characters and bidirectional overrides escaped, long cells cut.
* `json`, `jsonl`: for programs. Numbers are written with their exact digits, decimals included (read them with a
  decimal parser if every digit counts); JSON columns, lists and maps are nested; times are ISO 8601 in UTC; NaN and
  the infinities are the texts "NaN", "Infinity", "-Infinity".
* `csv`: RFC 4180 with a header. NULL is an empty cell, an empty text is "". With `spreadsheet`, texts that a
  spreadsheet would take for a formula get an apostrophe in front.
* `tsv`: NULL is \N; backslash, tab and line breaks in a cell are escaped.
* `markdown`: a table as GitHub reads it.
"""

from __future__ import annotations

import base64
import json
import math
import unicodedata
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .table import ColumnInfo, Table

NULL = "∅"
"""Unknown, which is not 0 and not empty."""

CELL_CHARS_MAX = 80
"""Longer cells are cut in `table`; the other formats give them whole."""

_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
            "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL")  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_FLOAT_DIGITS = 6


def render(table: Table, form: str = "table", *, spreadsheet: bool = False) -> str:
    """The whole table in one of `FORMATS`, with a line feed at its end unless it is empty.

    Raises:
        KeyError: there is no such format.
    """
    if form == "csv":
        return _csv(table, spreadsheet)
    return _WRITERS[form](table)


def footer(table: Table) -> str:
    """What to say about a table besides itself: rows, time, and whether there are more."""
    count = len(table.rows)
    rows = f"{count:,} row{'' if count == 1 else 's'}"
    more = " (there are more: the limit was reached)" if table.truncated else ""
    note = f"\n{table.note}" if table.note else ""
    return f"{rows} in {table.elapsed_ms:.0f} ms{more}{note}"


def width(text: str) -> int:
    """Columns a text takes on a terminal: wide characters two, combining marks and invisible ones none."""
    if text.isascii():
        return len(text)
    return sum(_character_width(character) for character in text)


def _character_width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def visible(text: str) -> str:
    """The text with everything escaped that a terminal would act upon instead of showing."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or unicodedata.category(character) == "Zs" else _escape(character)
        for character in text
    )


def _escape(character: str) -> str:
    known = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    number = ord(character)
    return known or (f"\\x{number:02x}" if number <= 0xFF else f"\\u{number:04x}")  # noqa: PLR2004 - one byte


def is_number(column: ColumnInfo) -> bool:
    """Whether values of the column are numbers, by its type."""
    return column.type.partition("(")[0] in _NUMBERS


# -- one value ---------------------------------------------------------------------------------------------------


def plain(value: object) -> str:
    """A value as text, as in a CSV cell; nested values as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, list | tuple | dict):
        return _json(value, "")
    return _moment(value)


def _decimal(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _float(value: float) -> str:
    if math.isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) < 1 << 53 else repr(value)
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _moment(value: object) -> str:
    """Times in UTC as ISO 8601, durations in seconds, bytes as base64, anything else as Python writes it."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat()
        text = value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
        return text.rstrip("0").rstrip(".") + "Z"
    if isinstance(value, date | clock):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"{_float(value.total_seconds())} s"
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(bytes(value)).decode()
    return str(value)


def _json(value: object, type_name: str) -> str:
    """A value as JSON. Text of a JSON column is JSON already and goes through as it is."""
    if value is None or isinstance(value, bool | int):
        return json.dumps(value)
    if isinstance(value, Decimal) or (isinstance(value, float) and math.isfinite(value)):
        return plain(value)
    if isinstance(value, str):
        return value if type_name == "JSON" else json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        inner = type_name.removesuffix("[]") if type_name.endswith("[]") else ""
        return "[" + ",".join(_json(item, inner) for item in value) + "]"
    if isinstance(value, dict):
        pairs = (f"{json.dumps(plain(name), ensure_ascii=False)}:{_json(item, '')}" for name, item in value.items())
        return "{" + ",".join(pairs) + "}"
    return json.dumps(plain(value), ensure_ascii=False)


# -- the formats -------------------------------------------------------------------------------------------------


def _table(table: Table) -> str:
    if not table.columns:
        return ""
    header = [visible(column.name) for column in table.columns]
    right = [is_number(column) for column in table.columns]
    columns = [_cells(column, [row[index] for row in table.rows]) for index, column in enumerate(table.columns)]
    widths = [max(map(width, (name, *cells))) for name, cells in zip(header, columns, strict=True)]
    lines = [_line(header, widths, right), "  ".join("─" * size for size in widths)]
    lines += [_line([cells[number] for cells in columns], widths, right) for number in range(len(table.rows))]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    parts = []
    for cell, size, to_the_right in zip(cells, widths, right, strict=True):
        space = " " * (size - width(cell))
        parts.append(space + cell if to_the_right else cell + space)
    return "  ".join(parts)


def _cells(column: ColumnInfo, values: Sequence[object]) -> list[str]:
    if column.type.startswith("DECIMAL"):
        places = max((_places(value) for value in values), default=0)
        return [NULL if value is None else f"{value:,.{places}f}" for value in values]
    if column.type in ("DOUBLE", "FLOAT"):
        places = max((_float_places(value) for value in values), default=0)
        return [NULL if value is None else _float_cell(value, places) for value in values]
    return [NULL if value is None else _cut(visible(_readable(value))) for value in values]


def _places(value: object) -> int:
    """Decimal places worth showing, at least two when there are any, so that money reads as money."""
    if not isinstance(value, Decimal):
        return 0
    places = len(_decimal(value).partition(".")[2])
    return max(places, 2) if places else 0


def _float_places(value: object) -> int:
    """Decimal places that six significant digits leave."""
    if not isinstance(value, float) or not math.isfinite(value):
        return 0
    return len(f"{Decimal(f'{value:.{_FLOAT_DIGITS}g}'):f}".partition(".")[2])


def _float_cell(value: object, places: int) -> str:
    return f"{value:,.{places}f}" if isinstance(value, float) and math.isfinite(value) else plain(value)


def _readable(value: object) -> str:
    if isinstance(value, bool):
        return plain(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, datetime) and value.tzinfo:
        return f"{value.astimezone(UTC).replace(tzinfo=None).isoformat(' ', 'milliseconds')}Z"
    return plain(value)


def _cut(text: str) -> str:
    return text if len(text) <= CELL_CHARS_MAX else text[: CELL_CHARS_MAX - 1] + "…"


def _objects(table: Table) -> list[str]:
    names = [json.dumps(name, ensure_ascii=False) for name in _distinct([column.name for column in table.columns])]
    types = [column.type for column in table.columns]
    return [
        "{"
        + ",".join(f"{name}:{_json(value, kind)}" for name, value, kind in zip(names, row, types, strict=True))
        + "}"
        for row in table.rows
    ]


def _distinct(names: Sequence[str]) -> list[str]:
    """Column names without repetitions: an object cannot have a member twice."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return found


def _json_array(table: Table) -> str:
    return "[" + ",\n ".join(_objects(table)) + "]\n"


def _json_lines(table: Table) -> str:
    return "".join(f"{line}\n" for line in _objects(table))


def _csv(table: Table, spreadsheet: bool) -> str:
    rows = [tuple(column.name for column in table.columns), *table.rows]
    return "".join(",".join(_csv_cell(value, spreadsheet, len(row)) for value in row) + "\r\n" for row in rows)


def _csv_cell(value: object, spreadsheet: bool, columns: int) -> str:
    if value is None:
        return "" if columns > 1 else '""'  # a line without anything is no row to many readers
    text = plain(value)
    if spreadsheet and isinstance(value, str) and text.startswith(_FORMULA):
        text = f"'{text}"
    if not text or any(character in text for character in ',"\r\n') or text != text.strip():
        return '"' + text.replace('"', '""') + '"'
    return text


_TSV = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _tsv(table: Table) -> str:
    header = "\t".join(column.name.translate(_TSV) for column in table.columns)
    rows = ("\t".join("\\N" if value is None else plain(value).translate(_TSV) for value in row) for row in table.rows)
    return "".join(f"{line}\n" for line in (header, *rows))


def _markdown(table: Table) -> str:
    if not table.columns:
        return ""
    columns = [_cells(column, [row[index] for row in table.rows]) for index, column in enumerate(table.columns)]
    rule = ["---:" if is_number(column) else "---" for column in table.columns]
    lines = [[_markdown_cell(column.name) for column in table.columns], rule]
    lines += [[_markdown_cell(cells[number]) for cells in columns] for number in range(len(table.rows))]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _markdown_cell(text: str) -> str:
    escaped = visible(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return escaped.replace("*", "\\*").replace("`", "\\`").replace("[", "\\[")


_WRITERS: dict[str, Callable[[Table], str]] = {
    "table": _table,
    "json": _json_array,
    "jsonl": _json_lines,
    "csv": lambda table: _csv(table, spreadsheet=False),
    "tsv": _tsv,
    "markdown": _markdown,
}

FORMATS: tuple[str, ...] = tuple(_WRITERS)
"""Names of the formats."""
