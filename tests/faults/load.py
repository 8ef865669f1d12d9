"""Clients that send numbered records, and send again what was not acknowledged, as exporters do; and what is stored."""

from __future__ import annotations

import http.client
import itertools
import os
import signal as signals
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow.parquet as pq
from tests.daemons import CLI, clean_env

from telem.storage.compact import read_segments
from telem.storage.inventory import parquet_files
from telem.storage.journal import segments
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from telem.sanitize.records import Signal

SLOW_S = 60.0


@dataclass(frozen=True)
class Request:
    """What a client sends: records by their names, of one session, made on some day of the daemon's clock."""

    signal: Signal
    names: tuple[str, ...]
    body: bytes
    session: str = ""
    day: str = ""


class Load:
    """Some clients, each with one request under way.

    Args:
        make: the n-th request.
        pause_s: between an answer and the next request of the same client.
    """

    def __init__(self, make: Callable[[int], Request], connections: int = 8, pause_s: float = 0.0) -> None:
        self.acknowledged: list[Request] = []
        self.sent: list[Request] = []
        self._make = make
        self._pause_s = pause_s
        self._port = 0
        self._up = threading.Event()
        self._done = threading.Event()
        self._abandoned = False
        self._numbers = itertools.count()
        self._unserved: set[int] = set()
        self._clients = [threading.Thread(target=self._run, args=(number,)) for number in range(connections)]
        for client in self._clients:
            client.start()

    def up(self, port: int) -> None:
        """There is a daemon at a port."""
        self._port = port
        self._unserved = set(range(len(self._clients)))
        self._up.set()

    def down(self) -> None:
        """There is none."""
        self._up.clear()

    def settled(self) -> None:
        """Return when every client was answered by the daemon that is up: no request of a former life is left."""
        end_s = time.monotonic() + SLOW_S
        while self._unserved:
            assert time.monotonic() < end_s, "clients are not served"
            time.sleep(0.005)

    def end(self) -> None:
        """Let every client have its last request acknowledged, then stop."""
        self._done.set()
        for client in self._clients:
            client.join(SLOW_S)
            assert not client.is_alive()

    def abandon(self) -> None:
        """Stop, whatever has not been acknowledged."""
        self._abandoned = True
        self._up.set()
        self.end()

    def _run(self, client: int) -> None:
        while not self._done.is_set():
            request = self._make(next(self._numbers))
            self.sent.append(request)
            if self._is_acknowledged(request):
                self.acknowledged.append(request)
            self._unserved.discard(client)
            time.sleep(self._pause_s)

    def _is_acknowledged(self, request: Request) -> bool:
        """In the end, unless it is abandoned."""
        while True:
            self._up.wait()
            if self._abandoned:
                return False
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
            try:
                connection.request(
                    "POST", f"/v1/{request.signal}", request.body, {"Content-Type": "application/x-protobuf"}
                )
                if connection.getresponse().status == http.client.OK:
                    return True
            except (OSError, http.client.HTTPException):
                time.sleep(0.005)
            finally:
                connection.close()


def rows(home: Path, signal: Signal, columns: Iterable[str] = ("id", "attributes")) -> list[dict[str, Any]]:
    """All rows of a signal, as readers count them: Parquet, and the segments that are in none of it."""
    layout, names = Layout(home), list(columns)
    files = parquet_files(layout, signal)
    covered = {number for file in files for number in range(file.first, file.last + 1)}
    found = [row for file in files for row in pq.ParquetFile(file.path).read(names).to_pylist()]
    with duckdb.connect(config={"threads": 1}) as connection:
        for number, path in segments(layout, signal) if layout.journal(signal).is_dir() else ():
            if number not in covered:
                found += read_segments(signal, [path], connection).select(names).to_pylist()
    return found


def die_while_starting(home: Path, after_s: float, env: dict[str, str] | None = None) -> None:
    """A daemon that is killed before it says that it is ready, or soon after, at its first start or a later one."""
    starting = subprocess.Popen(
        [*CLI, "run", "--home", str(home), "--otlp-http-port", "0", "--otlp-grpc-port", "0", "--query-port", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=clean_env() | (env or {}),
        start_new_session=True,
    )
    time.sleep(after_s)
    end_all(starting)


def end_all(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all it has started, and return when none of them runs any more."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signals.SIGKILL)
    process.wait(SLOW_S)
    end_s = time.monotonic() + SLOW_S
    while _alive(process.pid):
        assert time.monotonic() < end_s
        time.sleep(0.002)


def _alive(group: int) -> bool:
    """Does a process of the group run? One that nobody has waited for does not."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, number = path.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(number) == group and state not in "ZX":
            return True
    return False
