"""OTLP request bytes -> Batch.

Both encodings end in the same vocabulary (see `Group`), so that nothing behind this file knows how a request was
written: plain values, but for the attributes of a record, which stay the bytes of protobuf (see `wire`).
Decoding is lenient about what real clients send and strict only where OTLP is. What cannot be read at all is a
`DecodeError`, which the doors answer with 400; an attribute's is raised when it is judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError as ProtobufError

from .decode_json import decode_json
from .records import Attribute, Attributes, Batch, DecodeError, Encoding, Group, RawRequest, Signal
from .wire import REQUESTS, pairs, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.metrics.v1.metrics_pb2 import Exemplar, Metric
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    Record = dict[str, Attribute]


def decode(request: RawRequest) -> Batch:
    """Read a whole request.

    Raises:
        DecodeError: the body is not an OTLP request of this signal. Nested deeper than protobuf's 100
            messages counts as that (Python's protobuf refuses the whole request).
    """
    if request.encoding is Encoding.JSON:
        groups = decode_json(request.signal, request.body)
    else:
        groups = _decode_protobuf(request.signal, request.body)
    return Batch(request.signal, groups, request.received_at_ns)


def _decode_protobuf(signal: Signal, body: bytes) -> list[Group]:
    try:
        request = REQUESTS[signal].FromString(body)
    except ProtobufError as error:
        raise DecodeError(f"not an OTLP {signal} request in protobuf: {error}") from error
    return _READERS[signal](request)


def _log_groups(request: ExportLogsServiceRequest) -> list[Group]:
    return [
        Group(resource, _scope(part.scope, part.schema_url), [_log(record) for record in part.log_records])
        for whole in request.resource_logs
        for resource in (_resource(whole.resource, whole.schema_url),)
        for part in whole.scope_logs
    ]


def _metric_groups(request: ExportMetricsServiceRequest) -> list[Group]:
    return [
        Group(
            resource,
            _scope(part.scope, part.schema_url),
            [point for metric in part.metrics for point in _points(metric)],
        )
        for whole in request.resource_metrics
        for resource in (_resource(whole.resource, whole.schema_url),)
        for part in whole.scope_metrics
    ]


def _span_groups(request: ExportTraceServiceRequest) -> list[Group]:
    return [
        Group(resource, _scope(part.scope, part.schema_url), [_span(span) for span in part.spans])
        for whole in request.resource_spans
        for resource in (_resource(whole.resource, whole.schema_url),)
        for part in whole.scope_spans
    ]


_READERS: dict[Signal, Callable[[Any], list[Group]]] = {
    Signal.LOGS: _log_groups,
    Signal.METRICS: _metric_groups,
    Signal.TRACES: _span_groups,
}


def _resource(resource: Resource, schema_url: str) -> Attributes:
    found: Attributes = {"attributes": pairs(resource.attributes)}
    if schema_url:
        found["schema_url"] = schema_url
    if resource.dropped_attributes_count:
        found["dropped_attributes_count"] = resource.dropped_attributes_count
    if resource.entity_refs:
        found["entity_refs"] = [
            {
                "schema_url": entity.schema_url,
                "type": entity.type,
                "id_keys": list(entity.id_keys),
                "description_keys": list(entity.description_keys),
            }
            for entity in resource.entity_refs
        ]
    return found


def _scope(scope: InstrumentationScope, schema_url: str) -> Attributes:
    found: Attributes = {"name": scope.name, "version": scope.version}
    if scope.attributes:
        found["attributes"] = pairs(scope.attributes)
    if scope.dropped_attributes_count:
        found["dropped_attributes_count"] = scope.dropped_attributes_count
    if schema_url:
        found["schema_url"] = schema_url
    return found


def _raws(record: Any) -> list[Attribute]:
    """Return the attributes of a record as they came."""
    return list(record.attributes)


def _log(record: LogRecord) -> Record:
    found: Record = {"attributes": _raws(record), "time_unix_nano": record.time_unix_nano}
    body = record.body
    if (text := body.string_value or value_of(body)) is not None and text != "":  # 0 and false are bodies
        found["body"] = text
    if observed := record.observed_time_unix_nano:
        found["observed_time_unix_nano"] = observed
    if record.trace_id:
        found["trace_id"] = record.trace_id.hex()
    if record.span_id:
        found["span_id"] = record.span_id.hex()
    if number := record.severity_number:
        found["severity_number"] = number
    if severity := record.severity_text:
        found["severity_text"] = severity
    if dropped := record.dropped_attributes_count:
        found["dropped_attributes_count"] = dropped
    if flags := record.flags:
        found["flags"] = flags
    if name := record.event_name:
        found["event_name"] = name
    return found


def _points(metric: Metric) -> Iterable[Record]:
    kind = metric.WhichOneof("data")
    if kind is None:
        return
    data = getattr(metric, kind)
    shared: Record = {"name": metric.name, "kind": kind}
    for name in ("description", "unit"):
        if value := getattr(metric, name):
            shared[name] = value
    if metric.metadata:
        shared["metadata"] = pairs(metric.metadata)
    if kind not in ("gauge", "summary"):
        shared["aggregation_temporality"] = data.aggregation_temporality
    if kind == "sum":
        shared["is_monotonic"] = data.is_monotonic
    for point in data.data_points:
        yield {**shared, **_point(point), **_POINT_READERS[kind](point)}


def _point(point: Any) -> Record:
    found: Record = {"attributes": _raws(point), "time_unix_nano": point.time_unix_nano}
    if point.start_time_unix_nano:
        found["start_time_unix_nano"] = point.start_time_unix_nano
    if point.flags:
        found["flags"] = point.flags
    return found


def _number(point: Any) -> Record:
    found: Record = {}
    if value := point.WhichOneof("value"):
        found[value] = getattr(point, value)
    return found | _exemplars(point.exemplars)


def _histogram(point: Any) -> Record:
    found: Record = {"count": point.count}
    found.update((name, getattr(point, name)) for name in ("sum", "min", "max") if point.HasField(name))
    if point.bucket_counts:
        found["bucket_counts"] = list(point.bucket_counts)
    if point.explicit_bounds:
        found["explicit_bounds"] = list(point.explicit_bounds)
    return found | _exemplars(point.exemplars)


def _exponential_histogram(point: Any) -> Record:
    found: Record = {"count": point.count}
    found.update((name, getattr(point, name)) for name in ("sum", "min", "max") if point.HasField(name))
    found["exponential"] = {
        "scale": point.scale,
        "zero_count": point.zero_count,
        "zero_threshold": point.zero_threshold,
        "positive": {"offset": point.positive.offset, "bucket_counts": list(point.positive.bucket_counts)},
        "negative": {"offset": point.negative.offset, "bucket_counts": list(point.negative.bucket_counts)},
    }
    return found | _exemplars(point.exemplars)


def _summary(point: Any) -> Record:
    return {
        "count": point.count,
        "sum": point.sum,
        "quantiles": [{"quantile": pair.quantile, "value": pair.value} for pair in point.quantile_values],
    }


_POINT_READERS = {
    "gauge": _number,
    "sum": _number,
    "histogram": _histogram,
    "exponential_histogram": _exponential_histogram,
    "summary": _summary,
}


def _exemplars(exemplars: Iterable[Exemplar]) -> Record:
    found: list[Attribute] = []
    for exemplar in exemplars:
        one: Attributes = {"time_unix_nano": exemplar.time_unix_nano}
        if value := exemplar.WhichOneof("value"):
            one[value] = getattr(exemplar, value)
        if exemplar.trace_id:
            one["trace_id"] = exemplar.trace_id.hex()
        if exemplar.span_id:
            one["span_id"] = exemplar.span_id.hex()
        if exemplar.filtered_attributes:
            one["attributes"] = pairs(exemplar.filtered_attributes)
        found.append(one)
    return {"exemplars": found} if found else {}


def _span(span: Span) -> Record:
    found: Record = {
        "attributes": _raws(span),
        "time_unix_nano": span.start_time_unix_nano,
        "end_time_unix_nano": span.end_time_unix_nano,
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "name": span.name,
        "kind": span.kind,
    }
    if span.parent_span_id:
        found["parent_span_id"] = span.parent_span_id.hex()
    if span.status.code:
        found["status_code"] = span.status.code
    if span.status.message:
        found["status_message"] = span.status.message
    for name in _SPAN_SCALARS:
        if value := getattr(span, name):
            found[name] = value
    if span.events:
        found["events"] = [_span_part(event, "time_unix_nano", "name") for event in span.events]
    if span.links:
        found["links"] = [
            {"trace_id": link.trace_id.hex(), "span_id": link.span_id.hex(), **_span_part(link, "trace_state", "flags")}
            for link in span.links
        ]
    return found


_SPAN_SCALARS = ("trace_state", "flags", "dropped_attributes_count", "dropped_events_count", "dropped_links_count")


def _span_part(part: Any, *names: str) -> Attributes:
    found: Attributes = {}
    for name in (*names, "dropped_attributes_count"):
        if value := getattr(part, name):
            found[name] = value
    if part.attributes:
        found["attributes"] = pairs(part.attributes)
    return found
