"""The command line for asking: formats, files, watching, the browser, tables, the shell, completion."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from click.shell_completion import ShellComplete
from pyarrow import parquet
from tests.daemons import CLI, clean_env, telem
from tests.queries import golden

from telem.agent import asking_cli
from telem.agent.cli import cli
from telem.agent.shell import Completer
from telem.queries import describe, formats, render
from telem.queries.html import page
from telem.queries.table import ColumnInfo, Table

if TYPE_CHECKING:
    from pathlib import Path

    from telem.storage.layout import Layout


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return golden.build(tmp_path_factory.mktemp("cli") / "home")


def test_the_formats_are_those_there_are() -> None:
    """The command line lists them itself, to start quickly."""
    assert render.FORMATS == asking_cli.OWN_FORMATS
    assert tuple(formats.FORMATS) == asking_cli.CLICKHOUSE_FORMATS


def test_clickhouses_formats_on_the_command_line(store: Layout, tmp_path: Path) -> None:
    """To standard output, bytes as they are, from a ready-made question or SQL; its row limit is none."""
    done = telem(store.home, "query", "--sql", "SELECT range FROM range(20000)", "--format", "TabSeparated")
    assert done.stdout.count("\n") == 20_000
    done = telem(store.home, "query", "cost-analysis", "--format", "JSONEachRow")
    assert json.loads(done.stdout.splitlines()[0])["requests"] > 0
    raw = subprocess.run(
        [*CLI, "query", "--home", str(store.home), "--sql", "SELECT 1 AS n", "--format", "Parquet"],
        capture_output=True,
        check=True,
        env=clean_env(),
    )
    assert parquet.read_table(io.BytesIO(raw.stdout)).to_pylist() == [{"n": 1}]


def test_a_statement_from_a_file(store: Layout, tmp_path: Path) -> None:
    """Or from standard input; one source at a time."""
    path = tmp_path / "question.sql"
    path.write_text("SELECT $n::INT + 1 AS found\n", encoding="utf-8")
    done = telem(store.home, "query", "--file", str(path), "--param", "n=1", "--format", "jsonl")
    assert json.loads(done.stdout) == {"found": 2}
    assert telem(store.home, "query", "--file", str(path), "--sql", "SELECT 1").returncode == 2
    assert telem(store.home, "query", "--file", str(tmp_path / "none.sql")).returncode == 2


def test_watching_asks_again_and_again(store: Layout) -> None:
    """Until it is interrupted, which is no failure."""
    watching = subprocess.Popen(
        [
            *CLI,
            "query",
            "--home",
            str(store.home),
            "--sql",
            "SELECT 'seen'",
            "--format",
            "TabSeparated",
            "--watch",
            "200ms",
        ],
        stdout=subprocess.PIPE,
        text=True,
        env=clean_env(),
    )
    assert watching.stdout
    assert [watching.stdout.readline() for _ in range(3)] == ["seen\n"] * 3
    watching.send_signal(2)
    watching.stdout.read()
    watching.stdout.close()
    assert watching.wait(10) in (0, 1)
    assert telem(store.home, "query", "last", "--watch", "often").returncode == 2


def test_the_answer_in_the_browser(store: Layout, tmp_path: Path) -> None:
    """A file of its own that its owner alone may read."""
    env = {"BROWSER": "true", "TMPDIR": str(tmp_path)}
    done = telem(store.home, "query", "--sql", "SELECT '<script>' AS x", "--open", env=env)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("telem-answer-*/answer.html")
    assert str(path) in done.stderr
    assert path.stat().st_mode & 0o777 == 0o600
    assert "<td>&lt;script&gt;</td>" in path.read_text(encoding="utf-8")


def test_a_page_holds_nothing_that_runs_or_loads() -> None:
    """Whatever the data says; names and title too."""
    evil = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"
    text = page(Table((ColumnInfo(evil, evil), ColumnInfo("n", "BIGINT")), ((evil, None), ("a\nb", 5))), evil)
    assert "<script" not in text
    assert "<img" not in text
    assert not re.search(r"(src|href)=", re.sub(r"&lt;.*?&gt;", "", text))
    assert "default-src 'none'" in text
    assert "a\nb" in text


def test_tables_and_their_columns_are_described(store: Layout) -> None:
    """In words and as JSON."""
    done = telem(store.home, "describe", "api_requests")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^cost_usd +DECIMAL\(18,9\) +\[USD\] \S", done.stdout, re.MULTILINE)
    said = json.loads(telem(store.home, "describe", "SESSIONS", "--json").stdout)
    assert (said["schema"], said["table"]) == (1, "sessions")
    assert all(column["type"] and column["meaning"] for column in said["columns"])
    done = telem(store.home, "describe", "sesions")
    assert done.returncode == 1
    assert "Did you mean sessions?" in done.stderr
    listed = subprocess.run([*CLI, "tables"], capture_output=True, text=True, check=True, env=clean_env())
    assert {"events", "raw_logs", "access_log"} <= {line.split(" ")[0] for line in listed.stdout.splitlines()}


def test_meanings_are_those_of_the_data_model() -> None:
    """Found without a database, they are what the generated page says."""
    for table in describe.tables():
        known = describe.meanings(table.name)
        for column in table.columns:
            if column.meaning:
                assert (known[column.name].meaning, known[column.name].unit) == (column.meaning, column.unit)


@pytest.mark.parametrize(
    ("arguments", "incomplete", "expected"),
    [
        (["query"], "cost-a", "cost-analysis"),
        (["query", "cost-analysis", "--param"], "b", "by="),
        (["query", "cost-analysis", "--param"], "by=mo", "by=model"),
        (["query", "--format"], "JSONE", "JSONEachRow"),
        (["describe"], "api_r", "api_requests"),
        (["token"], "cr", "create"),
    ],
)
def test_completion_knows_names_and_parameters(arguments: list[str], incomplete: str, expected: str) -> None:
    """As the shells ask for them."""
    completer = ShellComplete(cli, {}, "telem-agent", "_TELEM_AGENT_COMPLETE")
    assert expected in [item.value for item in completer.get_completions(arguments, incomplete)]


def test_completion_knows_which_question_is_on_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only its parameters then."""
    monkeypatch.setenv("COMP_WORDS", "telem-agent query last --param ")
    completer = ShellComplete(cli, {}, "telem-agent", "_TELEM_AGENT_COMPLETE")
    assert "by=" not in [item.value for item in completer.get_completions(["query", "last", "--param"], "")]


