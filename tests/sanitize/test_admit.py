"""What is left out of the store: noise, samples, what was purged; and that nobody misses it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from tests.otlp import GOLDENS, golden, logs, metrics, raw, traces
from tests.queries import golden as captured

from telem.queries.commands import ask
from telem.sanitize.admit import PURGED, SAMPLED, Admit
from telem.sanitize.decode import decode
from telem.sanitize.gate import Gate
from telem.sanitize.noise import Admission, shipped_noise
from telem.sanitize.policy import PolicyError, parse_policy, shipped_policy
from telem.sanitize.records import Signal
from telem.sanitize.redact import Redactor
from telem.sanitize.tombs import SESSION, USER, Tombs, digest_of, salt_of
from telem.storage.disk import Disk
from telem.storage.journal import Journal
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

KEY = bytes(32)
LOGS, METRICS, TRACES = Signal.LOGS, Signal.METRICS, Signal.TRACES


def gate(admission: Admission, tombs: Tombs | None = None) -> tuple[Gate, Admit]:
    admit = Admit(admission, KEY, tombs)
    return Gate(Redactor(shipped_policy(), KEY), KEY, admit), admit


def kept(admitted: Gate, signal: Signal, request: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in admitted.sanitize(decode(raw(signal, request)), "0" * 32).lines]


def event(name: str, session: str = "s", **more: Any) -> dict[str, Any]:
    return {"event.name": name, "session.id": session, **more}


def test_a_sessions_first_record_stays_and_further_noise_goes() -> None:
    """So that there are as many sessions, beginning when they began."""
    admitted, admit = gate(shipped_policy().admission)
    rows = kept(
        admitted,
        LOGS,
        logs(event("plugin_loaded"), event("plugin_loaded"), event("user_prompt"), event("plugin_loaded", "t")),
    )
    assert [(row["session_id"], row["event_name"]) for row in rows] == [
        ("s", "plugin_loaded"),
        ("s", "user_prompt"),
        ("t", "plugin_loaded"),
    ]
    assert admit.dropped == {("claude_code", "plugin_loaded", "claude-startup"): 1}


def test_what_says_something_is_no_noise() -> None:
    """An error among the chatter, the one stream event with the tokens, a span that failed."""
    admitted, admit = gate(shipped_policy().admission)
    kept(admitted, LOGS, logs(event("user_prompt")))
    assert len(kept(admitted, LOGS, logs(event("plugin_loaded", error="broken")))) == 1
    spans = traces({"a": 1}, {"b": 2}, name="codex.run_turn")
    part = spans.resource_spans[0].scope_spans[0]
    part.scope.name = "codex_core"
    part.spans[1].status.code = Status.STATUS_CODE_ERROR
    assert [row["status"] for row in kept(admitted, TRACES, spans)] == ["error"]
    assert admit.dropped == {("codex", "codex.run_turn", "codex-internal-spans"): 1}


def store(home: Path, text: str) -> tuple[Layout, Admit]:
    """All captured payloads, sanitized under a policy."""
    policy = parse_policy(text)
    admit = Admit(policy.admission, captured.KEY)
    made = Gate(Redactor(policy, captured.KEY), captured.KEY, admit)
    layout, disk = Layout(home), Disk()
    for signal in Signal:
        disk.directory(layout.journal(signal))
        journal = Journal(layout, signal, disk, 1)
        for request in captured.requests():
            if request.signal is signal:
                journal.append([made.sanitize(decode(request), made.request_id(request))], 0.0)
        journal.close()
    return layout, admit


def rows_in(layout: Layout) -> int:
    rows: Any = ask(layout, "SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM spans)").rows
    return int(rows[0][0])


def test_totals_of_captured_sessions_are_the_same_with_and_without(tmp_path: Path) -> None:
    """All figures of all days, users and sessions of three clients; less records, each of them counted."""
    quiet, admit = store(tmp_path / "quiet", "")
    loud, _ = store(tmp_path / "loud", 'noise = "keep"')
    for sql in (
        "SELECT * FROM daily_metrics WHERE sessions > 0 ORDER BY ALL",  # a log line of no session makes a row of zeros
        "SELECT * EXCLUDE (ended_at) FROM sessions ORDER BY session_id",
        'SELECT * EXCLUDE (last_seen) FROM users ORDER BY "user"',
        "SELECT model, count(*), sum(cost_usd) FROM api_requests GROUP BY ALL ORDER BY ALL",
        "SELECT count(*), sum(duration_ms) FROM tool_calls",
    ):
        assert ask(quiet, sql).rows == ask(loud, sql).rows
    counts = [rows_in(layout) for layout in (quiet, loud)]
    assert counts[0] + admit.dropped.total() == counts[1]
    assert {client for client, _, _ in admit.dropped} >= {"claude_code", "codex", "gemini_cli"}


def test_a_rule_or_all_of_them_can_be_switched_off() -> None:
    """`noise_keep` and `noise`."""
    ids = [rule.id for rule in shipped_noise()]
    assert parse_policy('noise = "keep"').admission.rules == ()
    left = parse_policy(f'noise_keep = ["{ids[0]}"]').admission.rules
    assert [rule.id for rule in left] == ids[1:]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('noise = "loud"', "noise is one of"),
        ('noise_keep = ["no-such"]', "no rule 'no-such'"),
        ('noise_keep = "x"', "is a list"),
        ("[sampling]\napi_request = 0.5", "always kept"),
        ("[sampling]\napi_error = 0.5", "always kept"),
        ("[sampling]\ntool_result = 1.5", "between 0"),
        ("[sampling]\ntool_result = true", "between 0"),
        ("sampling = 1", "is a table"),
    ],
)
def test_a_mistake_is_refused_with_its_place(text: str, said: str) -> None:
    """Like every other mistake in sanitize.toml."""
    with pytest.raises(PolicyError, match=said):
        parse_policy(text)


def test_sampling_keeps_whole_sessions_and_says_so() -> None:
    """By event name or canonical type; requests and errors always; about the share that was asked for."""
    admitted, admit = gate(parse_policy("[sampling]\ntool_call = 0.25\nuser_prompt = 0.5").admission)
    names = ("tool_result", "user_prompt", "api_request", "api_error", "tool_decision")
    by_event: dict[str, dict[str, int]] = {name: {} for name in names}
    for number in range(400):
        session = f"session-{number}"
        for row in kept(admitted, LOGS, logs(*(event(name, session) for name in (*names, *names)))):
            seen = by_event[row["event_name"]]
            seen[session] = seen.get(session, 0) + 1
            wanted = {"tool_result": 0.25, "user_prompt": 0.5}.get(row["event_name"])
            assert row.get("sample_ratio") == wanted
    assert all(count == 2 for seen in by_event.values() for count in seen.values())
    assert [len(by_event[name]) for name in names[2:]] == [400, 400, 400]
    assert 60 < len(by_event["tool_result"]) < 140
    assert 160 < len(by_event["user_prompt"]) < 240
    assert by_event["tool_result"].keys() <= by_event["user_prompt"].keys()
    assert {rule for _, _, rule in admit.dropped} == {SAMPLED}


def test_codex_requests_under_another_name_are_not_sampled() -> None:
    """Its tokens come with `sse_event`: what counts is what a record is, not how it is called."""
    admitted, _ = gate(parse_policy("[sampling]\nsse_event = 0").admission)
    request = logs(
        {"event.name": "codex.sse_event", "conversation.id": "s", "input_token_count": "5", "output_token_count": "1"},
        {"event.name": "codex.sse_event", "conversation.id": "s"},
    )
    request.resource_logs[0].scope_logs[0].scope.name = "codex_otel"
    assert [row["event_type"] for row in kept(admitted, LOGS, request)] == ["api_request"]


@pytest.mark.parametrize("name", GOLDENS)
def test_rows_and_ids_that_stay_are_what_they_were(name: str) -> None:
    """Leaving some out changes none of the others."""
    request = golden(name)
    admitted, _ = gate(shipped_policy().admission)
    everything = Gate(Redactor(shipped_policy(), KEY), KEY).sanitize(decode(request), "0" * 32).lines
    assert set(admitted.sanitize(decode(request), "0" * 32).lines) <= set(everything)


def test_what_was_purged_does_not_come_back() -> None:
    """A session and a user by their digests, in every signal; imported records by their time; all of it counted."""
    user = Redactor(shipped_policy(), KEY).attribute("user.email", "ada@example.com")
    digests = frozenset((digest_of(salt_of(KEY), SESSION, "gone"), digest_of(salt_of(KEY), USER, str(user))))
    admitted, admit = gate(Admission(), Tombs({salt_of(KEY): digests}))
    many = [
        event("user_prompt", "gone"),
        event("user_prompt", "here"),
        event("x", "m", **{"user.email": "ada@example.com"}),
    ]
    assert [row["session_id"] for row in kept(admitted, LOGS, logs(*many))] == ["here"]
    assert [row["session_id"] for row in kept(admitted, METRICS, metrics(*many))] == ["here"]
    assert [row["session_id"] for row in kept(admitted, TRACES, traces(*many))] == ["here"]
    assert admit.dropped.total() == 6
    assert {rule for _, _, rule in admit.dropped} == {PURGED}


def test_only_imported_records_are_too_old() -> None:
    """What a client sends today may be about last year; what is read from old session logs was purged with the rest."""
    admitted, _ = gate(Admission(), Tombs(before_us=2_000_000_000_000_000))
    old = logs(event("user_prompt"), time_ns=1_000_000_000)
    assert len(kept(admitted, LOGS, old)) == 1
    old.resource_logs[0].scope_logs[0].scope.name = "telem-agent.transcript"
    assert kept(admitted, LOGS, old) == []
