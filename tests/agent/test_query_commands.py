"""The commands that ask, and the demo, as a user calls them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.daemons import CLI, clean_env, telem

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a demo that has run."""
    home = tmp_path_factory.mktemp("asked") / "mine"
    done = telem(home, "demo", "--no-report")
    assert done.returncode == 0, done.stderr
    assert not home.exists()  # the user's own folder is not touched
    return home.with_name("mine-demo")


def test_the_demo_is_labelled_and_shows_a_report(tmp_path: Path) -> None:
    """What it is about, where it lies, and costs to look at."""
    done = telem(tmp_path / "mine", "demo")
    assert done.returncode == 0, done.stderr
    assert "DEMO" in done.stderr
    assert "mine-demo" in done.stderr
    assert "claude-sonnet-4-5" in done.stdout
    assert "0.24850075" in done.stdout
    assert not (tmp_path / "mine").exists()


def test_a_second_demo_does_not_add_to_the_first(tmp_path: Path) -> None:
    """It begins with an empty folder."""
    for _ in range(2):
        assert telem(tmp_path / "mine", "demo", "--no-report").returncode == 0
    done = telem(tmp_path / "mine-demo", "query", "--sql", "SELECT count(*) AS n FROM api_requests", "--format", "json")
    assert json.loads(done.stdout) == [{"n": 22}]


def test_the_recording_ends_now(asked: Path) -> None:
    """Its times are moved, in the records and in what the records say of themselves."""
    columns = "max(time) > now() - INTERVAL 10 MINUTE AS fresh, max(attributes->>'event.timestamp') AS said"
    sql = f"SELECT {columns} FROM events"
    (row,) = json.loads(telem(asked, "query", "--sql", sql, "--format", "json").stdout)
    assert row["fresh"]
    assert row["said"] > "2026"


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv", "tsv", "markdown"])
def test_a_ready_made_question_in_every_format(asked: Path, form: str) -> None:
    """The answer goes to standard output, the talk about it elsewhere."""
    done = telem(asked, "query", "cost-analysis", "--since", "7d", "--param", "by=model", "--format", form)
    assert done.returncode == 0, done.stderr
    assert "claude-sonnet-4-5" in done.stdout
    assert "rows in" not in done.stdout
    assert ("rows in" in done.stderr) == (form == "table")


def test_without_a_question_the_ready_made_ones_are_listed(asked: Path) -> None:
    """With their parameters and choices."""
    done = telem(asked, "query")
    assert done.returncode == 0
    assert {"cost-analysis", "error-patterns", "token-efficiency"} <= set(done.stdout.split())
    assert "--param by=model" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("query", "cost-analysi"), 1, "cost-analysis"),
        (("query", "--sql", "SELECT * FROM evnts"), 1, "events"),
        (("query", "--sql", "DROP VIEW events"), 1, ""),
        (("query", "cost-analysis", "--sql", "SELECT 1"), 2, "not both"),
        (("query", "cost-analysis", "--param", "by"), 2, "NAME=VALUE"),
        (("query", "cost-analysis", "--param", "by=shoe"), 1, "model"),
        (("query", "cost-analysis", "--since", "yesteryear"), 1, "yesteryear"),
    ],
)
def test_a_wrong_question_says_what_is_wrong(asked: Path, arguments: tuple[str, ...], status: int, said: str) -> None:
    """On standard error, with the exit status of its kind and no traceback."""
    done = telem(asked, *arguments)
    assert done.returncode == status
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert said in done.stderr


def test_an_empty_home_is_an_answer(tmp_path: Path) -> None:
    """Nothing recorded is no error, and asking makes no folder."""
    done = telem(tmp_path / "none", "query", "cost-analysis", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def test_the_shell_is_duckdbs_own_when_there_is_one(asked: Path) -> None:
    """Its arguments are passed on."""
    done = telem(asked, "sql", "-c", "SELECT count(*) FROM api_requests")
    assert done.returncode == 0, done.stderr
    assert "22" in done.stdout


def test_without_duckdb_there_is_a_plain_shell(asked: Path, tmp_path: Path) -> None:
    """A statement a line; a wrong one is told and the next one answered."""
    program = (
        "import telem.agent.query_commands as commands, telem.agent.cli as cli\n"
        "commands.find_duckdb = lambda: None\n"
        f"cli.cli(['sql', '--home', {str(asked)!r}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input="SELECT nonsense FROM nowhere;\n\nSELECT count(*) AS n FROM api_requests;\n.quit\nSELECT 1\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env=clean_env(),
    )
    assert done.returncode == 0, done.stderr
    assert "nowhere" in done.stderr
    assert "pip install duckdb-cli" in done.stderr
    assert done.stdout.split() == ["n", "──", "22"]


def test_settings_are_listed(tmp_path: Path) -> None:
    """Every one, with its variable."""
    done = subprocess.run([*CLI, "settings"], capture_output=True, text=True, check=True, env=clean_env(), cwd=tmp_path)
    assert "otlp_http_port  [TELEM_AGENT_OTLP_HTTP_PORT]  default: 4318" in done.stdout
