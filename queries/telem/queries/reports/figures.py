"""A report's figures: asked once, then only written in one form or another."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from telem.queries.canned import CLOCK_SKEW
from telem.queries.run import run
from telem.queries.table import Limits
from telem.sanitize.records import Signal
from telem.storage import rollups

from . import questions, words
from .budgets import standings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from telem.storage.layout import Layout

    from .budgets import Budget
    from .period import Period

MIN_PEOPLE = 3
"""Smallest group in which a team's report names people, if only by pseudonym."""

GROUP_ROWS_MAX = 12
DIMENSIONS = ("model", "person", "chapter", "repository", "team", "client")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Group:
    """One value of a dimension, with what it cost in the period before; `others` gathers those not shown."""

    name: str | None
    now: Row
    before: Row
    others: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything a report says. `now` and `before` are the totals of the period and of the one before it.

    `raw_since`: the day before which events have expired, if that is later than the first day compared.
    """

    period: Period
    team: str
    made_at: datetime
    now: Row
    before: Row
    days: list[Row]
    days_before: list[Row]
    groups: dict[str, list[Group]]
    failures: list[Row]
    tools: list[Row]
    redactions: list[Row]
    people_hidden: str = ""
    closed: bool = False
    digest: str = ""
    changed: str = ""
    raw_since: date | None = None
    budgets: list[Row] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all happened."""
        return _nothing(self.now)

    def moved(self, now: Any, before: Any) -> str:
        """How a figure moved; nothing where there was nothing before to compare with."""
        return "" if _nothing(self.before) else words.change(now, before)

    @property
    def expired(self) -> str:
        """What is missing because retention has removed events of this time; empty if it has not."""
        if self.raw_since is None or self.raw_since <= self.period.start:
            return ""
        return (
            f"Events before {self.raw_since} have expired. Their totals were kept; latencies, error texts, tools, "
            "computed costs and data health are of later days only."
        )


def _nothing(row: Row) -> bool:
    return not (row["events"] or row["sessions"] or row["requests"])


def gather(
    layout: Layout,
    period: Period,
    made_at: datetime,
    team: str = "",
    *,
    min_people: int = MIN_PEOPLE,
    shared: bool = False,
    budgets: Sequence[Budget] = (),
) -> Figures:
    """Ask everything. `shared`: the report is for others too, so people are named only in groups of `min_people`.

    Budgets are of everything on this machine, and say nothing in a report on a team.

    Raises:
        QueryError: a question has no answer.
    """
    before = period.previous()
    since = _raw_since(layout)
    bound: dict[str, Any] = {
        "first_ingest": before.start - timedelta(days=CLOCK_SKEW.days),
        "before": before.starts_at,
        "start": period.starts_at,
        "end": period.ends_at,
        "team": team,
        "before_day": before.start,
        "first_day": period.start,
        "end_day": period.end,
    }
    totals = _by_period(_ask(layout, questions.TOTALS, bound))
    unreported = any(row.get("unreported_requests") for row in totals.values())
    for more in (questions.DETAILS, *([questions.COMPUTED] if unreported else [])):
        for number, row in _by_period(_ask(layout, more, bound)).items():
            totals[number] |= row
    days = _ask(layout, questions.DAYS, bound)
    groups, hidden = _groups(_ask(layout, questions.GROUPS, bound), min_people if shared or team else 0)
    return Figures(
        period,
        team,
        made_at,
        _whole(totals[1]),
        _whole(totals[0]),
        [row for row in days if row["period"]],
        [row for row in days if not row["period"]],
        groups,
        _ask(layout, questions.FAILURES, bound),
        _ask(layout, questions.TOOLS, bound),
        _ask(layout, questions.REDACTIONS, bound),
        hidden,
        period.is_closed(made_at),
        raw_since=since if since > before.start else None,
        budgets=_budgets(layout, period, bound, budgets, unreported=unreported) if budgets and not team else [],
    )


