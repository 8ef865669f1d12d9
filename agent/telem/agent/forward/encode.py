"""Stored rows -> OTLP requests: `telem.sanitize.decode` and the gate's rows, backwards (pure).

Attributes that stand in columns are put back under the client's own names, times get their nanoseconds back. Records
are serialized piece by piece and joined: what one record shares with others (resource, scope, attributes that repeat)
is encoded once.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, Any

import orjson
from opentelemetry.proto.common.v1.common_pb2 import EntityRef, InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from telem.sanitize.records import Signal

from .encode_attributes import AttributeFields
from .encode_metrics import FIELD_OF_ATTRIBUTES, metric_of
from .wire import any_value, field, pairs, time_ns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from telem.storage.sequence import Row

_KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
_STATUS = {"ok": 1, "error": 2}
_SHORT_CHARS = 128
_NUMBER = {Signal.LOGS: 6, Signal.METRICS: 7, Signal.TRACES: 9}
"""Field of the attributes in a record; of metrics it depends on the kind too."""


class Encoder:
    """Encodes rows for one destination.

    Args:
        with_row_ids: give each record its row's id, so that a receiver can keep it once.
        agent_id: this installation, said with the ids; empty where the receiver knows it otherwise.
    """

    def __init__(self, signal: Signal, *, with_row_ids: bool, agent_id: str = "") -> None:
        self._signal = signal
        numbers = {_NUMBER[signal], *(FIELD_OF_ATTRIBUTES.values() if signal is Signal.METRICS else ())}
        said = agent_id if with_row_ids else None
        self._fields = {number: AttributeFields(signal, number, said) for number in numbers}

    def request(self, rows: Sequence[Row]) -> bytes:
        """The body of one export request. Neighbours that share resource and scope share their envelope."""
        resources: list[bytes] = []
        for of_resource in _runs(rows, _RESOURCE):
            scopes = b"".join([self._scope(found) for found in _runs(of_resource, _SCOPE)])
            attributes, meta = _text(of_resource[0], "resource"), _text(of_resource[0], "resource_meta")
            resources.append(field(1, _resource_bytes(attributes, meta) + scopes + _url(meta)))
        return b"".join(resources)

    def _scope(self, rows: list[Row]) -> bytes:
        records = b"".join([field(2, self._record(row)) for row in rows])
        first = rows[0]
        scope = _scope_bytes(first.get("scope_name", ""), first.get("scope_version", ""), _text(first, "scope_meta"))
        return field(2, field(1, scope) + records + _url(_text(first, "scope_meta")))

    def _record(self, row: Row) -> bytes:
        if self._signal is Signal.METRICS:
            return metric_of(row, self._fields[FIELD_OF_ATTRIBUTES.get(row["kind"], 7)].of(row))
        attributes = self._fields[_NUMBER[self._signal]].of(row)
        return (_log(row) if self._signal is Signal.LOGS else _span(row)) + attributes


_RESOURCE = ("resource", "resource_meta")
_SCOPE = ("scope_name", "scope_version", "scope_meta")


def _runs(rows: Sequence[Row], members: tuple[str, ...]) -> Iterator[list[Row]]:
    """Neighbours that agree in these members; comparing them takes a fifth of writing them down."""
    run: list[Row] = []
    for row in rows:
        if run and any(row.get(name) != run[0].get(name) for name in members):
            yield run
            run = []
        run.append(row)
    if run:
        yield run


_RARE = frozenset(
    (
        "severity_number",
        "severity_text",
        "otlp_event_name",
        "trace_id",
        "span_id",
        "dropped_attributes_count",
        "flags",
    )
)
_TIMES = Struct("<BQBQ")
_TIME = Struct("<BQ")
_AT_1, _AT_11 = 1 << 3 | 1, 11 << 3 | 1
"""Tags of the two times, eight bytes each."""


def _log(row: Row) -> bytes:
    """A log record without its attributes."""
    lag, time = row.get("observed_lag_us"), time_ns(row)
    if lag is None:
        head = _TIME.pack(_AT_1, time)
    else:
        observed = max(0, (row["time"] + lag) * 1000 + row.get("observed_rem_ns", 0))
        head = _TIMES.pack(_AT_1, time, _AT_11, observed)
    if (body := row.get("body")) is not None:
        head += _body_bytes(body, row.get("body_type") == "json")
    return head if _RARE.isdisjoint(row) else head + _rare(row)


@lru_cache(maxsize=256)
def _short_body(body: str, is_json: bool) -> bytes:
    return field(5, any_value(_body(body) if is_json else body).SerializeToString())


def _body_bytes(body: str, is_json: bool) -> bytes:
    """Mostly the event's name."""
    return (_short_body if len(body) < _SHORT_CHARS else _short_body.__wrapped__)(body, is_json)


