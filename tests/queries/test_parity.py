"""Every ready-made question gives the same answer on DuckDB and on ClickHouse, over the same rows."""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING, Any

import pytest
from bench.month import Month, build
from tests.queries import golden
from tests.queries.answers import variants
from tests.queries.test_imported import event
from tests.queries.values import same

from telem.queries import canned
from telem.queries.dialect import for_clickhouse, rewritten

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.queries.clickhouse import Engines

VARIANTS_MAX = int(os.environ.get("TELEM_PARITY_VARIANTS", "3"))
"""Choices of a question that are tried; 100 tries all of them, in minutes."""

pytest.importorskip("chdb", reason="the ClickHouse engine has no wheel for this platform")


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    from tests.queries.clickhouse import Engines

    both = Engines()
    yield both
    both.close()


@pytest.fixture(scope="module")
def captured(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Engines:
    """Captured payloads of all clients."""
    folder = tmp_path_factory.mktemp("captured")
    return engines.fill(golden.build(folder / "home"), folder)


def check(engines: Engines, query: canned.Canned, params: dict[str, Any], since: dt.datetime | None = None) -> int:
    bound = query.bind(params, since)
    ours, theirs = engines.ask_duckdb(query, bound), engines.ask_clickhouse(query, bound)
    for number, (one, other) in enumerate(zip(ours, theirs, strict=False)):
        assert same(one, other), f"{query.name} {params}, row {number}:\nduckdb     {one}\nclickhouse {other}"
    assert len(ours) == len(theirs), f"{query.name} {params}"
    return len(ours)


@pytest.mark.parametrize("name", canned.load())
def test_captured_payloads(captured: Engines, name: str) -> None:
    """In several variants, from the beginning and from a moment in their midst."""
    query = canned.load()[name]
    for params in variants(query)[:VARIANTS_MAX]:
        assert check(captured, query, params), "an answer without rows proves nothing"
    check(captured, query, variants(query)[0], dt.datetime(2026, 11, 23, 3, 21, tzinfo=dt.UTC))


def test_a_teams_month(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Thousands of events of ten people: what breaks only with many rows."""
    folder = tmp_path_factory.mktemp("month")
    engines.fill(build(folder / "home", Month(events=4000, days=9, users=10)), folder)
    for name, query in canned.load().items():
        if name not in ("hooks", "compactions", "subagents", "failing-commands", "redactions", "computed-cost"):
            assert check(engines, query, {"day": "2026-11-22"} if name == "budget-burn" else {}), name


def test_what_was_imported_and_exported_counts_once(engines: Engines, tmp_path: Path) -> None:
    """Requests, tool calls and prompts, each told by both ways, by one, or by the other."""
    sent = [event(number, imported=imported) for imported, numbers in IMPORTED for number in numbers]
    engines.fill(golden.keep(tmp_path / "home", *sent), tmp_path)
    kinds, counts = engines.columns("SELECT event_type, count() FROM events GROUP BY 1 ORDER BY 1")
    assert kinds == ["api_request", "tool_call", "user_prompt"]
    assert [int(count) for count in counts] == [4, 4, 4]
    assert int(engines.columns("SELECT sum(input_tokens) FROM api_requests")[0][0]) == sum(range(0, 12, 3))


IMPORTED = ((False, range(9)), (True, range(3, 12)))


@pytest.mark.parametrize(
    ("duckdb", "clickhouse"),
    [
        ("TRY_CAST(sum(a) AS BIGINT)", "accurateCastOrNull(sum(a), 'Int64')"),
        ("quantile_cont(f(a, b), 0.95) FILTER (WHERE c)", "quantileExactInclusive(0.95)(f(a, b)) FILTER (WHERE c)"),
        ("attributes ->> '$.\"a.b\"'", "nullIf(attributes['a.b'], '')"),
        ("median(median(x))", "quantileExactInclusive(0.5)(quantileExactInclusive(0.5)(x))"),
        ("round('1,)', 2)", "(sign(CAST('1,)' AS DOUBLE)) * floor(abs(CAST('1,)' AS DOUBLE)) * 1e2 + 0.5) / 1e2)"),
    ],
)
def test_rewriting(duckdb: str, clickhouse: str) -> None:
    """Calls within calls, commas and parentheses in texts."""
    assert rewritten(duckdb) == clickhouse


def test_a_parenthesis_left_open_is_an_error() -> None:
    with pytest.raises(ValueError, match="not closed"):
        rewritten("median(x")


def test_parameters_have_types() -> None:
    """ClickHouse binds them itself."""
    text = for_clickhouse(canned.find("cost-analysis"))
    assert "{by:String}" in text
    assert "LIMIT {limit:Int64}" in text
    assert "{since:DateTime64(6, 'UTC')}" in text
    assert "$" not in text
