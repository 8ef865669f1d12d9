"""OTLP/JSON body -> groups in the vocabulary of `decode`.

By the protobuf JSON mapping with OTLP's own changes (specification, "JSON Protobuf Encoding"): ids are hex
in either case, enums are integers, 64-bit numbers come as strings or numbers, unknown members are
ignored, names are lowerCamelCase. orjson and our own walk take 18 µs a record where protobuf's JSON parser
takes 213, and would read the ids as base64.
"""

from __future__ import annotations

import base64
import math
from typing import Any, cast

import orjson

from .records import Attribute, Attributes, DecodeError, Group, Signal
from .wire import raw_of

Record = dict[str, Attribute]
Member = dict[str, Any]

DEPTH_LIMIT = 100
"""Nested values deeper than this are refused, as protobuf's parser does (100 messages)."""

_INT64_LIMIT = 1 << 63
_UINT64_LIMIT = 1 << 64


def decode_json(signal: Signal, body: bytes) -> list[Group]:
    """Read an OTLP/JSON request.

    Raises:
        DecodeError: not JSON, or a member has a type that OTLP does not allow there.
    """
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise DecodeError(f"not JSON: {error}") from error
    if not isinstance(request, dict):
        raise DecodeError(f"an OTLP {signal} request is a JSON object, this is a {type(request).__name__}")
    whole_name, part_name, records_name, read = _SHAPES[signal]
    try:
        return [
            Group(resource, _scope(part), [record for item in _list(part, records_name) for record in read(item)])
            for whole in _list(request, whole_name)
            for resource in (_resource(whole),)
            for part in _list(whole, part_name)
        ]
    except (TypeError, ValueError, AttributeError, RecursionError, OverflowError) as error:
        raise DecodeError(f"not an OTLP {signal} request in JSON: {error}") from error


def _list(holder: Member, name: str) -> list[Member]:
    """A repeated message; null and absent are the same as empty."""
    value = holder.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise TypeError(f"{name} is a list of objects")
    return cast("list[Member]", value)


def _object(holder: Member, name: str) -> Member:
    value = holder.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TypeError(f"{name} is an object")
    return cast("Member", value)


def _text(holder: Member, name: str) -> str:
    value = holder.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"{name} is a string")
    return value


def _int(holder: Member, name: str) -> int:
    """A 32- or 64-bit number, written as a number or a string."""
    value = holder.get(name)
    return 0 if value is None else _to_int(value, name)


def _to_int(value: Any, name: str) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} is an integer")
    if not -_INT64_LIMIT <= value < _UINT64_LIMIT:
        raise ValueError(f"{name} has more than 64 bits")
    return value


def _to_float(value: Any, name: str) -> float:
    """A double; "NaN", "Infinity" and "-Infinity" are strings in this mapping; JSON.stringify makes null of NaN."""
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(f"{name} is a number")
    return float(value)


def _hex(holder: Member, name: str) -> str:
    text = _text(holder, name)
    if bytes.fromhex(text).hex() != text.lower():  # it would overlook blanks
        raise ValueError(f"{name} is hex")
    return text.lower()


def _any(value: Any, depth: int = 0) -> Attribute:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise TypeError("an attribute value is an object such as {'stringValue': …}")
    if depth > DEPTH_LIMIT:
        raise ValueError(f"values are nested deeper than {DEPTH_LIMIT}")
    for name, read in _VALUE_READERS.items():
        if name in value:
            return read(value[name], depth)
    return None


def _string(value: Any, _depth: int) -> Attribute:
    if value is not None and not isinstance(value, str):
        raise TypeError("stringValue is a string")
    return cast("Attribute", value)


def _bool(value: Any, _depth: int) -> Attribute:
    if not isinstance(value, bool | None):
        raise TypeError("boolValue is true or false")
    return value


def _bytes(value: Any, _depth: int) -> Attribute:
    alphabet = b"-_" if "-" in value or "_" in value else None
    return base64.b64decode(value + "=" * (-len(value) % 4), altchars=alphabet, validate=True)


def _to_int64(value: Any) -> int:
    number = _to_int(value, "intValue")
    if number >= _INT64_LIMIT:
        raise ValueError("intValue has more than 64 bits")
    return number


def _array(value: Any, depth: int) -> Attribute:
    return [_any(item, depth + 1) for item in (value or {}).get("values") or []]


def _kvlist(value: Any, depth: int) -> Attribute:
    return _attributes(value or {}, "values", depth + 1)


_VALUE_READERS = {
    "stringValue": _string,
    "intValue": lambda value, _depth: None if value is None else _to_int64(value),
    "boolValue": _bool,
    "doubleValue": lambda value, _depth: _to_float(value, "doubleValue"),
    "arrayValue": _array,
    "kvlistValue": _kvlist,
    "bytesValue": _bytes,
}


