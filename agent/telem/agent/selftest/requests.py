"""Requests with a fake secret in every place where OTLP can hold a text.

In the n-th record each place has another canary than its neighbours, so that with as many records as canaries every
canary has been in every place.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from telem.sanitize.policy import SHAPES
from telem.sanitize.records import Signal

from .canaries import NAMED_SECRET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .canaries import Canary

NOW_NS = 1_790_000_000_000_000_000
CASE = "selftest.case"
"""Attribute that says which record it is."""

KEPT_SHAPES = {"model": "model", "tool_name": "tool", "request_id": "id", "decision": "word"}
"""Attributes that the policy keeps if they have a shape; a canary of that shape is no claim, unless it is a token."""

HASHED = ("user.email", "user.account_uuid", "host.name")
CONTENT = ("prompt", "tool_input", "error")

REQUESTS: dict[Signal, Any] = {
    Signal.LOGS: ExportLogsServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
    Signal.TRACES: ExportTraceServiceRequest,
}


class Deal:
    """Hands out canaries, another one for each place of a record, and remembers the names of the places."""

    def __init__(self, canaries: Sequence[Canary]) -> None:
        self.places: dict[str, None] = {}
        self.count = 0
        self._canaries = canaries
        self._at = 0

    def record(self, number: int) -> None:
        """Begin with the `number`-th canary."""
        self._at = number

    def text(self, place: str) -> str:
        """The next canary's text, for this place."""
        return self._next(place).text

    def _next(self, place: str) -> Canary:
        canary = self._canaries[self._at % len(self._canaries)]
        self._at += 1
        self.places[place] = None
        self.count += 1
        return canary

    def fitting(self, place: str, shape: str) -> str | None:
        """The same for a place that keeps values of a shape; None when this canary may stay there."""
        canary = self._next(place)
        if SHAPES[shape].fullmatch(canary.text) and not canary.has_token:
            self.count -= 1
            return None
        return canary.text


def any_value(value: Any) -> AnyValue:
    """An AnyValue of the kind that fits the Python value."""
    match value:
        case str():
            return AnyValue(string_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))
        case dict():
            return AnyValue(kvlist_value=KeyValueList(values=_pairs(value)))
    raise AssertionError(type(value))


