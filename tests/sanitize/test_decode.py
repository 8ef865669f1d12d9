"""Decoding: both encodings mean the same, real clients are understood, and nonsense is a DecodeError."""

from __future__ import annotations

import base64
import math
from typing import Any

import orjson
import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from tests.otlp import GOLDENS, REQUESTS, any_value, golden, logs, metrics, raw, traces

from telem.sanitize.decode import decode
from telem.sanitize.records import Batch, DecodeError, Encoding, RawRequest, Signal
from telem.sanitize.wire import attributes_of

_IDS = ("traceId", "spanId", "parentSpanId")


def to_json(message: Any) -> bytes:
    """A protobuf request in OTLP's JSON, by protobuf's own printer."""
    plain = json_format.MessageToDict(message, use_integers_for_enums=True)
    return orjson.dumps(_ids(plain, lambda text: base64.b64decode(text).hex()))


def to_protobuf(signal: Signal, body: bytes) -> bytes:
    """An OTLP/JSON request in protobuf, by protobuf's own parser."""
    plain = _ids(orjson.loads(body), lambda text: base64.b64encode(bytes.fromhex(text)).decode())
    return bytes(json_format.ParseDict(plain, REQUESTS[signal](), ignore_unknown_fields=True).SerializeToString())


def _ids(value: Any, change: Any) -> Any:
    if isinstance(value, list):
        return [_ids(item, change) for item in value]
    if isinstance(value, dict):
        return {key: change(item) if key in _IDS else _ids(item, change) for key, item in value.items()}
    return value


def log_json(record: dict[str, Any]) -> RawRequest:
    return raw(Signal.LOGS, orjson.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}), Encoding.JSON)


def value_json(value: Any) -> Any:
    """What the JSON decoder makes of one AnyValue."""
    batch = decode(log_json({"attributes": [{"key": "k", "value": value}]}))
    return records(batch)[0]["attributes"]["k"]


def records(batch: Batch) -> list[Any]:
    """All records, with their attributes read."""
    found: list[Any] = [record for group in batch.groups for record in group.records]
    return [{**record, "attributes": attributes_of(record["attributes"])} for record in found]


# -- the two encodings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GOLDENS)
def test_a_captured_request_decodes_to_the_same_in_the_other_encoding(name: str) -> None:
    """Protobuf and JSON of the same content are equal behind the decoder, for every client we captured."""
    request = golden(name)
    if request.encoding is Encoding.JSON:
        other = raw(request.signal, to_protobuf(request.signal, request.body))
    else:
        message = REQUESTS[request.signal].FromString(request.body)
        other = raw(request.signal, to_json(message), Encoding.JSON)
    ours, theirs = decode(request), decode(other)
    assert records(ours)
    assert repr(ours.groups) == repr(theirs.groups)  # as text: NaN is not equal to itself


@pytest.mark.parametrize("name", GOLDENS)
def test_a_captured_request_makes_the_same_rows_in_the_other_encoding(name: str, rows_of: Any) -> None:
    """The rows, their ids included, do not tell how a request was written."""
    request = golden(name)
    if request.encoding is Encoding.JSON:
        other = raw(request.signal, to_protobuf(request.signal, request.body))
    else:
        other = raw(request.signal, to_json(REQUESTS[request.signal].FromString(request.body)), Encoding.JSON)
    assert rows_of(request) == rows_of(other)


def test_the_old_client_sends_numbers_as_strings_and_they_become_numbers(rows_of: Any) -> None:
    """Claude Code 2.1.101 writes "undefined" and digits; the columns hold numbers or NULL, the text stays readable."""
    (row,) = [row for row in rows_of(golden("claude-2.1.101-errors-logs.pb")) if row["event_name"] == "api_error"]
    assert row["event_type"] == "api_error"
    assert isinstance(row["duration_ms"], float | int)
    assert isinstance(row["attempt"], int)
    assert row["attributes"]["status_code"] == "undefined"
    assert "status_code" not in row


def test_the_old_clients_nan_status_of_a_span_is_kept_as_a_word(rows_of: Any) -> None:
    """A double NaN cannot be a JSON number and is not lost either."""
    rows = rows_of(golden("claude-2.1.101-errors-traces.pb"))
    kept = [row["attributes"]["status_code"] for row in rows if "status_code" in row["attributes"]]
    assert "NaN" in kept
    assert all(row.get("status_code") is None for row in rows if row["attributes"].get("status_code") == "NaN")


def test_codex_has_no_time_and_gets_the_observed_one(rows_of: Any) -> None:
    """Codex sends time_unix_nano 0; its rows are dated by when they were observed, and say so."""
    rows = rows_of(golden("codex-logs.pb"))
    assert rows
    assert all(row["client"] == "codex" and row["time_from"] == "observed" for row in rows)
    assert all(row["time"] > 1_700_000_000_000_000 for row in rows)