def _attributes(holder: Member, name: str = "attributes", depth: int = 0) -> Attributes:
    found: Attributes = {}
    for pair in _list(holder, name):
        found[_text(pair, "key")] = _any(pair.get("value"), depth)
    return found


def _raw_attributes(holder: Member) -> list[Attribute]:
    """Return a record's own attributes, as protobuf would have brought them."""
    return [raw_of(_text(pair, "key"), _any(pair.get("value"))) for pair in _list(holder, "attributes")]


def _resource(whole: Member) -> Attributes:
    resource = _object(whole, "resource")
    found: Attributes = {"attributes": _attributes(resource)}
    if schema_url := _text(whole, "schemaUrl"):
        found["schema_url"] = schema_url
    if dropped := _int(resource, "droppedAttributesCount"):
        found["dropped_attributes_count"] = dropped
    if entities := _list(resource, "entityRefs"):
        found["entity_refs"] = [
            {
                "schema_url": _text(entity, "schemaUrl"),
                "type": _text(entity, "type"),
                "id_keys": [str(key) for key in entity.get("idKeys") or []],
                "description_keys": [str(key) for key in entity.get("descriptionKeys") or []],
            }
            for entity in entities
        ]
    return found


def _scope(part: Member) -> Attributes:
    scope = _object(part, "scope")
    found: Attributes = {"name": _text(scope, "name"), "version": _text(scope, "version")}
    if attributes := _attributes(scope):
        found["attributes"] = attributes
    if dropped := _int(scope, "droppedAttributesCount"):
        found["dropped_attributes_count"] = dropped
    if schema_url := _text(part, "schemaUrl"):
        found["schema_url"] = schema_url
    return found


def _keep(found: Record, name: str, value: Attribute) -> None:
    """Protobuf's rule: a scalar that has its default is the same as absent."""
    if value:
        found[name] = value


def _log(record: Member) -> list[Record]:
    found: Record = {"attributes": _raw_attributes(record), "time_unix_nano": _int(record, "timeUnixNano")}
    if (body := _any(record.get("body"))) is not None and body != "":  # 0 and false are bodies
        found["body"] = body
    _keep(found, "observed_time_unix_nano", _int(record, "observedTimeUnixNano"))
    _keep(found, "trace_id", _hex(record, "traceId"))
    _keep(found, "span_id", _hex(record, "spanId"))
    _keep(found, "severity_number", _int(record, "severityNumber"))
    _keep(found, "severity_text", _text(record, "severityText"))
    _keep(found, "dropped_attributes_count", _int(record, "droppedAttributesCount"))
    _keep(found, "flags", _int(record, "flags"))
    _keep(found, "event_name", _text(record, "eventName"))
    return [found]


_KINDS = {
    "gauge": "gauge",
    "sum": "sum",
    "histogram": "histogram",
    "exponentialHistogram": "exponential_histogram",
    "summary": "summary",
}


def _points(metric: Member) -> list[Record]:
    member = next((name for name in _KINDS if metric.get(name) is not None), None)
    if member is None:
        return []
    kind = _KINDS[member]
    data = _object(metric, member)
    shared: Record = {"name": _text(metric, "name"), "kind": kind}
    _keep(shared, "description", _text(metric, "description"))
    _keep(shared, "unit", _text(metric, "unit"))
    _keep(shared, "metadata", _attributes(metric, "metadata"))
    if kind not in ("gauge", "summary"):
        shared["aggregation_temporality"] = _int(data, "aggregationTemporality")
    if kind == "sum":
        shared["is_monotonic"] = bool(data.get("isMonotonic"))
    return [{**shared, **_point(point), **_POINT_READERS[kind](point)} for point in _list(data, "dataPoints")]


def _point(point: Member) -> Record:
    found: Record = {"attributes": _raw_attributes(point), "time_unix_nano": _int(point, "timeUnixNano")}
    _keep(found, "start_time_unix_nano", _int(point, "startTimeUnixNano"))
    _keep(found, "flags", _int(point, "flags"))
    return found


def _value(point: Member) -> Record:
    if point.get("asInt") is not None:
        return {"as_int": _int(point, "asInt")}
    if "asDouble" in point:
        return {"as_double": _to_float(point["asDouble"], "asDouble")}
    return {}


def _number(point: Member) -> Record:
    return _value(point) | _exemplars(point)


def _distribution(point: Member) -> Record:
    found: Record = {"count": _int(point, "count")}
    for name in ("sum", "min", "max"):
        if point.get(name) is not None:
            found[name] = _to_float(point[name], name)
    return found


