"""OTLP requests for tests, built with the protobuf classes that the SDKs use."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_DELTA

from telem.sanitize.records import Encoding, RawRequest, Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.protobuf.message import Message

GOLDEN = Path(__file__).parent / "golden" / "wire"
NOW_NS = 1_790_000_000_123_456_789

REQUESTS: dict[Signal, type[Any]] = {
    Signal.LOGS: ExportLogsServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
    Signal.TRACES: ExportTraceServiceRequest,
}

METHODS = {
    Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    Signal.METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
}


def any_value(value: Any) -> AnyValue:
    """An AnyValue of the kind that fits the Python value; None is one without a value."""
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))
        case dict():
            return AnyValue(kvlist_value=KeyValueList(values=pairs(value)))
    raise TypeError(type(value))


def pairs(attributes: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def logs(
    *records: Mapping[str, Any], body: Any = "claude_code.api_request", time_ns: int | None = None
) -> ExportLogsServiceRequest:
    """A Claude-Code-like logs request with one record for each mapping of attributes."""
    request = ExportLogsServiceRequest()
    whole = request.resource_logs.add()
    whole.resource.attributes.extend(pairs({"service.name": "claude-code", "service.version": "2.1.330"}))
    part = whole.scope_logs.add()
    part.scope.name = "com.anthropic.claude_code.events"
    part.scope.version = "2.1.330"
    for attributes in records:
        record = part.log_records.add()
        record.time_unix_nano = time_ns or time.time_ns()
        record.observed_time_unix_nano = record.time_unix_nano
        record.body.CopyFrom(any_value(body))
        record.attributes.extend(pairs(attributes))
    return request


def metrics(
    *points: Mapping[str, Any], name: str = "claude_code.token.usage", value: float = 1.0
) -> ExportMetricsServiceRequest:
    """A metrics request with one delta sum and a point for each mapping of attributes."""
    request = ExportMetricsServiceRequest()
    part = request.resource_metrics.add().scope_metrics.add()
    part.scope.name = "com.anthropic.claude_code"
    metric = part.metrics.add(name=name, unit="tokens", description="Number of tokens used")
    metric.sum.aggregation_temporality = AGGREGATION_TEMPORALITY_DELTA
    metric.sum.is_monotonic = True
    for attributes in points:
        point = metric.sum.data_points.add(as_double=value, time_unix_nano=NOW_NS, start_time_unix_nano=NOW_NS - 5_000)
        point.attributes.extend(pairs(attributes))
    return request


def traces(*spans: Mapping[str, Any], name: str = "claude_code.llm_request") -> ExportTraceServiceRequest:
    """A traces request with one span for each mapping of attributes."""
    request = ExportTraceServiceRequest()
    part = request.resource_spans.add().scope_spans.add()
    part.scope.name = "com.anthropic.claude_code.tracing"
    for number, attributes in enumerate(spans):
        span = part.spans.add(name=name, kind=1, trace_id=b"\x01" * 16, span_id=number.to_bytes(8, "big"))
        span.start_time_unix_nano, span.end_time_unix_nano = NOW_NS, NOW_NS + 1_500_000
        span.attributes.extend(pairs(attributes))
    return request


def numbered(signal: Signal, *names: str) -> bytes:
    """A request of this signal whose records carry these names in the attribute `record.name`."""
    builders: dict[Signal, Callable[..., Message]] = {
        Signal.LOGS: logs,
        Signal.METRICS: metrics,
        Signal.TRACES: traces,
    }
    made = builders[signal](*({"record.name": name} for name in names))
    return made.SerializeToString()


def raw(
    signal: Signal, body: bytes | Message, encoding: Encoding = Encoding.PROTOBUF, at_ns: int = NOW_NS
) -> RawRequest:
    return RawRequest(signal, encoding, body if isinstance(body, bytes) else body.SerializeToString(), at_ns)


def golden(name: str) -> RawRequest:
    """A captured request; its signal and encoding stand in its name."""
    stem, _, suffix = name.rpartition(".")
    encoding = Encoding.JSON if suffix == "json" else Encoding.PROTOBUF
    return RawRequest(Signal(stem.rpartition("-")[2]), encoding, (GOLDEN / name).read_bytes(), NOW_NS)


GOLDENS = sorted(path.name for path in GOLDEN.iterdir())
