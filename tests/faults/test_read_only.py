"""A data folder on a file system that is mounted read-only: said in words, and what is there can still be read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.daemons import CLI, LiveDaemon, clean_env
from tests.faults.client import Client

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]

MOUNTS = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
PORTS = ("--otlp-http-port", "0", "--otlp-grpc-port", "0", "--query-port", "0")


@pytest.fixture
def run(home: Path) -> Run:
    """Runs a command of ours where the home is mounted read-only; nobody else sees that mount."""
    own = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    inside = [*own, "sh", "-c", MOUNTS, str(home)]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*inside, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("nobody may mount anything here")

    def run(name: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [*inside, *CLI, name, "--home", str(home), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=clean_env())

    return run


@pytest.mark.parametrize("used", [False, True], ids=["new", "used"])
def test_a_daemon_says_that_it_may_not_write(home: Path, run: Run, used: bool) -> None:
    """Which path, why, and what to do; no traceback, and exit status 1. `start` says the same."""
    if used:
        with LiveDaemon(home) as daemon:
            assert Client().send(daemon.port("otlp_http")) == 200
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    for command in ("run", "start"):
        done = run(command, *PORTS)
        assert done.returncode == 1, done.stderr
        assert str(home) in done.stderr
        assert "Read-only file system" in done.stderr
        assert "--home" in done.stderr
        assert "Traceback" not in done.stderr
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == before


def test_what_is_there_can_be_asked(home: Path, run: Run) -> None:
    """A backup that was mounted, or a disk that went read-only: questions need to write nothing."""
    client = Client()
    with LiveDaemon(home) as daemon:
        assert client.send(daemon.port("otlp_http")) == 200
    done = run("query", "SELECT count(*) AS n FROM raw_logs", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [{"n": len(client.acknowledged)}]
    verified = run("verify", "--json")
    assert verified.returncode == 0, verified.stderr
    done = run("purge", "--session", client.session, "--yes")
    assert done.returncode == 1
    assert "Read-only file system" in done.stderr
    assert "Traceback" not in done.stderr
