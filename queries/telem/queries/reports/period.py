"""The time a report is about, and the one it is compared with (pure). Days are UTC days; `end` is not in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from telem.queries.table import Problem, QueryError

KINDS = ("month", "week", "day")
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_WEEK = re.compile(r"(\d{4})-[Ww](\d{2})")
SETTLED_AFTER = timedelta(days=1)
"""A period counts as closed a day after its end: until then clients may still send what belongs to it."""


@dataclass(frozen=True, slots=True)
class Period:
    """Whole UTC days from `start` up to, and without, `end`. `kind` is one of `KINDS`, or `days`."""

    kind: str
    start: date
    end: date

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.end - self.start).days

    @property
    def name(self) -> str:
        """Short and fit for a file name: `2026-10`, `2026-W43`, `2026-10-04`, `2026-10-01--2026-10-15`."""
        match self.kind:
            case "month":
                return f"{self.start:%Y-%m}"
            case "week":
                year, week, _ = self.start.isocalendar()
                return f"{year}-W{week:02d}"
            case "day":
                return self.start.isoformat()
        return f"{self.start.isoformat()}--{self.last_day.isoformat()}"

    @property
    def title(self) -> str:
        """For people: `October 2026`."""
        match self.kind:
            case "month":
                return f"{self.start:%B %Y}"
            case "week":
                return f"Week {self.start.isocalendar().week}, {_span(self.start, self.last_day)}"
            case "day":
                return f"{self.start:%A}, {self.start.day} {self.start:%B %Y}"
        return _span(self.start, self.last_day)

    @property
    def last_day(self) -> date:
        """The last day that is in it."""
        return self.end - timedelta(days=1)

    @property
    def starts_at(self) -> datetime:
        """Its first moment."""
        return datetime.combine(self.start, datetime.min.time(), UTC)

    @property
    def ends_at(self) -> datetime:
        """The first moment after it."""
        return datetime.combine(self.end, datetime.min.time(), UTC)

    def is_closed(self, now: datetime) -> bool:
        """Whether its figures should not change any more."""
        return now >= self.ends_at + SETTLED_AFTER

    def previous(self) -> Period:
        """The one before it, of the same kind."""
        if self.kind == "month":
            start = (self.start - timedelta(days=1)).replace(day=1)
            return Period("month", start, self.start)
        return Period(self.kind, self.start - timedelta(days=self.days), self.start)


def _span(first: date, last: date) -> str:
    if first == last:
        return f"{first.day} {first:%B %Y}"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{last.day} {last:%B %Y}"  # noqa: RUF001 - a range is written so
    early = f"{first.day} {first:%B}" + (f" {first.year}" if first.year != last.year else "")
    return f"{early} – {last.day} {last:%B %Y}"  # noqa: RUF001


def of(kind: str, when: str | None, today: date) -> Period:
    """The period named by `when`, or the last one that has ended.

    Raises:
        QueryError: `when` names none.
    """
    if when is None:
        return around(kind, today).previous()
    text = when.strip()
    try:
        if kind == "month" and (match := _MONTH.fullmatch(text)):
            return around("month", date(int(match[1]), int(match[2]), 1))
        if kind == "week" and (match := _WEEK.fullmatch(text)):
            return around("week", date.fromisocalendar(int(match[1]), int(match[2]), 1))
        return around(kind, today if text == "current" else date.fromisoformat(text))
    except ValueError:
        example = {"month": "2026-10", "week": "2026-W43", "day": "2026-10-04"}[kind]
        message = f"There is no {kind} {when!r}."
        raise QueryError(message, f"It takes {example}, a day in it, or current.", Problem.PARAMETER) from None


def around(kind: str, day: date) -> Period:
    """The period that a day lies in."""
    match kind:
        case "month":
            start = day.replace(day=1)
            return Period(kind, start, (start + timedelta(days=31)).replace(day=1))
        case "week":
            start = day - timedelta(days=day.weekday())
            return Period(kind, start, start + timedelta(days=7))
    return Period("day", day, day + timedelta(days=1))


def between(first: str, last: str | None, today: date) -> Period:
    """From a day to a day, both in it; to today without a last one.

    Raises:
        QueryError: they are no days, or in the wrong order.
    """
    try:
        start = date.fromisoformat(first)
        end = today if last is None else date.fromisoformat(last)
    except ValueError:
        raise QueryError("These are no days.", "They are written 2026-10-31.", Problem.PARAMETER) from None
    if end < start:
        raise QueryError(f"{first} is after {end}.", "Give the earlier day first.", Problem.PARAMETER)
    return Period("days", start, end + timedelta(days=1))
