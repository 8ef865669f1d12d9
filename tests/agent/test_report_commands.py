"""`telem-agent report` and the reports that make themselves: files, news, who is told, and when one is due."""

from __future__ import annotations

import asyncio
import datetime as dt
import http.server
import json
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from tests.conftest import config_for
from tests.queries import golden

from telem.agent.cli import cli
from telem.agent.scheduled import Reporter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telem.storage.layout import Layout

DAY = "2026-11-23"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return golden.build(tmp_path_factory.mktemp("report") / "home")


@pytest.fixture
def heard() -> Iterator[tuple[str, list[Any]]]:
    """A webhook's address, and what it has heard."""
    said: list[Any] = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204 if self.path == "/hook?a=b" else 404)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Listener) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", said
        server.shutdown()
        thread.join()


def call(layout: Layout, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["report", *arguments, "--home", str(layout.home)])


def test_a_page_in_the_data_folder(store: Layout) -> None:
    """Its path is the answer; nobody else may read it."""
    result = call(store, "day", DAY)
    path = store.report(f"day-{DAY}.html")
    assert (result.exit_code, result.stdout) == (0, f"{path}\n")
    assert path.read_text().startswith("<!doctype html>")
    assert path.stat().st_mode & 0o777 == 0o600


def test_other_forms_and_places(store: Layout, tmp_path: Path) -> None:
    """Texts go to standard output; --out wins."""
    assert call(store, "day", DAY, "--format", "markdown").stdout.startswith("# Monday, 23 November 2026")
    assert call(store, "--since", DAY, "--until", DAY, "--format", "json").stdout.startswith("{")
    assert call(store, "day", DAY, "-o", "-").stdout.startswith("<!doctype html>")
    assert call(store, "day", DAY, "--format", "csv", "--out", str(tmp_path / "a.csv")).exit_code == 0
    assert (tmp_path / "a.csv").read_text().startswith("section,")
    failed = call(store, "day", DAY, "--out", str(tmp_path / "no" / "a.html"))
    assert failed.exit_code == 1
    assert "could not be written" in failed.stderr


@pytest.mark.parametrize(
    "arguments", [["day", DAY, "--since", DAY], ["--until", DAY], ["year"], ["month", "2026-13"], ["--since", "soon"]]
)
def test_usage(store: Layout, arguments: list[str]) -> None:
    assert call(store, *arguments).exit_code in (1, 2)


def test_a_changed_past_is_said_aloud(store: Layout) -> None:
    """On standard error, where a script's log has it."""
    period = "2026-11-20"  # closed, and empty
    assert call(store, "day", period).stderr == ""
    lines = store.report_digests.read_text().replace('"digest": "', '"digest": "x')
    store.report_digests.write_text(lines)
    assert "THE PAST HAS CHANGED" in call(store, "day", period).stderr
    assert call(store, "day", period).stderr == ""


def test_telling(store: Layout, heard: tuple[str, list[Any]], tmp_path: Path) -> None:
    """A command without a shell, and a webhook: path and totals, no names."""
    address, said = heard
    told = tmp_path / "told it.json"
    program = f"import sys; open({str(told)!r}, 'w').write(sys.stdin.read())"
    command = f'"{sys.executable}" -c "{program}"'
    result = call(store, "day", DAY, "--tell", "--report-command", command, "--report-webhook", f"{address}/hook?a=b")
    assert result.exit_code == 0, result.stderr
    assert said == [json.loads(told.read_text())]
    assert said[0]["totals"]["requests"] > 20
    assert said[0]["path"].endswith(f"day-{DAY}.html")
    assert "user:" not in told.read_text()


@pytest.mark.parametrize("setting", ["--report-command=false", "--report-webhook=ftp://x", "--report-command=/no/such"])
def test_telling_that_fails(store: Layout, setting: str) -> None:
    """The report is written all the same."""
    result = call(store, "day", DAY, "--tell", setting)
    assert result.exit_code == 1
    assert "the report is written, but" in result.stderr


def test_telling_a_webhook_that_refuses(store: Layout, heard: tuple[str, list[Any]]) -> None:
    result = call(store, "day", DAY, "--tell", "--report-webhook", f"{heard[0]}/other")
    assert "it answered 404" in result.stderr


async def test_reports_that_make_themselves(home: Path) -> None:
    """Due a day after the end of the period, made once, by a child."""
    layout = golden.empty(home)
    now = dt.datetime(2026, 11, 2, 0, 0, tzinfo=dt.UTC)
    assert Reporter(config_for(home), lambda: now).due() == []
    config = config_for(home, report_schedule="both", report_shared="1")
    assert Reporter(config, lambda: now - dt.timedelta(minutes=1)).due() == [("week", "2026-W43")]
    reporter = Reporter(config, lambda: now)
    assert reporter.due() == [("month", "2026-10")]
    running = asyncio.create_task(reporter.run())
    async with asyncio.timeout(60):
        while not layout.report("month-2026-10.html").exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.05)
    running.cancel()
    assert reporter.due() == []


async def test_a_report_that_fails_waits_an_hour(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    golden.empty(home)
    config = config_for(home, report_schedule="month", report_command="false")
    (home / "config.toml").write_text('report_command = "false"\n')
    reporter = Reporter(config, lambda: dt.datetime(2026, 11, 20, tzinfo=dt.UTC))
    (due,) = reporter.due()
    await reporter._make(*due)
    assert "telling about it failed" in caplog.text
    assert reporter.due() == []
