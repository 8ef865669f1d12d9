"""What was used of the budgets in a report's time (pure): of the one for such a period, or the worst of several."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from . import words
from .period import of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from .period import Period


@dataclass(frozen=True, slots=True)
class Budget:
    """An amount in dollars for each `day`, `week` or `month`; `project` empty means everything."""

    name: str
    usd: Decimal
    period: str
    project: str = ""


def standings(
    budgets: Sequence[Budget], spent: Iterable[tuple[date, str | None, Decimal | None]], period: Period
) -> list[dict[str, Any]]:
    """How each budget did, where at least one of its periods lies in the report's. `spent` is by day and project."""
    costs: dict[tuple[date, str], Decimal] = defaultdict(Decimal)
    for day, project, usd in spent:
        for name in {"", project or ""}:
            costs[day, name] += usd or 0
    found = []
    for budget in budgets:
        used = [_sum(costs, part, budget.project) for part in _parts(period, budget.period)]
        if used:
            found.append(_standing(budget, used))
    return found


def _standing(budget: Budget, used: Sequence[Decimal]) -> dict[str, Any]:
    most = max(used)
    return {
        "name": budget.name,
        "period": budget.period,
        "usd": budget.usd,
        "periods": len(used),
        "exceeded": sum(usd > budget.usd for usd in used),
        "spent_usd": most,
        "percent": round(float(100 * most / budget.usd), 1),
    }


def _parts(period: Period, kind: str) -> Iterator[Period]:
    """The whole days, weeks or months in it."""
    part = of(kind, period.start.isoformat(), period.start)
    while part.end <= period.end:
        if part.start >= period.start:
            yield part
        part = of(kind, part.end.isoformat(), part.end)


def _sum(costs: dict[tuple[date, str], Decimal], part: Period, project: str) -> Decimal:
    days = (part.start + timedelta(days=number) for number in range(part.days))
    return sum((costs.get((day, project), Decimal()) for day in days), Decimal())


def said(standing: dict[str, Any]) -> str:
    """One in words: `$150 of it`, or `exceeded on 3 of 30 days, at most $14`."""
    spent = words.usd(standing["spent_usd"])
    if standing["periods"] == 1:
        return f"{spent} used"
    kind, exceeded = standing["period"], standing["exceeded"]
    held = f"exceeded in {exceeded} of {standing['periods']} {kind}s" if exceeded else f"kept in all {kind}s"
    return f"{held}; at most {spent}"
