"""A row's complete attributes, serialized: half of what an export request consists of, so the inner loop of forwarding.

What the columns represent is put back under the client's own name. Encoding is by hand and remembered a name: texts
and numbers repeat, and a call into protobuf costs a microsecond, twenty times a record.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

from telem.sanitize.columns import BIT, PROMOTED_BY_SIGNAL, Type

from .wire import any_value, varint

if TYPE_CHECKING:
    from telem.sanitize.records import Signal
    from telem.storage.sequence import Row

ROW_ID = "telem.row_id"
AGENT_ID = "telem.agent_id"

REMEMBERED_MAX = 2_000
"""Values remembered a name; names whose values never repeat fill it and are then encoded each time."""

REMEMBERED_CHARS = 64
NAMES_MAX = 10_000
INT_BYTE_MAX = 0x80


class Promoted(NamedTuple):
    """A column whose attribute is to be put back."""

    column: str
    attribute: str
    type: Type
    as_text: bool

    def value(self, row: Row) -> Any:
        """The attribute's value; None when there is none."""
        value = row.get(self.column)
        if value is None:
            if self.column == "event_timestamp":
                return timestamp(row["time"])
            return row.get("prompt") if self.column == "prompt_text" else None
        if self.type is Type.FLOAT:
            value = int(value)  # only whole numbers are represented exactly, see sanitize/shape
        elif self.type is Type.MONEY:
            value = float(value)
        if self.as_text:
            value = str(value).lower() if isinstance(value, bool) else str(value)
        return value


@lru_cache(maxsize=4096)
def promoted(signal: Signal, same: int, as_text: int) -> tuple[Promoted, ...]:
    """Which columns to put back for these bits; few combinations occur."""
    return tuple(
        Promoted(column.name, column.attributes[0], column.type, bool(as_text & BIT[column.name]))
        for column in PROMOTED_BY_SIGNAL[signal]
        if (same | as_text) & BIT[column.name]
    )


def attributes_of(signal: Signal, row: Row) -> dict[str, Any]:
    """A row's complete attributes, as they were sent; the same that the views put together in SQL."""
    found: dict[str, Any] = {}
    for one in promoted(signal, row.get("promoted", 0), row.get("promoted_as_text", 0)):
        if (value := one.value(row)) is not None:
            found[one.attribute] = value
    found.update(row.get("attributes") or {})
    return found


class AttributeFields:
    """Serializes attributes as fields of one number."""

    def __init__(self, signal: Signal, number: int, agent_id: str | None) -> None:
        self._signal = signal
        self._tag = bytes((number << 3 | 2,))
        self._names: dict[str, _Name] = {}
        self._plans: dict[tuple[int, int], list[tuple[str, Promoted | None, _Name]]] = {}
        self._agent = self._name(AGENT_ID).any(agent_id) if agent_id else b""
        self._row_id = None if agent_id is None else self._name(ROW_ID)

    def of(self, row: Row) -> bytes:
        """All attributes of a row, with its id and this agent's if they are wanted."""
        parts: list[bytes] = []
        bits = row.get("promoted", 0), row.get("promoted_as_text", 0)
        plan = self._plans.get(bits)
        if plan is None:
            plan = self._plans[bits] = self._plan(bits)
        for column, special, name in plan:
            value = row.get(column) if special is None else special.value(row)
            if value is None:
                continue
            parts.append((name.known.get(value) if type(value) is str else None) or name.any(value))
        if rest := row.get("attributes"):
            for key, value in rest.items():
                name = self._names.get(key) or self._name(key)
                parts.append((name.known.get(value) if type(value) is str else None) or name.any(value))
        if self._row_id is not None:
            parts.append(self._row_id.text(row["id"]))
            parts.append(self._agent)
        return b"".join(parts)

    def _plan(self, bits: tuple[int, int]) -> list[tuple[str, Promoted | None, _Name]]:
        """Columns and their attributes; with what makes the value, where it is not the column's own."""
        return [
            (one.column, None if _is_plain(one) else one, self._name(one.attribute))
            for one in promoted(self._signal, *bits)
        ]

    def _name(self, key: str) -> _Name:
        if len(self._names) >= NAMES_MAX:
            self._names.clear()
            self._plans.clear()
        return self._names.setdefault(key, _Name(self._tag, key))


def _is_plain(one: Promoted) -> bool:
    return (
        not one.as_text
        and one.type in (Type.TEXT, Type.INT, Type.BOOL)
        and one.column not in ("event_timestamp", "prompt_text")
    )


_DOUBLE = Struct("<d")


class _Name:
    """One attribute's name, serialized, and the whole attribute for values that were met."""

    __slots__ = ("_head", "_numbers", "_tag", "known")

    def __init__(self, tag: bytes, key: str) -> None:
        data = key.encode("utf-8", "replace")
        self._tag = tag[0]
        self._head = b"\x0a" + varint(len(data)) + data + b"\x12"  # KeyValue.key, and the tag of KeyValue.value
        self.known: dict[str, bytes] = {}
        self._numbers: dict[int, bytes] = {}

    def any(self, value: Any) -> bytes:
        kind = type(value)
        if kind is str:
            found = self.text(value)
            if len(value) <= REMEMBERED_CHARS and len(self.known) < REMEMBERED_MAX:
                self.known[value] = found
            return found
        if kind is int:
            known = self._numbers.get(value)
            if known is None:
                whole = b"\x18" + varint(value) if 0 <= value < 1 << 63 else any_value(value).SerializeToString()
                known = self._whole(whole)  # AnyValue.int_value
                if len(self._numbers) < REMEMBERED_MAX:
                    self._numbers[value] = known
            return known
        if kind is float:
            return self._whole(b"\x21" + _DOUBLE.pack(value))  # AnyValue.double_value
        return self._whole(any_value(value).SerializeToString())

    def text(self, value: str) -> bytes:
        data = value.encode("utf-8", "replace")
        size = len(data)
        whole = len(self._head) + size + 3
        if whole < INT_BYTE_MAX:  # all lengths are bytes: one piece, of the tags of AnyValue and its text
            return b"%c%c%b%c\x0a%c%b" % (self._tag, whole, self._head, size + 2, size, data)
        return self._whole(b"\x0a" + varint(size) + data)  # AnyValue.string_value

    def _whole(self, value: bytes) -> bytes:
        size = len(value)
        pair = self._head + varint(size) + value
        return b"%c%b%b" % (self._tag, varint(len(pair)), pair)


@lru_cache(maxsize=256)
def _second(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"


def timestamp(time_us: int) -> str:
    """A time as clients write it."""
    second, rest = divmod(time_us, 1_000_000)
    return f"{_second(second)}.{rest // 1000:03d}Z"
