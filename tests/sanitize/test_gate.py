"""The gate: nothing passes it unjudged, and what passes is exact, named and fits a line."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from tests.conftest import KEY
from tests.otlp import GOLDENS, REQUESTS, golden, logs, metrics, pairs, raw, traces
from tests.sanitize.test_otlp_coverage import Filler, variants

from telem.sanitize.columns import BIT, COLUMNS, PROMOTED_BY_SIGNAL, Type
from telem.sanitize.decode import decode
from telem.sanitize.gate import Gate
from telem.sanitize.policy import shipped_policy
from telem.sanitize.records import Encoding, Profile, RawRequest, Signal
from telem.sanitize.redact import Redactor
from telem.sanitize.wire import attributes_of

ROOT = Path(__file__).parents[2]
TOKEN = "ghp_" + "q7Zr2Xw9Lk4M" * 3
EMAIL = "grace.hopper@navy-example.org"
SECRET = f"see {TOKEN} or ask {EMAIL} about it"

Rows = Callable[[RawRequest], list[dict[str, Any]]]


def fresh(key: bytes = KEY, profile: Profile = Profile.STANDARD) -> Gate:
    return Gate(Redactor(shipped_policy(profile), key), key)


def run(gate: Gate, request: RawRequest) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in gate.sanitize(decode(request), "r").lines]


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


def test_the_scope_says_that_a_record_is_our_own(rows_of: Rows) -> None:
    own = logs({"event.name": "api_request"})
    assert "source" not in rows_of(raw(Signal.LOGS, own))[0]
    own.resource_logs[0].scope_logs[0].scope.name = "telem-agent.transcript"
    (row,) = rows_of(raw(Signal.LOGS, own))
    assert (row["source"], row["client"], row["event_type"]) == ("transcript", "claude_code", "api_request")


# -- one gate ------------------------------------------------------------------------------------------------------


def test_only_the_gate_makes_sanitized_batches() -> None:
    """`SanitizedBatch(` stands in the gate alone; records.py defines it."""
    users = {
        path.name
        for room in ("agent", "queries", "storage", "sanitize")
        for path in (ROOT / room).rglob("*.py")
        if "SanitizedBatch(" in path.read_text(encoding="utf-8")
    }
    assert users == {"gate.py"}


# -- every position is judged --------------------------------------------------------------------------------------


class Leaker(Filler):
    """Puts a secret into one string position after the other; counts the positions."""

    def __init__(self, choose: dict[str, str], at: int) -> None:
        super().__init__(choose)
        self.at = at
        self.seen: list[str] = []

    def _value(self, field: Any) -> Any:
        value = super()._value(field)
        if isinstance(value, str) or (isinstance(value, bytes) and field.name == "bytes_value"):
            self.seen.append(field.full_name)
            if len(self.seen) - 1 == self.at:
                return SECRET if isinstance(value, str) else SECRET.encode()
        return value


def _assert_clean(lines: tuple[bytes, ...], where: str) -> None:
    text = b"\n".join(lines)
    assert lines
    for secret in (TOKEN.encode(), EMAIL.encode(), TOKEN[4:24].encode()):
        assert secret not in text, where
    # bytes are written as base64, at any of the three offsets
    plain = repr([orjson.loads(line) for line in lines])
    for word in _decoded(orjson.loads(b"[" + b",".join(lines) + b"]")):
        assert TOKEN not in word, where
        assert EMAIL not in word, where
    assert TOKEN not in plain


def _decoded(value: Any) -> list[str]:
    import base64
    import binascii

    if isinstance(value, dict):
        return [word for item in value.values() for word in _decoded(item)]
    if isinstance(value, list):
        return [word for item in value for word in _decoded(item)]
    if isinstance(value, str):
        try:
            return [base64.b64decode(value, validate=True).decode("utf-8", "replace")]
        except (binascii.Error, ValueError):
            return []
    return []


@pytest.mark.parametrize("signal", list(Signal))
def test_no_string_position_of_the_protocol_lets_a_secret_pass(signal: Signal, gate: Gate) -> None:
    """A token and an e-mail address in each string and bytes field of each message never reach a line."""
    positions = set()
    for choice in variants(signal):
        at = 0
        while True:
            request, leaker = REQUESTS[signal](), Leaker(choice, at)
            leaker.fill(request)
            if at >= len(leaker.seen):
                break
            positions.add(leaker.seen[at])
            batch = gate.sanitize(decode(raw(signal, request)), "r")
            _assert_clean(batch.lines, f"{signal} {choice} {leaker.seen[at]} at {at}")
            at += 1
    assert len(positions) >= 12  # keys, values, bytes, names, versions, schema URLs, entity references …


_SHAPES: dict[str, Any] = {
    "text": SECRET,
    "list": ["a", SECRET],
    "map": {"inner": SECRET},
    "map key": {SECRET: "value"},
    "deep": {"a": [{"b": {"c": [SECRET]}}]},
    "deep key": {"a": [{"b": {SECRET: 1}}]},
    "bytes": SECRET.encode(),
    "json": orjson.dumps({"a": {"b": SECRET}}).decode(),
    "json key": orjson.dumps({"a": {SECRET: 1}}).decode(),
    "json list": orjson.dumps(["x", SECRET]).decode(),
    "json in json": orjson.dumps({"a": orjson.dumps({"b": SECRET}).decode()}).decode(),
    "json in a list": [orjson.dumps({"a": SECRET}).decode()],
}
_KEYS = ("some.name", "prompt", "model", "session.id", "event.name", "tool_name", "request_id", "error", "user.email",
         "cost_usd", "success", "team", "input_tokens", "event.timestamp", "service.version")  # fmt: skip


@pytest.mark.parametrize("key", _KEYS)
@pytest.mark.parametrize("shape", list(_SHAPES))
def test_no_shape_of_a_value_lets_a_secret_pass(key: str, shape: str, gate: Gate) -> None:
    """Nested, as bytes, as JSON in a string: in attributes, body and resource alike, under any name."""
    value = _SHAPES[shape]
    request = logs({key: value}, body=value)
    request.resource_logs[0].resource.attributes.extend(pairs({key: value}))
    request.resource_logs[0].scope_logs[0].scope.attributes.extend(pairs({key: value}))
    _assert_clean(gate.sanitize(decode(raw(Signal.LOGS, request)), "r").lines, key)
    _assert_clean(gate.sanitize(decode(raw(Signal.TRACES, traces({key: value}))), "r").lines, key)
    _assert_clean(gate.sanitize(decode(raw(Signal.METRICS, metrics({key: value}))), "r").lines, key)


def test_a_secret_in_an_attribute_name_is_replaced_there(rows_of: Rows) -> None:
    """Names are as free as values."""
    (row,) = rows_of(raw(Signal.LOGS, logs({f"x {TOKEN}": 1})))
    (name,) = [name for name in row["attributes"] if name.startswith("x ")]
    assert "REDACTED" in name


def test_a_sanitizer_that_fails_replaces(gate: Gate) -> None:
    """Whatever a rule raises, the value becomes a marker: nothing passes because of an error."""

    class Broken:
        def clean(self, *_: Any) -> str:
            raise ValueError(SECRET)

        def holds_token(self, _text: str) -> bool:
            raise ValueError(SECRET)

    gate.redactor.scanner = Broken()  # type: ignore[assignment]
    request = logs({"some.name": SECRET, "list": [SECRET], "model": SECRET}, body=SECRET)
    lines = gate.sanitize(decode(raw(Signal.LOGS, request)), "r").lines
    _assert_clean(lines, "broken")
    assert b"[REDACTED:sanitizer-error]" in lines[0]
    assert sum(gate.redactor.tally.errors.values()) > 0


def test_the_strict_profile_keeps_no_content() -> None:
    """Prompts become their length and a stand-in."""
    (row,) = run(fresh(profile=Profile.STRICT), raw(Signal.LOGS, logs({"prompt": "my own words"})))
    assert "my own words" not in repr(row)
    assert '"length":12' in row["prompt"]


# -- ids -----------------------------------------------------------------------------------------------------------


def test_row_ids_are_the_same_for_the_same_record_sent_again() -> None:
    """Another gate, another time of arrival: the same ids."""
    request = logs({"a": 1}, {"a": 2}, time_ns=5)
    first = run(fresh(), raw(Signal.LOGS, request, at_ns=1_000))
    again = run(fresh(), raw(Signal.LOGS, request, at_ns=9_000_000))
    assert ids(first) == ids(again)
    assert len(set(ids(first))) == 2


def test_identical_records_of_one_request_have_ids_of_their_own() -> None:
    """Ordinals keep them apart, and are the same each time."""
    request = raw(Signal.LOGS, logs({"a": 1}, {"a": 1}, {"a": 1}, time_ns=5))
    assert len(set(ids(run(fresh(), request)))) == 3
    assert ids(run(fresh(), request)) == ids(run(fresh(), request))


def test_identical_records_of_two_groups_have_ids_of_their_own() -> None:
    """The ordinals count through the request, not through a group."""
    one = logs({"a": 1}, time_ns=5)
    one.MergeFrom(ExportLogsServiceRequest.FromString(one.SerializeToString()))
    assert len(set(ids(run(fresh(), raw(Signal.LOGS, one))))) == 2


def test_another_key_gives_other_ids_everywhere() -> None:
    """Ids of rows and requests, and stand-ins, tell nothing to whoever lacks the key."""
    request = raw(Signal.LOGS, logs({"user.email": EMAIL}, time_ns=5))
    ours, theirs = fresh(), fresh(bytes(32))
    assert ids(run(ours, request)) != ids(run(theirs, request))
    assert ours.request_id(request) != theirs.request_id(request)
    assert run(ours, request)[0]["user_email"] != run(theirs, request)[0]["user_email"]


def test_a_request_id_names_signal_and_bytes() -> None:
    """Identical bytes have one name; another signal or another byte has another. The arrival does not matter."""
    gate = fresh()
    body = b"some bytes"
    name = gate.request_id(raw(Signal.LOGS, body, at_ns=1))
    assert name == gate.request_id(raw(Signal.LOGS, body, at_ns=2))
    assert name != gate.request_id(raw(Signal.TRACES, body))
    assert name != gate.request_id(raw(Signal.LOGS, body + b"."))
    assert len(name) == 32


# -- columns and attributes ----------------------------------------------------------------------------------------


def rebuilt(signal: Signal, row: dict[str, Any]) -> dict[str, Any]:
    """A row's complete attributes, put together as the views do."""
    found = dict(row["attributes"])
    for column in PROMOTED_BY_SIGNAL[signal]:
        if row["promoted"] & BIT[column.name]:
            value = row.get(column.name)
            if column.name == "prompt_text":
                value = row.get("prompt_text", row.get("prompt"))
            elif column.name == "event_timestamp" and value is None:
                value = _stamp(row["time"])
            elif column.type is Type.MONEY:
                value = float(value)  # type: ignore[arg-type]
            found[column.attributes[0]] = value
        elif row.get("promoted_as_text", 0) & BIT[column.name]:
            found[column.attributes[0]] = str(row[column.name]).lower()
    return found


