"""What the store holds already, asked in SQL: requests, tool calls and prompts that the client exported itself.

Older clients export no request ids (before 2.1.195) and no ids of prompts and tools; what they exported is recognized
by the session and the token counts.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from telem.queries.run import run
from telem.queries.table import Limits
from telem.sanitize.records import Signal
from telem.storage import rollups

from .facts import TOKENS, Fact

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telem.storage.layout import Layout

ANSWERS_MAX = 1_000_000
MEMORY_MB = 128
MARGIN = timedelta(hours=1)
"""Between when something stands in the log and when it was exported."""

_KINDS = {"api_request": "api_request", "tool_result": "tool_call", "user_prompt": "user_prompt"}
_IDS = {"api_request": "request_id", "tool_result": "tool_use_id", "user_prompt": "message.uuid"}

_RANGE = "SELECT min(time), max(time) FROM raw_logs WHERE source IS NULL AND client = 'claude_code'"

_ID = "CASE event_type WHEN 'tool_call' THEN tool_use_id WHEN 'user_prompt' THEN message_id ELSE request_id END"

_BY_ID = f"""
WITH sent AS (
    SELECT {_ID} AS id
    FROM raw_logs
    WHERE source IS NULL AND time BETWEEN $since AND $until
        AND event_type IN ('api_request', 'tool_call', 'user_prompt')
)
SELECT DISTINCT id FROM sent WHERE id IN (SELECT unnest($ids))
"""  # noqa: S608 (our own column names)

_WITHOUT_ID = """
SELECT DISTINCT
    event_type, session_id, prompt_id, input_tokens, output_tokens, cache_read_tokens, cache_creation_tokens
FROM raw_logs
WHERE source IS NULL AND client = 'claude_code' AND time BETWEEN $since AND $until
    AND session_id IN (SELECT unnest($sessions))
    AND (
        (event_type = 'api_request' AND request_id IS NULL)
        OR (event_type = 'tool_call' AND tool_use_id IS NULL)
        OR (event_type = 'user_prompt' AND message_id IS NULL AND command_name IS NULL)
    )
