"""Totals are true: the views' sums are those of the payloads, wherever the rows lie and whoever asks."""

from __future__ import annotations

import json
import subprocess
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from tests.queries import golden
from tests.queries.facts import TOKENS

from telem.queries.commands import ask
from telem.sanitize.records import Encoding, RawRequest, Signal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.queries.facts import Facts

    from telem.storage.layout import Layout


def rows(layout: Layout, sql: str) -> list[tuple[Any, ...]]:
    return list(ask(layout, sql).rows)


def by_shell(layout: Layout, sql: str) -> list[dict[str, Any]]:
    command = [golden.shell(), "-readonly", "-json", str(layout.catalog), sql]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return json.loads(done.stdout, parse_float=Decimal) if done.stdout.strip() else []


def test_every_record_is_one_row(store: Layout, known: Facts) -> None:
    """No event is lost or counted twice while half of them lie in Parquet and in their old segments."""
    assert rows(store, "SELECT count(*), count(DISTINCT id) FROM events") == [(known.records, known.records)]
    assert by_shell(store, "SELECT count(*) AS n FROM events") == [{"n": known.records}]


def test_cost_and_tokens_by_model_are_the_clients_own_figures(store: Layout, known: Facts) -> None:
    """Exact decimals, and each of the four token classes, for every model."""
    found = rows(
        store,
        f"SELECT model, count(*), sum(cost_usd), {', '.join(f'sum({name})' for name in TOKENS)} "
        "FROM api_requests WHERE client = 'claude_code' GROUP BY model",
    )
    assert {row[0]: row[1] for row in found} == known.requests
    assert {row[0]: row[2] for row in found} == known.cost
    for model, _, _, *tokens in found:
        assert dict(zip(TOKENS, tokens, strict=True)) == known.tokens[model]


@pytest.mark.parametrize("view", ["sessions", "users", "daily_metrics", "usage_facts"])
def test_every_summary_view_adds_up_to_the_same_totals(store: Layout, known: Facts, view: str) -> None:
    """Whatever it is grouped by: cost from events, lines and time from metrics, each once."""
    where = "WHERE client = 'claude_code'" if view != "users" else ""
    (found,) = rows(
        store,
        "SELECT sum(cost_usd), sum(lines_added), sum(lines_removed), sum(commits), sum(pull_requests), "
        f"sum(active_seconds) FROM {view} {where}",
    )
    name = "claude_code.lines_of_code.count"
    wanted = [
        known.total_cost,
        known.increments[name, "added"],
        known.increments[name, "removed"],
        known.increments["claude_code.commit.count", ""],
        known.increments["claude_code.pull_request.count", ""],
    ]
    assert list(found[:5]) == wanted
    active = sum(value for (metric, _), value in known.increments.items() if metric == "claude_code.active_time.total")
    assert found[5] == pytest.approx(active, abs=0.02)


def test_increments_count_running_totals_once(store: Layout, known: Facts) -> None:
    """A cumulative series adds its highest value; every export repeats it."""
    found = rows(
        store,
        "SELECT metric, coalesce(type, ''), sum(increment) FROM metric_increments "
        "WHERE client = 'claude_code' GROUP BY ALL",
    )
    assert {(metric, kind): value for metric, kind, value in found} == pytest.approx(known.increments)


def test_unreported_cost_is_unknown_and_counted(store: Layout) -> None:
    """Codex and Gemini report no cost: NULL, never 0."""
    found = rows(
        store,
        "SELECT client, sum(cost_usd), sum(requests), sum(unpriced_requests), sum(output_tokens), sum(lines_added) "
        "FROM sessions WHERE client <> 'claude_code' GROUP BY client ORDER BY client",
    )
    assert found == [("codex", None, 2, 2, 60, None), ("gemini_cli", None, 2, 2, 80, None)]


def test_sessions_are_the_distinct_ids_of_events(store: Layout, known: Facts) -> None:
    """Not what session.count says, which a cleared session does not raise."""
    sql = "SELECT DISTINCT session_id FROM sessions WHERE requests > 0 AND client = 'claude_code'"
    assert {row[0] for row in rows(store, sql)} == known.sessions