def _ints(holder: Member, name: str) -> list[Attribute]:
    numbers = [_to_int(item, name) for item in holder.get(name) or []]
    if any(number < 0 for number in numbers):
        raise ValueError(f"{name} are counts")
    return numbers  # type: ignore[return-value]  # a list of int is a list of Attribute


def _histogram(point: Member) -> Record:
    found = _distribution(point)
    _keep(found, "bucket_counts", _ints(point, "bucketCounts"))
    _keep(found, "explicit_bounds", [_to_float(bound, "explicitBounds") for bound in point.get("explicitBounds") or []])
    return found | _exemplars(point)


def _exponential_histogram(point: Member) -> Record:
    found = _distribution(point)
    found["exponential"] = {
        "scale": _int(point, "scale"),
        "zero_count": _int(point, "zeroCount"),
        "zero_threshold": _to_float(point.get("zeroThreshold", 0), "zeroThreshold"),
        **{
            side: {"offset": _int(buckets, "offset"), "bucket_counts": _ints(buckets, "bucketCounts")}
            for side in ("positive", "negative")
            for buckets in (_object(point, side),)
        },
    }
    return found | _exemplars(point)


def _summary(point: Member) -> Record:
    return {
        "count": _int(point, "count"),
        "sum": _to_float(point.get("sum", 0), "sum"),
        "quantiles": [
            {
                "quantile": _to_float(pair.get("quantile", 0), "quantile"),
                "value": _to_float(pair.get("value", 0), "value"),
            }
            for pair in _list(point, "quantileValues")
        ],
    }


_POINT_READERS = {
    "gauge": _number,
    "sum": _number,
    "histogram": _histogram,
    "exponential_histogram": _exponential_histogram,
    "summary": _summary,
}


def _exemplars(point: Member) -> Record:
    found: list[Attribute] = []
    for exemplar in _list(point, "exemplars"):
        one: Attributes = {"time_unix_nano": _int(exemplar, "timeUnixNano"), **_value(exemplar)}
        _keep(one, "trace_id", _hex(exemplar, "traceId"))
        _keep(one, "span_id", _hex(exemplar, "spanId"))
        _keep(one, "attributes", _attributes(exemplar, "filteredAttributes"))
        found.append(one)
    return {"exemplars": found} if found else {}


def _span(span: Member) -> list[Record]:
    status = _object(span, "status")
    found: Record = {
        "attributes": _raw_attributes(span),
        "time_unix_nano": _int(span, "startTimeUnixNano"),
        "end_time_unix_nano": _int(span, "endTimeUnixNano"),
        "trace_id": _hex(span, "traceId"),
        "span_id": _hex(span, "spanId"),
        "name": _text(span, "name"),
        "kind": _int(span, "kind"),
    }
    _keep(found, "parent_span_id", _hex(span, "parentSpanId"))
    _keep(found, "status_code", _int(status, "code"))
    _keep(found, "status_message", _text(status, "message"))
    _keep(found, "trace_state", _text(span, "traceState"))
    _keep(found, "flags", _int(span, "flags"))
    _keep(found, "dropped_attributes_count", _int(span, "droppedAttributesCount"))
    _keep(found, "dropped_events_count", _int(span, "droppedEventsCount"))
    _keep(found, "dropped_links_count", _int(span, "droppedLinksCount"))
    _keep(found, "events", [_span_event(event) for event in _list(span, "events")])
    _keep(found, "links", [_span_link(link) for link in _list(span, "links")])
    return [found]


def _span_event(event: Member) -> Attributes:
    found: Attributes = {}
    _keep(found, "time_unix_nano", _int(event, "timeUnixNano"))
    _keep(found, "name", _text(event, "name"))
    _keep(found, "dropped_attributes_count", _int(event, "droppedAttributesCount"))
    _keep(found, "attributes", _attributes(event))
    return found


def _span_link(link: Member) -> Attributes:
    found: Attributes = {"trace_id": _hex(link, "traceId"), "span_id": _hex(link, "spanId")}
    _keep(found, "trace_state", _text(link, "traceState"))
    _keep(found, "flags", _int(link, "flags"))
    _keep(found, "dropped_attributes_count", _int(link, "droppedAttributesCount"))
    _keep(found, "attributes", _attributes(link))
    return found


_SHAPES = {
    Signal.LOGS: ("resourceLogs", "scopeLogs", "logRecords", _log),
    Signal.METRICS: ("resourceMetrics", "scopeMetrics", "metrics", _points),
    Signal.TRACES: ("resourceSpans", "scopeSpans", "spans", _span),
}
