"""Attributes: what is remembered, or judged by its bytes alone, comes out as if it had been read and judged anew."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import KEY
from tests.otlp import logs, pairs, raw

from telem.sanitize import judge as module
from telem.sanitize.columns import PROMOTED
from telem.sanitize.decode import decode
from telem.sanitize.gate import Gate
from telem.sanitize.judge import Judge
from telem.sanitize.policy import parse_policy
from telem.sanitize.records import DecodeError, Encoding, Row, Signal
from telem.sanitize.redact import Redactor
from telem.sanitize.wire import raw_of

UUID = "28ea9322-220f-4c8a-b4aa-0250b0a7cce1"
POLICIES = (
    "",
    'profile = "strict"',
    'profile = "off"',
    '[drop]\nattributes = ["session.id", "cost_usd"]\n[hash]\nuser = ["tool_use_id", "input_tokens"]',
    '[scan]\nattributes = ["request_id", "duration_ms"]\n[allow]\nattributes = ["prompt.id", "a.b"]',
)
NAMES = [
    *(name for column in PROMOTED for name in column.attributes),
    *("a.b", "", "file_path", "content", "password", "tool_input"),
]
VALUES: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.integers(-2, 300)
    | st.floats()
    | st.floats(0, 10).map(lambda number: round(number, 6))
    | st.text(max_size=6)
    | st.lists(st.integers(0, 5), max_size=2)
    | st.sampled_from(
        [
            *(UUID, UUID.upper(), "toolu_01" + "aB3" * 6, "req_011" + "0aZ" * 6, "msg_01abc"),
            *("0", "007", "12", "9" * 15, "9" * 16, "true", "undefined", "/x/.env", "hunter2!"),
            *("ada.l@navy-example.org", "ghp_" + "q7Zr2Xw9Lk4M" * 3, "claude-sonnet-4-5", "2026-11-18T11:33:18.160Z"),
        ]
    )
)


def judge_of(policy: str, signal: Signal = Signal.LOGS) -> Judge:
    return Judge(signal, Redactor(parse_policy(policy), KEY))


def slow(policy: str) -> Judge:
    """A judge that reads and judges everything, every time."""
    judge = judge_of(policy)
    judge._easy._places.clear()
    judge._remember = lambda *_: None  # type: ignore[method-assign]
    return judge


JUDGES = [(judge_of(policy), slow(policy)) for policy in POLICIES]


def filled(judge: Judge, attributes: list[tuple[str, Any]]) -> Row:
    row: Row = {}
    judge.fill(row, [raw_of(key, value) for key, value in attributes])
    return row


@settings(max_examples=400, deadline=None)
@given(attributes=st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=14))
def test_what_is_remembered_or_easy_is_judged_as_the_rest(attributes: list[tuple[str, Any]]) -> None:
    """First, second and third time, the row is what a judge without memory makes of it, under every policy."""
    for quick, without_memory in JUDGES:
        expected = repr(filled(without_memory, attributes))
        assert [repr(filled(quick, attributes)) for _ in range(3)] == [expected] * 3


@settings(max_examples=400, deadline=None)
@given(attributes=st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=14))
def test_one_pass_makes_the_row_that_two_make(attributes: list[tuple[str, Any]]) -> None:
    """Names sent twice among them, under every policy, and what stood in the row before stays."""
    raws = [raw_of(key, value) for key, value in attributes]
    for quick, without_memory in JUDGES:
        expected: Row = {"id": "x"}
        without_memory._fill_anew(expected, 1, raws, None)
        row: Row = {"id": "x"}
        quick.fill(row, raws)
        assert repr(row) == repr(expected)


@pytest.mark.parametrize("last", [("file_path", "/x/.env"), ("prompt_text", "x"), ("a.b", "plain"), ("a.c", None)])
def test_what_is_looked_at_twice_is_counted_once(last: tuple[str, Any]) -> None:
    """Whether one attribute decides about another, or a name comes twice, shows before any is judged."""
    judge = judge_of("")
    secrets = [("a.b", "ghp_" + "q7Zr2Xw9Lk4M" * 3), last]
    filled(judge, secrets)
    found = sum(judge._redactor.tally.redactions.values())
    assert found == (0 if last[0] == "a.b" else 1)


@pytest.mark.parametrize("value", [5, "12345", UUID, "toolu_01" + "aB3" * 6, 0.25])
@pytest.mark.parametrize("change", [1, 12, -1, "longer", "shorter"])
def test_an_attribute_whose_lengths_are_wrong_is_not_taken_for_an_easy_one(value: Any, change: Any) -> None:
    """Protobuf has the last word on everything but the exact form."""
    name = {int: "input_tokens", float: "cost_usd"}.get(type(value), "request_id")
    name = "duration_ms" if value == "12345" else name
    changed = bytearray(raw_of(name, value))
    if change == "longer":
        changed += b"1"
    elif change == "shorter":
        del changed[-1]
    else:
        changed[len(name) + 3 if change == 12 else 1] += 1 if change != -1 else -1
    assert judge_of("")._easy.verdict(raw_of(name, value)) is not None
    assert judge_of("")._easy.verdict(bytes(changed)) is None


def test_a_name_sent_twice_keeps_its_last_value() -> None:
    """Also when the first has its place in a column, the second is known already, and the other way round."""
    judge = judge_of("")
    for _ in range(3):
        for first, second in ((5, "x y"), ("x y", 5), (5, 6), (UUID, None)):
            row = filled(judge, [("input_tokens", first), ("a.b", 1), ("input_tokens", second)])
            assert row == filled(judge_of(""), [("input_tokens", second), ("a.b", 1)])


def test_the_memory_is_emptied_when_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """It never holds more than it may, and forgetting changes nothing."""
    monkeypatch.setattr(module, "VERDICTS_MAX", 10)
    judge = judge_of("")
    for number in range(100):
        row = filled(judge, [("event.sequence", number), ("model", f"claude-{number % 3}")])
        assert (row["event_sequence"], row["model"]) == (number, f"claude-{number % 3}")
        assert len(judge._known) <= 10


def test_a_sender_cannot_fill_the_memory_with_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEPS_MAX", 10)
    judge = judge_of("")
    for number in range(50):
        assert filled(judge, [(f"own.{number}", "x")])["attributes"] == {f"own.{number}": "x"}
    assert len(judge._steps) <= 10


def test_an_attribute_that_is_none_refuses_the_request() -> None:
    """Its text is not UTF-8: the request is not OTLP, and says so at the latest when it is judged."""
    request = logs({"a": "xxxx"})
    body = request.SerializeToString().replace(b"xxxx", b"\xff\xfe\xfd\xfc")
    gate = Gate(Redactor(parse_policy(""), KEY), KEY)
    with pytest.raises(DecodeError, match="attribute"):
        gate.sanitize(decode(raw(Signal.LOGS, body)), "r")


def test_json_nested_deeper_than_protobuf_reads_is_refused_by_the_decoder_or_the_gate() -> None:
    import orjson

    value: dict[str, Any] = {"stringValue": "deep"}
    for _ in range(60):
        value = {"arrayValue": {"values": [value]}}
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"attributes": [{"key": "k", "value": value}]}]}]}]}
    gate = Gate(Redactor(parse_policy(""), KEY), KEY)
    with pytest.raises(DecodeError):
        gate.sanitize(decode(raw(Signal.LOGS, orjson.dumps(body), Encoding.JSON)), "r")


def test_values_written_as_bytes_read_back() -> None:
    values: dict[str, Any] = {
        "text": "ä",
        "no": None,
        "yes": True,
        "number": -5,
        "half": 0.5,
        "raw": b"\xff",
        "list": [1, [], {}],
    }
    assert [raw_of(key, value) for key, value in values.items()] == [pair.SerializeToString() for pair in pairs(values)]
