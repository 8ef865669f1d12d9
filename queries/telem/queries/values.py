"""Values of an answer as JSON and back, each of the type it had (pure).

None, booleans, whole numbers, floats (NaN and infinities as Python's json writes them), texts and lists are JSON's own.
Anything else is an object with one member, whose name says the type: `{"d": "1.50"}` is a decimal. So a struct's own
members never meet one of these names: they are pairs, `{"m": [["name", value]]}`.
"""

from __future__ import annotations

import base64
import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NESTED = ("STRUCT", "MAP", "UNION", "VARIANT", "ROW")


def encoded(value: object) -> Any:
    """A value as something that JSON can hold."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [encoded(item) for item in value]
    if isinstance(value, dict):
        return {"m": [[encoded(name), encoded(item)] for name, item in value.items()]}
    return _tagged(value)


def decoded(value: Any) -> object:
    """The value that `encoded` was given."""
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if isinstance(value, dict):
        return _untagged({name: decoded(item) for name, item in value.items()})
    return value


def rows_json(rows: Sequence[Sequence[object]], types: Sequence[str]) -> bytes:
    """Rows as JSON. `types` are DuckDB's names of the columns' types: only structs and maps need a walk."""
    nested = [index for index, kind in enumerate(types) if any(word in kind for word in _NESTED)]
    if nested:
        rows = [[encoded(value) if index in nested else value for index, value in enumerate(row)] for row in rows]
    return json.dumps(rows, default=_tagged, separators=(",", ":")).encode()


def rows_of(payload: bytes) -> list[tuple[object, ...]]:
    """The rows that `rows_json` was given."""
    return [tuple(row) for row in json.loads(payload, object_hook=_untagged)]


def _tagged(value: object) -> dict[str, Any]:
    for kind, (tag, write, _) in _CODECS.items():
        if isinstance(value, kind):
            return {tag: write(value)}
    return {"s": str(value)}


def _untagged(value: dict[str, Any]) -> object:
    ((tag, held),) = value.items()
    return _READERS[tag](held)


_CODECS: dict[type, tuple[str, Callable[[Any], Any], Callable[[Any], object]]] = {
    Decimal: ("d", str, Decimal),
    datetime: ("t", datetime.isoformat, datetime.fromisoformat),
    date: ("D", date.isoformat, date.fromisoformat),
    time: ("c", time.isoformat, time.fromisoformat),
    timedelta: ("i", lambda span: span // timedelta(microseconds=1), lambda count: timedelta(microseconds=count)),
    UUID: ("u", str, UUID),
    bytes: ("b", lambda data: base64.b64encode(data).decode(), base64.b64decode),
}
"""Type -> tag, how it is written, how it is read. A datetime is a date too, so it comes first."""

_READERS: dict[str, Callable[[Any], object]] = {
    **{tag: read for tag, _, read in _CODECS.values()},
    "m": lambda pairs: {_name(name): item for name, item in pairs},
    "s": str,
}


def _name(name: object) -> object:
    """A key of a map: lists are none of Python's."""
    return tuple(map(_name, name)) if isinstance(name, list) else name
