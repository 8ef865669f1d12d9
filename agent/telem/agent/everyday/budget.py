"""Budgets: an amount for each day, week or month, of everything or of one project, and what is told when it is used up.

<home>/budgets.json   what was set
<home>/alerts.json    what was told already: once for each budget, period and threshold
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

from .totals import NANO, period_start

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from .totals import Totals

SCHEMA = 1
PERIODS = ("day", "week", "month")
THRESHOLDS = (50, 80, 100)
AMOUNT_MAX = 10_000_000
THRESHOLD_MAX = 1000
_LIMIT = re.compile(r"\$?(?P<usd>[0-9]{1,8}(\.[0-9]{1,2})?)\s*/\s*(?P<period>day|week|month)", re.IGNORECASE)


class BudgetError(ValueError):
    """A budget cannot be understood; the message says how it is written."""


@dataclass(frozen=True, slots=True)
class Budget:
    """An amount in dollars for a period; `project` empty means everything."""

    usd: str
    period: str
    project: str = ""

    @property
    def name(self) -> str:
        """As it is shown: $200/month, book."""
        return f"${self.usd}/{self.period}" + (f" of {self.project}" if self.project else "")


@dataclass(frozen=True, slots=True)
class Budgets:
    """Everything that was set."""

    budgets: tuple[Budget, ...] = ()
    thresholds: tuple[int, ...] = THRESHOLDS
    command: tuple[str, ...] = ()
    webhook: str = ""

    def with_budget(self, budget: Budget) -> tuple[Budget, ...]:
        """The budgets with this one in place of another one for the same."""
        others = (each for each in self.budgets if (each.period, each.project) != (budget.period, budget.project))
        return (*others, budget)


@dataclass(frozen=True, slots=True)
class Standing:
    """How much of a budget is used in the period of now."""

    budget: Budget
    spent_usd: float
    percent: float
    reached: int  # highest threshold reached; 0 for none
    period_start: str

    def said(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "name": self.budget.name,
            **asdict(self.budget),
            "spent_usd": round(self.spent_usd, 6),
            "percent": round(self.percent, 1),
            "reached": self.reached,
            "period_start": self.period_start,
        }


def parse(text: str, project: str = "") -> Budget:
    """A budget from `200/month`.

    Raises:
        BudgetError: it is none.
    """
    match = _LIMIT.fullmatch(text.strip())
    if match is None or not 0 < Decimal(match["usd"]) <= AMOUNT_MAX:
        raise BudgetError(f"{text!r} is no budget; write dollars and period: 200/month, 10/day, 49.50/week")
    return Budget(match["usd"], match["period"].lower(), project)


def load(path: Path) -> Budgets:
    """What was set; nothing if nothing was, or if the file is not ours."""
    try:
        found = orjson.loads(path.read_bytes())
        budgets = tuple(Budget(**each) for each in found["budgets"])
        return Budgets(budgets, tuple(found["thresholds"]), tuple(found["command"]), found["webhook"])
    except (OSError, ValueError, KeyError, TypeError):
        return Budgets()


def dump(budgets: Budgets) -> bytes:
    """The file's contents."""
    return orjson.dumps({"schema": SCHEMA, **asdict(budgets)}, option=orjson.OPT_INDENT_2)


def standings(budgets: Budgets, totals: Totals, now: datetime) -> list[Standing]:
    """Where each budget stands: reported costs, and computed ones where none was reported."""
    found = []
    for budget in budgets.budgets:
        start = period_start(budget.period, now)
        used = totals.since(start.timestamp(), budget.project or None)
        spent = (used.cost + used.computed) / NANO
        percent = 100 * spent / float(budget.usd)
        reached = max((each for each in budgets.thresholds if percent >= each), default=0)
        found.append(Standing(budget, spent, percent, reached, start.date().isoformat()))
    return found


@dataclass(slots=True)
class Told:
    """What was told, by budget and period: the highest threshold."""

    path: Path
    levels: dict[str, int] = field(default_factory=dict)

    def load(self) -> None:
        """Read it; a file that is no use is as if nothing was told."""
        try:
            found = orjson.loads(self.path.read_bytes())
            self.levels = {str(key): int(level) for key, level in found["told"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            self.levels = {}

    def due(self, standing: Standing) -> bool:
        """Is there a threshold of it that was not told yet? If so it is taken as told."""
        key = f"{standing.budget.name} {standing.period_start}"
        if standing.reached <= self.levels.get(key, 0):
            return False
        self.levels[key] = standing.reached
        return True

    def dump(self, today: str) -> bytes:
        """The file's contents, without periods long gone."""
        recent = {key: level for key, level in self.levels.items() if key[-10:-3] >= _months_before(today)}
        return orjson.dumps({"schema": SCHEMA, "told": recent})


def _months_before(today: str) -> str:
    year, month = int(today[:4]), int(today[5:7])
    return f"{year - 1}-{month + 10:02d}" if month <= 2 else f"{year}-{month - 2:02d}"  # noqa: PLR2004 (two months)


def sentence(standing: Standing) -> str:
    """What is told."""
    budget = standing.budget
    return f"{standing.percent:.0f} % of {budget.name} used: ${standing.spent_usd:,.2f} since {standing.period_start}"
