"""Running totals of the last weeks by half hour and project, and of the sessions of the last day (pure).

Money is counted in nano-dollars, as whole numbers. `cost` is what clients reported; `computed` what requests without a
reported cost come to at list prices, which only the store can tell: it comes with each seed and not in between.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SLOT_S = 1800
"""Every time zone of today is a multiple of it or half of it away from UTC."""

NANO = 10**9
USD_DIGITS = 9
"""As many as the store's type for money has before the point."""

SESSIONS_MAX = 100
SESSION_AGE_S = 24 * 3600.0
BURN_S = 3600.0
WEEKS_S = 35 * 24 * 3600
"""As far back as a period of a budget can begin, and some days."""

COUNTED = {"api_request": "requests", "api_error": "errors", "tool_call": "tool_calls", "user_prompt": "prompts"}
TOKENS = {
    "input_tokens": "input",
    "cache_read_tokens": "cached",
    "cache_creation_tokens": "written",
    "output_tokens": "output",
}


@dataclass(slots=True)
class Sum:
    """What was used."""

    requests: int = 0
    errors: int = 0
    tool_calls: int = 0
    prompts: int = 0
    unpriced: int = 0  # requests without a reported cost
    input: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0
    cost: int = 0
    computed: int = 0

    def add(self, other: Sum) -> None:
        """Add another one to it. Written out: it is done twice for every row that is stored."""
        self.requests += other.requests
        self.errors += other.errors
        self.tool_calls += other.tool_calls
        self.prompts += other.prompts
        self.unpriced += other.unpriced
        self.input += other.input
        self.cached += other.cached
        self.written += other.written
        self.output += other.output
        self.cost += other.cost
        self.computed += other.computed

    def said(self) -> dict[str, Any]:
        """As JSON has it: money in dollars."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in _NAMES if name not in ("cost", "computed")}
        return plain | {"cost_usd": self.cost / NANO, "computed_usd": self.computed / NANO}


_NAMES = tuple(each.name for each in fields(Sum))


@dataclass(slots=True)
class Session:
    """A session of the last day."""

    total: Sum = field(default_factory=Sum)
    last_s: float = 0.0
    project: str = ""
    branch: str = ""
    model: str = ""
    client: str = ""

    def move(self, row: Mapping[str, Any]) -> None:
        """Remember where it is and what it uses."""
        for name in ("project", "branch", "model", "client"):
            if value := row.get(name):
                setattr(self, name, str(value))

    def said(self, session_id: str) -> dict[str, Any]:
        """As JSON has it."""
        names = ("project", "branch", "model", "client", "last_s")
        return {"session_id": session_id, **{name: getattr(self, name) for name in names}, **self.total.said()}


class Totals:
    """Counts rows as they are stored; what was stored before is loaded from a seed."""

    def __init__(self) -> None:
        self._slots: dict[tuple[int, str], Sum] = {}
        self._sessions: dict[str, Session] = {}
        self._burn: deque[tuple[float, int]] = deque()

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a row of the journal."""
        session_id = str(row.get("session_id") or "")
        if row.get("event_name") == "session_context" and session_id:
            self._sessions.setdefault(session_id, Session(last_s=row["time"] / 1e6)).move(row)
        used = used_by(row)
        if used is None:
            return
        time_s = row["time"] / 1e6
        session = self._sessions.setdefault(session_id, Session()) if session_id else Session()
        session.move(row)
        key = (int(time_s) // SLOT_S, str(row.get("project") or session.project))
        self._slots.setdefault(key, Sum()).add(used)
        if used.cost:
            self._burn.append((time_s, used.cost))
        session.total.add(used)
        session.last_s = max(session.last_s, time_s)

    def load(self, seed: Mapping[str, Any]) -> None:
        """Add what the store knew, see `seed`."""
        for slot, project, *counts in seed["slots"]:
            self._slots.setdefault((slot, project), Sum()).add(Sum(*counts))
        for session_id, last_s, project, branch, model, client, *counts in seed["sessions"]:
            session = self._sessions.setdefault(session_id, Session())
            session.total.add(Sum(*counts))
            session.last_s = max(session.last_s, last_s)
            for name, value in (("project", project), ("branch", branch), ("model", model), ("client", client)):
                setattr(session, name, getattr(session, name) or value)
        self._burn.extend((time_s, cost) for time_s, cost in seed["burn"])

    def since(self, start_s: float, project: str | None = None) -> Sum:
        """What was used since then, by one project or by all."""
        total = Sum()
        for (slot, name), used in self._slots.items():
            if slot * SLOT_S >= start_s and project in (None, name):
                total.add(used)
        return total

    def burn_usd(self, now_s: float) -> float:
        """Dollars reported for the hour before now."""
        return sum(cost for time_s, cost in self._burn if now_s - BURN_S < time_s <= now_s) / NANO

    def sessions(self, now_s: float) -> list[dict[str, Any]]:
        """The sessions of the last day, the latest first."""
        live = [each for each in self._sessions.items() if now_s - each[1].last_s < SESSION_AGE_S]
        live.sort(key=lambda each: -each[1].last_s)
        return [session.said(session_id) for session_id, session in live[:SESSIONS_MAX]]

    def forget(self, now_s: float) -> None:
        """Leave out what is too old to be asked for."""
        self._slots = {key: used for key, used in self._slots.items() if key[0] * SLOT_S > now_s - WEEKS_S}
        kept = sorted(self._sessions.items(), key=lambda each: -each[1].last_s)[: 2 * SESSIONS_MAX]
        self._sessions = {key: session for key, session in kept if now_s - session.last_s < SESSION_AGE_S}
        self._burn = deque(each for each in self._burn if now_s - each[0] < BURN_S)


def used_by(row: Mapping[str, Any]) -> Sum | None:
    """What one row adds; None for what adds nothing."""
    counted = COUNTED.get(str(row.get("event_type")))
    if counted is None or not isinstance(row.get("time"), int):
        return None
    used = Sum(**{counted: 1})
    if counted == "requests":
        for column, name in TOKENS.items():
            value = row.get(column)
            if isinstance(value, int):
                setattr(used, name, value)
        cost = nano(row.get("cost_usd"))
        used.cost, used.unpriced = cost or 0, int(cost is None)
    return used


def nano(usd: object) -> int | None:
    """Dollars as nano-dollars; None for what is no amount."""
    try:
        amount = Decimal(str(usd))
    except InvalidOperation:
        return None
    return int(amount * NANO) if amount.is_finite() and amount.adjusted() < USD_DIGITS else None


def period_start(period: str, now: datetime) -> datetime:
    """When the day, week (from Monday) or month of a moment began; a moment without a time zone is this machine's."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "week":
        day -= timedelta(days=day.weekday())
    elif period == "month":
        day = day.replace(day=1)
    return day