def _pairs(attributes: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def _attributes(deal: Deal, where: str) -> dict[str, Any]:
    """Every way in which attributes hold a text."""
    text = deal.text
    return {
        "selftest.value": text(f"{where} value"),
        text(f"{where} name"): "x",
        "selftest.map": {
            "inner": text(f"{where} value in a map"),
            text(f"{where} name in a map"): {"deep": [text(f"{where} value deep in maps and lists")]},
            "password": NAMED_SECRET,
        },
        "selftest.pair": {"name": "api_token", "value": NAMED_SECRET},
        "selftest.password": NAMED_SECRET,
        "selftest.header.x-api-key": [NAMED_SECRET],
        "selftest.list": [text(f"{where} item of a list"), "--password", NAMED_SECRET],
        "selftest.bytes": text(f"{where} bytes").encode(),
        "selftest.json": json.dumps({"inner": [text(f"{where} JSON in a text")], "password": NAMED_SECRET}),
    }


def _known(deal: Deal, where: str) -> dict[str, Any]:
    """Attributes that the policy knows by name."""
    found: dict[str, Any] = {name: deal.text(f"{where} {name}") for name in (*HASHED, *CONTENT)}
    for name, shape in KEPT_SHAPES.items():
        if (text := deal.fitting(f"{where} {name}", shape)) is not None:
            found[name] = text
    return found


def build(signal: Signal, deal: Deal, numbers: Sequence[int], transport: str) -> Any:
    """One request with a group for each number."""
    request = REQUESTS[signal]()
    for number in numbers:
        deal.record(number)
        if signal is Signal.LOGS:
            whole = request.resource_logs.add()
            part = whole.scope_logs.add()
            _log(deal, part, f"{transport} {number}")
        elif signal is Signal.METRICS:
            whole = request.resource_metrics.add()
            part = whole.scope_metrics.add()
            _metric(deal, part, f"{transport} {number}", KINDS[number % len(KINDS)])
        else:
            whole = request.resource_spans.add()
            part = whole.scope_spans.add()
            _span(deal, part, f"{transport} {number}")
        _envelope(deal, whole, part)
    return request


def _envelope(deal: Deal, whole: Any, part: Any) -> None:
    text = deal.text
    whole.resource.attributes.extend(_pairs(_attributes(deal, "resource")))
    whole.resource.attributes.extend(_pairs({"host.name": text("resource host.name"), "team": text("resource team")}))
    reference = whole.resource.entity_refs.add(schema_url=text("entity schema"), type=text("entity type"))
    reference.id_keys.append(text("entity key"))
    reference.description_keys.append(text("entity description key"))
    whole.schema_url = text("resource schema")
    part.scope.name = text("scope name")
    part.scope.version = text("scope version")
    part.scope.attributes.extend(_pairs(_attributes(deal, "scope")))
    part.schema_url = text("scope schema")


def _log(deal: Deal, part: Any, case: str) -> None:
    text = deal.text
    bodies: tuple[Any, ...] = (
        text("body"),
        {"inner": text("body map"), text("body map name"): [text("body map list")]},
        [text("body list")],
        text("body bytes").encode(),
    )
    for number, body in enumerate(bodies):
        record = part.log_records.add(time_unix_nano=NOW_NS, observed_time_unix_nano=NOW_NS)
        record.attributes.extend(_pairs({CASE: f"{case} {number}"}))
        record.body.CopyFrom(any_value(body))
    record = part.log_records[0]
    record.severity_text = text("severity text")
    record.event_name = text("event name")
    record.attributes.extend(_pairs({"event.name": text("attribute event.name")}))
    record.attributes.extend(_pairs(_attributes(deal, "attribute")))
    record.attributes.extend(_pairs(_known(deal, "attribute")))


KINDS = ("gauge", "histogram", "exponential_histogram", "summary")


def _metric(deal: Deal, part: Any, case: str, other: str) -> None:
    text = deal.text
    for kind in ("sum", other):
        metric = part.metrics.add(
            name=text(f"{kind} name"), description=text(f"{kind} description"), unit=text(f"{kind} unit")
        )
        metric.metadata.extend(_pairs({"inner": text(f"{kind} metadata"), text(f"{kind} metadata name"): "x"}))
        data = getattr(metric, kind)
        if kind not in ("gauge", "summary"):
            data.aggregation_temporality = 1
        point = data.data_points.add(time_unix_nano=NOW_NS, start_time_unix_nano=NOW_NS)
        if kind in ("sum", "gauge"):
            point.as_double = 1.0
        point.attributes.extend(_pairs({CASE: f"{case} {kind}"}))
        if kind == "sum":
            point.attributes.extend(_pairs(_attributes(deal, "point")))
        else:
            point.attributes.extend(_pairs({"selftest.value": text(f"{kind} point value")}))
        if kind != "summary":
            exemplar = point.exemplars.add(time_unix_nano=NOW_NS, as_double=1.0)
            exemplar.filtered_attributes.extend(
                _pairs({"selftest.value": text(f"{kind} exemplar"), text(f"{kind} exemplar name"): "x"})
            )


def _span(deal: Deal, part: Any, case: str) -> None:
    text = deal.text
    span = part.spans.add(name=text("span name"), kind=1, trace_id=b"\x01" * 16, span_id=b"\x02" * 8)
    span.start_time_unix_nano, span.end_time_unix_nano = NOW_NS, NOW_NS + 1
    span.trace_state = text("trace state")
    span.status.code = 2
    span.status.message = text("status message")
    span.attributes.extend(_pairs({CASE: case}))
    span.attributes.extend(_pairs(_attributes(deal, "attribute")))
    span.attributes.extend(_pairs(_known(deal, "attribute")))
    event = span.events.add(name=text("span event name"), time_unix_nano=NOW_NS)
    event.attributes.extend(_pairs(_attributes(deal, "span event")))
    event.attributes.extend(_pairs({"exception.message": text("span event exception.message")}))
    link = span.links.add(trace_id=b"\x03" * 16, span_id=b"\x04" * 8, trace_state=text("link trace state"))
    link.attributes.extend(_pairs(_attributes(deal, "link")))


def records_of(signal: Signal) -> int:
    """Rows that one number makes."""
    return {Signal.LOGS: 4, Signal.METRICS: 2, Signal.TRACES: 1}[signal]


_IDS = ("traceId", "spanId", "parentSpanId")


def as_json(request: Any) -> bytes:
    """OTLP's JSON: protobuf's, but ids in hex."""
    return json.dumps(_hex_ids(MessageToDict(request, use_integers_for_enums=True))).encode()


def _hex_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_hex_ids(item) for item in value]
    if isinstance(value, dict):
        return {
            key: base64.b64decode(item).hex() if key in _IDS and isinstance(item, str) else _hex_ids(item)
            for key, item in value.items()
        }
    return value
