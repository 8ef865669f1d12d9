"""What the store knows for the running totals. A process of its own: it imports duckdb, the daemon must not.

    python -m telem.agent.everyday.seed <home> <received before, µs>

Answers with JSON: `slots` (half hour, project, counts), `sessions` of the last day, `burn` (time, nano-dollars) of the
last hour. The counts are those of `totals.Sum`, in its order.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from telem.queries.run import run
from telem.queries.table import Limits
from telem.storage.layout import Layout

from .totals import BURN_S, NANO, SESSION_AGE_S, SESSIONS_MAX, SLOT_S, WEEKS_S

ROWS_MAX = 100_000

_COUNTS = f"""
    count(*) FILTER (event_type = 'api_request'),
    count(*) FILTER (event_type = 'api_error'),
    count(*) FILTER (event_type = 'tool_call'),
    count(*) FILTER (event_type = 'user_prompt'),
    count(*) FILTER (event_type = 'api_request' AND cost_usd IS NULL),
    coalesce(sum(input_tokens) FILTER (event_type = 'api_request'), 0)::BIGINT,
    coalesce(sum(cache_read_tokens) FILTER (event_type = 'api_request'), 0)::BIGINT,
    coalesce(sum(cache_creation_tokens) FILTER (event_type = 'api_request'), 0)::BIGINT,
    coalesce(sum(output_tokens) FILTER (event_type = 'api_request'), 0)::BIGINT,
    (coalesce(sum(cost_usd) FILTER (event_type = 'api_request'), 0) * {NANO})::BIGINT
"""
_SLOT = f"(epoch(time)::BIGINT // {SLOT_S})"
_KNOWN = "event_type IN ('api_request', 'api_error', 'tool_call', 'user_prompt')"
_BEFORE = "time >= $since AND id NOT IN (SELECT id FROM events WHERE received_at >= $before)"

_SLOTS = f"""
SELECT {_SLOT} AS slot, coalesce(project, '') AS project, {_COUNTS}
FROM placed_events WHERE {_BEFORE} AND {_KNOWN} GROUP BY 1, 2
"""  # noqa: S608 (our own column names and numbers)

_COMPUTED = f"""
SELECT {_SLOT}, coalesce(project, ''), (sum(computed_cost_usd) * {NANO})::BIGINT
FROM computed_costs WHERE time >= $since GROUP BY 1, 2
"""  # noqa: S608 (as above)

_SESSIONS = f"""
SELECT
    session_id, epoch(max(time))::DOUBLE, coalesce(arg_max(project, time), ''), coalesce(arg_max(branch, time), ''),
    coalesce(arg_max(model, time), ''), coalesce(arg_max(client, time), ''), {_COUNTS}
FROM placed_events WHERE {_BEFORE} AND {_KNOWN} AND session_id IS NOT NULL
GROUP BY session_id ORDER BY max(time) DESC LIMIT {SESSIONS_MAX}
"""  # noqa: S608 (as above)

_BURN = f"""
SELECT epoch(time)::DOUBLE, (cost_usd * {NANO})::BIGINT
FROM placed_events WHERE {_BEFORE} AND event_type = 'api_request' AND cost_usd > 0
"""  # noqa: S608 (as above)


def seed(layout: Layout, before_us: int) -> dict[str, Any]:
    """Ask the store."""
    now = datetime.now(UTC)
    before = datetime.fromtimestamp(before_us / 1e6, UTC)

    def ask(sql: str, seconds: float, **more: object) -> tuple[tuple[Any, ...], ...]:
        return run(layout, sql, {"since": now - timedelta(seconds=seconds), **more}, Limits(rows=ROWS_MAX)).rows

    slots = {(row[0], row[1]): [*row[2:], 0] for row in ask(_SLOTS, WEEKS_S, before=before)}
    for slot, project, computed in ask(_COMPUTED, WEEKS_S):
        if (slot, project) in slots:
            slots[slot, project][-1] = computed
        else:
            slots[slot, project] = [0] * 10 + [computed]
    return {
        "slots": [[*key, *counts] for key, counts in slots.items()],
        "sessions": [[*row, 0] for row in ask(_SESSIONS, SESSION_AGE_S, before=before)],
        "burn": [list(row) for row in ask(_BURN, BURN_S, before=before)],
    }


def main() -> None:
    """Answer on standard output."""
    home, before_us = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns() // 1000  # noqa: PLR2004
    sys.stdout.buffer.write(orjson.dumps(seed(Layout(home), before_us)))


if __name__ == "__main__":
    main()
