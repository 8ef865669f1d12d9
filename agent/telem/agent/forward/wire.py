"""Pieces of OTLP in protobuf: attributes, length-delimited fields, times (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

if TYPE_CHECKING:
    from telem.storage.sequence import Row


def time_ns(row: Row) -> int:
    """When it happened. A log record's time that was taken from the observed one is left to be taken again."""
    if row.get("time_from") == "observed" and "observed_lag_us" in row:
        return 0
    return max(0, int(row["time"]) * 1000 + int(row.get("time_rem_ns", 0)))


def pairs(attributes: dict[str, Any]) -> list[KeyValue]:
    """Attributes as protobuf has them."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def any_value(value: Any) -> AnyValue:
    """A value of JSON as an AnyValue. What was bytes is base64 by now, and stays it."""
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value) if -(1 << 63) <= value < 1 << 63 else AnyValue(double_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=map(any_value, value)))
        case dict():
            return AnyValue(kvlist_value=KeyValueList(values=pairs(value)))
    raise TypeError(f"{type(value)} is no value of JSON")


_LENGTHS = tuple(
    bytes((number,)) if number < 0x80 else bytes((number & 0x7F | 0x80, number >> 7))  # noqa: PLR2004 (seven bits)
    for number in range(1 << 14)
)
"""Numbers of one and two bytes, which almost all lengths are."""


def field(number: int, data: bytes) -> bytes:
    """A length-delimited field: serialized messages may be joined, so parts are encoded apart."""
    return bytes((number << 3 | 2,)) + varint(len(data)) + data


def varint(number: int) -> bytes:
    """A number in as many bytes as it needs."""
    if number < len(_LENGTHS):
        return _LENGTHS[number]
    out = bytearray()
    while number >= 0x80:  # noqa: PLR2004
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
