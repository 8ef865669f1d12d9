"""`GET /metrics`: the daemon's health and the clients' counters, in Prometheus' text format.

Clients send what each export added; Prometheus wants what there is altogether. The sums come from `usage_days`, which
outlives the raw rows, so they only grow (a purge makes them smaller, which Prometheus takes for a restart). They are
asked for once a minute at most.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from telem.queries.table import QueryError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
KEEP_S = 60.0

USAGE_SQL = """
SELECT coalesce(client, 'other') AS client, coalesce(model, '') AS model, count(DISTINCT session_id) AS sessions,
    sum(requests) AS requests, sum(errors) AS errors, sum(input_tokens) AS input_tokens,
    sum(cache_read_tokens) AS cache_read_tokens, sum(cache_creation_tokens) AS cache_creation_tokens,
    sum(output_tokens) AS output_tokens, sum(cost_usd) AS cost_usd, sum(lines_added) AS lines_added,
    sum(lines_removed) AS lines_removed, sum(commits) AS commits, sum(pull_requests) AS pull_requests,
    sum(active_seconds) AS active_seconds
FROM usage_days GROUP BY ALL ORDER BY ALL
"""

log = logging.getLogger(__name__)


class Counter(NamedTuple):
    """A column of `USAGE_SQL` as a counter: the name it has behind the client's, and a label of its own."""

    column: str
    name: str
    label: tuple[str, str] | None = None
    by_model: bool = True


COUNTERS = (
    Counter("cost_usd", "cost_usage_USD_total"),
    Counter("input_tokens", "token_usage_tokens_total", ("type", "input")),
    Counter("cache_read_tokens", "token_usage_tokens_total", ("type", "cacheRead")),
    Counter("cache_creation_tokens", "token_usage_tokens_total", ("type", "cacheCreation")),
    Counter("output_tokens", "token_usage_tokens_total", ("type", "output")),
    Counter("requests", "api_requests_total"),
    Counter("errors", "api_errors_total"),
    Counter("lines_added", "lines_of_code_count_total", ("type", "added"), by_model=False),
    Counter("lines_removed", "lines_of_code_count_total", ("type", "removed"), by_model=False),
    Counter("commits", "commit_count_total", by_model=False),
    Counter("pull_requests", "pull_request_count_total", by_model=False),
    Counter("active_seconds", "active_time_seconds_total", by_model=False),
)
"""Named as Prometheus names Claude Code's own metrics when it receives them over OTLP."""


class Metrics:
    """Answers a scrape.

    Args:
        status: what the daemon says of itself.
        ask: answers a question in SQL with its rows as mappings.
    """

    def __init__(
        self,
        status: Callable[[], Awaitable[dict[str, Any]]],
        ask: Callable[[str], Awaitable[Sequence[Mapping[str, Any]]]],
    ) -> None:
        self._status = status
        self._ask = ask
        self._usage: list[str] = []
        self._asked_at_s = -KEEP_S

    async def text(self) -> str:
        """All series."""
        lines = health(await self._status())
        if time.monotonic() - self._asked_at_s >= KEEP_S:
            try:
                self._usage = usage(await self._ask(USAGE_SQL))
                self._asked_at_s = time.monotonic()
            except QueryError as error:
                log.warning("the counters could not be added up for /metrics: %s", error)
        return "\n".join([*lines, *self._usage]) + "\n"


def health(status: Mapping[str, Any]) -> list[str]:
    """The daemon's own series."""
    lines = [*_head("telem_start_time_seconds", "gauge", "When the daemon started, in seconds since 1970.")]
    lines.append(f"telem_start_time_seconds {status['started_at_s']}")
    signals: Mapping[str, Mapping[str, Any]] = status.get("signals", {})
    for name, kind, member, sentence in _HEALTH:
        lines += _head(name, kind, sentence)
        lines += [_line(name, [("signal", signal)], one[member]) for signal, one in signals.items()]
    redactions = status.get("sanitizer", {}).get("redactions", {})
    if redactions:
        lines += _head("telem_redactions_total", "counter", "What the sanitizer took out, by rule.")
        lines += [_line("telem_redactions_total", [("rule", rule)], count) for rule, count in redactions.items()]
    return lines


_HEALTH = (
    ("telem_requests_total", "counter", "requests", "Requests that came in since the start."),
    ("telem_records_total", "counter", "records", "Records stored since the start."),
    ("telem_retried_total", "counter", "retried", "Requests that had been stored before."),
    ("telem_refused_total", "counter", "refused", "Requests that were not OTLP."),
    (
        "telem_failed_total",
        "counter",
        "failed",
        "Requests that could not be stored; the client was told to come again.",
    ),
    ("telem_journal_bytes", "gauge", "journal_bytes", "Bytes in the journal."),
    ("telem_parquet_bytes", "gauge", "parquet_bytes", "Bytes in Parquet files."),
)


def usage(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The clients' counters, from the rows of `USAGE_SQL`."""
    series: dict[str, dict[tuple[tuple[str, str], ...], Any]] = {}
    for row in rows:
        for counter in COUNTERS:
            if (value := row[counter.column]) is None:
                continue
            labels = [("model", row["model"])] if counter.by_model else []
            key = tuple(labels + ([counter.label] if counter.label else []))
            found = series.setdefault(f"{row['client']}_{counter.name}", {})
            found[key] = found.get(key, 0) + value
    lines: list[str] = []
    for name, found in sorted(series.items()):
        lines += _head(name, "counter", "Sum of what the clients reported since the first record kept.")
        lines += [_line(name, labels, value) for labels, value in found.items()]
    return lines


def _head(name: str, kind: str, sentence: str) -> list[str]:
    return [f"# HELP {name} {sentence}", f"# TYPE {name} {kind}"]


def _line(name: str, labels: Iterable[tuple[str, str]], value: Any) -> str:
    written = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
    return f"{name}{{{written}}} {value}" if written else f"{name} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
