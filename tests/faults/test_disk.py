"""A disk that is slow, fails, or may not be written: the client hears of it, and nothing acknowledged is lost."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from tests.daemons import CLI, LiveDaemon, clean_env, shell, telem, wait_for
from tests.faults.client import Client, kept
from tests.faults.shim import Shim

from telem.sanitize.records import Signal

if TYPE_CHECKING:
    from pathlib import Path

SLOW_S = 60.0
NOBODY = 65_534


def test_a_slow_disk_shares_its_syncs(home: Path, tmp_path: Path) -> None:
    """A sync takes a second; forty requests at once take some of them, not forty, and questions do not wait."""
    shim = Shim(tmp_path)
    clients = [Client(number % 10) for number in range(40)]
    with LiveDaemon(home, env=shim.env) as daemon:
        port = daemon.port("otlp_http")
        clients[0].send(port)
        telem(home, "compact")
        shim.slow(1.0)
        threads = [threading.Thread(target=client.send, args=(port, 1, 120.0)) for client in clients[1:]]
        began_s = time.monotonic()
        for thread in threads:
            thread.start()
        assert shell(home, "SELECT count(*) >= 3 AS enough FROM raw_logs", "-readonly") == [{"enough": True}]
        for thread in threads:
            thread.join()
        assert time.monotonic() - began_s < 30
        shim.slow(0.0)
        assert all(client.answers == {200: 1} for client in clients)
    assert sum(kept(home).values()) == 42


def test_a_disk_whose_syncs_fail_acknowledges_nothing_and_takes_up_again(home: Path, tmp_path: Path) -> None:
    """Every sync fails for a while: 503; none of it is counted twice when clients send it again."""
    shim, client = Shim(tmp_path), Client()
    with LiveDaemon(home, env=shim.env) as daemon:
        port = daemon.port("otlp_http")
        assert client.send(port) == 200
        shim.failing(errno.EIO)
        body = client.body()
        assert {client.post(port, body) for _ in range(5)} == {503}
        shim.failing(0)
        wait_for(lambda: client.post(port, body) == 200, SLOW_S)
        assert client.send(port) == 200
    found = kept(home)
    assert set(found.values()) == {1}
    assert set(client.acknowledged) < found.keys()


def _nobody_special() -> None:
    """Root obeys modes and owners like everybody else: without CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH and CAP_FOWNER."""
    prctl = ctypes.CDLL(None).prctl
    for capability in (1, 2, 3):
        prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


only_linux = pytest.mark.skipif(sys.platform != "linux", reason="modes are given up in Linux's way")


@only_linux
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_that_may_not_be_written_is_refused_in_words(home: Path) -> None:
    """Somebody else's folder: no daemon, no trace in it, and a message that names it and what to do."""
    data = home / "data"
    data.mkdir(mode=0o755)
    os.chown(data, NOBODY, NOBODY)
    flags = ("--otlp-http-port", "0", "--otlp-grpc-port", "0", "--query-port", "0")
    done = subprocess.run(
        [*CLI, "run", "--home", str(data), *flags],
        preexec_fn=_nobody_special, capture_output=True, text=True, timeout=60, check=False, env=clean_env(),
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert str(data) in done.stderr
    assert "Traceback" not in done.stderr
    assert list(data.iterdir()) == []


@only_linux
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_journal_that_may_not_be_written_any_more_refuses_for_now(home: Path) -> None:
    """Its folder is somebody else's while the daemon runs: 503, and on again when it has it back."""
    client = Client()
    with LiveDaemon(home, preexec_fn=_nobody_special) as daemon:
        port = daemon.port("otlp_http")
        assert client.send(port) == 200
        telem(home, "compact")
        assert client.send(port) == 200
        journal = daemon.layout.journal(Signal.LOGS)
        os.chown(journal, NOBODY, NOBODY)
        journal.chmod(0o755)
        telem(home, "compact")  # ends the segment; the next one cannot be made
        assert client.send(port) == 503
        assert shell(home, "SELECT count(*) AS n FROM raw_logs", "-readonly") == [{"n": 6}]
        os.chown(journal, 0, 0)
        wait_for(lambda: client.send(port) == 200, SLOW_S)
    assert kept(home) == dict.fromkeys(client.acknowledged, 1)