def test_gemini_values_without_a_value_stay_null() -> None:
    """An AnyValue without a value, as Gemini sends, is None and no error."""
    found = [
        key
        for record in records(decode(golden("gemini-logs.pb")))
        for key, value in record["attributes"].items()
        if value is None
    ]
    assert found


@pytest.mark.parametrize("name", GOLDENS)
def test_a_truncated_request_is_refused_or_shorter_but_never_an_accident(name: str) -> None:
    """Cut anywhere, a request is a DecodeError, or (protobuf at a field's end) a whole request of fewer parts."""
    request = golden(name)
    for cut in range(1, len(request.body), max(1, len(request.body) // 200)):
        try:
            batch = decode(raw(request.signal, request.body[:cut], request.encoding))
        except DecodeError:
            continue
        assert request.encoding is Encoding.PROTOBUF
        assert len(records(batch)) < len(records(decode(request)))


# -- JSON as OTLP has it -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 5, -5, 2**53 + 1, 2**63 - 1, -(2**63)])
def test_a_64_bit_number_may_be_a_string_or_a_number(number: int) -> None:
    """Protobuf's mapping writes a string, Claude Code a number; neither loses a digit."""
    assert value_json({"intValue": str(number)}) == value_json({"intValue": number}) == number


@pytest.mark.parametrize(
    ("written", "value"), [("Infinity", math.inf), ("-Infinity", -math.inf), (1, 1.0), ("1.5", 1.5), (1e300, 1e300)]
)
def test_a_double_may_be_a_word_a_string_or_a_number(written: Any, value: float) -> None:
    """All spellings of a double are read."""
    assert value_json({"doubleValue": written}) == value


@pytest.mark.parametrize("written", ["NaN", None])
def test_nan_is_a_word_or_what_json_stringify_makes_of_it(written: Any) -> None:
    """JavaScript writes null where a double is NaN."""
    assert math.isnan(value_json({"doubleValue": written}))


def test_ids_are_hex_in_either_case() -> None:
    """Upper and lower case name the same trace."""
    upper, lower = ({"traceId": text * 16, "spanId": text * 8} for text in ("AB", "ab"))
    assert records(decode(log_json(upper))) == records(decode(log_json(lower)))
    assert records(decode(log_json(lower)))[0]["trace_id"] == "ab" * 16


@pytest.mark.parametrize("text", ["xyz", "abc", "q6urq6urq6urq6urq6urqw==", "ab cd"])
def test_an_id_that_is_not_hex_is_refused(text: str) -> None:
    """Base64, odd lengths and blanks are not ids."""
    with pytest.raises(DecodeError):
        decode(log_json({"traceId": text}))


def test_unknown_members_are_ignored_at_every_level() -> None:
    """A newer client's members do not cost the request, and snake_case names count as unknown."""
    known = orjson.loads(to_json(logs({"a": 1}, body={"b": [1]}, time_ns=5)))

    def add(value: Any) -> Any:
        if isinstance(value, list):
            return [add(item) for item in value]
        if isinstance(value, dict):
            return {**{key: add(item) for key, item in value.items()}, "futureMember": {"x": [1]}, "trace_id": 7}
        return value

    more = decode(raw(Signal.LOGS, orjson.dumps(add(known)), Encoding.JSON))
    assert more.groups == decode(raw(Signal.LOGS, orjson.dumps(known), Encoding.JSON)).groups


def test_null_is_the_same_as_absent() -> None:
    """Null members, as some serialisers write them, are defaults."""
    nulls = dict.fromkeys(
        (
            "timeUnixNano",
            "observedTimeUnixNano",
            "body",
            "attributes",
            "traceId",
            "severityText",
            "severityNumber",
            "flags",
        )
    )
    assert decode(log_json(nulls)).groups == decode(log_json({})).groups


@pytest.mark.parametrize(
    "value",
    [
        {"stringValue": 5},
        {"intValue": "five"},
        {"intValue": 1.5},
        {"intValue": True},
        {"intValue": str(2**64)},
        {"boolValue": "true"},
        {"doubleValue": "many"},
        {"doubleValue": True},
        {"bytesValue": 5},
        {"bytesValue": "*"},
        {"arrayValue": [1]},
        {"arrayValue": {"values": [1]}},
        {"arrayValue": {"values": "ab"}},
        {"kvlistValue": {"values": {"a": 1}}},
        {"kvlistValue": 5},
        "text",
        5,
        [],
    ],
)
def test_a_value_of_the_wrong_type_is_refused(value: Any) -> None:
    """What OTLP does not allow is a DecodeError, not a guess and not a crash."""
    with pytest.raises(DecodeError):
        value_json(value)


@pytest.mark.parametrize(
    "record",
    [
        {"timeUnixNano": "yesterday"},
        {"timeUnixNano": []},
        {"severityNumber": "SEVERITY_NUMBER_INFO"},
        {"severityText": 5},
        {"attributes": {"key": "a"}},
        {"attributes": ["a"]},
        {"attributes": [{"key": 5}]},
        {"flags": str(2**64)},
    ],
)
def test_a_member_of_the_wrong_type_is_refused(record: dict[str, Any]) -> None:
    """The same for the members of a record; names of enums are not allowed in OTLP."""
    with pytest.raises(DecodeError):
        decode(log_json(record))


@pytest.mark.parametrize("body", [b"", b"[]", b"5", b"null", b"{", b"\xff\xfe{\x00}", b"\xef\xbb\xbf{}"])
@pytest.mark.parametrize("signal", list(Signal))
def test_a_body_that_is_no_request_is_refused(signal: Signal, body: bytes) -> None:
    """Other JSON, no JSON, byte order marks, UTF-16."""
    with pytest.raises(DecodeError):
        decode(raw(signal, body, Encoding.JSON))


@pytest.mark.parametrize(
    "groups", [5, "a", {"a": 1}, [5], [[]], [{"scopeLogs": 5}], [{"scopeLogs": [{"logRecords": [1]}]}]]
)
def test_an_envelope_of_the_wrong_type_is_refused(groups: Any) -> None:
    """The lists of a request hold objects."""
    with pytest.raises(DecodeError):
        decode(raw(Signal.LOGS, orjson.dumps({"resourceLogs": groups}), Encoding.JSON))


@pytest.mark.parametrize("kind", ["array", "kvlist"])
def test_json_nested_beyond_the_limit_is_refused(kind: str) -> None:
    """A hundred levels are refused with a DecodeError, not a RecursionError; thirty are read."""

    def nested(levels: int) -> dict[str, Any]:
        value: dict[str, Any] = {"stringValue": "deep"}
        for _ in range(levels):
            item = value if kind == "array" else {"key": "k", "value": value}
            value = {f"{kind}Value": {"values": [item]}}
        return value

    assert value_json(nested(30))
    for levels in (102, 300, 5_000):
        with pytest.raises(DecodeError):
            value_json(orjson.Fragment(_nested_text(levels, kind)))


def _nested_text(levels: int, kind: str) -> bytes:
    head, tail = (
        (b'{"arrayValue":{"values":[', b"]}}")
        if kind == "array"
        else (b'{"kvlistValue":{"values":[{"key":"k","value":', b"}]}}")
    )
    return head * levels + b'{"stringValue":"deep"}' + tail * levels


@pytest.mark.parametrize("levels", [60, 500, 20_000])
def test_protobuf_nested_beyond_the_limit_is_refused(levels: int) -> None:
    """Protobuf's own limit answers with a DecodeError too."""
    value = any_value("deep").SerializeToString()
    for _ in range(levels):  # AnyValue.array_value (5) of ArrayValue.values (1)
        value = b"\x0a" + _varint(len(value)) + value
        value = b"\x2a" + _varint(len(value)) + value
    record = b"\x2a" + _varint(len(value)) + value
    for tag in (b"\x12", b"\x12", b"\x0a"):
        record = tag + _varint(len(record)) + record
    with pytest.raises(DecodeError):
        decode(raw(Signal.LOGS, record))


def _varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


@pytest.mark.parametrize("counts", [[-1], ["-1"], [1.5], ["a"], 5])
def test_bucket_counts_are_counts(counts: Any) -> None:
    """A negative count is refused: its row could be read by nobody."""
    body = {
        "resourceMetrics": [
            {"scopeMetrics": [{"metrics": [{"histogram": {"dataPoints": [{"bucketCounts": counts}]}}]}]}
        ]
    }
    with pytest.raises(DecodeError):
        decode(raw(Signal.METRICS, orjson.dumps(body), Encoding.JSON))


def test_a_key_sent_twice_keeps_its_last_value_in_both_encodings() -> None:
    """OTLP leaves it open; both encodings must at least agree."""
    message = logs({"k": 1})
    again = message.resource_logs[0].scope_logs[0].log_records[0].attributes.add(key="k")
    again.value.int_value = 2
    for request in (raw(Signal.LOGS, message), raw(Signal.LOGS, to_json(message), Encoding.JSON)):
        assert records(decode(request))[0]["attributes"] == {"k": 2}


@pytest.mark.parametrize("body", [0, False, 0.0, [], {}, b""])
def test_a_body_that_is_a_default_value_is_still_a_body(body: Any) -> None:
    """0, false and empty lists were sent, so they are there; only a missing or empty text body is none."""
    message = logs({}, body=body)
    for request in (raw(Signal.LOGS, message), raw(Signal.LOGS, to_json(message), Encoding.JSON)):
        assert records(decode(request))[0].get("body", "missing") == body


# -- properties ----------------------------------------------------------------------------------------------------

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(width=64)
    | _texts
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=12,
)


def _is_same(left: Any, right: Any) -> bool:
    return repr(left) == repr(right)


@settings(max_examples=150, deadline=None)
@given(_values)
def test_every_value_survives_protobuf(value: Any) -> None:
    """Whatever an attribute holds, the decoder gives back the same Python value."""
    found = records(decode(raw(Signal.LOGS, logs({"k": value}))))[0]["attributes"]["k"]
    assert _is_same(found, value)


@settings(max_examples=150, deadline=None)
@given(_values)
def test_every_value_survives_json(value: Any) -> None:
    """The same in JSON, as protobuf's printer writes it."""
    body = to_json(logs({"k": value}))
    found = records(decode(raw(Signal.LOGS, body, Encoding.JSON)))[0]["attributes"]["k"]
    assert _is_same(found, value)


_json: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _texts,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "stringValue",
                    "intValue",
                    "doubleValue",
                    "boolValue",
                    "bytesValue",
                    "arrayValue",
                    "kvlistValue",
                    "values",
                    "key",
                    "value",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@settings(max_examples=300, deadline=None)
@given(_json)
def test_any_json_in_the_place_of_a_value_is_read_or_refused(value: Any) -> None:
    """No shape of JSON makes anything but a value or a DecodeError."""
    try:
        value_json(value)
    except DecodeError:
        return


_members = (
    "attributes", "timeUnixNano", "startTimeUnixNano", "endTimeUnixNano", "traceId", "spanId", "parentSpanId",
    "name", "kind", "status", "events", "links", "gauge", "sum", "histogram", "exponentialHistogram", "summary",
    "dataPoints", "asInt", "asDouble", "count", "bucketCounts", "explicitBounds", "quantileValues", "exemplars",
    "positive", "scale", "isMonotonic", "body", "unit", "aggregationTemporality", "metadata", "flags",
    "severityNumber", "droppedAttributesCount", "zeroThreshold", "quantile", "value",
)  # fmt: skip
_record_json: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("0aZ", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_members), inner, max_size=6),
    max_leaves=20,
)
_NAMES = {
    Signal.LOGS: ("resourceLogs", "scopeLogs", "logRecords"),
    Signal.METRICS: ("resourceMetrics", "scopeMetrics", "metrics"),
    Signal.TRACES: ("resourceSpans", "scopeSpans", "spans"),
}


