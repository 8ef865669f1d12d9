"""We ask the protocol whether we forgot something: every field of every OTLP message must be found in a row.

The requests are built from the descriptors, so a field that a newer opentelemetry-proto brings makes a test fail
until it has a place, or a reason in `DROPPED_ON_PURPOSE`.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from tests.otlp import NOW_NS, REQUESTS, raw

from telem.sanitize.columns import DROPPED_ON_PURPOSE
from telem.sanitize.records import RawRequest, Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PREFIX = "opentelemetry.proto."
_TIMES = {"time_unix_nano", "observed_time_unix_nano", "start_time_unix_nano", "end_time_unix_nano"}
_ENUMS = {"severity_number": 9, "kind": 3, "code": 2, "aggregation_temporality": 2}
_IDS = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}


class Filler:
    """Sets every field of a message, and writes down what was set where."""

    def __init__(self, choose: dict[str, str]) -> None:
        self.choose = choose  # oneof -> the member to set
        self.set: list[tuple[str, Any]] = []
        self._number = 1000

    def fill(self, message: Any, depth: int = 0) -> None:
        descriptor = message.DESCRIPTOR
        for field in descriptor.fields:
            if field.containing_oneof and not field.containing_oneof.name.startswith("_"):
                wanted = self.choose.get(field.containing_oneof.full_name.removeprefix(_PREFIX))
                if field.name != (wanted or "string_value"):
                    continue
            self._field(message, field, depth)

    def _field(self, message: Any, field: FieldDescriptor, depth: int) -> None:
        name = path_of(field)
        if name in DROPPED_ON_PURPOSE:
            return
        if field.message_type is not None:
            if depth > 12:
                return
            inner = getattr(message, field.name)
            self.fill(inner.add() if field.is_repeated else inner, depth + 1)
            if not field.is_repeated:
                inner.SetInParent()
            return
        value = self._value(field)
        if field.is_repeated:
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)
        self.set.append((name, value))

    def _value(self, field: FieldDescriptor) -> Any:
        self._number += 1
        number = self._number
        if field.name in _TIMES or field.name.endswith("_unix_nano"):
            return NOW_NS + number * 1_000_003
        if field.enum_type is not None:
            return _ENUMS[field.name]
        if field.name in _IDS:
            return number.to_bytes(_IDS[field.name], "big")
        match field.cpp_type:
            case FieldDescriptor.CPPTYPE_STRING:
                return b"bytes%d" % number if field.type == FieldDescriptor.TYPE_BYTES else f"text{number}"
            case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
                return number + 0.5
            case FieldDescriptor.CPPTYPE_BOOL:
                return True
        return number


def path_of(field: FieldDescriptor) -> str:
    return str(field.full_name.removeprefix(_PREFIX))


def all_fields(descriptor: Descriptor, seen: set[str] | None = None) -> Iterator[FieldDescriptor]:
    """Every field that can be reached from a message."""
    seen = set() if seen is None else seen
    if descriptor.full_name in seen:
        return
    seen.add(descriptor.full_name)
    for field in descriptor.fields:
        yield field
        if field.message_type is not None:
            yield from all_fields(field.message_type, seen)


def variants(signal: Signal) -> list[dict[str, str]]:
    """One choice of oneof members for each member there is."""
    found: list[dict[str, str]] = [{}]
    for field in all_fields(REQUESTS[signal].DESCRIPTOR):
        oneof = field.containing_oneof
        if oneof and not oneof.name.startswith("_") and path_of(field) not in DROPPED_ON_PURPOSE:
            found.append({oneof.full_name.removeprefix(_PREFIX): field.name})
    metric = [choice for choice in found if "metrics.v1.Metric.data" in choice]
    others = [choice for choice in found if "metrics.v1.Metric.data" not in choice]
    return [{**kind, **other} for kind in metric or [{}] for other in others]


def texts_of(row: dict[str, Any]) -> str:
    """Everything a row says, as text: times from their columns, ids and bytes as they are written."""
    said = orjson.dumps(row).decode()
    time_ns = row["time"] * 1000 + row.get("time_rem_ns", 0)
    times = [time_ns, time_ns + row.get("span_duration_ns", 0)]
    if "observed_lag_us" in row:
        times.append((row["time"] + row["observed_lag_us"]) * 1000 + row.get("observed_rem_ns", 0))
    if "start_lag_us" in row:
        times.append((row["time"] - row["start_lag_us"]) * 1000 + row.get("start_rem_ns", 0))
    return said + " " + " ".join(map(str, times))


_ENUM_WORDS = {
    ("logs.v1.LogRecord.severity_number", 9): '"severity_number":9',
    ("trace.v1.Span.kind", 3): '"kind":"client"',
    ("trace.v1.Status.code", 2): '"status":"error"',
}


def is_told(name: str, value: Any, said: str) -> bool:
    if (name, value) in _ENUM_WORDS:
        return _ENUM_WORDS[name, value] in said
    if name.endswith("aggregation_temporality"):
        return '"temporality":"cumulative"' in said
    if name.endswith("is_monotonic"):
        return '"monotonic":true' in said
    if value is True:
        return ":true" in said or "[true" in said
    if isinstance(value, bytes):
        return value.hex() in said or base64.b64encode(value).decode() in said
    return str(value) in said


@pytest.mark.parametrize("signal", list(Signal))
def test_every_field_of_every_message_reaches_a_row(
    signal: Signal, rows_of: Callable[[RawRequest], list[dict[str, Any]]]
) -> None:
    """Each field, with a value of its own, is found again in the row's JSON, or derived from its time columns."""
    covered: set[str] = set()
    missing: set[str] = set()
    for choice in variants(signal):
        request = REQUESTS[signal]()
        filler = Filler(choice)
        filler.fill(request)
        said = " ".join(texts_of(row) for row in rows_of(raw(signal, request)))
        for name, value in filler.set:
            (covered if is_told(name, value, said) else missing).add(name)
    reachable = {path_of(field) for field in all_fields(REQUESTS[signal].DESCRIPTOR) if field.message_type is None}
    assert not missing
    assert reachable - covered - DROPPED_ON_PURPOSE.keys() == set()


def test_what_is_dropped_on_purpose_exists_and_has_a_reason() -> None:
    """The list of exceptions names real fields only, each with a sentence."""
    real = {path_of(field) for signal in Signal for field in all_fields(REQUESTS[signal].DESCRIPTOR)}
    assert DROPPED_ON_PURPOSE.keys() <= real
    assert all(len(reason) > 5 for reason in DROPPED_ON_PURPOSE.values())