def _stamp(time_us: int) -> str:
    from datetime import UTC, datetime

    second, rest = divmod(time_us, 1_000_000)
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1000:03d}Z"


@pytest.mark.parametrize("name", GOLDENS)
def test_columns_and_the_rest_make_up_the_attributes(name: str) -> None:
    """With the sanitizer off, what the columns represent and what is left over are exactly what was sent."""
    request = golden(name)
    records: list[Any] = [record for group in decode(request).groups for record in group.records]
    sent = [attributes_of(record["attributes"]) for record in records]
    rows = run(fresh(profile=Profile.OFF), request)
    for row, attributes in zip(rows, sent, strict=True):
        assert rebuilt(request.signal, row) == orjson.loads(orjson.dumps(_spelled(attributes)))


def _spelled(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, list):
        return [_spelled(item) for item in value]
    if isinstance(value, dict):
        return {key: _spelled(item) for key, item in value.items()}
    return value


_NAMES = [name for column in PROMOTED_BY_SIGNAL[Signal.LOGS] for name in column.attributes]
_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text("abc019.-e ", max_size=8)
    | st.sampled_from(["true", "false", "undefined", "NaN", "1e400", "-0", "007", "1.0", "2026-01-01T00:00:00.000Z"])
    | st.lists(st.integers(0, 3), max_size=2)
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(_NAMES), _scalars, max_size=6))
def test_no_attribute_is_lost_whatever_it_holds(attributes: dict[str, Any]) -> None:
    """The round trip holds for every promoted name with values of any type, also the wrong ones."""
    (row,) = run(_OFF, raw(Signal.LOGS, logs(attributes, body="x", time_ns=1_700_000_000_000_000_000)))
    found, wanted = rebuilt(Signal.LOGS, row), orjson.loads(orjson.dumps(_spelled(attributes)))
    assert found == wanted
    assert {key: type(value) for key, value in found.items()} == {
        key: float if _is_money(key, value) else type(value) for key, value in wanted.items()
    }


