"""The command line around the daemon's life, as a user has it."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from tests.daemons import LiveDaemon, clean_env, telem, wait_for
from tests.otlp import numbered
from tests.wire import ask

from telem.agent import control
from telem.agent.errors import AgentError
from telem.sanitize.records import Signal
from telem.storage.layout import SEED_NAME, Layout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PORTS = ("--otlp-http-port", "0", "--otlp-grpc-port", "0", "--query-port", "0")


@pytest.fixture
def started(home: Path) -> Iterator[Path]:
    """A home with a daemon in the background."""
    done = telem(home, "start", *PORTS)
    assert done.returncode == 0, done.stderr
    yield home
    telem(home, "stop")


def pid_of(home: Path) -> int:
    running = control.find(Layout(home))
    assert running
    return running.pid


def test_start_returns_when_data_is_accepted_and_says_where(started: Path) -> None:
    """The endpoints it names answer at once."""
    running = control.find(Layout(started))
    assert running
    port = int(running.endpoints["otlp_http"].rpartition(":")[2])
    assert ask(port, numbered_logs()).status == 200


def numbered_logs() -> bytes:
    return numbered(Signal.LOGS, "a")


def test_modules_of_the_folder_it_is_started_in_are_not_imported(home: Path, tmp_path: Path) -> None:
    """A project may have a `queue.py`; nothing of it is run."""
    project = tmp_path / "project"
    project.mkdir()
    for name in ("asyncio", "grp", "json", "logging", "pyarrow", "queue", "telem"):
        (project / f"{name}.py").write_text("raise SystemExit('code of the folder was run')\n")
    command = [sys.executable, "-P", "-m", "telem"]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        asked = [*command, *arguments, "--home", str(home)]
        return subprocess.run(asked, cwd=project, capture_output=True, text=True, check=False, env=clean_env())

    done = run("start", *PORTS)
    try:
        assert done.returncode == 0, done.stderr
        running = control.find(Layout(home))
        assert running
        assert ask(int(running.endpoints["otlp_http"].rpartition(":")[2]), numbered_logs()).status == 200
        done = run("compact")
        assert done.returncode == 0, done.stderr
        assert {path.name for path in Layout(home).parquet(Signal.LOGS).rglob("*.parquet")} > {SEED_NAME}
    finally:
        run("stop")


def test_a_second_start_changes_nothing_and_succeeds(started: Path) -> None:
    """Exit status 0, the same process."""
    before = pid_of(started)
    done = telem(started, "start", *PORTS)
    assert done.returncode == 0
    assert f"runs already (process {before})" in done.stderr
    assert pid_of(started) == before


def test_status_is_for_people_and_for_programs(started: Path) -> None:
    """Text with the counts, or JSON with a schema."""
    port = int(control.find(Layout(started)).endpoints["otlp_http"].rpartition(":")[2])  # type: ignore[union-attr]
    ask(port, numbered_logs())
    text = telem(started, "status")
    assert text.returncode == 0
    assert f"process {pid_of(started)}" in text.stdout
    said = json.loads(telem(started, "status", "--json").stdout)
    assert (said["schema"], said["running"], said["pid"]) == (1, True, pid_of(started))
    assert said["signals"]["logs"]["records"] == 1
    assert said["signals"]["logs"]["journal_bytes"] > 0
    assert said["endpoints"].keys() == {"otlp_http", "otlp_grpc", "query"}


def test_stop_ends_it_and_a_second_stop_is_no_failure(started: Path) -> None:
    """The lock is free afterwards, and what it said of itself is gone."""
    assert telem(started, "stop").returncode == 0
    assert control.find(Layout(started)) is None
    assert not Layout(started).daemon.exists()
    done = telem(started, "stop")
    assert (done.returncode, "does not run" in done.stderr) == (0, True)


def test_restart_is_another_process_with_the_same_data(started: Path) -> None:
    """Also when none ran before."""
    before = pid_of(started)
    assert telem(started, "restart", *PORTS).returncode == 0
    assert pid_of(started) != before
    telem(started, "stop")
    assert telem(started, "restart", *PORTS).returncode == 0
    assert pid_of(started)


def test_status_of_nothing_is_one(home: Path) -> None:
    """Exit status 1, and how to start it."""
    done = telem(home, "status")
    assert (done.returncode, "telem-agent start" in done.stdout) == (1, True)
    done = telem(home, "status", "--json")
    assert (done.returncode, json.loads(done.stdout)["running"]) == (1, False)


def test_logs_shows_the_end_of_the_daemons_log(started: Path) -> None:
    """The last lines, as many as asked for."""
    done = telem(started, "logs", "-n", "1")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    assert "ready" in telem(started, "logs").stdout


def test_following_the_log_shows_what_is_added(started: Path) -> None:
    """Until it is interrupted."""
    from tests.daemons import CLI, clean_env

    follower = subprocess.Popen(
        [*CLI, "logs", "--home", str(started), "-n", "0", "-f"],
        stdout=subprocess.PIPE,
        text=True,
        env=clean_env() | {"PYTHONUNBUFFERED": "1"},
    )
    assert follower.stdout
    while not select.select([follower.stdout], [], [], 0.3)[0]:  # it takes a moment to look at the file at all
        with (Layout(started).logs / "daemon.log").open("a") as file:
            file.write("added\n")
    line = follower.stdout.readline()
    follower.kill()
    follower.wait()
    follower.stdout.close()
    assert line == "added\n"


@pytest.mark.parametrize("setting", ["otlp_http_port", "otlp_grpc_port", "query_port"])
def test_a_port_in_use_is_said_with_setting_and_way_out(setting: str, home: Path) -> None:
    """Exit status 1, no daemon left behind, and the directory is free again."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        ports = dict(zip(PORTS[::2], PORTS[1::2], strict=True)) | {f"--{setting.replace('_', '-')}": str(port)}
        done = telem(home, "start", *(item for pair in ports.items() for item in pair))
    assert done.returncode == 1
    assert f"port {port} ({setting})" in done.stderr
    assert "Traceback" not in done.stderr
    assert control.find(Layout(home)) is None


