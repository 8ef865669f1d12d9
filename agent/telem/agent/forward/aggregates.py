"""Totals of finished days as log records, for destinations that get no rows: those of the table `daily_metrics`."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import orjson

from telem.queries.run import run
from telem.queries.table import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telem.storage.layout import Layout
    from telem.storage.sequence import Row

EVENT = "daily_metrics"
SCOPE = "telem-agent.daily"
GROUPS = ("day", "user", "team", "chapter", "repository", "branch", "client", "model", "query_source")
LIMITS = Limits(rows=100_000)


def finished_days(layout: Layout, after: str) -> list[str]:
    """Days (YYYY-MM-DD) later than `after` that have totals and are over, in UTC."""
    table = run(
        layout,
        "SELECT DISTINCT day FROM daily_metrics WHERE day > $after::DATE AND day < $today::DATE ORDER BY day",
        {"after": after or "1970-01-01", "today": datetime.now(UTC).date().isoformat()},
    )
    return [str(row[0]) for row in table.rows]


def rows_of_day(layout: Layout, day: str, agent_id: str) -> list[Row]:
    """One record for each row of the table; its id follows from what it is about, so it is the same if sent again."""
    table = run(layout, "SELECT * FROM daily_metrics WHERE day = $day::DATE ORDER BY ALL", {"day": day}, LIMITS)
    names = [column.name for column in table.columns]
    return [_row(dict(zip(names, row, strict=True)), day, agent_id) for row in table.rows]


def _row(values: dict[str, Any], day: str, agent_id: str) -> Row:
    about = [agent_id, *(str(values.get(name)) for name in GROUPS)]
    attributes = {name: _plain(value) for name, value in values.items() if value is not None}
    return {
        "id": blake2b(orjson.dumps(about), digest_size=10, person=b"telem daily").hexdigest(),
        "seg": 0,
        "time": int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1_000_000,
        "body": f"telem_agent.{EVENT}",
        "event_name": EVENT,
        "attributes": {"event.name": EVENT, **attributes},
        "resource": {"service.name": "telem-agent"},
        "scope_name": SCOPE,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date) else value


def of_days(layout: Layout, after: str, agent_id: str) -> Iterator[tuple[str, list[Row]]]:
    """All finished days after one, with their records."""
    for day in finished_days(layout, after):
        yield day, rows_of_day(layout, day, agent_id)