_OFF = fresh(profile=Profile.OFF)


def _is_money(key: str, value: Any) -> bool:
    return key == "cost_usd" and isinstance(value, float)


@pytest.mark.parametrize(
    ("key", "column", "value", "read"),
    [
        ("input_tokens", "input_tokens", "12", 12),
        ("input_tokens", "input_tokens", 12.0, 12),
        ("input_tokens", "input_tokens", "12.5", None),
        ("input_tokens", "input_tokens", "undefined", None),
        ("input_tokens", "input_tokens", "", None),
        ("input_tokens", "input_tokens", True, None),
        ("input_tokens", "input_tokens", "9007199254740993", 9_007_199_254_740_993),
        ("input_tokens", "input_tokens", str(2**63), None),
        ("duration_ms", "duration_ms", "32.5", 32.5),
        ("duration_ms", "duration_ms", "Infinity", None),
        ("success", "success", "true", True),
        ("success", "success", "false", False),
        ("success", "success", "maybe", None),
        ("status_code", "status_code", "429", 429),
        ("status_code", "status_code", "undefined", None),
        ("total_attempts", "attempt", "3", 3),
        ("model", "model", 5, "5"),
    ],
)
def test_a_number_sent_as_text_fills_its_column_and_can_be_had_as_sent(
    key: str, column: str, value: Any, read: Any, rows_of: Rows
) -> None:
    """The column holds what can be read, and the attribute can be had back as it came."""
    (row,) = rows_of(raw(Signal.LOGS, logs({key: value})))
    assert row.get(column) == read
    assert rebuilt(Signal.LOGS, row)[key] == value


