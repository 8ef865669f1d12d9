"""The running daemon's totals, and the commands that show them, against real daemons and terminals."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from tests.daemons import CLI, LiveDaemon, clean_env, telem, wait_for
from tests.otlp import logs

from telem.agent.transcripts.sending import Door
from telem.queries.commands import ask
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

SESSION = "0b0e4a52-4c5f-4a7e-9d6a-1d0c3c2f5a10"


def send(daemon: LiveDaemon, number: int, **more: Any) -> None:
    """An answered request that cost 25 cents."""
    attributes = {
        "event.name": "api_request",
        "session.id": SESSION,
        "model": "claude-sonnet-4-5",
        "request_id": f"req_{number}",
        "project": "book",
        "git.branch": "ma\x1b[31min",
        "input_tokens": 1,
        "cache_read_tokens": 3,
        "output_tokens": 2,
        "cost_usd": 0.25,
    }
    door = Door(daemon.endpoints["otlp_http"])
    door.send(logs({**attributes, **more}, time_ns=time.time_ns()).SerializeToString())
    door.close()


def summary(home: Path) -> dict[str, Any]:
    try:
        return dict(orjson.loads(Layout(home).statusline.read_bytes()))
    except FileNotFoundError:
        return {"today": {}}


def test_totals_are_kept_and_survive_a_restart(home: Path) -> None:
    """Counted as they come; after a restart from the store, with what came before it, once."""
    with LiveDaemon(home) as daemon:
        for number in range(3):
            send(daemon, number)
        wait_for(lambda: summary(home)["today"].get("requests") == 3)
    with LiveDaemon(home) as daemon:
        send(daemon, 3)
        wait_for(lambda: summary(home)["today"].get("requests") == 4, 60)
        said = json.loads(telem(home, "top", "--json").stdout)
    assert said["today"]["cost_usd"] == 1.0
    assert said["burn_usd_per_h"] == 1.0
    assert [(each["session_id"], each["project"], each["requests"]) for each in said["sessions"]] == [
        (SESSION, "book", 4)
    ]
    assert said["status"]["pid"] == daemon.pid
    without = json.loads(telem(home, "top", "--json").stdout)
    assert (without["status"], without["today"]) == (None, said["today"])


def test_a_budget_is_shown_everywhere_and_told_once(live: LiveDaemon) -> None:
    """In status, the status line and `budget show`; the command runs when a threshold is crossed, not again after."""
    told = live.home / "told"
    script = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + '\\n')"
    command = f"{sys.executable} -c \"{script}\" {told} '{{text}}'"
    environment = {**clean_env(), "TELEM_AGENT_HOME": str(live.home)}

    def budget(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*CLI, "budget", *arguments], capture_output=True, text=True, check=False, env=environment
        )
        assert "Traceback" not in done.stderr
        return done

    assert budget("set", "1/day", "--threshold", "50", "--threshold", "100", "--command", command).returncode == 0
    send(live, 1)
    wait_for(lambda: summary(live.home)["today"].get("requests") == 1)
    assert not told.exists()
    for number in (2, 3):
        send(live, number)
    wait_for(told.exists)
    wait_for(lambda: told.read_text().endswith("\n"))
    send(live, 4)
    wait_for(lambda: told.read_text().count("\n") == 2)
    send(live, 5)
    wait_for(lambda: summary(live.home)["today"].get("requests") == 5)
    first, second = told.read_text().splitlines()
    assert re.match(r"(50|75) % of \$1/day used: \$0\.(50|75) since ", first)
    assert second.startswith("100 % of $1/day used: $1.00 since ")
    assert json.loads(budget("show", "--json").stdout)["budgets"][0]["percent"] == 125.0
    assert "125 % of $1/day used" in telem(live.home, "status").stdout
    line = subprocess.run(
        [*CLI, "statusline"],
        input="{}",
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "NO_COLOR": "1"},
    )
    assert line.stdout == "$1.25 today · $1.25/h · 75 % cached · 125 % of $1/day\n"
    assert budget("set", "much/day").returncode == 1
    assert budget("set", "1/day", "--webhook", "file:///etc/passwd").returncode == 1
    assert budget("remove", "week").returncode == 1
    assert budget("remove", "all").returncode == 0
    assert json.loads(budget("show", "--json").stdout)["budgets"] == []


def test_top_once_shows_what_is_going_on(live: LiveDaemon) -> None:
    """For scripts: plain text, and nothing a terminal would obey."""
    send(live, 1)
    wait_for(lambda: summary(live.home)["today"].get("requests") == 1)
    done = telem(live.home, "top", "--once")
    assert done.returncode == 0, done.stderr
    assert "today   $0.25" in done.stdout
    assert "75 % of the input from the cache" in done.stdout
    assert "records 1 logs, 0 metrics, 0 traces" in done.stdout
    assert re.search(r"0b0e4a52 +\$0\.25 +6 +75 % +1 +book", done.stdout)
    assert "\x1b" not in done.stdout
    assert telem(live.home, "top").returncode == 1


@pytest.mark.parametrize("end", [b"q", b"\x03"])
def test_top_in_a_terminal(live: LiveDaemon, end: bytes) -> None:
    """It draws on the other screen, anew as things happen, and leaves the terminal as it was."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (20, 70))
    before = termios.tcgetattr(slave)
    env = {**clean_env(), "TERM": "xterm-256color", "TELEM_AGENT_HOME": str(live.home)}
    command = [sys.executable, "-c", IN_TERMINAL, *CLI, "top", "--interval", "0.3"]
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True) as process:
        try:
            screen = _read_until(master, b"no session in the last 24 hours")
            assert b"\x1b[?1049h" in screen
            send(live, 1)
            screen = _read_until(master, b"0b0e4a52")
            shown = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", screen).decode()
            assert max(map(len, shown.splitlines())) <= 70
            os.write(master, end)
            assert b"Traceback" not in _read_until(master, b"\x1b[?1049l")
            assert process.wait(60) == 0
            assert termios.tcgetattr(slave)[3] == before[3]
        finally:
            process.kill()
            os.close(master)
            os.close(slave)