"""

_HANDED_OVER = f"""
SELECT event_type, coalesce({_ID}, '') FROM raw_logs WHERE source = 'transcript' AND received_at >= $since
"""  # noqa: S608 (as above)


_UNPLACED = """
SELECT session_id FROM raw_logs
WHERE session_id IN (SELECT unnest($sessions))
GROUP BY session_id
HAVING bool_or(source IS NULL) AND NOT bool_or(source IS NOT DISTINCT FROM 'hook')
"""

_SUMMED = """
WITH summed AS (
    SELECT session_id, day, bool_or(ingest_day < $since) AS is_expired
    FROM usage_facts
    WHERE event_time IS NOT NULL AND session_id IN (SELECT unnest($sessions))
    GROUP BY session_id, day
)
SELECT session_id, day::VARCHAR
FROM summed
WHERE is_expired OR NOT EXISTS (
    SELECT 1 FROM raw_logs
    WHERE raw_logs.session_id = summed.session_id AND make_timestamp(epoch_us(time))::DATE = summed.day
)
"""


class Stored:
    """The store as it was when the import began; asked only about times in which the client exported something."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        totals = rollups.read(layout)
        self._rows_since = totals.raw_since[Signal.LOGS]
        self._has_sums = self._rows_since > rollups.FIRST_DAY or bool(totals.taken)
        first, last = self._ask(_RANGE, {})[0]
        self._first = first if isinstance(first, datetime) else None
        self._last = last if isinstance(last, datetime) else None

    def without(self, facts: Sequence[Fact]) -> list[Fact]:
        """The facts that the client has not exported."""
        if not facts or self._first is None or self._last is None:
            return list(facts)
        since = _moment(min(fact.time_ns for fact in facts)) - MARGIN
        until = _moment(max(fact.time_ns for fact in facts)) + MARGIN
        if until < self._first or since > self._last:
            return list(facts)
        span = {"since": since, "until": until}
        ids = [found for fact in facts if (found := exported_id(fact))]
        known = {row[0] for row in self._ask(_BY_ID, {"ids": ids, **span})}
        sessions = sorted({fact.session_id for fact in facts})
        nameless = Nameless(self._ask(_WITHOUT_ID, {"sessions": sessions, **span}))
        return [fact for fact in facts if exported_id(fact) not in known and fact not in nameless]

    def without_summed(self, facts: Sequence[Fact]) -> list[Fact]:
        """The facts of days of which rows are kept, or nothing.

        Of a session's day of which only sums are left nobody can tell whether a fact is in them. Adding it might count
        it twice, so it is left out: totals never double and never shrink.
        """
        if not facts or not self._has_sums:
            return list(facts)
        sessions = sorted({fact.session_id for fact in facts})
        asked: dict[str, object] = {"sessions": sessions, "since": date.fromisoformat(self._rows_since)}
        summed = set(self._ask(_SUMMED, asked))
        return [fact for fact in facts if not summed.intersection((fact.session_id, day) for day in _days(fact))]

    def unplaced(self, contexts: Sequence[Fact]) -> list[Fact]:
        """Those of sessions of which the client exported something, and no hook told where they work."""
        if not contexts or self._first is None:
            return []
        asked: dict[str, object] = {"sessions": sorted({fact.session_id for fact in contexts})}
        sessions = {row[0] for row in self._ask(_UNPLACED, asked)}
        return [fact for fact in contexts if fact.session_id in sessions]

    def handed_over_since(self, since_us: int) -> set[str]:
        """Ids of what an import that was interrupted had stored."""
        since = datetime.fromtimestamp(since_us / 1e6, UTC) - timedelta(seconds=1)
        return {f"{kind}:{found}" for kind, found in self._ask(_HANDED_OVER, {"since": since})}

    def _ask(self, sql: str, params: dict[str, object]) -> tuple[tuple[object, ...], ...]:
        return run(self._layout, sql, params, Limits(rows=ANSWERS_MAX, memory_mb=MEMORY_MB)).rows


def exported_id(fact: Fact) -> str | None:
    """What the client exports this under."""
    found = fact.values.get(_IDS[fact.name])
    return found if isinstance(found, str) else None


def stored_key(fact: Fact) -> str:
    """The same with its kind, as `handed_over_since` has it."""
    return f"{_KINDS[fact.name]}:{exported_id(fact) or ''}" if fact.name in _KINDS else ""


class Nameless:
    """What was exported without an id, by what can be compared instead."""

    def __init__(self, rows: Iterable[tuple[object, ...]]) -> None:
        self._requests: set[tuple[object, ...]] = set()
        self._prompts: set[tuple[object, object]] = set()
        self._sessions: set[tuple[object, object]] = set()
        for kind, session, prompt, *tokens in rows:
            self._sessions.add((kind, session))
            if kind == "api_request":
                self._requests.add((session, *tokens))
            elif kind == "user_prompt":
                self._prompts.add((session, prompt))

    def __contains__(self, fact: object) -> bool:
        """Is it one of them? Nothing tells one tool call from another, so all of such a session are."""
        if not isinstance(fact, Fact) or (_KINDS[fact.name], fact.session_id) not in self._sessions:
            return False
        if fact.name == "api_request":
            return (fact.session_id, *(fact.values.get(name) for name in TOKENS.values())) in self._requests
        prompt = fact.values.get("prompt.id")
        return fact.name == "tool_result" or prompt is None or (fact.session_id, prompt) in self._prompts


def _days(fact: Fact) -> set[str]:
    """The UTC days on which the client may have exported it."""
    moment = _moment(fact.time_ns)
    return {(moment + margin).date().isoformat() for margin in (-MARGIN, MARGIN)}


def _moment(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns / 1e9, UTC)
