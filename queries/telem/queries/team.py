"""What a team adds up to, without anybody's own figures in it (pure).

A coordinator may know what a group spends, not what one person does. So figures are shown only for groups of a minimum
size, and only in one partition of the whole, so that no two shown figures differ by a smaller group:

- Days in which fewer members were active are shown together with the days after them, until there are enough.
- Within such a span, the values of a dimension (models, chapters …) that fewer members used are shown together as
  `(other)`; if those are still too few, the smallest shown value joins them.

What cannot be had from these tables by any query is then a figure of fewer members than the minimum, except what the
order of time gives away: who knows that one person joined on Monday can compare two weeks. docs/GOVERNANCE.md says so.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from .table import ColumnInfo, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

DIMENSIONS = ("team", "chapter", "project", "repository", "client", "model", "query_source")
"""Columns of `daily_metrics` a team may be divided by. Not `user`, and not `branch`: branches carry names."""

MEASURES = (
    "sessions", "prompts", "requests", "errors", "tool_calls", "failed_tool_calls", "input_tokens", "cache_read_tokens",
    "cache_creation_tokens", "output_tokens", "cost_usd", "unpriced_requests", "active_seconds", "lines_added",
    "lines_removed", "commits", "pull_requests",
)  # fmt: skip

ALL = "all"
OTHER = "(other)"
NONE = "(none)"
GROUP_SIZE = 3

Number = int | float | Decimal

_SUMS = ",\n    ".join(f"sum({name}) AS {name}" for name in MEASURES if name != "sessions")

FIGURES_SQL = "\nUNION ALL\n".join(
    f"""SELECT day, '{dimension}' AS dimension, {value} AS value, count(DISTINCT session_id) AS sessions,
    {_SUMS}
FROM usage_days GROUP BY ALL"""  # noqa: S608 (put together from our own column names)
    for dimension, value in [
        (ALL, f"'{ALL}'"),
        *((name, f"coalesce(nullif(CAST({name} AS VARCHAR), ''), '{NONE}')") for name in DIMENSIONS),
    ]
)
"""What is asked of each member's folder: a day's figures, whole and divided by each dimension."""


class MemberFigures(NamedTuple):
    """What one member did on one day, by one value of one dimension (`all` has the value `all`)."""

    member: str
    day: date
    dimension: str
    value: str
    measures: Mapping[str, Number | None]


@dataclass(frozen=True, slots=True)
class TeamFigures:
    """What a group of at least the minimum size did in a span of days."""

    from_day: date
    to_day: date
    dimension: str
    value: str
    members: int
    measures: Mapping[str, Number | None]


@dataclass(frozen=True, slots=True)
class Gathered:
    """The rows that may be shown, and the days at the end that wait for more members."""

    rows: tuple[TeamFigures, ...]
    withheld_days: tuple[date, ...]


def figures_of(member: str, table: Table) -> list[MemberFigures]:
    """The answer to `FIGURES_SQL` from one member's folder."""
    rows: Iterable[tuple[Any, ...]] = table.rows
    return [
        MemberFigures(member, day, dimension, value, dict(zip(MEASURES, measures, strict=True)))
        for day, dimension, value, *measures in rows
    ]


TEAM_COLUMNS = (
    ColumnInfo("from_day", "DATE"),
    ColumnInfo("to_day", "DATE"),
    ColumnInfo("dimension", "VARCHAR"),
    ColumnInfo("value", "VARCHAR"),
    ColumnInfo("members", "BIGINT"),
    *(
        ColumnInfo(name, {"cost_usd": "DECIMAL(38,9)", "active_seconds": "DOUBLE"}.get(name, "BIGINT"))
        for name in MEASURES
    ),
)


def team_table(gathered: Gathered, since: date | None = None, dimension: str | None = None) -> Table:
    """The team's figures as a table: all dimensions or one, all spans or those that end at `since` or later."""
    rows = [
        (row.from_day, row.to_day, row.dimension, row.value, row.members, *(row.measures[name] for name in MEASURES))
        for row in gathered.rows
        if (dimension is None or row.dimension == dimension) and (since is None or row.to_day >= since)
    ]
    note = ""
    if gathered.withheld_days:
        first, last = gathered.withheld_days[0], gathered.withheld_days[-1]
        note = f"{first} to {last} are withheld: fewer members than the minimum group were active."
    return Table(TEAM_COLUMNS, tuple(rows), note=note)


class _Group:
    """Members and their sum."""

    def __init__(self) -> None:
        self.members: set[str] = set()
        self.sums: dict[str, Number | None] = dict.fromkeys(MEASURES)

    def add(self, figures: Iterable[MemberFigures]) -> None:
        for one in figures:
            self.members.add(one.member)
            for name in MEASURES:
                value = one.measures.get(name)
                if value is not None:
                    self.sums[name] = _plus(self.sums[name], value)

    def join(self, other: _Group) -> None:
        self.members |= other.members
        for name, value in other.sums.items():
            if value is not None:
                self.sums[name] = _plus(self.sums[name], value)


def _plus(one: Number | None, other: Number) -> Number:
    if one is None:
        return other
    if isinstance(one, Decimal) or isinstance(other, Decimal):
        return Decimal(str(one)) + Decimal(str(other))
    return one + other


def gather(figures: Sequence[MemberFigures], group_size: int = GROUP_SIZE) -> Gathered:
    """Add up members' figures, showing no group smaller than `group_size`.

    Raises:
        ValueError: a group of fewer than two hides nobody.
    """
    if group_size < 2:  # noqa: PLR2004 (a group of one is a person)
        raise ValueError(f"the minimum group size is {group_size}; it must be at least 2")
    by_day: dict[date, list[MemberFigures]] = defaultdict(list)
    for one in figures:
        by_day[one.day].append(one)
    spans, withheld = _spans(by_day, group_size)
    rows = [row for span in spans for row in _rows_of(span, [one for day in span for one in by_day[day]], group_size)]
    return Gathered(tuple(rows), tuple(withheld))


def _spans(by_day: Mapping[date, list[MemberFigures]], group_size: int) -> tuple[list[list[date]], list[date]]:
    """Consecutive days, as few as have enough members; and what is left at the end."""
    spans: list[list[date]] = []
    span: list[date] = []
    members: set[str] = set()
    for day in sorted(by_day):
        span.append(day)
        members |= {one.member for one in by_day[day]}
        if len(members) >= group_size:
            spans.append(span)
            span, members = [], set()
    return spans, span


def _rows_of(span: list[date], figures: list[MemberFigures], group_size: int) -> list[TeamFigures]:
    rows = []
    for dimension in (ALL, *DIMENSIONS):
        groups: dict[str, _Group] = defaultdict(_Group)
        for one in figures:
            if one.dimension == dimension:
                groups[one.value].add([one])
        shown = _merged(groups, group_size)
        rows += [
            TeamFigures(span[0], span[-1], dimension, value, len(group.members), group.sums)
            for value, group in sorted(shown.items())
        ]
    return rows


def _merged(groups: Mapping[str, _Group], group_size: int) -> dict[str, _Group]:
    """Values with enough members, and `(other)` with enough members for all the rest; or nothing."""
    shown = {value: group for value, group in groups.items() if len(group.members) >= group_size}
    small = [group for value, group in groups.items() if value not in shown]
    if not small:
        return shown
    other = _Group()
    for group in small:
        other.join(group)
    for value, group in sorted(shown.items(), key=lambda item: (len(item[1].members), item[0])):
        if len(other.members) >= group_size:
            break
        other.join(group)
        del shown[value]
    if len(other.members) >= group_size:
        shown[OTHER] = other
    return shown
