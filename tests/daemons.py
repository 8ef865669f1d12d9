"""Real daemons in processes of their own, as the service manager would start them."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import orjson

from telem.sanitize.records import Signal
from telem.storage.layout import Layout

READY_S = 60.0
CLI = (sys.executable, "-m", "telem")
DUCKDB = Path(sys.executable).with_name("duckdb")


class LiveDaemon:
    """A running `telem-agent run` on ports of its own choice; the end of the `with` block ends it.

    Args:
        within: a command that executes it elsewhere, `ip netns exec NAME`.
    """

    def __init__(
        self, home: Path, *flags: str, env: dict[str, str] | None = None, within: tuple[str, ...] = (), **popen: Any
    ) -> None:
        self.home = home
        self.layout = Layout(home)
        reading, writing = os.pipe()
        ports = ("--otlp-http-port", "0", "--otlp-grpc-port", "0", "--query-port", "0")
        with contextlib.closing(os.fdopen(reading, "rb")) as ready:
            self.process = subprocess.Popen(
                [*within, *CLI, "run", "--home", str(home), *ports, "--ready-fd", str(writing), *flags],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(writing,),
                env=clean_env() | (env or {}),
                **popen,
            )
            os.close(writing)
            readable, _, _ = select.select([ready], [], [], READY_S)
            line = ready.readline() if readable else b""
        if not line:
            self.process.kill()
            raise AssertionError(self.process.communicate()[1].decode())
        said = json.loads(line)
        self.pid: int = said["pid"]
        self.endpoints: dict[str, str] = said["endpoints"]

    def port(self, name: str) -> int:
        return int(self.endpoints[name].rpartition(":")[2])

    def kill(self) -> None:
        """End it without a word, as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it as a service manager would; its exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(60)
        if self.process.stderr:
            self.process.stderr.close()
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end(signal.SIGTERM)


def clean_env() -> dict[str, str]:
    """This process's environment without anybody's settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("TELEM_AGENT_", "OTEL_"))}


def telem(home: Path, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line on a home and return what came of it."""
    return subprocess.run(
        [*CLI, arguments[0], "--home", str(home), *arguments[1:]],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=clean_env() | (env or {}),
    )


def shell(home: Path, sql: str, *flags: str) -> list[dict[str, Any]]:
    """What a plain duckdb shell answers over the catalog of a home."""
    done = subprocess.run(
        [str(DUCKDB), *flags, "-json", str(Layout(home).catalog), sql],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout or "[]"))


def journal_rows(home: Path, signal_: Signal = Signal.LOGS) -> list[dict[str, Any]]:
    """All rows in the journal of one signal, without looking at commits."""
    rows: list[dict[str, Any]] = []
    for path in sorted(Layout(home).journal(signal_).glob("s-*.ndjson")):
        rows += [row for row in map(orjson.loads, path.read_bytes().splitlines()) if "seg" in row]
    return rows


def names(rows: list[dict[str, Any]]) -> list[str]:
    """The `record.name` of each row."""
    return [row["attributes"]["record.name"] for row in rows]


def wait_for(condition: Any, timeout_s: float = 60.0) -> None:
    """Return when the condition holds. Slow machines take their time; only a failure waits to the end."""
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s, "it did not happen in time"
        time.sleep(0.02)
