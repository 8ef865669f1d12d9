"""OTLP's protobuf messages, except that the attributes of a record stay bytes until somebody asks for one.

Three values in four repeat from record to record. As bytes, a whole attribute is one key in a dictionary of those that
were judged before, and need not be read at all: protobuf's Python objects cost 0.5 µs an attribute, a look 0.06.
The classes are made from the descriptors of `opentelemetry-proto`, so whatever OTLP gains is there too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError as ProtobufError
from google.protobuf.message import EncodeError
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from .records import Attribute, Attributes, DecodeError, Signal

if TYPE_CHECKING:
    from collections.abc import Iterable

_FILES = (
    common_pb2, resource_pb2, logs_pb2, metrics_pb2, trace_pb2,
    logs_service_pb2, metrics_service_pb2, trace_service_pb2,
)  # fmt: skip

_RECORDS = (
    "LogRecord", "Span", "NumberDataPoint", "HistogramDataPoint", "ExponentialHistogramDataPoint", "SummaryDataPoint",
)  # fmt: skip
"""Messages whose `attributes` stay bytes; those of resources, scopes, events, links and exemplars are few."""

_REQUESTS = {
    Signal.LOGS: "collector.logs.v1.ExportLogsServiceRequest",
    Signal.METRICS: "collector.metrics.v1.ExportMetricsServiceRequest",
    Signal.TRACES: "collector.trace.v1.ExportTraceServiceRequest",
}


def _requests() -> dict[Signal, Any]:
    pool = descriptor_pool.DescriptorPool()
    for module in _FILES:
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        for message in file.message_type:
            for field in message.field if message.name in _RECORDS else ():
                if field.name == "attributes":
                    field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
                    field.ClearField("type_name")
        pool.AddSerializedFile(file.SerializeToString())
    return {
        signal: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"opentelemetry.proto.{name}"))
        for signal, name in _REQUESTS.items()
    }


REQUESTS = _requests()
"""The request of each signal; building them takes 2 ms."""


def pair_of(raw: bytes) -> tuple[str, Attribute]:
    """Read the name and the value of an attribute.

    Raises:
        DecodeError: these bytes are no attribute. The request was not OTLP then.
    """
    try:
        pair = KeyValue.FromString(raw)
    except ProtobufError as error:
        raise DecodeError(f"not an OTLP attribute in protobuf: {error}") from error
    value = pair.value
    # Asking for the commonest two first, and for the oneof when both are empty, is faster than to ask for it first.
    return pair.key, value.string_value or value.int_value or value_of(value)


def attributes_of(raws: Iterable[bytes]) -> Attributes:
    """Read all attributes of a record; a name sent twice keeps its last value, as OTLP leaves open."""
    return dict(map(pair_of, raws))


def value_of(value: AnyValue) -> Attribute:
    """Return a protobuf value as plain Python."""
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "int_value":
            return value.int_value
        case "double_value":
            return value.double_value
        case "array_value":
            return [value_of(item) for item in value.array_value.values]
        case "kvlist_value":
            return pairs(value.kvlist_value.values)
        case "bytes_value":
            return value.bytes_value
    return None


def pairs(attributes: Iterable[KeyValue]) -> Attributes:
    """Return protobuf attributes as a dictionary."""
    return {pair.key: pair.value.string_value or pair.value.int_value or value_of(pair.value) for pair in attributes}


def raw_of(key: str, value: Attribute) -> bytes:
    """Write an attribute as bytes: what a client would have sent in protobuf.

    Raises:
        ValueError: it is nested deeper than protobuf reads.
    """
    pair = KeyValue(key=key)
    _fill(pair.value, value)
    try:
        return pair.SerializeToString()
    except EncodeError as error:
        raise ValueError(f"the attribute cannot be written: {error}") from error


def _fill(into: AnyValue, value: Attribute) -> None:
    match value:
        case str():
            into.string_value = value
        case bool():
            into.bool_value = value
        case int():
            into.int_value = value
        case float():
            into.double_value = value
        case bytes():
            into.bytes_value = value
        case list():
            into.array_value.SetInParent()
            for item in value:
                _fill(into.array_value.values.add(), item)
        case dict():
            into.kvlist_value.SetInParent()
            for key, item in value.items():
                _fill(into.kvlist_value.values.add(key=key).value, item)
        case None:
            into.SetInParent()
