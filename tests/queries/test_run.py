"""One read-only statement over the telemetry files: answers, limits, refusals, and what they say."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
from tests.queries import golden

from telem.queries.commands import ask
from telem.queries.files import files_of
from telem.queries.run import run
from telem.queries.sandbox import database
from telem.queries.sandbox.frames import Question
from telem.queries.table import ColumnInfo, Limits, Problem, QueryError
from telem.sanitize.records import Signal
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from telem.storage.views import Files

QUESTIONS = [
    "SELECT 1",
    "FROM events SELECT count(*)",
    "WITH a AS (SELECT 1 AS n) FROM a",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT sum(n) FROM r",
    "VALUES (1), (2)",
    "DESCRIBE events",
    "SHOW TABLES",
    "SUMMARIZE users",
    "EXPLAIN SELECT count(*) FROM events",
    "/* a comment */ explain\n-- another\nSELECT 1",
    "SELECT list_transform([1, 2], lambda x: x + 1)",
    "SELECT 1;",
]
REFUSED = [
    "COPY (SELECT 1) TO '{home}/parquet/x.csv'",
    "WITH x AS (COPY (SELECT 1) TO '{home}/parquet/x.csv') SELECT 1",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{home}/parquet/x.csv'",
    "EXPLAIN /* ANALYZE */ ANALYZE SELECT 1",
    "EXPLAIN (ANALYZE) SELECT 1",
    "EXPLAIN COPY (SELECT 1) TO '{home}/parquet/x.csv'",
    "SET threads = 64",
    "RESET memory_limit",
    "PRAGMA database_list",
    "CALL pragma_version()",
    "ATTACH '{home}/x.duckdb'",
    "CREATE VIEW events AS SELECT 1",
    "CREATE TEMP TABLE t AS SELECT 1",
    "DROP VIEW events",
    "INSTALL httpfs",
    "LOAD httpfs",
    "USE memory",
    "CHECKPOINT",
    "CONNECT 'x'",
    "SELECT 1; SELECT 2",
    "",
    "-- nothing",
    "FROM read_csv('/etc/passwd')",
    "FROM read_text('{home}/key')",
    "FROM read_text('{home}/parquet/../key')",
    "FROM glob('/etc/*')",
    "FROM 'https://example.com/x.parquet'",
    "PIVOT events ON model USING count(*)",
    "SELECT " + "1+" * 40_000 + "1",
]


@pytest.mark.parametrize("sql", QUESTIONS)
def test_questions_are_answered(store: Layout, sql: str) -> None:
    """Whatever form a question has."""
    assert run(store, sql).rows


@pytest.mark.parametrize("sql", REFUSED)
def test_everything_else_is_refused(store: Layout, sql: str) -> None:
    """With a reason and without an effect, whatever it would have done."""
    (store.home / "key").write_bytes(b"secret")
    before = sorted(store.home.rglob("*"))
    with pytest.raises(QueryError) as caught:
        run(store, sql.format(home=store.home))
    assert caught.value.problem in (Problem.REFUSED, Problem.SYNTAX, Problem.TOO_LONG)
    assert caught.value.message
    assert sorted(store.home.rglob("*")) == before


def test_columns_have_names_and_types(store: Layout) -> None:
    """As DuckDB writes them, money as an exact decimal."""
    table = run(store, "SELECT model, cost_usd, time FROM api_requests LIMIT 1")
    assert table.columns == (
        ColumnInfo("model", "VARCHAR"),
        ColumnInfo("cost_usd", "DECIMAL(18,9)"),
        ColumnInfo("time", "TIMESTAMP WITH TIME ZONE"),
    )
    assert table.elapsed_ms > 0


def test_rows_beyond_the_limit_are_left_out_and_said(store: Layout) -> None:
    """Exactly the limit is not too many; one more is."""
    assert not run(store, "FROM range(5)", limits=Limits(rows=5)).truncated
    table = run(store, "FROM range(6)", limits=Limits(rows=5))
    assert table.truncated
    assert len(table.rows) == 5
    assert run(store, "FROM range(1_000_000_000_000)", limits=Limits(rows=5)).truncated


def test_long_questions_are_stopped(store: Layout) -> None:
    """By the clock, with a hint."""
    with pytest.raises(QueryError, match=r"longer than 0\.3 s") as caught:
        run(store, "SELECT count(*) FROM range(1000000000) a, range(1000) b", limits=Limits(seconds=0.3))
    assert caught.value.problem is Problem.TIMEOUT


def test_memory_has_a_limit(store: Layout) -> None:
    """And nothing is spilled to disk."""
    with pytest.raises(QueryError, match="more than 64 MB") as caught:
        run(store, "SELECT list(a.range) FROM range(50000000) a", limits=Limits(memory_mb=64))
    assert caught.value.problem is Problem.MEMORY


def test_parameters_are_bound(store: Layout) -> None:
    """A value is a value, whatever it looks like."""
    evil = "'; DROP VIEW events; --"
    assert run(store, "SELECT $x AS x", {"x": evil}).rows == ((evil,),)


@pytest.mark.parametrize(
    ("sql", "params", "words"),
    [
        ("SELECT $a", {}, "No value for \\$a"),
        ("SELECT 1", {"b": 1}, "no parameter b"),
        ("SELECT * FROM evnts", {}, "Did you mean events"),
        ("SELECT costs FROM events", {}, "DESCRIBE TABLE_NAME"),
        ("SELEC 1", {}, "does not parse"),
        ("SELECT 'x'::INTEGER", {}, "x"),
    ],
)
def test_errors_say_what_to_try(store: Layout, sql: str, params: dict[str, object], words: str) -> None:
    """What was attempted, what stood in the way, what to do next."""
    with pytest.raises(QueryError, match=words):
        run(store, sql, params)


def test_unknown_table_lists_the_tables(store: Layout) -> None:
    """So that the next try succeeds."""
    with pytest.raises(QueryError) as caught:
        run(store, "SELECT * FROM nothing_like_it")
    assert caught.value.problem is Problem.UNKNOWN_TABLE
    assert "api_errors, api_requests, computed_costs, daily_metrics, " in caught.value.hint


def test_nothing_recorded_is_an_answer(empty_store: Layout, tmp_path: Path) -> None:
    """Also where no home exists yet."""
    assert run(empty_store, "SELECT count(*) FROM events").rows == ((0,),)
    assert run(Layout(tmp_path / "nowhere"), "SELECT count(*) FROM sessions").rows == ((0,),)


def test_segments_in_parquet_are_not_read_again(store: Layout) -> None:
    """A segment and the Parquet file that holds its rows lie side by side for a while."""
    files = files_of(store, Signal.LOGS)
    assert [Path(path).name for path in files.segments] == ["s-000000000003.ndjson", "s-000000000004.ndjson"]
    assert len(files.parquet) == 1


def test_a_file_that_vanished_is_looked_for_again(
    store: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retention or merging removed it between listing and reading: list again, once."""
    layout = Layout(tmp_path / "home")
    shutil.copytree(store.home, layout.home)
    real, listed = files_of, []

    def vanishing(home: Layout, signal: Signal) -> Files:
        found = real(home, signal)
        listed.append(signal)
        if len(listed) == 1:
            Path(found.parquet[0]).unlink()
        return found

    monkeypatch.setattr(database, "files_of", vanishing)
    opened = database.Database(layout, 256, 1)
    answer = opened.answer(Question("SELECT count(*) > 0 FROM events"))
    assert list(answer.batches(10)) == [[(True,)]]
    assert len(listed) == 2 * len(Signal)
    opened.close()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    """An error, not a wrong number."""
    layout = golden.build(tmp_path / "home")
    (path,) = layout.version(Signal.LOGS).glob("ingest_day=2*/*.parquet")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(QueryError, match="move it out") as caught:
        run(layout, "SELECT count(model) FROM events")
    assert caught.value.problem is Problem.STORAGE
    assert path.name in caught.value.message


def test_since_is_bound_in_sql(store: Layout) -> None:
    """SQL may use it; SQL that does not is told so."""
    assert ask(store, "SELECT count(*) FROM events WHERE time >= $since", since="2100-01-01").rows == ((0,),)
    everything = ask(store, "SELECT count(*) FROM events WHERE time >= $since AND ingest_day >= $since_day").rows
    assert everything == ask(store, "SELECT count(*) FROM events").rows
    with pytest.raises(QueryError, match="no effect"):
        ask(store, "SELECT 1", since="7d")


def test_this_duckdb_is_supported() -> None:
    """The settings are tried in order; a version that lacks an optional one is fine, the others are required."""
    assert tuple(map(int, duckdb.__version__.split(".")[:2])) >= (1, 4)