def test_shell_and_worker_give_the_same_answers(store: Layout) -> None:
    """DuckDB 1.5 over globs and DuckDB 2 over a file list, on the same files."""
    sql = (
        "SELECT session_id, client, requests, errors, tool_calls, input_tokens, output_tokens, "
        "cost_usd::VARCHAR AS cost, lines_added "
        "FROM sessions ORDER BY session_id"
    )
    mine = ask(store, sql)
    theirs = by_shell(store, sql)
    assert [tuple(row.values()) for row in theirs] == [tuple(row) for row in mine.rows]


def test_catalog_script_needs_no_lock(store: Layout, known: Facts) -> None:
    """`duckdb -init telemetry.sql` gives the same tables as the catalog."""
    command = [golden.shell(), "-init", str(store.script), "-csv", "-noheader", "-c", "SELECT count(*) FROM events"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.split()[-1] == str(known.records)


def test_a_client_that_reports_only_metrics_has_unknown_tokens(tmp_path: Path) -> None:
    """Tokens and cost come from events alone; without them they are NULL, not 0."""
    layout = golden.build_only(tmp_path / "home", "metrics")
    found = rows(layout, "SELECT DISTINCT prompts, requests, output_tokens, cost_usd FROM sessions")
    assert found == [(None, None, None, None)]
    assert rows(layout, "SELECT sum(lines_added) > 0 FROM sessions") == [(True,)]


def points(temporality: int, monotonic: bool, *values: tuple[int, int, float]) -> RawRequest:
    """A request with one sum, `commit.count`; each value with its start and time, in seconds."""
    sent = ExportMetricsServiceRequest()
    metric = sent.resource_metrics.add().scope_metrics.add().metrics.add(name="claude_code.commit.count")
    metric.sum.aggregation_temporality = temporality  # type: ignore[assignment]  # an enum is an int here
    metric.sum.is_monotonic = monotonic
    for start_s, time_s, value in values:
        point = metric.sum.data_points.add(as_double=value)
        point.start_time_unix_nano, point.time_unix_nano = start_s * 10**9, time_s * 10**9
        point.attributes.add(key="session.id").value.string_value = "one"
    return RawRequest(Signal.METRICS, Encoding.PROTOBUF, sent.SerializeToString(), 10**18)


@pytest.mark.parametrize(
    ("request_", "total"),
    [
        (points(1, True, (1, 2, 3.0), (3, 4, 3.0), (5, 6, 1.0)), 7),
        (points(2, True, (1, 2, 3.0), (1, 3, 3.0), (1, 4, 5.0)), 5),
        (points(2, True, (1, 4, 5.0), (1, 2, 3.0)), 5),
        (points(2, True, (1, 2, 3.0), (9, 10, 2.0), (9, 11, 2.0)), 5),
        (points(2, False, (1, 2, 3.0), (1, 3, 1.0)), None),
        (points(1, True, (1, 2, float("nan")), (3, 4, 2.0), (3, 5, float("inf"))), 2),
    ],
    ids=["delta", "cumulative", "late", "restarted", "may fall", "not finite"],
)
def test_sums_of_points(tmp_path: Path, request_: RawRequest, total: int | None) -> None:
    """Delta points are added, running totals count their highest for each start, what has no total is left out."""
    layout = golden.keep(tmp_path / "home", request_)
    assert rows(layout, "SELECT sum(increment) FROM metric_increments") == [(total,)]
    assert rows(layout, "SELECT sum(commits) FROM sessions") == [(total,)]


def test_a_computed_cost_stands_beside_the_reported_ones(store: Layout) -> None:
    """Codex reports none and its model has a list price; Gemini's has none here and stays unknown."""
    found = rows(
        store,
        "SELECT client, model, sum(computed_cost_usd), count(*), min(price_published_by) "
        "FROM computed_costs GROUP BY ALL",
    )
    tokens = rows(
        store,
        "SELECT sum(input_tokens), sum(cache_read_tokens), sum(output_tokens) FROM api_requests WHERE client = 'codex'",
    )[0]
    wanted = sum(Decimal(tokens[index]) * Decimal(usd) for index, usd in enumerate(("1.25", "0.125", "10"))) / 1_000_000
    assert found == [("codex", "gpt-5", wanted, 2, "OpenAI")]
