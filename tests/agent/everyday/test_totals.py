"""Running totals: what is stored is counted, what was stored before is loaded, by half hour, project and session."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telem.agent.everyday.totals import NANO, SLOT_S, Sum, Totals, nano, period_start, used_by

NOW_S = 1_790_000_000.0


def row(event_type: str = "api_request", ago_s: float = 60, **members: Any) -> dict[str, Any]:
    return {"event_type": event_type, "time": int((NOW_S - ago_s) * 1e6), "session_id": "s1", **members}


def request(ago_s: float = 60, cost: str | None = "0.25", **members: Any) -> dict[str, Any]:
    tokens: dict[str, Any] = {"input_tokens": 1, "cache_read_tokens": 2, "cache_creation_tokens": 3, "output_tokens": 4}
    return row(ago_s=ago_s, **tokens, **({"cost_usd": cost} if cost else {}), **members)


def test_each_kind_counts_as_what_it_is() -> None:
    totals = Totals()
    for each in (request(), request(cost=None), row("api_error"), row("tool_call"), row("user_prompt"), row("other")):
        totals.add(each)
    assert totals.since(NOW_S - 7200) == Sum(2, 1, 1, 1, 1, 2, 4, 6, 8, NANO // 4, 0)
    assert totals.since(NOW_S + SLOT_S) == Sum()
    assert used_by({"event_type": None}) is None
    assert used_by({"event_type": "api_request", "time": "no"}) is None


def test_projects_are_told_apart_also_by_what_a_hook_told() -> None:
    """A record without a project counts for the one its session is in."""
    totals = Totals()
    totals.add(row("", event_name="session_context", project="book", branch="main"))
    totals.add(request())
    totals.add(request(project="site", session_id="s2"))
    assert totals.since(0, "book").requests == 1
    assert totals.since(0, "site").requests == 1
    assert totals.since(0).requests == 2
    assert {each["session_id"]: each["project"] for each in totals.sessions(NOW_S)} == {"s1": "book", "s2": "site"}


def test_sessions_of_a_day_the_latest_first() -> None:
    totals = Totals()
    totals.add(request(3600, session_id="old", model="claude-opus-4-5"))
    totals.add(request(60, session_id="new"))
    totals.add(request(90_000, session_id="yesterday"))
    said = totals.sessions(NOW_S)
    assert [each["session_id"] for each in said] == ["new", "old"]
    assert said[1]["model"] == "claude-opus-4-5"
    assert said[0]["cost_usd"] == 0.25
    totals.forget(NOW_S + 40 * 86_400)
    assert totals.since(0) == Sum()
    assert totals.sessions(NOW_S) == []


def test_the_burn_is_that_of_the_last_hour() -> None:
    totals = Totals()
    for ago_s in (10, 3500, 3700):
        totals.add(request(ago_s))
    assert totals.burn_usd(NOW_S) == 0.5
    assert totals.burn_usd(NOW_S + 3600) == 0


def test_a_seed_is_added_to_what_was_counted_meanwhile() -> None:
    counts = [1, 0, 2, 1, 0, 5, 6, 7, 8, NANO, NANO // 2]
    totals = Totals()
    totals.add(request())
    totals.load(
        {
            "slots": [[int(NOW_S) // SLOT_S, "book", *counts]],
            "sessions": [["s1", NOW_S - 100, "book", "main", "m", "claude_code", *counts]],
            "burn": [[NOW_S - 100, NANO]],
        }
    )
    total = totals.since(NOW_S - 86_400)
    assert (total.requests, total.cost, total.computed) == (2, NANO + NANO // 4, NANO // 2)
    assert totals.sessions(NOW_S)[0]["cost_usd"] == 1.25
    assert totals.sessions(NOW_S)[0]["project"] == "book"
    assert totals.burn_usd(NOW_S) == 1.25


@given(st.lists(st.decimals(0, 1000, places=9), max_size=50))
def test_money_is_exact(costs: list[Any]) -> None:
    """Whole nano-dollars: no sum of floats drifts."""
    totals = Totals()
    for cost in costs:
        totals.add(request(cost=str(cost)))
    assert totals.since(0).cost == sum(int(cost * NANO) for cost in costs)


@pytest.mark.parametrize("text", [None, "", "NaN", "Infinity", "x", [], "1e999999999"])
def test_what_is_no_amount_is_none(text: Any) -> None:
    assert nano(text) is None


ZONES = st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York"]).map(ZoneInfo)


@given(st.datetimes(datetime.fromisoformat("2024-01-01"), datetime.fromisoformat("2030-01-01"), timezones=ZONES))
def test_periods_begin_at_midnight_of_the_zone(now: datetime) -> None:
    for period in ("day", "week", "month"):
        start = period_start(period, now)
        assert start <= now
        assert (start.hour, start.minute, start.second) == (0, 0, 0)
        assert now - start < timedelta(days={"day": 1, "week": 7, "month": 31}[period], hours=2)
    assert period_start("week", now).weekday() == 0
    assert period_start("month", now).day == 1
