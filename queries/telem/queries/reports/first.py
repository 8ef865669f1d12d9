"""Reports: several questions composed into one document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telem.queries.commands import ask
from telem.queries.render import render

if TYPE_CHECKING:
    from telem.storage.layout import Layout

_SECTIONS: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("Cost by model", "cost-analysis", {"by": "model"}),
    ("Cost by day", "daily-cost", {}),
    ("Use of the cache", "token-efficiency", {"by": "model"}),
    ("What fails", "error-patterns", {"view": "texts"}),
    ("Tools", "tools", {"by": "calls"}),
)

_TOTAL = """
SELECT
    count(DISTINCT session_id) AS sessions,
    count(*) FILTER (WHERE event_type = 'user_prompt') AS prompts,
    count(*) FILTER (WHERE event_type = 'api_request') AS requests,
    count(*) FILTER (WHERE event_type = 'api_error') AS errors,
    sum(cost_usd) FILTER (WHERE event_type = 'api_request') AS cost_usd,
    count(*) FILTER (WHERE event_type = 'api_request' AND cost_usd IS NULL) AS unpriced_requests,
    min(time) AS first_event,
    max(time) AS last_event
FROM events
WHERE ingest_day >= $since_day AND time >= $since
"""


def first_report(layout: Layout, since: str | None = None, form: str = "markdown") -> str:
    """One short document: totals, cost by model and day, cache, errors, tools. `form` is `markdown` or `table`.

    Raises:
        QueryError: a question has no answer.
    """
    parts = ["# What your coding agents did\n", render(ask(layout, _TOTAL, since=since), form)]
    for title, name, params in _SECTIONS:
        table = ask(layout, name, params, since)
        parts += [f"\n## {title}\n", render(table, form) if table.rows else f"{table.note}\n"]
    parts.append(
        "\nCosts are what the clients reported; requests of clients that report none are counted as unpriced. "
        "Times and days are UTC.\n"
    )
    return "\n".join(parts)