def test_the_shell_completes_words_of_sql() -> None:
    """Keywords in the case of what was typed, tables and columns."""
    completer = Completer()
    assert completer.complete("sel", 0) == "select"
    assert completer.complete("SEL", 0) == "SELECT"
    found = [completer.complete("api_", state) for state in range(10)]
    assert {"api_errors", "api_requests"} <= set(found)
    assert completer.complete("", 0) is None


def test_the_shell_on_a_terminal(store: Layout) -> None:
    """Several lines up to a semicolon, commands with a dot, and a history for the next time."""
    program = (
        "import telem.agent.query_commands as commands, telem.agent.cli as cli\n"
        "commands.find_duckdb = lambda: None\n"
        f"cli.cli(['sql', '--home', {str(store.home)!r}])"
    )
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=slave, stdout=slave, stderr=slave, env=clean_env() | {"TERM": "dumb"}
    )
    os.close(slave)
    for line in (".format json", "SELECT 40 +", "2 AS found;", ".describe sessions;", "SELECT nonsense;", ".quit"):
        os.write(master, f"{line}\n".encode())
        time.sleep(0.1)
    output = read_all(master)
    assert process.wait(30) == 0, output
    assert '[{"found":42}]' in output
    assert "session_id" in output
    assert '"nonsense"' in output
    assert "DESCRIBE TABLE_NAME" in output
    assert "2 AS found;" in store.sql_history.read_text(encoding="utf-8")
    assert store.sql_history.stat().st_mode & 0o777 == 0o600


def read_all(master: int) -> str:
    """Everything that the other side of a terminal says until it leaves."""
    parts = []
    with contextlib.suppress(OSError):  # how Linux says that nobody is there any more
        while part := os.read(master, 65536):
            parts.append(part)
    os.close(master)
    return b"".join(parts).decode()
