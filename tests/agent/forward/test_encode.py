"""Stored rows become the requests they came from: decoded and judged again, they are the same rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from tests.conftest import KEY
from tests.otlp import GOLDENS, NOW_NS, REQUESTS, golden, logs, numbered, raw
from tests.storage.homes import DAY, home_of, segment

from telem.agent.forward.encode import Encoder
from telem.agent.forward.encode_attributes import AGENT_ID, ROW_ID
from telem.sanitize.columns import COLUMNS, Type
from telem.sanitize.decode import decode
from telem.sanitize.gate import Gate
from telem.sanitize.policy import shipped_policy
from telem.sanitize.records import Encoding, Profile, RawRequest, Signal
from telem.sanitize.redact import Redactor
from telem.storage.compact import compact
from telem.storage.disk import Disk
from telem.storage.sequence import JournalTail, next_unit, parquet_rows

if TYPE_CHECKING:
    from pathlib import Path

OWN = ("id", "seg", "received_at", "sample_ratio")
"""What a receiver makes anew."""


def lines(gate: Gate, request: RawRequest) -> list[dict[str, Any]]:
    found = gate.sanitize(decode(request), gate.request_id(request)).lines
    return [orjson.loads(line) for line in found]


def again(gate: Gate, signal: Signal, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows a receiver would store of what we send."""
    body = Encoder(signal, with_row_ids=False, agent_id="").request(rows)
    return lines(gate, RawRequest(signal, Encoding.PROTOBUF, body, NOW_NS))


def plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in OWN}


@pytest.mark.parametrize("name", GOLDENS)
def test_every_captured_record_is_sent_as_it_came(gate: Gate, name: str) -> None:
    """All clients, all signals: time, attributes, resource, scope, values, events, links."""
    request = golden(name)
    rows = lines(gate, request)
    found = again(gate, request.signal, rows)
    assert list(map(plain, found)) == list(map(plain, rows))
    if request.encoding is Encoding.PROTOBUF:  # what is sent has no more attributes than what came
        body = Encoder(request.signal, with_row_ids=False, agent_id="").request(rows)
        REQUESTS[request.signal].FromString(body)


@pytest.mark.parametrize("name", GOLDENS)
def test_rows_of_parquet_are_the_rows_of_the_journal(home: Path, gate: Gate, name: str) -> None:
    """Spelled alike, so that nothing behind the reader knows where they lay."""
    request = golden(name)
    layout = home_of(home)
    segment(layout, 1, gate.sanitize(decode(request), gate.request_id(request)))
    unit = next_unit(layout, request.signal, 1)
    assert unit
    assert not unit.in_parquet
    journal = JournalTail(unit.path).read()
    compact(layout, request.signal, [1], DAY, Disk())
    unit = next_unit(layout, request.signal, 1)
    assert unit
    assert unit.in_parquet
    parquet = [row for chunk in parquet_rows(request.signal, unit) for row in chunk]
    assert sorted(map(comparable(request.signal), parquet), key=_id) == sorted(
        map(comparable(request.signal), journal), key=_id
    )


def _id(row: dict[str, Any]) -> str:
    return str(row["id"])


def comparable(signal: Signal) -> Any:
    kinds = {column.name: column.type for column in COLUMNS[signal]}

    def spell(row: dict[str, Any]) -> dict[str, Any]:
        return {
            name: repr(value) if kinds[name] is Type.FLOAT and not isinstance(value, int) else value
            for name, value in ((name, _number(kinds[name], value)) for name, value in row.items())
        }

    return spell


def _number(kind: Type, value: Any) -> Any:
    return float(value) if kind in (Type.FLOAT, Type.MONEY) else value


_ODD: list[dict[str, Any]] = [
    {"duration_ms": 2**53 + 1, "input_tokens": 2**63 - 1, "cost_usd": 123456.789012345},
    {"duration_ms": "123", "input_tokens": "17", "attempt": "3", "success": "true", "cost_usd": 1e-9},
    {"duration_ms": 12, "ttft_ms": 12.5, "success": False, "status_code": "undefined"},
    {"prompt": "same", "prompt_text": "same"},
    {"prompt": "one", "prompt_text": "two", "event.timestamp": "2026-01-01T00:00:00.000Z"},
    {"event.timestamp": "2026-09-21T14:13:20.123Z", "nested": {"a": [1, None, {"b": "x"}]}, "none": None},
    {"event.name": "claude_code.api_request", "speed": None, "effort": ["high"], "f": 1.0, "i": 1, "b": True},
    {"model": 'a "quoted" \\ \n \x00 text é 😀', "empty": "", "big": 2**63 - 1, "small": -(2**63)},
]


@pytest.mark.parametrize("attributes", _ODD, ids=range(len(_ODD)))
def test_types_and_spellings_survive(attributes: dict[str, Any]) -> None:
    """Numbers as numbers, texts of numbers as texts, what is nested, what is empty."""
    off = Gate(Redactor(shipped_policy(Profile.OFF), KEY), KEY)
    rows = lines(off, raw(Signal.LOGS, logs(attributes, time_ns=NOW_NS)))
    assert list(map(plain, again(off, Signal.LOGS, rows))) == list(map(plain, rows))
    body = Encoder(Signal.LOGS, with_row_ids=False, agent_id="").request(rows)
    sent = REQUESTS[Signal.LOGS].FromString(body).resource_logs[0].scope_logs[0].log_records[0]
    expected = logs(attributes, time_ns=NOW_NS).resource_logs[0].scope_logs[0].log_records[0]
    assert sorted(map(str, sent.attributes)) == sorted(map(str, expected.attributes))


@pytest.mark.parametrize("signal", Signal)
def test_ids_go_with_the_records(gate: Gate, signal: Signal) -> None:
    """Each record says its row's id and whose it is, in its own attributes."""
    rows = lines(gate, raw(signal, numbered(signal, "a", "b")))
    body = Encoder(signal, with_row_ids=True, agent_id="me").request(rows)
    said = str(REQUESTS[signal].FromString(body))
    assert re.findall(rf'"{ROW_ID}"\s+value {{\s+string_value: "(\w+)"', said) == [row["id"] for row in rows]
    assert re.findall(rf'"{AGENT_ID}"\s+value {{\s+string_value: "(\w+)"', said) == ["me", "me"]


def test_neighbours_share_their_envelope(gate: Gate) -> None:
    """Rows of one resource and scope are one group, in their order."""
    first = lines(gate, golden("claude-tools-logs.pb"))
    other = lines(gate, golden("codex-logs.pb"))
    body = Encoder(Signal.LOGS, with_row_ids=False, agent_id="").request([*first, *other])
    request = REQUESTS[Signal.LOGS].FromString(body)
    assert len(request.resource_logs) == 2
    assert len(request.resource_logs[0].scope_logs[0].log_records) == len(first)
