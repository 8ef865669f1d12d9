"""Connections that say nothing, or say it slowly."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.conftest import config_for, running

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from telem.agent.daemon import Daemon


async def test_a_silent_connection_is_closed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would hold a descriptor for ever."""
    monkeypatch.setattr("telem.agent.switchboard.SILENCE_S", 0.2)
    async with running(config_for(home)) as daemon:
        url = urlsplit(daemon.endpoints["otlp_http"])
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        assert await asyncio.wait_for(reader.read(), 60) == b""
        writer.close()


async def test_a_request_that_comes_a_byte_at_a_time_is_answered(daemon: Daemon) -> None:
    """The first letters of HTTP's POST and of HTTP/2's greeting are the same one."""
    url = urlsplit(daemon.endpoints["otlp_http"])
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    head = ("POST /v1/logs HTTP/1.1", f"Host: {url.netloc}", "Content-Type: application/json", "Content-Length: 2")
    text = "\r\n".join([*head, "", "{}"])
    for letter in text:
        writer.write(letter.encode())
        await asyncio.sleep(0)
    assert (await asyncio.wait_for(reader.readline(), 60)).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_a_failing_action_is_told_as_503(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line shows the sentence; the daemon goes on."""

    async def broken() -> None:
        raise OSError("the disk is on fire")

    monkeypatch.setattr(daemon.keeper, "compact_now", broken)
    url = urlsplit(daemon.endpoints["query"])
    token = daemon.layout.token.read_text(encoding="ascii").strip()
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(f"POST /compact HTTP/1.1\r\nHost: {url.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    assert (await asyncio.wait_for(reader.readline(), 60)).startswith(b"HTTP/1.1 503")
    writer.close()
