"""From a fresh account to the first cost figure, with the real Claude Code against a made-up API.

It runs where `TELEM_TEST_CLAUDE` names the client's program. Nothing leaves loopback: all other hosts are behind a
proxy that refuses.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.daemons import CLI
from tests.fake_api import FakeApi

if TYPE_CHECKING:
    from collections.abc import Iterator

CLAUDE = os.environ.get("TELEM_TEST_CLAUDE", "")
pytestmark = pytest.mark.skipif(not CLAUDE, reason="TELEM_TEST_CLAUDE names no Claude Code")
BUDGET_S = 120.0
"""From a fresh account to the first figure."""

GIT = ("git", "-c", "user.name=A", "-c", "user.email=a@example.com")


class Account:
    """A user account of its own, with a repository in it."""

    def __init__(self, home: Path, api: FakeApi) -> None:
        self.home = home
        self.book = home / "book"
        (self.book / "docs" / "07-agents").mkdir(parents=True)
        ports = ("OTLP_HTTP", "OTLP_GRPC", "QUERY")
        self.env = {
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "GIT_CONFIG_NOSYSTEM": "1",
            "LANG": "C.UTF-8",
            **{f"TELEM_AGENT_{port}_PORT": "0" for port in ports},
        }
        away = ("HTTP_PROXY", "HTTPS_PROXY", "ANTHROPIC_BASE_URL")
        off = (
            "DISABLE_AUTOUPDATER",
            "DISABLE_ERROR_REPORTING",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
            "IS_SANDBOX",
        )
        self.client_env = self.env | dict.fromkeys(away, api.url) | dict.fromkeys(off, "1")
        self.client_env |= {"ANTHROPIC_API_KEY": "sk-ant-api03-dummy-not-a-real-key", "NO_PROXY": "127.0.0.1"}
        self.run(*GIT, "init", "-q", "-b", "main")
        self.run(*GIT, "commit", "-q", "--allow-empty", "-m", "begin")
        self.run("git", "remote", "add", "origin", "git@github.com:Example-Org/The-Book.git")

    def run(self, *words: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
        done = subprocess.run(
            words,
            cwd=cwd or self.book,
            env=env or self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BUDGET_S,
            check=False,
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def telem(self, *words: str) -> str:
        return self.run(*CLI, *words)

    def say(self, *words: str, cwd: Path | None = None) -> None:
        assert "OK." in self.run(CLAUDE, "-p", "Say hi", *words, cwd=cwd, env=self.client_env)

    def ask(self, sql: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.telem("query", "--sql", sql, "--format", "jsonl").splitlines()]


@pytest.fixture
def account(home: Path) -> Iterator[Account]:
    with FakeApi() as api:
        made = Account(home, api)
        yield made
        subprocess.run([*CLI, "stop"], env=made.env, check=False, capture_output=True)


def test_two_commands_to_the_first_cost_figure(account: Account) -> None:
    """Start, setup, and the next session's cost is there, by branch, repository and chapter."""
    began_s = time.monotonic()
    (account.home / ".claude").mkdir()
    account.telem("start")
    account.telem("setup", "--yes")
    account.say()
    figures = account.telem("query", "cost-analysis", "--param", "by=branch", "--format", "jsonl")
    took_s = time.monotonic() - began_s
    (row,) = map(json.loads, figures.splitlines())
    assert row == {**row, "branch": "main"}, figures
    assert float(row["cost_usd"]) > 0
    assert took_s < BUDGET_S
    print(f"first figure after {took_s:.1f} s")  # noqa: T201 (what this test is for; shown with -s)


