"""Tokens for programs, and the log of who asked what, as a user has them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from tests.agent.test_query_http import ask, token_of
from tests.daemons import LiveDaemon, telem, wait_for
from tests.queries import golden

from telem.agent.logins import Logins
from telem.storage import access
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDaemon]:
    home = tmp_path_factory.mktemp("access") / "home"
    golden.build(home)
    with LiveDaemon(home) as started:
        yield started


def noted(home: Path, statement: str) -> dict[str, object]:
    """The entry of a statement, as soon as it is written."""
    found: list[dict[str, object]] = []

    def is_there() -> bool:
        found[:] = [said for _, _, said in access.lines(Layout(home)) if said and statement in said["statement"]]
        return bool(found)

    wait_for(is_there)
    return found[-1]


def test_every_question_is_noted_and_nothing_of_its_answer(served: LiveDaemon) -> None:
    """Who, from where, which, what came of it, how much."""
    ask(served, "SELECT 'the answer' || 42 AS noted FORMAT CSV", query_id="mine")
    entry = noted(served.home, "AS noted")
    assert (entry["caller"], entry["via"], entry["address"]) == ("owner", "http", "127.0.0.1")
    assert (entry["outcome"], entry["rows"], entry["bytes"], entry["format"]) == ("answered", 1, 15, "CSV")
    assert entry["query_id"] == "mine"
    assert "answer42" not in json.dumps(entry)
    ask(served, "DROP VIEW noted_too")
    assert noted(served.home, "noted_too")["outcome"] == "refused"
    ask(served, "SELECT count(*) FROM range(1000000000) slow, range(1000) b", max_execution_time="0.1")
    assert noted(served.home, "slow")["outcome"] == "stopped"


def test_statements_go_through_the_sanitizer(served: LiveDaemon) -> None:
    """A literal may be somebody's address, or a secret."""
    secret = "ghp_" + "9fK2mQ7xV4bN8cR1tY6wZ3aS5dL0eJhG2uPo"
    ask(served, f"SELECT 'jane.doe@corp.example' AS who, '{secret}' AS key, 1 AS cleaned")
    text = str(noted(served.home, "AS cleaned")["statement"])
    assert "jane.doe" not in text
    assert secret not in text


def test_the_log_is_a_table_of_its_owner(served: LiveDaemon) -> None:
    """And of nobody else."""
    ask(served, "SELECT 1 AS before_looking")
    noted(served.home, "before_looking")
    sql = "SELECT caller, outcome, rows FROM access_log WHERE statement LIKE '%before_looking%' LIMIT 1"
    assert ask(served, sql).text == "owner\tanswered\t1\n"
    token = telem(served.home, "token", "create", "looker").stdout.strip()
    found = ask(served, sql, {"Authorization": f"Bearer {token}"})
    assert found.status == 403
    assert "owner" in found.text


def test_the_command_line_asks_the_daemon(served: LiveDaemon) -> None:
    """And is noted as what it is."""
    done = telem(served.home, "query", "--sql", "SELECT 1 AS from_the_command_line", "--format", "json")
    assert json.loads(done.stdout) == [{"from_the_command_line": 1}]
    entry = noted(served.home, "from_the_command_line")
    assert (entry["caller"], entry["via"]) == ("owner", "cli")
    assert telem(served.home, "query", "--sql", "SELEC 1").returncode == 1


