"""What the command line does to a daemon from outside: start it, find it, ask it, stop it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telem.storage.disk import Disk

from .errors import AgentError
from .interpreter import PYTHON

if TYPE_CHECKING:
    from pathlib import Path

    from telem.storage.layout import Layout

START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 10.0
ASK_TIMEOUT_S = 5.0
COMPACT_TIMEOUT_S = 900.0
POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Running:
    """A daemon that has this data directory."""

    pid: int
    endpoints: dict[str, str]
    started_at_s: float
    profile: str = ""
    handover: str = ""


def find(layout: Layout) -> Running | None:
    """The daemon that holds the lock, or None. What it said of itself is believed only while it holds it."""
    pid = Disk().holder(layout.lock)
    if pid is None:
        return None
    said: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        said = json.loads(layout.daemon.read_text(encoding="utf-8"))
    if said.get("pid") != pid:
        said = {}
    return Running(
        pid,
        said.get("endpoints", {}),
        said.get("started_at_s", 0.0),
        said.get("profile", ""),
        said.get("handover", ""),
    )


def start(arguments: list[str], layout: Layout) -> dict[str, Any]:
    """Start a daemon in the background; return what it says once it accepts data.

    Raises:
        AgentError: it ended, or did not become ready in time; with what it said.
    """
    import subprocess  # status, which everybody waits for, does without

    layout.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    reading, writing = os.pipe()
    log_path = layout.logs / "start.log"
    descriptor = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as output, os.fdopen(reading, "rb") as ready:
        process = subprocess.Popen(
            [*PYTHON, "telem", *arguments, "--ready-fd", str(writing)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=(writing,),
        )
        os.close(writing)
        said = _read_ready(ready.fileno())
    if not said:
        if process.poll() is None:
            process.terminate()
        text = log_path.read_text(encoding="utf-8", errors="replace").strip()
        raise AgentError(f"the daemon did not start:\n{text}" if text else "the daemon did not start", "")
    process.returncode = 0  # it lives on; without this Python warns about a child that was not waited for
    return dict(json.loads(said))


def _read_ready(descriptor: int) -> bytes:
    """What the daemon writes when it is ready; empty when it ends first or takes too long."""
    end_s = time.monotonic() + START_TIMEOUT_S
    said = b""
    while not said.endswith(b"\n"):
        readable, _, _ = select.select([descriptor], [], [], max(0.0, end_s - time.monotonic()))
        part = os.read(descriptor, 65536) if readable else b""
        if not part:
            return b""
        said += part
    return said


def stop(layout: Layout) -> int | None:
    """Stop the daemon: it writes what is under way first. Returns its pid, or None when none runs.

    Raises:
        AgentError: it is still there after ten seconds.
    """
    running = find(layout)
    if running is None or not running.pid:
        return None
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    end_s = time.monotonic() + STOP_TIMEOUT_S
    while time.monotonic() < end_s:
        if find(layout) is None:
            return running.pid
        time.sleep(POLL_S)
    raise AgentError(
        f"process {running.pid} has not stopped after {STOP_TIMEOUT_S:.0f} s",
        f"Look at its log (telem-agent logs), or end it: kill -9 {running.pid}; nothing acknowledged is lost by that",
    )


def ask(running: Running, token_path: Path, method: str, path: str) -> dict[str, Any]:
    """Ask a running daemon something on its query port.

    Raises:
        AgentError: it does not answer.
    """
    from http import HTTPStatus

    from .connect import connect  # with TLS and mail, which the daemon itself does not need

    endpoint = running.endpoints.get("query", "")
    connection = connect(endpoint, COMPACT_TIMEOUT_S if method == "POST" else ASK_TIMEOUT_S)
    try:
        token = token_path.read_text(encoding="ascii").strip()
        connection.request(method, path, headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        body = response.read()
    except OSError as error:
        raise AgentError(
            f"process {running.pid} holds the data folder but does not answer at {endpoint or 'its port'}: {error}",
            "Look at its log: telem-agent logs",
        ) from error
    finally:
        connection.close()
    if response.status != HTTPStatus.OK:
        raise AgentError(f"process {running.pid} answered {response.status}: {body.decode('utf-8', 'replace').strip()}")
    return dict(json.loads(body))
