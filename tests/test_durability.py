"""kill -9 at random moments under load: what was acknowledged is there, and nothing is there twice.

`TELEM_TEST_KILLS` sets the number of rounds, `TELEM_TEST_SEED` the random moments.
"""

from __future__ import annotations

import http.client
import itertools
import os
import random
import socket
import subprocess
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
from tests.daemons import CLI, LiveDaemon, clean_env, telem
from tests.otlp import numbered

from telem.sanitize.records import Signal
from telem.storage.compact import read_segment
from telem.storage.inventory import parquet_files
from telem.storage.journal import segments
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = int(os.environ.get("TELEM_TEST_KILLS", "30"))
SEED = int(os.environ.get("TELEM_TEST_SEED", str(time.time_ns() % 1_000_000)))
CONNECTIONS = 8
LOAD_S = (0.02, 0.2)


class Load:
    """Clients that send numbered records, and send again what was not acknowledged, as exporters do."""

    def __init__(self) -> None:
        self.acknowledged: list[str] = []
        self.sent: list[str] = []
        self._port = 0
        self._up = threading.Event()
        self._done = threading.Event()
        self._numbers = itertools.count()
        self._clients = [threading.Thread(target=self._run) for _ in range(CONNECTIONS)]
        for client in self._clients:
            client.start()

    def up(self, port: int) -> None:
        self._port = port
        self._up.set()

    def down(self) -> None:
        self._up.clear()

    def end(self) -> None:
        """Let every client have its last request acknowledged, then stop."""
        self._done.set()
        for client in self._clients:
            client.join(30)
            assert not client.is_alive()

    def _run(self) -> None:
        while not self._done.is_set():
            names = [f"{next(self._numbers)}" for _ in range(3)]
            signal = Signal.TRACES if int(names[0]) % 5 == 0 else Signal.LOGS
            self.sent += names
            self._until_acknowledged(signal, numbered(signal, *names))
            self.acknowledged += names

    def _until_acknowledged(self, signal: Signal, body: bytes) -> None:
        connection: http.client.HTTPConnection | None = None
        while True:
            self._up.wait()
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
                connection.request("POST", f"/v1/{signal}", body, {"Content-Type": "application/x-protobuf"})
                if connection.getresponse().read() == b"":
                    connection.close()
                    return
            except (OSError, http.client.HTTPException, socket.timeout):  # noqa: UP041 (both names are documented)
                if connection:
                    connection.close()
                connection = None
                time.sleep(0.005)


def rows(home: Path, signal: Signal) -> list[dict[str, Any]]:
    """All rows of a signal, as readers count them: Parquet, and the segments that are in none of it."""
    import pyarrow.parquet as pq

    layout = Layout(home)
    files = parquet_files(layout, signal)
    covered = {number for file in files for number in range(file.first, file.last + 1)}
    found = [row for file in files for row in pq.ParquetFile(file.path).read(["id", "attributes"]).to_pylist()]
    for number, path in segments(layout, signal):
        if number not in covered:
            found += read_segment(signal, path).to_pylist()
    return found


def die_while_starting(home: Path, after_s: float) -> None:
    """A daemon that is killed before it says that it is ready, at its first start or a later one."""
    starting = subprocess.Popen(
        [*CLI, "run", "--home", str(home), "--otlp-http-port", "0", "--otlp-grpc-port", "0", "--query-port", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=clean_env(),
    )
    time.sleep(after_s)
    starting.kill()
    starting.wait()


def test_nothing_acknowledged_is_lost_and_nothing_is_doubled_by_kill_9(home: Path) -> None:
    """Rounds of load, kill at a random moment, restart, retry: each record is there exactly once in the end."""
    chance = random.Random(SEED)
    for after_s in (0.1, 0.3, 0.5, 0.8):  # the first start, before and after it has written something
        die_while_starting(home, after_s)
    load = Load()
    compacting: list[threading.Thread] = []
    daemon = LiveDaemon(home)
    try:
        for number in range(ROUNDS):
            load.up(daemon.port("otlp_http"))
            if number % 3 == 2:  # some of the kills hit a compaction
                compacting.append(threading.Thread(target=telem, args=(home, "compact")))
                compacting[-1].start()
            time.sleep(chance.uniform(*LOAD_S))
            load.down()
            daemon.kill()
            if number % 5 == 4:  # recovery, catalog publishing and housekeeping of the next start are hit too
                die_while_starting(home, chance.uniform(0.2, 1.5))
            daemon = LiveDaemon(home)
        load.up(daemon.port("otlp_http"))
    finally:
        load.end()
        for thread in compacting:
            thread.join()
    assert "done" in telem(home, "compact").stderr
    assert daemon.stop() == 0
    assert parquet_files(Layout(home), Signal.LOGS)
    found = Counter(
        orjson.loads(row["attributes"])["record.name"]
        for signal in (Signal.LOGS, Signal.TRACES)
        for row in rows(home, signal)
    )
    lost = set(load.acknowledged) - found.keys()
    doubled = {name: count for name, count in found.items() if count > 1}
    assert len(load.acknowledged) > ROUNDS * 2, f"too little load, seed {SEED}"
    assert not lost, f"{len(lost)} of {len(load.acknowledged)} lost, seed {SEED}"
    assert not doubled, f"{len(doubled)} doubled, seed {SEED}"
    assert found.keys() <= set(load.sent)