def test_without_a_daemon_the_command_line_notes_by_itself(tmp_path: Path) -> None:
    """The same log, the same chain."""
    home = tmp_path / "home"
    golden.build(home)
    assert telem(home, "query", "--sql", "SELECT 1 AS alone").returncode == 0
    assert telem(home, "query", "--sql", "DROP VIEW alone").returncode == 1
    first, second = (said for _, _, said in access.lines(Layout(home)) if said)
    assert (first["via"], first["outcome"], second["outcome"]) == ("cli", "answered", "refused")
    done = telem(home, "audit", "verify")
    assert (done.returncode, done.stdout) == (0, "2 lines, 1 to 2; the chain is whole.\n")
    path = Layout(home).access_file(1)
    path.write_text(path.read_text(encoding="utf-8").replace("AS alone", "AS other"), encoding="utf-8")
    done = telem(home, "audit", "verify", "--json")
    assert done.returncode == 1
    assert "damaged" in json.loads(done.stdout)["problems"][0]
    assert "SELECT 1" not in telem(home, "audit").stdout
    assert "DROP VIEW alone" in telem(home, "audit").stdout


def test_a_wrong_token_is_noted_and_never_stored(served: LiveDaemon) -> None:
    """Once, however often it is tried; no token at all is no attempt."""
    wrong = "a-wrong-token-0123456789"
    assert ask(served, "SELECT 1", {"Authorization": ""}).status == 401
    for headers in ({"Authorization": f"Bearer {wrong}"}, {"Authorization": "", "X-ClickHouse-Key": wrong}):
        for _ in range(20):
            assert ask(served, "SELECT 1", headers).status == 401
    entry = noted(served.home, "wrong token")
    assert (entry["caller"], entry["address"], entry["outcome"], entry["problem"]) == (
        "",
        "127.0.0.1",
        "refused",
        "login",
    )
    ask(served, "SELECT 1 AS after_it")
    noted(served.home, "after_it")
    said = [entry["statement"] for _, _, entry in access.lines(Layout(served.home)) if entry]
    assert said.count("login refused: wrong token") == 1
    assert wrong not in json.dumps(said)


async def test_wrong_tokens_are_counted() -> None:
    """How many came after the first is noted when a while has passed; then it is quiet, and begins again."""
    said: list[tuple[str, str]] = []
    logins = Logins(lambda asked: said.append((asked.address, asked.statement)), 0.05)
    for _ in range(3):
        logins.failed("a")
    logins.failed("b")
    first = "login refused: wrong token"
    assert said == [("a", first), ("b", first)]
    while len(said) < 3:  # noqa: ASYNC110 (the loop itself tells)
        await asyncio.sleep(0.01)
    assert said[2] == ("a", f"{first}, 2 more times in 0.05 s")
    while logins._more:  # noqa: ASYNC110 (as above)
        await asyncio.sleep(0.01)
    logins.failed("a")
    assert said[3:] == [("a", first)]


def test_a_program_has_a_token_of_its_own(served: LiveDaemon) -> None:
    """It asks with it, is noted by its name, may do nothing else, and stops when the token is revoked."""
    token = telem(served.home, "token", "create", "grafana").stdout.strip()
    headers = {"Authorization": f"Bearer {token}"}
    assert ask(served, "SELECT 1 AS by_grafana", headers).text == "1\n"
    assert noted(served.home, "by_grafana")["caller"] == "grafana"
    assert ask(served, method="GET", path="/status", headers=headers).status == 403
    assert ask(served, method="POST", path="/ask", headers=headers).status == 403
    assert "grafana" in telem(served.home, "token", "list").stdout
    assert token not in Layout(served.home).tokens.read_text(encoding="utf-8")
    assert telem(served.home, "token", "create", "grafana").returncode == 1
    assert telem(served.home, "token", "revoke", "grafana").returncode == 0
    assert ask(served, "SELECT 1", headers).status == 401
    assert telem(served.home, "token", "revoke", "grafana").returncode == 1


def test_the_token_is_shown_and_changed(served: LiveDaemon) -> None:
    """What stands on standard output is the token and nothing else; a new one counts at once."""
    before = telem(served.home, "token").stdout
    assert before == f"{token_of(served)}\n"
    assert telem(served.home, "token", "rotate").returncode == 0
    assert ask(served, "SELECT 1", {"Authorization": f"Bearer {before.strip()}"}).status == 401
    assert ask(served, "SELECT 1").text == "1\n"