@pytest.mark.parametrize("cost", [0.0, 0.018201, 1e-9, 123.456789, 1.1, 0.1 + 0.2, 999_999_999.0])
def test_money_is_exact_to_nine_places(cost: float, rows_of: Rows) -> None:
    """The column is decimal text; where nine places do not give the double back, the attribute is kept beside it."""
    (row,) = rows_of(raw(Signal.LOGS, logs({"cost_usd": cost})))
    assert Decimal(row["cost_usd"]) == Decimal(repr(cost)).quantize(Decimal("1e-9"))
    if float(row["cost_usd"]) != cost:
        assert row["attributes"]["cost_usd"] == cost
    else:
        assert "cost_usd" not in row["attributes"]


@pytest.mark.parametrize("cost", ["0.018201", 1_000_000_000.0, -1e9, math.nan, math.inf, "free", True, 1e-12])
def test_money_that_does_not_fit_is_kept_as_it_came(cost: Any, rows_of: Rows) -> None:
    """Beyond DECIMAL(18,9), or not a double: the attribute says what was sent."""
    (row,) = rows_of(raw(Signal.LOGS, logs({"cost_usd": cost})))
    assert row["attributes"]["cost_usd"] == _spelled(cost)
    if "cost_usd" in row:
        assert abs(Decimal(row["cost_usd"])) < 10**9


@pytest.mark.parametrize("number", [2**63, 2**64 - 1, -(2**63) - 1, 10**30])
def test_an_integer_beyond_64_bits_never_reaches_a_column(number: int, rows_of: Rows) -> None:
    """DuckDB would skip the whole row."""
    (row,) = rows_of(raw(Signal.LOGS, logs({"input_tokens": str(number), "output_tokens": float(number)})))
    assert "output_tokens" not in row
    assert_fits(Signal.LOGS, row)
    assert "input_tokens" not in row
    assert row["attributes"]["input_tokens"] == str(number)


