"""Totals of one moment, as `statusline.json` has them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from . import budget
from .totals import period_start

if TYPE_CHECKING:
    from telem.storage.layout import Layout

    from .totals import Totals

SCHEMA = 1


def said(layout: Layout, totals: Totals) -> dict[str, Any]:
    """Totals as `statusline.json` has them. Days and periods are those of this machine's time zone."""
    now = datetime.now().astimezone()
    budgets = budget.standings(budget.load(layout.budgets), totals, now)
    return {
        "schema": SCHEMA,
        "at_s": now.timestamp(),
        "day": now.date().isoformat(),
        "today": totals.since(period_start("day", now).timestamp()).said(),
        "burn_usd_per_h": totals.burn_usd(now.timestamp()),
        "budgets": [each.said() for each in budgets],
        "sessions": totals.sessions(now.timestamp()),
    }
