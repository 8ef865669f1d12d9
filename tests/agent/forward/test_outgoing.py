"""What a destination's policy keeps back is in no byte of what leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from tests.agent.forward.receiver import Receiver, records_of
from tests.otlp import GOLDENS, NOW_NS, REQUESTS, golden, logs, raw
from tests.storage.homes import home_of, segment

from telem.agent.forward import destinations
from telem.agent.forward.destinations import Destination
from telem.agent.forward.encode import Encoder
from telem.agent.forward.outgoing import Outgoing
from telem.agent.forward.worker import run
from telem.sanitize.decode import decode
from telem.sanitize.policy import shipped_policy
from telem.sanitize.records import Profile, Signal
from telem.storage.disk import Disk

if TYPE_CHECKING:
    from pathlib import Path

    from telem.sanitize.gate import Gate

CONTENT = shipped_policy(Profile.STANDARD).content


def rows_of(gate: Gate, name: str) -> tuple[Signal, list[dict[str, Any]]]:
    request = golden(name)
    return request.signal, [
        orjson.loads(line) for line in gate.sanitize(decode(request), gate.request_id(request)).lines
    ]


def leaving(signal: Signal, rows: list[dict[str, Any]], **policy: Any) -> list[dict[str, Any]]:
    """The attributes of what leaves."""
    found = Outgoing(Destination("x", **policy), CONTENT).rows(signal, rows)
    body = Encoder(signal, with_row_ids=False).request(found)
    return records_of(signal, REQUESTS[signal].FromString(body))


@pytest.mark.parametrize("name", GOLDENS)
def test_only_allowed_attributes_leave(gate: Gate, name: str) -> None:
    """Of records, resources, span events and links; what has a column as well as what has none."""
    signal, rows = rows_of(gate, name)
    before = orjson.dumps(rows)
    found = Outgoing(Destination("x", attributes_allow=("model", "*_tokens", "event.*")), CONTENT).rows(signal, rows)
    assert orjson.dumps(rows) == before  # what is stored is not touched
    body = Encoder(signal, with_row_ids=False).request(found)
    names = set(_keys(REQUESTS[signal].FromString(body)))
    assert all(name == "model" or name.endswith("_tokens") or name.startswith("event.") for name in names)
    assert len(found) == len(rows)


def _keys(message: Any) -> list[str]:
    """Every attribute's name, wherever it stands."""
    found = []
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for one in value if hasattr(value, "__len__") else [value]:
            if type(one).__name__ == "KeyValue":
                found.append(one.key)
            found += _keys(one)
    return found


@pytest.mark.parametrize("name", GOLDENS)
def test_denied_attributes_do_not_leave(gate: Gate, name: str) -> None:
    """And all others do."""
    signal, rows = rows_of(gate, name)
    whole = leaving(signal, rows)
    found = leaving(signal, rows, attributes_deny=("session.id", "user.*", "conversation.id"))
    denied = ("session.id", "conversation.id")
    kept = [
        {key: value for key, value in record.items() if key not in denied and not key.startswith("user.")}
        for record in whole
    ]
    assert list(map(str, found)) == list(map(str, kept))


CANARY = "kanarienvogel"


def test_content_is_dropped_wherever_it_stands(gate: Gate) -> None:
    """Prompts in both copies, tool inputs, errors, bodies that are sentences; names of events stay."""
    said: list[dict[str, Any]] = [
        {"event.name": "user_prompt", "prompt": CANARY, "prompt_text": CANARY, "prompt_length": 13},
        {"event.name": "tool_result", "tool_input": CANARY, "tool_parameters": {"command": CANARY}},
        {"event.name": "api_error", "error": CANARY},
    ]
    spoken = [logs(one, body=f"claude_code.{one['event.name']}", time_ns=NOW_NS) for one in said]
    spoken += [
        logs({"event.name": "x"}, body=f"It said {CANARY}", time_ns=NOW_NS),
        logs({"event.name": "y"}, body={"said": CANARY}, time_ns=NOW_NS),
    ]
    rows = [
        orjson.loads(line)
        for request in (raw(Signal.LOGS, one) for one in spoken)
        for line in gate.sanitize(decode(request), gate.request_id(request)).lines
    ]
    assert orjson.dumps(rows).count(CANARY.encode()) >= 6
    found = Outgoing(Destination("x", content="drop"), CONTENT).rows(Signal.LOGS, rows)
    body = Encoder(Signal.LOGS, with_row_ids=False).request(found)
    assert CANARY.encode() not in body
    assert body.count(b"claude_code.") == 4  # three bodies and the scope
    assert b"prompt_length" in body


def test_only_some_types_of_events_leave(gate: Gate) -> None:
    """By canonical type or by name."""
    _, rows = rows_of(gate, "claude-tools-logs.pb")
    found = Outgoing(Destination("x", event_types=("api_request", "tool_decision")), CONTENT).rows(Signal.LOGS, rows)
    assert {row["event_name"] for row in found} == {"api_request", "tool_decision"}


def test_without_a_policy_nothing_is_copied(gate: Gate) -> None:
    """The common case costs nothing."""
    _, rows = rows_of(gate, "claude-tools-logs.pb")
    found = Outgoing(Destination("x"), CONTENT).rows(Signal.LOGS, rows)
    assert all(one is other for one, other in zip(found, rows, strict=True))


def test_totals_of_finished_days_and_nothing_else(home: Path, gate: Gate) -> None:
    """No session, no prompt, no row id of an event; each day once; today's is not over."""
    layout = home_of(home)
    request = golden("claude-tools-logs.pb")
    segment(layout, 1, gate.sanitize(decode(request), gate.request_id(request)))
    old = 1_760_000_000_000_000_000
    cost = {"event.name": "api_request", "cost_usd": 0.25, "input_tokens": 7, "session.id": "s-1", "model": "m"}
    request = raw(Signal.LOGS, logs(cost, cost, {**cost, "model": "n"}, time_ns=old))
    segment(layout, 2, gate.sanitize(decode(request), gate.request_id(request)))
    with Receiver() as receiver:
        destinations.write(layout, Disk(), Destination("there", url=receiver.url, aggregates_only=True))
        first = run(layout, "there", linger_s=0, parent=False)
        second = run(layout, "there", linger_s=0, parent=False)
        assert (first["state"], second["sent"]) == ("idle", 0)
        sent = [record for request in receiver.stored for record in request.records]
    totals = {record["model"]: record for record in sent if record["day"] == "2025-10-09"}
    assert {model: (found["requests"], found["cost_usd"]) for model, found in totals.items()} == {
        "m": (2, 0.5),
        "n": (1, 0.25),
    }
    assert all("session_id" not in record and "session.id" not in record for record in sent)
    assert all(record["event.name"] == "daily_metrics" for record in sent)
