"""A child that is ready before the question comes."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING

import pytest
from tests.queries import golden

from telem.agent import waking
from telem.agent.askers import Askers
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

    from tests.daemons import LiveDaemon


async def test_a_child_is_there_when_the_question_comes(home: Path) -> None:
    """One, however often it is said; and it is the one that answers."""
    askers = Askers(golden.empty(home / "home"))
    try:
        for _ in range(3):
            assert await askers.wake() == {"awake": True}
        (worker,) = askers._pool._warm
        assert await askers.rows("SELECT 1 AS one") == [{"one": 1}]
        assert askers._pool._warm == [worker]
    finally:
        await askers.close()


def test_the_daemon_is_told(live: LiveDaemon) -> None:
    """And nothing is waited for: the answer is there to be read."""
    waking.wake(["cost-analysis", "--home", str(live.home)])
    connection = waking._open.pop()
    connection.settimeout(60)
    assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    connection.close()


def test_the_token_is_not_told_to_whoever_has_the_port_now(home: Path) -> None:
    """What a daemon left behind that died is not believed; where none was, the caller sees why."""
    layout = Layout(home)
    with socket.create_server(("127.0.0.1", 0)) as other:
        said = {"pid": os.getpid(), "endpoints": {"query": f"http://127.0.0.1:{other.getsockname()[1]}"}}
        layout.daemon.write_text(json.dumps(said))
        layout.token.write_text("secret")
        waking.wake(["--home", str(home)])
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.accept()
    layout.daemon.unlink()
    with pytest.raises(FileNotFoundError):
        waking.wake([f"--home={home}"])
