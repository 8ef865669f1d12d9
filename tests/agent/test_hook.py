"""The hook: tells where a session works, quickly, silently, and never in the client's way."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.daemons import CLI, clean_env, journal_rows

from telem.agent import homes, hook
from telem.agent.places import Place

if TYPE_CHECKING:
    from pathlib import Path

    from tests.daemons import LiveDaemon

SESSION = "81d01725-fbf1-4d1b-a942-f89c3b371ff0"


def handed(cwd: Path | str, **more: Any) -> str:
    said = {"session_id": SESSION, "cwd": str(cwd), "hook_event_name": "UserPromptSubmit", "prompt": "the secret plan"}
    return json.dumps({**said, **more})


def call(home: Path, text: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [*CLI, "hook", "--home", str(home)]
    return subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=60, check=False, env=clean_env() | env
    )


def silent(done: subprocess.CompletedProcess[str]) -> bool:
    return (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_tells_the_place_of_a_session(live: LiveDaemon, tmp_path: Path) -> None:
    """As a row marked `hook`, sanitized like everything, with nothing of the prompt."""
    (live.home / "config.toml").write_text('[chapters]\n"docs/07-*" = "ch07"\n', encoding="utf-8")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/fix-7\n")
    (tmp_path / ".git" / "config").write_text(
        '[remote "origin"]\n\turl = https://ada:hunter2@github.com/Org/Book.git\n'
    )
    cwd = tmp_path / "docs" / "07-agents"
    assert silent(call(live.home, handed(cwd)))
    (row,) = journal_rows(live.home)
    assert (row["source"], row["client"], row["event_name"]) == ("hook", "claude_code", "session_context")
    assert (row["branch"], row["chapter"], row["project"]) == ("fix-7", "ch07", "book")
    assert row["repository"] == "https://github.com/org/book"
    stored = json.dumps(row)
    assert "secret plan" not in stored
    assert "hunter2" not in stored


@pytest.mark.parametrize(
    "text", ["", "not JSON", "[]", "{}", '{"session_id": 7}', '{"session_id": "x", "cwd": 3}', "\x00\xff"]
)
def test_whatever_it_is_handed_it_succeeds_silently(live: LiveDaemon, text: str) -> None:
    """What is no hook's input is told to nobody."""
    assert silent(call(live.home, text))
    assert journal_rows(live.home) == []


def test_without_a_daemon_it_succeeds_silently(tmp_path: Path) -> None:
    """No folder, no daemon, a port on which nobody listens."""
    assert silent(call(tmp_path / "none", handed(tmp_path)))
    (tmp_path / "daemon.json").write_text(json.dumps({"endpoints": {"otlp_http": "http://127.0.0.1:9"}}))
    assert silent(call(tmp_path, handed(tmp_path)))


def test_broken_rules_do_not_keep_it_from_telling(live: LiveDaemon, tmp_path: Path) -> None:
    """The place is told without a chapter."""
    (live.home / "config.toml").write_text("chapters = [broken", encoding="utf-8")
    assert silent(call(live.home, handed(tmp_path)))
    assert len(journal_rows(live.home)) == 1


def test_it_ends_within_a_second_whatever_happens(tmp_path: Path) -> None:
    """A daemon that accepts and never answers, and a client that never closes its end."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        endpoint = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        (tmp_path / "daemon.json").write_text(json.dumps({"endpoints": {"otlp_http": endpoint}}))
        began_s = time.monotonic()
        assert silent(call(tmp_path, handed(tmp_path)))
        with subprocess.Popen(
            [*CLI, "hook", "--home", str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=clean_env()
        ) as waiting:
            assert waiting.wait(5) == 0
        assert time.monotonic() - began_s < 2 * (hook.LIMIT_S + 1)


def test_it_is_light() -> None:
    """It imports nothing but the standard library and the name of the folder: Claude Code waits for it."""
    code = "import sys, telem.agent.entry, telem.agent.hook; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=clean_env())
    heavy = {"click", "orjson", "aiohttp", "asyncio", "http.client", "telem.sanitize", "telem.storage"}
    assert heavy & set(done.stdout.split()) == set()


def test_what_is_not_known_is_not_sent() -> None:
    """An attribute without a value would look like one that is known to be empty."""
    sent = json.loads(hook.request(Place("/src"), SESSION, {"source": None}))
    record = sent["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    assert {pair["key"] for pair in record["attributes"]} == {"event.name", "session.id", "cwd"}


@pytest.mark.parametrize(
    ("arguments", "home"), [(["--home", "/a"], "/a"), (["--home=/b", "x"], "/b"), (["--other"], "/from/env")]
)
def test_the_home_is_found(arguments: list[str], home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flag before environment."""
    monkeypatch.setenv("TELEM_AGENT_HOME", "/from/env")
    assert homes.home_of(arguments) == home