def assert_fits(signal: Signal, row: dict[str, Any]) -> None:
    """Every column holds what its type can: otherwise the row would be unreadable later."""
    for column in COLUMNS[signal]:
        value = row.get(column.name)
        if value is None:
            continue
        match column.type:
            case Type.INT | Type.TIME:
                assert type(value) is int, column.name
                assert -(2**63) <= value < 2**63, column.name
            case Type.UINT:
                assert 0 <= value < 2**64, column.name
            case Type.UINTS:
                assert all(0 <= item < 2**64 for item in value), column.name
            case Type.BOOL:
                assert type(value) is bool, column.name
            case Type.TEXT | Type.MONEY:
                assert type(value) is str, column.name
            case Type.FLOAT:
                assert isinstance(value, int | float) or value in ("NaN", "Infinity", "-Infinity"), column.name


_u64 = st.sampled_from([0, 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1])
_edge = _u64 | st.sampled_from([-1, -(2**31), -(2**63)])


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            [
                "startTimeUnixNano", "endTimeUnixNano", "timeUnixNano", "observedTimeUnixNano", "flags", "kind",
                "severityNumber", "droppedAttributesCount", "droppedEventsCount", "droppedLinksCount",
            ]
        ),
        _edge,
    )
)  # fmt: skip
def test_no_number_of_the_envelope_makes_a_row_unreadable(record: dict[str, int]) -> None:
    """Times, flags and counts at the edges of their types fit their columns or are left out."""
    for signal, names in (
        (Signal.LOGS, ("resourceLogs", "scopeLogs", "logRecords")),
        (Signal.TRACES, ("resourceSpans", "scopeSpans", "spans")),
    ):
        body = orjson.dumps({names[0]: [{names[1]: [{names[2]: [record]}]}]})
        for row in run(_OFF, raw(signal, body, Encoding.JSON)):
            assert_fits(signal, row)


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(["sum", "gauge", "histogram", "exponentialHistogram", "summary"]),
    point=st.fixed_dictionaries(
        {},
        optional={
            "timeUnixNano": _edge, "startTimeUnixNano": _edge, "asInt": _edge, "count": _u64, "flags": _edge,
            "bucketCounts": st.lists(_u64, max_size=3), "sum": st.sampled_from([1, "NaN", "Infinity", -1.5]),
            "explicitBounds": st.lists(st.sampled_from([1, "Infinity", 0.5]), max_size=3), "zeroCount": _u64,
        },
    ),
)  # fmt: skip
def test_no_number_of_a_point_makes_a_row_unreadable(kind: str, point: dict[str, Any]) -> None:
    """The same for data points of all kinds."""
    body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "m", kind: {"dataPoints": [point]}}]}]}]}
    (row,) = run(_OFF, raw(Signal.METRICS, orjson.dumps(body), Encoding.JSON))
    assert_fits(Signal.METRICS, row)


# -- special values ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "word"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")])
def test_what_json_has_no_number_for_becomes_a_word(value: float, word: str, rows_of: Rows) -> None:
    """In attributes, bodies and points alike; a null would lose it."""
    (row,) = rows_of(raw(Signal.LOGS, logs({"a": value, "b": [value]}, body={"c": value})))
    assert row["attributes"]["a"] == word
    assert row["attributes"]["b"] == [word]
    assert orjson.loads(row["body"]) == {"c": word}
    (point,) = rows_of(raw(Signal.METRICS, metrics({}, value=value)))
    assert point["value"] == word


@pytest.mark.parametrize(
    ("body", "text"), [(0, "0"), (False, "false"), ([], "[]"), ({"a": b"x"}, '{"a":"eA=="}'), (1.5, "1.5")]
)
def test_a_structured_body_is_kept_as_json(body: Any, text: str, rows_of: Rows) -> None:
    """Anything but text becomes JSON text, and the row says so."""
    (row,) = rows_of(raw(Signal.LOGS, logs({}, body=body)))
    assert (row["body"], row["body_type"]) == (text, "json")


@pytest.mark.parametrize("body", ["my own words", {"said": "my own words"}])
def test_the_strict_profile_keeps_no_words_of_a_body(body: Any) -> None:
    """A body is content like a prompt, unless it is the name of the event."""
    (row,) = run(fresh(profile=Profile.STRICT), raw(Signal.LOGS, logs({}, body=body)))
    assert "my own words" not in repr(row)
    assert "length" in row["body"]
    (row,) = run(fresh(profile=Profile.STRICT), raw(Signal.LOGS, logs({}, body="claude_code.user_prompt")))
    assert row["body"] == "claude_code.user_prompt"
