"""The views: complete attributes, the exporter's columns, all of them in both DuckDBs, and cheap to ask."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from tests.queries import golden

from telem.sanitize.columns import COLUMNS
from telem.sanitize.lines import plain
from telem.sanitize.records import Signal
from telem.sanitize.redact import DROPPED
from telem.sanitize.wire import attributes_of
from telem.storage.views import Files, glob_of, view_names, view_text, worker_sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telem.storage.layout import Layout

FRIENDLY = {Signal.LOGS: "events", Signal.METRICS: "metrics", Signal.TRACES: "spans"}

EXPORTER = {
    "otel_logs": "Timestamp TimestampTime TraceId SpanId TraceFlags SeverityText SeverityNumber ServiceName Body "
    "ResourceSchemaUrl ResourceAttributes ScopeSchemaUrl ScopeName ScopeVersion ScopeAttributes LogAttributes "
    "EventName",
    "otel_traces": "Timestamp TraceId SpanId ParentSpanId TraceState SpanName SpanKind ServiceName ResourceAttributes "
    "ScopeName ScopeVersion SpanAttributes Duration StatusCode StatusMessage Events.Timestamp Events.Name "
    "Events.Attributes Links.TraceId Links.SpanId Links.TraceState Links.Attributes",
}
_POINT = (
    "ResourceAttributes ResourceSchemaUrl ScopeName ScopeVersion ScopeAttributes ScopeDroppedAttrCount ScopeSchemaUrl "
    "ServiceName MetricName MetricDescription MetricUnit Attributes StartTimeUnix TimeUnix "
)
_EXEMPLARS = "Exemplars.FilteredAttributes Exemplars.TimeUnix Exemplars.Value Exemplars.SpanId Exemplars.TraceId "
EXPORTER |= {
    "otel_metrics_sum": f"{_POINT}Value Flags {_EXEMPLARS}AggregationTemporality IsMonotonic",
    "otel_metrics_gauge": f"{_POINT}Value Flags {_EXEMPLARS}",
    "otel_metrics_histogram": f"{_POINT}Count Sum BucketCounts ExplicitBounds {_EXEMPLARS}Flags Min Max "
    "AggregationTemporality",
    "otel_metrics_exponential_histogram": f"{_POINT}Count Sum Scale ZeroCount PositiveOffset PositiveBucketCounts "
    f"NegativeOffset NegativeBucketCounts {_EXEMPLARS}Flags Min Max AggregationTemporality",
    "otel_metrics_summary": f"{_POINT}Count Sum ValueAtQuantiles.Quantile ValueAtQuantiles.Value Flags",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return golden.build(tmp_path_factory.mktemp("views") / "home")


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return golden.empty(tmp_path_factory.mktemp("views-empty") / "home")


@pytest.fixture
def catalog(store: Layout) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(store.catalog), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def expected_attributes(attributes: dict[str, Any], judge: Any) -> dict[str, Any]:
    """What must be kept of a record's attributes, according to the judge alone."""
    found = {}
    for name, value in attributes.items():
        kept = judge.attribute(name, value)
        if kept is not DROPPED:
            found[judge.name(name)] = plain(kept)
    return found


@pytest.mark.parametrize("signal", list(Signal))
def test_attributes_are_those_of_the_record(catalog: duckdb.DuckDBPyConnection, signal: Signal) -> None:
    """Put together again from columns and rest, names, values and types are what the client sent and the judge kept."""
    stored = dict(catalog.execute(f"SELECT id, attributes FROM {FRIENDLY[signal]}").fetchall())
    judge = golden.redactor()
    compared = 0
    for batch, kept in golden.batches():
        if kept.signal is not signal:
            continue
        records = [record for group in batch.groups for record in group.records]
        for record, line in zip(records, kept.lines, strict=True):
            wanted = expected_attributes(attributes_of(record["attributes"]), judge)  # type: ignore[arg-type]
            found = json.loads(stored[json.loads(line)["id"]])
            assert json.dumps(found, sort_keys=True) == json.dumps(wanted, sort_keys=True)
            compared += 1
    assert compared == len(stored) > 0


