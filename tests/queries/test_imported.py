"""What was read from session logs counts only where the client did not export it, whatever came first."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from tests.daemons import shell
from tests.otlp import NOW_NS, logs, raw
from tests.queries import golden

from telem.queries.commands import ask
from telem.sanitize.records import Signal
from telem.storage.catalog import publish
from telem.storage.disk import Disk

if TYPE_CHECKING:
    from pathlib import Path

    from telem.sanitize.records import RawRequest

SESSION = "0b0e4a52-4c5f-4a7e-9d6a-1d0c3c2f5a10"
COUNT = 40


def event(number: int, *, imported: bool) -> RawRequest:
    """The same request, tool call or prompt, as the client exports it or as its session log tells it."""
    uuid = f"00000000-0000-4000-8000-{number:012d}"
    kinds: tuple[dict[str, Any], ...] = (
        {"event.name": "api_request", "request_id": f"req_{number}", "input_tokens": number, "output_tokens": 1},
        {"event.name": "tool_result", "tool_use_id": f"toolu_{number}", "request_id": "req_0", "tool_name": "Read"},
        {"event.name": "user_prompt", "message.uuid": uuid, "prompt_length": 7},
    )
    attributes = {"session.id": SESSION, **kinds[number % 3]}
    request = logs(attributes, body=f"claude_code.{attributes['event.name']}", time_ns=NOW_NS + number)
    if imported:
        request.resource_logs[0].scope_logs[0].scope.name = "telem-agent.transcript"
    return raw(Signal.LOGS, request)


@pytest.mark.parametrize("seed", range(4))
def test_the_union_of_both_ways_is_counted_once(tmp_path: Path, seed: int) -> None:
    """Any part exported, any part imported, in any order: totals are those of the whole."""
    chance = random.Random(seed)
    exported = {number for number in range(COUNT) if chance.random() < 0.6}
    imported = {number for number in range(COUNT) if number not in exported or chance.random() < 0.5}
    sent = [event(number, imported=False) for number in exported]
    sent += [event(number, imported=True) for number in imported]
    chance.shuffle(sent)
    layout = golden.keep(tmp_path, *sent)
    layout.transcripts.mkdir()
    assert ask(layout, "SELECT count(*), sum(input_tokens) FROM api_requests").rows == (
        (len(range(0, COUNT, 3)), sum(range(0, COUNT, 3))),
    )
    totals = ask(layout, "SELECT sum(requests), sum(tool_calls), sum(prompts) FROM sessions").rows
    assert totals == ((len(range(0, COUNT, 3)), len(range(1, COUNT, 3)), len(range(2, COUNT, 3))),)
    assert ask(layout, "SELECT count(*) FROM raw_logs").rows == ((len(sent),),)


def test_a_shell_sees_the_same(tmp_path: Path) -> None:
    """The published views have the rule once something was imported, and lack its cost before."""
    layout = golden.keep(tmp_path, *(event(3, imported=imported) for imported in (True, False)))
    count = "SELECT count(*) AS n FROM api_requests"
    publish(layout, Disk(), "2000-01-01")
    assert shell(tmp_path, count) == [{"n": 2}]
    layout.transcripts.mkdir()
    publish(layout, Disk(), "2000-01-01")
    assert shell(tmp_path, count) == [{"n": 1}]