@pytest.mark.parametrize(
    "arguments", [("start", "--query-port", "many"), ("run", "--profile", "loose"), ("start", "--no-such-flag")]
)
def test_a_setting_that_cannot_be_is_exit_status_two(arguments: tuple[str, ...], home: Path) -> None:
    """With the setting's name and no traceback."""
    done = telem(home, *arguments)
    assert done.returncode == 2
    assert arguments[1] in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_environment_is_named(home: Path) -> None:
    """The variable stands in the message."""
    done = telem(home, "start", env={"TELEM_AGENT_PROFILE": "loose"})
    assert (done.returncode, "TELEM_AGENT_PROFILE" in done.stderr) == (2, True)


def test_a_lock_left_by_kill_9_is_no_obstacle(home: Path) -> None:
    """The lock dies with its process, whatever stands in the file."""
    first = LiveDaemon(home)
    first.kill()
    assert (home / "LOCK").read_text().strip() == str(first.pid)
    assert Layout(home).daemon.exists()
    assert telem(home, "status").returncode == 1
    assert telem(home, "stop").returncode == 0
    with LiveDaemon(home) as second:
        assert second.pid != first.pid


def test_a_living_lock_is_named_with_its_process(live: LiveDaemon) -> None:
    """A second daemon on the directory refuses, and says who has it."""
    done = telem(live.home, "run", *PORTS)
    assert done.returncode == 1
    assert str(live.pid) in done.stderr
    assert "telem-agent stop" in done.stderr


def test_asking_for_status_does_not_keep_a_daemon_from_starting(home: Path) -> None:
    """A monitor that looks all the time must not be taken for another daemon."""
    stopped = threading.Event()

    def look() -> None:
        while not stopped.is_set():
            control.find(Layout(home))

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for thread in lookers:
        thread.start()
    try:
        for _ in range(3):
            with LiveDaemon(home):
                pass
    finally:
        stopped.set()
        for thread in lookers:
            thread.join()


def test_the_home_is_private(started: Path) -> None:
    """0700 and 0600 throughout, whatever the umask of the shell."""
    wait_for(lambda: Layout(started).catalog.exists() and Layout(started).script.exists())
    modes = {path: path.stat().st_mode & 0o777 for path in (started, *started.rglob("*"))}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


def test_a_daemon_that_does_not_answer_is_said_to(live: LiveDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped (not ended) process keeps the lock: asking it is an error that names it, not a hang."""
    monkeypatch.setattr(control, "ASK_TIMEOUT_S", 0.3)
    running = control.find(live.layout)
    assert running
    os.kill(live.pid, signal.SIGSTOP)
    try:
        with pytest.raises(AgentError, match=f"process {live.pid} holds the data folder but does not answer"):
            control.ask(running, live.layout.token, "GET", "/status")
    finally:
        os.kill(live.pid, signal.SIGCONT)


def test_the_query_port_wants_the_token(live: LiveDaemon) -> None:
    """`/ping` is open; everything else needs the file's secret, and web pages get nothing."""
    port = live.port("query")
    token = live.layout.token.read_text().strip()
    assert ask(port, path="/ping", method="GET").status == 200
    assert ask(port, path="/status", method="GET").status == 401
    assert ask(port, path="/status", method="GET", authorization="Bearer wrong").status == 401
    assert ask(port, path="/status", method="GET", authorization=f"Bearer {token}").status == 200
    assert (
        ask(port, path="/status", method="GET", authorization=f"Bearer {token}", origin="http://evil.example").status
        == 403
    )
    assert ask(port, path="/ping", method="GET", host="evil.example").status == 403
    assert ask(port, path="/nothing", method="GET", authorization=f"Bearer {token}").status == 404
