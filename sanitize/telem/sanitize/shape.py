"""Sanitized attributes -> the typed columns of a row.

Clients write numbers as strings, booleans as strings and sometimes the word "undefined"; a reader turns what
it can into the column's type and says whether the attribute can be had back from the column. If so, it is left out of
the row's `attributes` and its bit is set in `promoted`, or in `promoted_as_text` when it was the text of the value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from .columns import BIT, PROMOTED_BY_SIGNAL, Column, Type
from .records import Attribute

if TYPE_CHECKING:
    from .records import Signal

INT64_LIMIT = 1 << 63
DIGITS_LIMIT = 18
"""That many decimal digits always fit into 64 bits."""
DOUBLE_LIMIT = 1 << 53
"""Beyond it a DOUBLE does not hold every whole number."""
MONEY_LIMIT = 1e9
"""DECIMAL(18,9) holds nine digits before the point."""


class Form(Enum):
    """How an attribute can be had back from its column."""

    LOST = 0  # it cannot: it is kept in `attributes` too
    SAME = 1  # it is the column's value
    TEXT = 2  # it is the column's value, written as text


Reader = Callable[[Attribute], tuple[object, Form]]
"""Turns an attribute into the column's value, None when it cannot."""


class Place(NamedTuple):
    """The column an attribute goes into."""

    column: str
    read: Reader
    exact: type | None  # type of the values that need no reader; None for a second name of the column
    bit: int  # 0 for a second name of the column: it may fill the column but never replaces the attribute


def _read_nothing(_value: Attribute) -> tuple[object, Form]:
    return None, Form.LOST


NOWHERE = Place("", _read_nothing, None, 0)
"""The place of an attribute that has no column."""


def is_int64(value: object) -> bool:
    """An integer that BIGINT can hold. One beyond it would make DuckDB skip the whole row."""
    return type(value) is int and -INT64_LIMIT <= value < INT64_LIMIT


def read_text(value: Attribute) -> tuple[object, Form]:
    """Text as it is; numbers and booleans as text."""
    if type(value) is str:
        return value, Form.SAME
    if value is None or isinstance(value, list | dict | bytes):
        return None, Form.LOST
    return (str(value).lower() if isinstance(value, bool) else str(value)), Form.LOST


def read_int(value: Attribute) -> tuple[object, Form]:
    """An integer, also from a whole float or from digits."""
    if type(value) is int:
        return (value, Form.SAME) if is_int64(value) else (None, Form.LOST)
    if type(value) is str and value.isdecimal() and len(value) <= DIGITS_LIMIT and value.isascii():
        number = int(value)
        return number, Form.TEXT if str(number) == value else Form.LOST
    found = _number(value)
    if found is None or not found.is_integer() or abs(found) >= INT64_LIMIT:
        return None, Form.LOST
    return int(found), Form.LOST


def read_float(value: Attribute) -> tuple[object, Form]:
    """A finite number; whole numbers, also in digits, are exact, for the views write them back as such."""
    number, form = read_int(value)
    if form is not Form.LOST and isinstance(number, int) and abs(number) <= DOUBLE_LIMIT:
        return number, form
    return _number(value), Form.LOST


def read_bool(value: Attribute) -> tuple[object, Form]:
    """A boolean, also from the words."""
    if type(value) is bool:
        return value, Form.SAME
    return (value == "true", Form.TEXT) if value in ("true", "false") else (None, Form.LOST)


def read_money(value: Attribute) -> tuple[object, Form]:
    """Decimal text with nine places, which is a thousandth of a micro-dollar."""
    number = _number(value)
    if number is None or abs(number) >= MONEY_LIMIT:
        return None, Form.LOST
    text = f"{number:.9f}"
    return text, Form.SAME if type(value) is float and float(text) == value else Form.LOST


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


_EXACT = {Type.TEXT: str, Type.INT: int, Type.BOOL: bool}
"""The decoders let no int beyond int64 in. In a FLOAT column ints are exact up to a limit, which its reader knows."""


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
