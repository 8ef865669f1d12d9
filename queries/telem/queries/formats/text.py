r"""One value as ClickHouse writes it (pure): in TabSeparated, in quotes within arrays, in JSON.

A column has one function for its values, chosen by its type; NULL is the format's business.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

Write = Callable[[object], str]

_ESCAPES = {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0", "\\": "\\\\", "'": "\\'"}
_ESCAPED = re.compile(r"[\b\f\n\r\t\0\\']")
_JSON_ESCAPES = {
    **{chr(number): f"\\u{number:04x}" for number in range(0x20)},
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\\": "\\\\",
    '"': '\\"',
    "/": "\\/",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}
_JSON_ESCAPED = re.compile(r'[\x00-\x1f\\"/\u2028\u2029]')
_EXACT_INT_MAX = 1 << 53
_EXPONENT_FROM, _EXPONENT_TO = -7, 20


def escaped(text: str) -> str:
    """As in TabSeparated."""
    return _ESCAPED.sub(lambda match: _ESCAPES[match[0]], text)


def json_text(text: str) -> str:
    """A text in JSON, with its quotes."""
    return '"' + _JSON_ESCAPED.sub(lambda match: _JSON_ESCAPES[match[0]], text) + '"'


def float_text(value: object) -> str:
    """The shortest digits that read back, an exponent only beyond 1e21 and below 1e-6."""
    number = float(value)  # type: ignore[arg-type]
    if not math.isfinite(number):
        return "nan" if math.isnan(number) else ("inf" if number > 0 else "-inf")
    return _digits(repr(number))


def float32_text(value: object) -> str:
    """The same for a number of four bytes."""
    number = float(value)  # type: ignore[arg-type]
    if not math.isfinite(number):
        return float_text(number)
    same = struct.pack("f", number)
    tries = (f"{number:.{count}g}" for count in range(1, 10))
    return _digits(next((text for text in tries if struct.pack("f", float(text)) == same), repr(number)))


def _digits(text: str) -> str:
    number = Decimal(text)
    sign, digits, exponent = number.normalize().as_tuple()
    if not number:
        return "-0" if sign else "0"
    first = len(digits) + int(exponent) - 1
    if _EXPONENT_FROM < first <= _EXPONENT_TO:
        return f"{number.normalize():f}"
    written = "".join(map(str, digits))
    point = f".{written[1:]}" if len(written) > 1 else ""
    return f"{'-' if sign else ''}{written[0]}{point}e{first}"


def decimal_text(value: object) -> str:
    """Without zeros at the end."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def moment_text(value: object) -> str:
    """A time in UTC with its microseconds."""
    if not isinstance(value, datetime):
        return str(value)
    utc = value.astimezone(UTC) if value.tzinfo else value
    return f"{utc.year:04d}-{utc:%m-%d %H:%M:%S.%f}"


def plain(value: object) -> str:
    """Any value as text, by what it is; arrays, tuples and maps in ClickHouse's spelling."""
    write = next((write for kind, write in _BY_KIND if isinstance(value, kind)), str)
    return write(value)


def _array(value: Any) -> str:
    return f"[{','.join(map(quoted, value))}]"


def _map(value: Any) -> str:
    return f"{{{','.join(f'{quoted(name)}:{quoted(item)}' for name, item in value.items())}}}"


_BY_KIND: tuple[tuple[type | tuple[type, ...], Callable[[Any], str]], ...] = (
    (str, str),
    (bool, lambda value: "true" if value else "false"),
    (int, str),
    (float, float_text),
    (Decimal, decimal_text),
    (datetime, moment_text),
    (date, date.isoformat),
    (time, lambda value: f"{value:%H:%M:%S.%f}"),
    (timedelta, lambda value: f"{float_text(value.total_seconds())} s"),
    (bytes, lambda value: value.decode("utf-8", "surrogateescape")),
    ((list, tuple), _array),
    (dict, _map),
)
"""Kinds of values, each before those it is one of too: a bool is an int, a datetime a date."""


def structure(value: object) -> str:
    """A struct's values as a tuple."""
    items = value.values() if isinstance(value, dict) else ()
    return f"({','.join(map(quoted, items))})"


def quoted(value: object) -> str:
    """A value within an array, a tuple or a map."""
    if value is None:
        return "NULL"
    text = plain(value)
    return text if isinstance(value, bool | int | float | Decimal | list | tuple | dict) else f"'{escaped(text)}'"


def json_value(value: object, indent: int = 0) -> str:
    """A value in JSON. NaN and the infinities are null, as ClickHouse has them.

    With an indent, the members of an object stand on lines of their own, so many tabs in.
    """
    match value:
        case None:
            return "null"
        case bool() | int() | Decimal():
            return plain(value)
        case float():
            return float_text(value) if math.isfinite(value) else "null"
        case list() | tuple():
            return f"[{','.join(map(json_value, value))}]"
        case dict():
            return _json_object(value, indent)
        case bytes():
            return json_text(value.decode("utf-8", "replace"))
    return json_text(plain(value))


def _json_object(value: dict[object, object], indent: int) -> str:
    if not indent or not value:
        return f"{{{','.join(f'{json_text(plain(name))}:{json_value(item)}' for name, item in value.items())}}}"
    tabs = "\t" * (indent + 1)
    members = (f"{tabs}{json_text(plain(name))}: {json_value(item, indent + 1)}" for name, item in value.items())
    return "{\n" + ",\n".join(members) + "\n" + "\t" * indent + "}"


_TEXTS: dict[str, Write] = {
    "VARCHAR": lambda value: value,  # type: ignore[dict-item,return-value]
    "BIGINT": str,
    "INTEGER": str,
    "DOUBLE": float_text,
    "FLOAT": float32_text,
    "TIMESTAMP WITH TIME ZONE": moment_text,
}


def text_writer(duckdb_type: str) -> Write:
    """How the values of a column become text."""
    if duckdb_type.startswith("STRUCT") and not duckdb_type.endswith("]"):
        return structure
    return _TEXTS.get(duckdb_type, plain)


def json_writer(duckdb_type: str, indent: int = 0) -> Write:
    """How the values of a column become JSON."""
    if indent and duckdb_type.startswith(("STRUCT", "MAP")):
        return lambda value: json_value(value, indent)
    if duckdb_type == "FLOAT":
        return lambda value: "null" if value is None or not math.isfinite(value) else float32_text(value)  # type: ignore[arg-type]
    return json_value