@settings(max_examples=300, deadline=None)
@given(
    signal=st.sampled_from(list(Signal)), record=st.dictionaries(st.sampled_from(_members), _record_json, max_size=8)
)
def test_any_json_in_the_place_of_a_record_is_read_or_refused(signal: Signal, record: Any) -> None:
    """The same for whole records, points and spans."""
    whole, part, name = _NAMES[signal]
    try:
        decode(raw(signal, orjson.dumps({whole: [{part: [{name: [record]}]}]}), Encoding.JSON))
    except DecodeError:
        return


@settings(max_examples=300, deadline=None)
@given(signal=st.sampled_from(list(Signal)), body=st.binary(max_size=200), encoding=st.sampled_from(list(Encoding)))
def test_any_bytes_are_read_or_refused(signal: Signal, body: bytes, encoding: Encoding) -> None:
    """Garbage is a DecodeError at worst."""
    try:
        decode(raw(signal, body, encoding))
    except DecodeError:
        return


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_flipped_byte_is_read_or_refused(data: st.DataObject) -> None:
    """One damaged byte in a real request never escapes the decoder as another exception."""
    request = golden(data.draw(st.sampled_from([name for name in GOLDENS if "minimal" in name])))
    at = data.draw(st.integers(0, len(request.body) - 1))
    changed = bytearray(request.body)
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        decode(raw(request.signal, bytes(changed), request.encoding))
    except DecodeError:
        return


def test_an_empty_request_has_no_records() -> None:
    """Empty requests and empty envelopes are requests."""
    for signal in Signal:
        assert records(decode(raw(signal, b""))) == []
        assert records(decode(raw(signal, b"{}", Encoding.JSON))) == []
    envelope = ExportLogsServiceRequest()
    envelope.resource_logs.add().scope_logs.add()
    assert records(decode(raw(Signal.LOGS, envelope))) == []


def test_metrics_and_traces_decode_to_their_records() -> None:
    """A smoke test of the builders this suite relies on."""
    assert len(records(decode(raw(Signal.METRICS, metrics({"a": 1}, {"a": 2}))))) == 2
    assert len(records(decode(raw(Signal.TRACES, traces({"a": 1}, {"a": 2}))))) == 2