def _rare(row: Row) -> bytes:
    record = LogRecord()
    for name in ("severity_number", "severity_text"):
        if value := row.get(name):
            setattr(record, name, value)
    if event_name := row.get("otlp_event_name"):
        record.event_name = event_name
    _ids(record, row, "trace_id", "span_id")
    _counts(record, row)
    return record.SerializeToString()


def _body(text: str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        return text


def _ids(message: Any, row: Row, *names: str) -> None:
    for name in names:
        if value := row.get(name):
            setattr(message, name, _hex(value))


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def _counts(message: Any, row: Row) -> None:
    for name in ("dropped_attributes_count", "flags"):
        if value := row.get(name):
            setattr(message, name, value & 0xFFFFFFFF)


def _span(row: Row) -> bytes:
    start_ns = time_ns(row)
    span = Span(name=row.get("name", ""), start_time_unix_nano=start_ns, trace_state=row.get("trace_state", ""))
    span.end_time_unix_nano = start_ns + row.get("span_duration_ns", 0)
    _ids(span, row, "trace_id", "span_id", "parent_span_id")
    _counts(span, row)
    span.kind = _number(_KINDS, row.get("kind"))  # type: ignore[assignment]  # an enum is a number on the wire
    if "status" in row or "status_message" in row:
        span.status.code = _number(_STATUS, row.get("status"))  # type: ignore[assignment]
        span.status.message = row.get("status_message", "")
    for name in ("dropped_events_count", "dropped_links_count"):
        if value := row.get(name):
            setattr(span, name, value & 0xFFFFFFFF)
    for event in row.get("events") or ():
        made = span.events.add(time_unix_nano=int(event.get("time_unix_nano", 0)), name=event.get("name", ""))
        _part(made, event)
    for link in row.get("links") or ():
        made_link = span.links.add(trace_state=link.get("trace_state", ""), flags=link.get("flags", 0))
        _ids(made_link, link, "trace_id", "span_id")
        _part(made_link, link)
    return span.SerializeToString()


def _part(message: Any, part: Row) -> None:
    message.attributes.extend(pairs(part.get("attributes") or {}))
    message.dropped_attributes_count = part.get("dropped_attributes_count", 0)


def _number(names: dict[str, int], name: str | None) -> int:
    """An enum's number; one that had no name when it was stored is its digits."""
    if name is None:
        return 0
    return names.get(name) or (int(name) if name.isdigit() else 0)


# -- what records share ------------------------------------------------------------------------------------------------


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    return orjson.dumps(value).decode() if value else ""


@lru_cache(maxsize=512)
def _resource_bytes(attributes: str, meta: str) -> bytes:
    said = orjson.loads(meta) if meta else {}
    resource = Resource(dropped_attributes_count=said.get("dropped_attributes_count", 0))
    resource.attributes.extend(pairs(orjson.loads(attributes) if attributes else {}))
    for reference in said.get("entity_refs") or ():
        resource.entity_refs.append(EntityRef(**reference))
    return field(1, resource.SerializeToString())


@lru_cache(maxsize=512)
def _scope_bytes(name: str, version: str, meta: str) -> bytes:
    said = orjson.loads(meta) if meta else {}
    scope = InstrumentationScope(name=name, version=version)
    scope.attributes.extend(pairs(said.get("attributes") or {}))
    scope.dropped_attributes_count = said.get("dropped_attributes_count", 0)
    return scope.SerializeToString()


def _url(meta: str) -> bytes:
    url = orjson.loads(meta).get("schema_url") if meta else None
    return field(3, url.encode()) if url else b""