def test_places_follow_the_session(account: Account) -> None:
    """A branch switched between prompts of a session, a worktree, a folder with a chapter, a tag of the project."""
    (account.home / ".claude").mkdir()
    account.telem("start")
    account.telem("setup", "--yes")
    data = account.home / ".local/share/telem-agent"
    if sys.platform == "darwin":
        data = account.home / "Library/Application Support/telem-agent"
    (data / "config.toml").write_text('[chapters]\n"docs/07-*" = "ch07"\n')
    account.say()
    account.run("git", "switch", "-q", "-c", "fix-7")
    account.say("--continue")
    account.run("git", "worktree", "add", "-q", "../book-fix", "-b", "fix-8")
    account.say(cwd=account.home / "book-fix")
    account.say(cwd=account.book / "docs" / "07-agents")
    account.telem("setup", "project", "--yes", "--tag", "chapter=tagged")
    account.say()
    found = account.ask("SELECT branch, chapter, project, repository FROM api_requests ORDER BY time")
    assert {row["repository"] for row in found} == {"https://github.com/example-org/the-book"}
    assert {row["project"] for row in found} == {"the-book"}
    places = dict.fromkeys((row["branch"], row["chapter"]) for row in found)
    assert list(places) == [("main", None), ("fix-7", None), ("fix-8", None), ("fix-7", "ch07"), ("fix-7", "tagged")]
    (first,) = account.ask(
        "SELECT count(DISTINCT branch) AS branches, any_value(session_id) AS id FROM api_requests "
        "WHERE session_id = (SELECT session_id FROM events ORDER BY time LIMIT 1)"
    )
    assert first["branches"] == 2
    (tree,) = account.ask("SELECT worktree FROM session_context WHERE branch = 'fix-8'")
    assert tree["worktree"] == "book-fix"
    (prompt,) = account.ask("SELECT count(*) AS n FROM raw_logs WHERE attributes::VARCHAR LIKE '%Say hi%'")
    assert prompt["n"] == 0


def test_undo_leaves_the_client_as_it_was(account: Account) -> None:
    """The client goes on without telemetry, and nothing of ours is left in its settings."""
    settings = account.home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_bytes(b'{\n    "includeCoAuthoredBy": false\n}')
    account.telem("start")
    account.telem("setup", "--yes")
    account.say()
    account.telem("setup", "--undo", "--yes")
    assert settings.read_bytes() == b'{\n    "includeCoAuthoredBy": false\n}'
    account.say()
    assert account.ask("SELECT count(DISTINCT session_id) AS n FROM events") == [{"n": 1}]


def test_the_client_does_not_notice_that_the_program_is_gone(account: Account) -> None:
    """Settings that were left behind name a hook that is not there; the session is as ever."""
    settings = account.home / ".claude" / "settings.json"
    settings.parent.mkdir()
    account.telem("start")
    account.telem("setup", "--yes")
    shutil.copy(settings, settings.with_suffix(".was"))
    settings.write_text(settings.read_text().replace("telem-agent hook", "gone/telem-agent hook"))
    account.say()


def test_the_time_before_is_imported_and_nothing_is_counted_twice(account: Account) -> None:
    """Sessions from before the installation come from their logs, later ones by export, a fork of both once."""
    account.say()
    account.say("--continue")
    account.telem("start")
    account.telem("setup", "--yes")
    account.say("--continue", "--fork-session")
    took = json.loads(account.telem("import", "claude", "--json"))
    assert took["taken"] == {"api_request": 2, "user_prompt": 2}
    assert took["exported"] == 2
    assert json.loads(account.telem("import", "claude", "--json"))["taken"] == {}
    assert account.ask("SELECT coalesce(source, 'exported') AS way, count(*) AS n FROM events "
                       "WHERE event_type = 'api_request' GROUP BY 1 ORDER BY 1") == [
        {"way": "exported", "n": 1}, {"way": "transcript", "n": 2},
    ]  # fmt: skip
    (total,) = account.ask(
        "SELECT sum(requests) AS requests, sum(prompts) AS prompts, count(*) AS sessions FROM sessions"
    )
    assert total == {"requests": 3, "prompts": 3, "sessions": 2}
    (place,) = account.ask("SELECT DISTINCT branch, project, repository FROM api_requests")
    assert place == {"branch": "main", "project": "the-book", "repository": "https://github.com/example-org/the-book"}
    assert len(account.ask('SELECT DISTINCT "user" FROM api_requests')) == 1