@pytest.mark.parametrize("name", view_names())
@pytest.mark.parametrize("home", ["store", "empty_store"])
def test_every_view_can_be_read_whole(name: str, home: str, request: pytest.FixtureRequest) -> None:
    """In the newer DuckDB, over the published catalog, with and without data."""
    layout = request.getfixturevalue(home)
    with duckdb.connect(str(layout.catalog), read_only=True) as connection:
        connection.execute(f"SELECT * FROM {name}").fetchall()


@pytest.mark.parametrize("home", ["store", "empty_store"])
def test_every_view_can_be_read_whole_by_the_shell(home: str, request: pytest.FixtureRequest) -> None:
    """In the shell from PyPI, which is older."""
    layout = request.getfixturevalue(home)
    script = ";\n".join(f"CREATE TEMP TABLE whole_{name} AS FROM {name}" for name in view_names())
    command = [golden.shell(), "-readonly", "-bail", str(layout.catalog), f"{script};"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", EXPORTER)
def test_exporter_tables_have_its_columns(catalog: duckdb.DuckDBPyConnection, name: str) -> None:
    """The names and order of the Collector's ClickHouse exporter."""
    found = [row[0] for row in catalog.execute(f"DESCRIBE {name}").fetchall()]
    assert found == EXPORTER[name].split()


def test_exporter_queries_run(catalog: duckdb.DuckDBPyConnection) -> None:
    """Map access, text of numbers, names of enumerations, empty texts for what is missing."""
    found = catalog.execute(
        """SELECT "LogAttributes"['model'], sum(CAST("LogAttributes"['output_tokens'] AS INTEGER)) FROM otel_logs
        WHERE Body = 'claude_code.api_request' AND ServiceName = 'claude-code' AND Timestamp < now() GROUP BY ALL"""
    ).fetchall()
    friendly = catalog.execute(
        """SELECT model, sum(output_tokens) FROM api_requests
        WHERE resource ->> '$."service.name"' = 'claude-code' GROUP BY model"""
    ).fetchall()
    assert sorted(found) == sorted(friendly)
    kinds = catalog.execute("SELECT DISTINCT SpanKind, StatusCode FROM otel_traces ORDER BY ALL").fetchall()
    assert kinds == [("Internal", "Error"), ("Internal", "Unset")]
    nested = catalog.execute('SELECT "Events.Timestamp", "Events.Name" FROM otel_traces').fetchall()
    assert all(len(times) == len(names) for times, names in nested)
    assert any(names for _, names in nested)
    assert catalog.execute("SELECT count(*) FROM otel_logs WHERE TraceId IS NULL").fetchone() == (0,)


@pytest.mark.parametrize(("signal", "name"), FRIENDLY.items())
def test_friendly_views_leave_no_column_out(catalog: duckdb.DuckDBPyConnection, signal: Signal, name: str) -> None:
    """Every physical column is there, or folded into one that says more."""
    folded = {
        "promoted",
        "promoted_as_text",
        "time_rem_ns",
        "event_name",
        "event_timestamp",
        "prompt_text",
        "observed_lag_us",
    }
    folded |= {"observed_rem_ns", "start_lag_us", "start_rem_ns"}
    folded |= {"dropped_attributes_count"} if signal is Signal.METRICS else set()  # points have no such count
    found = {row[0] for row in catalog.execute(f"DESCRIBE {name}").fetchall()}
    assert {column.name for column in COLUMNS[signal]} - folded <= found


def test_telemetry_events_is_events(catalog: duckdb.DuckDBPyConnection) -> None:
    """The same columns in the same order, the same rows."""
    assert catalog.execute("DESCRIBE telemetry_events").fetchall() == catalog.execute("DESCRIBE events").fetchall()


def test_attributes_are_put_together_only_when_asked_for(store: Layout) -> None:
    """A question about columns never pays for the JSON: it does not even read what only the JSON is made from."""
    (path, *_) = store.version(Signal.LOGS).glob("ingest_day=2*/*.parquet")
    files = {signal: Files([], []) for signal in Signal} | {Signal.LOGS: Files([str(path)], [])}
    with duckdb.connect() as connection:
        for statement in worker_sql(files):
            connection.execute(statement)
        plain, asking = (
            connection.execute(f"EXPLAIN (FORMAT json) SELECT {what} FROM events").fetchall()[0][1]
            for what in ("model, cost_usd", "attributes")
        )
    assert '"promoted"' in asking
    assert '"promoted"' not in plain


def test_old_days_are_not_opened(store: Layout) -> None:
    """A predicate on ingest_day leaves files of other days closed, by their folder's name alone."""
    (first, *_) = store.version(Signal.LOGS).glob("ingest_day=2*/*.parquet")
    broken = store.version(Signal.LOGS) / "ingest_day=2020-01-01" / "000000000000-000000000000.parquet"
    broken.parent.mkdir()
    broken.write_bytes(b"not a Parquet file")
    try:
        files = {signal: Files([], []) for signal in Signal} | {Signal.LOGS: Files([str(first), str(broken)], [])}
        with duckdb.connect() as connection:
            for statement in worker_sql(files):
                connection.execute(statement)
            sql = "SELECT count(*) FROM events WHERE ingest_day >= DATE '2021-01-01'"
            row = connection.execute(sql).fetchone()
            assert row is not None
            assert row[0] > 0
            with pytest.raises(duckdb.Error):
                connection.execute("SELECT count(model) FROM events").fetchone()
    finally:
        broken.unlink()
        broken.parent.rmdir()


def made_for(question: str) -> set[str]:
    """The views that a question gets, each of which can be read."""
    nothing = {signal: Files([], []) for signal in Signal}
    with duckdb.connect() as connection:
        for statement in worker_sql(nothing, question):
            connection.execute(statement)
        rows = connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        names = {str(row[0]) for row in rows}
        for name in names:
            assert connection.execute(f"SELECT count(*) FROM {name}").fetchone() == (0,)
    return names


def test_only_mentioned_views_are_made() -> None:
    """With the text of those they stand on in their own, and over the raw relations that this needs."""
    assert made_for("select * from SESSIONS") == {"sessions", "raw_logs", "raw_metrics"}
    assert made_for("spans raw_metrics") == {"spans", "raw_traces", "raw_metrics"}
    assert made_for("prompts, tool_call") == set()


@pytest.mark.parametrize("name", view_names())
def test_a_view_alone_has_the_columns_that_it_has_among_all(name: str) -> None:
    """Whether made from the text of those below it or on top of them."""
    nothing = {signal: Files([], []) for signal in Signal}
    described = []
    for question in (name, None):
        with duckdb.connect() as connection:
            for statement in worker_sql(nothing, question):
                connection.execute(statement)
            described.append(connection.execute(f"DESCRIBE {name}").fetchall())
    assert described[0] == described[1]


@pytest.mark.parametrize("name", view_names())
def test_every_view_file_begins_with_a_sentence(name: str) -> None:
    """One view a file, named like it, with a sentence on what it is and no `*`."""
    lines = view_text(name).splitlines()
    assert lines[0].startswith("-- ")
    assert lines[0].endswith((".", ";", ":")) or lines[1].startswith("--")
    assert f"CREATE OR REPLACE VIEW {name} AS" in lines
    assert "SELECT *" not in view_text(name)
    assert view_text(name).rstrip().endswith(";")


def test_a_bracket_in_the_home_is_no_pattern() -> None:
    """A folder named `a[1]` is itself, not a set of characters."""
    assert glob_of("/home/a[1]", "*.parquet") == "'/home/a[[]1]/*.parquet'"


def test_prices_hold_one_at_a_time() -> None:
    """For every model, day and size of input there is at most one price."""
    with duckdb.connect() as connection:
        for statement in worker_sql({signal: Files([], []) for signal in Signal}):
            connection.execute(statement)
        doubled = connection.execute(
            "SELECT a.model FROM model_prices AS a JOIN model_prices AS b USING (model) "
            "WHERE (a.valid_from, a.input_above) < (b.valid_from, b.input_above) AND a.valid_until > b.valid_from "
            "AND b.valid_until > a.valid_from AND a.input_up_to > b.input_above AND b.input_up_to > a.input_above"
        ).fetchall()
        count = connection.execute(
            "SELECT count(DISTINCT model) FROM model_prices WHERE output_usd > input_usd"
        ).fetchone()
    assert doubled == []
    assert count is not None
    assert count[0] > 20
