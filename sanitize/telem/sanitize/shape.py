"""Sanitized attributes -> the typed columns of a row.

Clients write numbers as strings, booleans as strings and sometimes the word "undefined"; a reader turns what
it can into the column's type and says whether the column now represents the attribute exactly. Only then is
the attribute left out of the row's `attributes` and its bit set in `promoted`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from .columns import BIT, PROMOTED_BY_SIGNAL, Column, Type

if TYPE_CHECKING:
    from collections.abc import Callable

    from .records import Attribute, Signal

INT64_LIMIT = 1 << 63
MONEY_LIMIT = 1e9
"""DECIMAL(18,9) holds nine digits before the point."""


class Step(NamedTuple):
    """What to do with one attribute name."""

    column: str
    read: Callable[[Attribute], tuple[object, bool]]
    bit: int  # 0 for a second name of the column: it may fill the column but never replaces the attribute


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


READERS: dict[Type, Callable[[Attribute], tuple[object, bool]]] = {
    Type.TEXT: read_text,
    Type.INT: read_int,
    Type.FLOAT: read_float,
    Type.BOOL: read_bool,
    Type.MONEY: read_money,
}


def plan(signal: Signal) -> dict[str, Step]:
    """Attribute name -> step, for one table."""
    steps: dict[str, Step] = {}
    for column in PROMOTED_BY_SIGNAL[signal]:
        for position, name in enumerate(column.attributes):
            steps[name] = Step(column.name, READERS[column.type], BIT[column.name] if position == 0 else 0)
    return steps


def tags(signal: Signal) -> tuple[Column, ...]:
    """Columns that are filled from the resource when the record has none."""
    return tuple(column for column in PROMOTED_BY_SIGNAL[signal] if column.tag)
