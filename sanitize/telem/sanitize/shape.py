"""Sanitized attributes -> the typed columns of a row.

Clients write numbers as strings, booleans as strings and sometimes the word "undefined"; a reader turns what
it can into the column's type and says whether the column now represents the attribute exactly. Only then is
the attribute left out of the row's `attributes` and its bit set in `promoted`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from .columns import BIT, PROMOTED_BY_SIGNAL, Column, Type
from .records import Attribute

if TYPE_CHECKING:
    from .records import Signal

INT64_LIMIT = 1 << 63
MONEY_LIMIT = 1e9
"""DECIMAL(18,9) holds nine digits before the point."""


Reader = Callable[[Attribute], tuple[object, bool]]
"""Turns an attribute into the column's value (None when it cannot) and says whether nothing is lost by that."""


class Place(NamedTuple):
    """The column an attribute goes into."""

    column: str
    read: Reader
    exact: type | None  # type of the values that need no reader; None for a second name of the column
    bit: int  # 0 for a second name of the column: it may fill the column but never replaces the attribute


def _read_nothing(_value: Attribute) -> tuple[object, bool]:
    return None, False


NOWHERE = Place("", _read_nothing, None, 0)
"""The place of an attribute that has no column."""


def is_int64(value: object) -> bool:
    """An integer that BIGINT can hold. One beyond it would make DuckDB skip the whole row."""
    return type(value) is int and -INT64_LIMIT <= value < INT64_LIMIT


def read_text(value: Attribute) -> tuple[object, bool]:
    """Text as it is; numbers and booleans as text."""
    if type(value) is str:
        return value, True
    if value is None or isinstance(value, list | dict | bytes):
        return None, False
    return (str(value).lower() if isinstance(value, bool) else str(value)), False


def read_int(value: Attribute) -> tuple[object, bool]:
    """An integer, also from a whole float or a string of digits."""
    if type(value) is int:
        return (value, True) if -INT64_LIMIT <= value < INT64_LIMIT else (None, False)
    number = _number(value)
    if number is None or not number.is_integer() or abs(number) >= INT64_LIMIT:
        return None, False
    return int(value) if isinstance(value, str) and value.lstrip("-").isdigit() else int(number), False


def read_float(value: Attribute) -> tuple[object, bool]:
    """A finite number; exact when it was an integer, for the views write it back as one."""
    if type(value) is int:
        return (value, True) if -INT64_LIMIT <= value < INT64_LIMIT else (None, False)
    return _number(value), False


def read_bool(value: Attribute) -> tuple[object, bool]:
    """A boolean, also from the words."""
    if type(value) is bool:
        return value, True
    return (value == "true", False) if value in ("true", "false") else (None, False)


def read_money(value: Attribute) -> tuple[object, bool]:
    """Decimal text with nine places, which is a thousandth of a micro-dollar."""
    number = _number(value)
    if number is None or abs(number) >= MONEY_LIMIT:
        return None, False
    text = f"{number:.9f}"
    return text, type(value) is float and float(text) == value


def _number(value: Attribute) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


READERS: dict[Type, Reader] = {
    Type.TEXT: read_text,
    Type.INT: read_int,
    Type.FLOAT: read_float,
    Type.BOOL: read_bool,
    Type.MONEY: read_money,
}


_EXACT = {Type.TEXT: str, Type.INT: int, Type.FLOAT: int, Type.BOOL: bool}
"""A whole number in a FLOAT column is exact too: the views write it back as one. The decoders let no int beyond int64 in."""


def plan(signal: Signal) -> dict[str, Place]:
    """Attribute name -> column, for one table."""
    places: dict[str, Place] = {}
    for column in PROMOTED_BY_SIGNAL[signal]:
        for position, name in enumerate(column.attributes):
            first = position == 0
            exact = _EXACT.get(column.type) if first else None
            places[name] = Place(column.name, READERS[column.type], exact, BIT[column.name] if first else 0)
    return places


def tags(signal: Signal) -> tuple[Column, ...]:
    """Columns that are filled from the resource when the record has none."""
    return tuple(column for column in PROMOTED_BY_SIGNAL[signal] if column.tag)
