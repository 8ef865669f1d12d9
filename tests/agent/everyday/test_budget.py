"""Budgets: how they are written, where they stand, and that each threshold is told once."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from telem.agent.everyday import budget
from telem.agent.everyday.alert import filled
from telem.agent.everyday.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)  # a Wednesday


def spent(*amounts: tuple[str, str, datetime]) -> Totals:
    totals = Totals()
    for usd, project, when in amounts:
        time_us = int(when.timestamp() * 1e6)
        totals.add({"event_type": "api_request", "time": time_us, "cost_usd": usd, "project": project})
    return totals


@pytest.mark.parametrize(
    ("text", "name"),
    [("200/month", "$200/month"), ("$49.50 / week", "$49.50/week"), (" 10/DAY ", "$10/day")],
)
def test_how_a_budget_is_written(text: str, name: str) -> None:
    assert budget.parse(text).name == name


@pytest.mark.parametrize(
    "text", ["", "200", "200/year", "0/day", "-5/day", "1e3/day", "200/month/day", "99999999/day", "\u0661/day"]
)
def test_what_is_no_budget_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(budget.BudgetError, match="200/month"):
        budget.parse(text)


def test_where_budgets_stand() -> None:
    """Day, week and month of this machine's calendar; of everything and of one project."""
    totals = spent(
        ("1", "book", datetime(2026, 11, 25, 1, tzinfo=UTC)),
        ("2", "site", datetime(2026, 11, 24, tzinfo=UTC)),
        ("4", "book", datetime(2026, 11, 22, 23, tzinfo=UTC)),  # Sunday
        ("8", "book", datetime(2026, 10, 31, 23, tzinfo=UTC)),
    )
    limits = tuple(budget.parse(f"10/{period}") for period in budget.PERIODS)
    budgets = budget.Budgets((*limits, budget.parse("5/month", "book")))
    found = budget.standings(budgets, totals, NOW)
    assert [each.spent_usd for each in found] == [1, 3, 7, 5]
    assert [each.reached for each in found] == [0, 0, 50, 100]
    assert [each.period_start for each in found] == ["2026-11-25", "2026-11-23", "2026-11-01", "2026-11-01"]
    assert budget.sentence(found[3]) == "100 % of $5/month of book used: $5.00 since 2026-11-01"


def test_a_threshold_is_told_once_in_a_period(tmp_path: Path) -> None:
    """Also across restarts; a higher one, and the next period, are told anew."""
    path = tmp_path / "alerts.json"
    limit = budget.parse("10/day")

    def told(percent: int, day: str) -> bool:
        again = budget.Told(path)
        again.load()
        due = again.due(budget.Standing(limit, 0.0, percent, percent, day))
        path.write_bytes(again.dump(day))
        return due

    assert [told(*each) for each in ((0, "2026-11-25"), (50, "2026-11-25"), (50, "2026-11-25"))] == [False, True, False]
    assert [told(*each) for each in ((100, "2026-11-25"), (80, "2026-11-25"), (50, "2026-11-26"))] == [
        True,
        False,
        True,
    ]
    assert told(50, "2027-02-01")
    assert "2026-11-25" not in path.read_text()
    path.write_text("{")
    assert told(50, "2027-02-01")


def test_what_was_set_is_read_back(tmp_path: Path) -> None:
    """And a file that is not ours is as if nothing was set."""
    path = tmp_path / "budgets.json"
    wanted = budget.Budgets((budget.parse("5/day", "a b"),), (10,), ("say", "{text}"), "https://example.com/x")
    path.write_bytes(budget.dump(wanted))
    assert budget.load(path) == wanted
    replaced = budget.Budgets(wanted.with_budget(budget.parse("7/day", "a b")))
    assert [each.usd for each in replaced.budgets] == ["7"]
    for text in (
        "{",
        "[]",
        '{"budgets": 7}',
        '{"budgets": [{"x": 1}], "thresholds": [], "command": [], "webhook": ""}',
    ):
        path.write_text(text)
        assert budget.load(path) == budget.Budgets()
    assert budget.load(tmp_path / "none") == budget.Budgets()


def test_what_is_filled_in_stays_one_argument() -> None:
    """A project's name comes from outside; there is no shell it could speak to."""
    words = {"text": "100 % of; rm -rf /", "project": "$(id) {percent}"}
    assert filled(["say", "{text}", "--for={project}"], words) == ["say", words["text"], "--for=$(id) {percent}"]


@pytest.fixture
def hook() -> Iterator[tuple[str, list[Any]]]:
    """A server that keeps what is posted to it."""
    posted: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200 if self.path == "/ok" else 500)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", posted
        server.shutdown()


def alert(command: list[str], webhook: str) -> subprocess.CompletedProcess[str]:
    what = {"command": command, "webhook": webhook, "words": {"text": "80 % used; `id`", "threshold": "80"}}
    arguments = [sys.executable, "-m", "telem.agent.everyday.alert"]
    return subprocess.run(arguments, input=json.dumps(what), capture_output=True, text=True, timeout=60, check=False)


def test_an_alert_runs_and_posts(tmp_path: Path, hook: tuple[str, list[Any]]) -> None:
    address, posted = hook
    path = tmp_path / "told"
    script = "import os, sys; open(sys.argv[1], 'w').write(sys.argv[2] + os.environ['TELEM_BUDGET_THRESHOLD'])"
    done = alert([sys.executable, "-c", script, str(path), "{text}"], f"{address}/ok")
    assert (done.returncode, done.stderr) == (0, "")
    assert path.read_text() == "80 % used; `id`80"
    assert posted == [{"schema": 1, "text": "80 % used; `id`", "threshold": "80"}]


def test_a_failing_alert_says_so(hook: tuple[str, list[Any]]) -> None:
    """The command that is not there does not keep the webhook from being called."""
    done = alert(["/nowhere/at/all"], f"{hook[0]}/broken")
    assert done.returncode == 1
    assert "/nowhere/at/all" in done.stderr
    assert "500" in done.stderr
    assert len(hook[1]) == 1