IN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def _read_until(descriptor: int, wanted: bytes) -> bytes:
    found, end_s = b"", time.monotonic() + 60
    while wanted not in found:
        assert time.monotonic() < end_s, found[-2000:]
        if select.select([descriptor], [], [], 0.2)[0]:
            found += os.read(descriptor, 65536)
    return found


def test_feedback_is_recorded_by_hand(live: LiveDaemon, tmp_path: Path) -> None:
    """For the latest session or a named one, sanitized, as `validation_result`; without a session it says so."""
    env = {"CLAUDE_CONFIG_DIR": str(tmp_path)}
    none = telem(live.home, "feedback", "approve", env=env)
    assert (none.returncode, "--session" in none.stderr) == (1, True), none.stderr
    send(live, 1)
    token = "ghp_9gSvT4mQx2LwZ7kRb1NfYc8HdJ3pUa6eVt0W"  # made up
    assert telem(live.home, "feedback", "modify", "less", "of", token, env=env).returncode == 0
    named = telem(
        live.home, "feedback", "reject", "--session", "11111111-2222-4333-8444-555555555555", "--json", env=env
    )
    assert json.loads(named.stdout)["decision"] == "reject"
    rows = ask(
        Layout(live.home),
        "SELECT session_id, decision, attributes ->> '$.text' FROM validation_results ORDER BY time",
    ).rows
    assert rows[0][:2] == (SESSION, "modify")
    assert str(rows[0][2]).startswith("less of [REDACTED")
    assert rows[1] == ("11111111-2222-4333-8444-555555555555", "reject", None)
    assert ask(Layout(live.home), "SELECT DISTINCT source FROM events WHERE event_type = 'validation_result'").rows == (
        ("hand",),
    )
    assert ask(Layout(live.home), "SELECT sum(requests), sum(prompts) FROM sessions").rows == ((1, 0),)


BASH = """
source "$1"
complete -p telem-agent
COMP_WORDS=(telem-agent bu); COMP_CWORD=1
_telem_agent_completion telem-agent
echo "${COMPREPLY[@]}"
"""
ZSH = """
autoload -Uz compinit; compinit -u
source "$1"
echo $_comps[telem-agent]
"""
FISH = "source $argv[1]; complete -C 'telem-agent bu'"
CHECKS = {
    "bash": ["bash", "--norc", "-c", BASH, "bash"],
    "zsh": ["zsh", "-f", "-c", ZSH, "zsh"],
    "fish": ["fish", "--no-config", "-c", FISH],
}


@pytest.mark.parametrize("shell", CHECKS)
def test_completion_loads_in_the_real_shell(shell: str, tmp_path: Path) -> None:
    """And completes, where the shell is installed; the script is made anyway."""
    made = subprocess.run([*CLI, "completion", shell], capture_output=True, text=True, check=False, env=clean_env())
    assert (made.returncode, made.stderr) == (0, "")
    assert "_TELEM_AGENT_COMPLETE" in made.stdout
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "completion"
    script.write_text(made.stdout)
    command = tmp_path / "telem-agent"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m telem "$@"\n')
    command.chmod(0o755)
    env = {**clean_env(), "PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    done = subprocess.run(
        [*CHECKS[shell], str(script)], capture_output=True, text=True, timeout=60, check=False, env=env
    )
    assert done.returncode == 0, done.stderr
    assert "budget" in done.stdout if shell != "zsh" else "_telem_agent" in done.stdout
