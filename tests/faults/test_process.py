"""A daemon with too few descriptors, and one that is put to sleep in the middle of requests."""

from __future__ import annotations

import contextlib
import resource
import signal
import socket
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from tests.daemons import LiveDaemon, telem, wait_for
from tests.faults.client import Client, kept
from tests.wire import Line

from telem.agent.daemon_commands import LOG_LIMIT_BYTES

SLOW_S = 60.0
FEW = 96
"""Descriptors; the daemon itself needs about half of them."""


def _few() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, FEW))


@pytest.mark.skipif(sys.platform != "linux", reason="CPU seconds are read in Linux's way")
def test_too_few_descriptors_kill_nobody(home: Path) -> None:
    """More connections than it may have: it does not end, does not spin, and serves when some are closed again."""
    client = Client()
    with LiveDaemon(home, preexec_fn=_few) as daemon:
        port = daemon.port("otlp_http")
        assert client.send(port) == 200
        with contextlib.ExitStack() as stack:
            for _ in range(2 * FEW):
                one = stack.enter_context(contextlib.closing(socket.socket()))
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))  # what is beyond the backlog too waits for its turn
            time.sleep(1.0)
            client.send(port, timeout_s=2.0)  # may wait in the backlog; it is not acknowledged without being stored
            before_s = _cpu_s(daemon.pid)
            time.sleep(2.0)
            assert _cpu_s(daemon.pid) - before_s < 1.0
            assert daemon.process.poll() is None
        wait_for(lambda: client.send(port) == 200, SLOW_S)
        assert telem(home, "compact").returncode == 0
    found = kept(home)
    assert set(found.values()) == {1}
    assert set(client.acknowledged) <= found.keys()


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_a_suspended_daemon_goes_on_where_it_was(home: Path) -> None:
    """It is stopped with requests under way, more come meanwhile, some give up; then it goes on."""
    clients = [Client(number) for number in range(10)]
    with LiveDaemon(home) as daemon:
        port = daemon.port("otlp_http")
        done = threading.Event()

        def go_on(client: Client) -> None:
            while not done.is_set():
                client.send(port, timeout_s=0.5 if client is clients[0] else 60.0)

        threads = [threading.Thread(target=partial(go_on, client)) for client in clients]
        for thread in threads:
            thread.start()
        for _ in range(3):
            time.sleep(0.3)
            daemon.process.send_signal(signal.SIGSTOP)
            time.sleep(1.0)
            daemon.process.send_signal(signal.SIGCONT)
        time.sleep(0.3)
        done.set()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
        assert clients[1].send(port) == 200
    found = kept(home)
    assert set(found.values()) == {1}
    assert {name for client in clients for name in client.acknowledged} <= found.keys()
    assert all(client.answers.keys() <= {200} for client in clients[1:])


def test_its_own_log_stays_small(home: Path) -> None:
    """A thousand requests that cannot be read, and a log that was nearly full before: two files of a megabyte."""
    (home / "logs").mkdir(mode=0o700)
    log = home / "logs" / "daemon.log"
    log.write_text("a line of an earlier day\n" * (LOG_LIMIT_BYTES // 25))
    with LiveDaemon(home) as daemon, Line(daemon.port("otlp_http")) as line:
        for number in range(1000):
            assert line.ask(b"\xff" * 64 + str(number).encode()).status == 400
    assert log.with_suffix(".log.1").stat().st_size <= LOG_LIMIT_BYTES
    assert log.stat().st_size < 100_000
    assert sum(path.stat().st_size for path in log.parent.iterdir()) < 2 * LOG_LIMIT_BYTES
