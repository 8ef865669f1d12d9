"""ClickHouse's engine behind a thin HTTP front: what is stored here is stored there, once."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests import otlp
from tests.agent.forward.fronts import PASSWORD, clickhouse, there
from tests.daemons import telem
from tests.otlp import GOLDENS, golden
from tests.storage.homes import DAY, asked, home_of, parquet, segment

from telem.agent.forward import destinations, follower
from telem.agent.forward.cursor import Cursor
from telem.agent.forward.destinations import Destination
from telem.agent.forward.worker import run
from telem.sanitize.decode import decode
from telem.sanitize.records import Signal
from telem.storage import sequence
from telem.storage.compact import compact
from telem.storage.disk import Disk

if TYPE_CHECKING:
    from tests.storage.conftest import MakeBatch

    from telem.sanitize.gate import Gate
    from telem.storage.layout import Layout

pytest.importorskip("chdb")


def destine(layout: Layout, port: int, tmp_path: Path, **options: Any) -> None:
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    url = f"http://127.0.0.1:{port}"
    destinations.write(
        layout, Disk(), Destination("there", "clickhouse", url, **({"password_file": str(password)} | options))
    )


def until_done(layout: Layout) -> int:
    """How many lives it took."""
    for number in range(1, 20):
        said = run(layout, "there", linger_s=0, parent=False)
        if said["state"] == "idle":
            return number
        assert said["state"] == "later", said
    raise AssertionError("it does not end")


TABLES = ("otel_logs", "otel_traces", "otel_metrics_sum", "otel_metrics_gauge", "otel_metrics_histogram")


def test_the_exporter_s_tables_hold_every_captured_record(home: Path, gate: Gate, tmp_path: Path) -> None:
    """Made where they were missing; as many rows, the same sums in the views on top, ids in the attributes."""
    layout = home_of(home)
    for number, name in enumerate(GOLDENS, 1):
        request = golden(name)
        made = gate.sanitize(decode(request), gate.request_id(request))
        (parquet if number < len(GOLDENS) else segment)(layout, number, made)
    with clickhouse(tmp_path) as port:
        destine(layout, port, tmp_path)
        assert until_done(layout) == 1
        for table in TABLES:
            ((expected,),) = asked(layout, f"SELECT count(*) FROM {table}")
            assert there(port, f"SELECT count() FROM {table}") == [[expected]], table
        sums = "sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), count(DISTINCT session_id)"
        expected_sums = list(asked(layout, f"SELECT {sums} FROM api_requests")[0])
        assert [int(value) for value in there(port, f"SELECT {sums} FROM api_requests")[0]] == expected_sums
        ids = {row[0] for row in there(port, "SELECT LogAttributes['telem.row_id'] FROM otel_logs")}
        assert ids == {row[0] for row in asked(layout, "SELECT id FROM raw_logs")}
        assert run(layout, "there", linger_s=0, parent=False)["sent"] == 0


def test_lost_answers_double_nothing(home: Path, batch: MakeBatch, tmp_path: Path, monkeypatch: Any) -> None:
    """The same insert comes again with the same token, also when further rows have come meanwhile."""
    monkeypatch.setattr(follower, "INSERT_ROWS", 10)
    layout = home_of(home)
    segment(layout, 1, batch(*(f"a{number}" for number in range(25))))
    with clickhouse(tmp_path, 2, 4, 6) as port:  # the first one finds no table
        destine(layout, port, tmp_path, signals=("logs",))
        lives = 0
        said: dict[str, Any] = {}
        while said.get("state") != "idle":
            said = run(layout, "there", linger_s=0, parent=False)
            assert said["state"] in ("idle", "later"), said
            lives += 1
            segment(layout, 1 + lives, batch(*(f"b{lives}-{number}" for number in range(7)))) if lives < 4 else None
        assert lives == 4
        ((expected,),) = asked(layout, "SELECT count(*) FROM raw_logs")
        until_done(layout)
        found = there(port, "SELECT count(), uniqExact(LogAttributes['telem.row_id']) FROM otel_logs")
        assert found == [[expected, expected]]


def test_an_insert_comes_again_as_it_was_although_its_rows_have_moved(
    home: Path, batch: MakeBatch, tmp_path: Path, monkeypatch: Any
) -> None:
    """Its answer was lost; meanwhile the segments became Parquet, in another order and read in smaller pieces."""
    monkeypatch.setattr(sequence, "CHUNK_ROWS", 7)
    layout = home_of(home)
    segment(layout, 1, batch(*(f"a{number}" for number in range(20))), batch(*(f"b{number}" for number in range(20))))
    segment(layout, 2, batch("last"))
    with clickhouse(tmp_path, 2) as port:  # the first one finds no table
        destine(layout, port, tmp_path, signals=("logs",))
        assert run(layout, "there", linger_s=0, parent=False)["state"] == "later"
        assert there(port, "SELECT count() FROM otel_logs") == [[40]]
        compact(layout, Signal.LOGS, [1, 2], DAY, Disk())
        for number in (1, 2):
            Disk().empty(layout.segment(Signal.LOGS, number))
        until_done(layout)
        assert there(port, "SELECT count() FROM otel_logs") == [[41]]
        assert there(port, "SELECT count(DISTINCT LogAttributes['telem.row_id']) FROM otel_logs") == [[41]]


def test_a_wrong_password_stops_it_and_missing_tables_may_not_be_made(
    home: Path, batch: MakeBatch, tmp_path: Path
) -> None:
    """Both with the words of the server."""
    layout = home_of(home)
    segment(layout, 1, batch("a"))
    with clickhouse(tmp_path) as port:
        destine(layout, port, tmp_path, create=False)
        assert run(layout, "there", linger_s=0, parent=False)["state"] == "paused"
        Cursor(layout, Disk(), "there").resume()
        destine(layout, port, tmp_path, password_file="")
        said = run(layout, "there", linger_s=0, parent=False)
        assert (said["state"], "Authentication" in said["error"]) == ("paused", True)
        Cursor(layout, Disk(), "there").resume()
        destine(layout, port, tmp_path)
        until_done(layout)
        assert there(port, "SELECT count() FROM otel_logs") == [[1]]


def test_what_is_no_clickhouse_is_not_believed(home: Path, batch: MakeBatch, tmp_path: Path) -> None:
    """A page that answers 200 to everything."""

    class Portal(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>Please sign in</html>")

        def log_message(self, *_: Any) -> None:
            pass

    layout = home_of(home)
    segment(layout, 1, batch("a"))
    with HTTPServer(("127.0.0.1", 0), Portal) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        destine(layout, server.server_port, tmp_path)
        said = run(layout, "there", linger_s=0, parent=False)
        server.shutdown()
    assert (said["state"], "no ClickHouse" in said["error"]) == ("later", True)


def test_a_purge_reaches_what_was_forwarded(home: Path, gate: Gate, tmp_path: Path) -> None:
    """One session, or all before a day, of every table; counted first, with a receipt that names nobody."""
    layout = home_of(home)
    session = "it's \\ mine"
    for number, signal in enumerate(Signal, 1):
        builder: Any = {Signal.LOGS: otlp.logs, Signal.METRICS: otlp.metrics, Signal.TRACES: otlp.traces}[signal]
        message = builder({"session.id": session}, {"session.id": session, "x": "2"}, {"session.id": "other"})
        request = otlp.raw(signal, message)
        segment(layout, number, gate.sanitize(decode(request), gate.request_id(request)))
    with clickhouse(tmp_path) as port:
        destine(layout, port, tmp_path)
        until_done(layout)
        arguments = ("purge", "--session", session, "--on", "there")
        shown = telem(home, *arguments, "--dry-run", "--json")
        assert shown.returncode == 0, shown.stderr
        dry = json.loads(shown.stdout)
        tables = {"otel_logs": 2, "otel_traces": 2, "otel_metrics_sum": 2}
        assert {name: count for name, count in dry["rows"].items() if count} == tables
        assert there(port, "SELECT count() FROM otel_logs") == [[3]]
        done = telem(home, *arguments, "--yes", "--json")
        said = json.loads(done.stdout)
        assert {name: count for name, count in said["rows"].items() if count} == tables
        for table in tables:
            assert there(port, f"SELECT count() FROM {table}") == [[1]]
        assert "mine" not in Path(said["receipt"]).read_text(encoding="utf-8")
        assert telem(home, "purge", "--all", "--on", "there", "--yes").returncode == 0
        assert there(port, "SELECT count() FROM otel_logs") == [[0]]
        assert asked(layout, "SELECT count(*) FROM raw_logs") == [(3,)]