def _budgets(layout: Layout, period: Period, bound: Row, budgets: Sequence[Budget], *, unreported: bool) -> list[Row]:
    asked = [questions.SPENT, *([questions.SPENT_COMPUTED] if unreported else [])]
    spent = [(row["day"], row["project"], row["usd"]) for sql in asked for row in _ask(layout, sql, bound)]
    return standings(budgets, spent, period)


def _raw_since(layout: Layout) -> date:
    """The first day whose events are all there still; of earlier ones totals are kept, and nothing else."""
    return date.fromisoformat(rollups.read(layout).raw_since[Signal.LOGS])


def _ask(layout: Layout, sql: str, bound: Row) -> list[Row]:
    needed = {name: bound[name] for name in set(re.findall(r"\$(\w+)", sql))}
    table = run(layout, sql, needed, Limits(rows=200_000))
    names = [column.name for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in table.rows]


def _by_period(rows: list[Row]) -> dict[int, Row]:
    found: dict[int, Row] = {0: {}, 1: {}}
    for row in rows:
        number = int(row.pop("period"))
        found[number] = row
    return found


_COUNTS = (
    "events", "sessions", "people", "active_days", "prompts", "requests", "errors", "tool_calls", "failed_tool_calls",
    "decisions", "rejections", "unreported_requests", "computed_requests", "tokenless_requests", "sessionless_events",
    "nameless_events", "untimed_events", "imported_events", "sampled_events",
)  # fmt: skip


def _whole(row: Row) -> Row:
    """Counts of nothing are 0; sums of nothing stay unknown."""
    whole: Row = dict.fromkeys(_COUNTS, 0) | {name: value for name, value in row.items() if value is not None}
    for name in ("cost_usd", "computed_cost_usd", "input_tokens", "cache_read_tokens", "cache_creation_tokens"):
        whole.setdefault(name, None)
    for name in ("output_tokens", "median_ms", "p95_ms", "first_token_ms"):
        whole.setdefault(name, None)
    for name in ("lines_added", "lines_removed", "commits", "pull_requests", "active_hours"):
        whole.setdefault(name, None)
    whole["priced_requests"] = whole["requests"] - whole["unreported_requests"]
    whole["unpriced_requests"] = whole["unreported_requests"] - whole["computed_requests"]
    whole["total_input_tokens"] = _input(whole)
    return whole


def _input(row: Row) -> int | None:
    """All input tokens, as far as they are known."""
    found: int | None = _sum(row[name] for name in ("input_tokens", "cache_read_tokens", "cache_creation_tokens"))
    return found


def _groups(rows: list[Row], min_people: int) -> tuple[dict[str, list[Group]], str]:
    found: dict[str, list[Group]] = {}
    for row in rows:
        row["total_input_tokens"] = _input(row)
        del row["input_tokens"], row["cache_creation_tokens"]
    for dimension in DIMENSIONS:
        mine = [row for row in rows if row["dimension"] == dimension]
        before = {row["name"]: row for row in mine if not row["period"]}
        found[dimension] = _shortened(
            [Group(row["name"], row, before.get(row["name"], {})) for row in mine if row["period"]]
        )
    people = sum(1 for row in rows if row["dimension"] == "person" and row["period"] and row["name"])
    if people >= min_people:
        return found, ""
    found["person"] = []
    return found, f"People are named from {min_people} on; here are {people}." if people else ""


def _shortened(groups: list[Group]) -> list[Group]:
    """The largest ones, and all the others together."""
    if len(groups) <= GROUP_ROWS_MAX:
        return groups
    rest = groups[GROUP_ROWS_MAX - 1 :]
    names = ("requests", "cost_usd", "unreported_requests", "total_input_tokens", "cache_read_tokens", "output_tokens")
    now = {name: _sum(group.now.get(name) for group in rest) for name in names}
    before = {name: _sum(group.before.get(name) for group in rest) for name in names}
    return [*groups[: GROUP_ROWS_MAX - 1], Group(None, now, before, len(rest))]


def _sum(values: Any) -> Any:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
