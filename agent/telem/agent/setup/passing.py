"""Passing on: the receiver that a set-up displaces goes on receiving, from here.

It gets what is stored, which is sanitized, from now on: a destination of `telem-agent forward` with the address and the
headers that the client had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telem.agent.errors import AgentError
from telem.storage.disk import Disk

from .wanted import LOOPBACK, shown

if TYPE_CHECKING:
    from pathlib import Path

    from telem.agent.config import Config

    from .wanted import Displaced


def destination_of(client: str) -> str:
    """Name of the destination of what a client sent to before."""
    return f"before-{client}"


def obstacle(displaced: Displaced) -> str:
    """Why this receiver cannot be sent to, or nothing."""
    if displaced.protocol == "grpc":
        where = shown(displaced.url)
        return f"{where} takes gRPC, and passing on speaks HTTP; telem-agent forward add takes its HTTP address"
    if not displaced.url.startswith(("http://", "https://")):
        return f"{displaced.url or 'it'} is no address that can be sent to"
    return ""


def begin(config: Config, client: str, displaced: Displaced) -> None:
    """Add the destination.

    Raises:
        AgentError, ConfigError: it cannot be one.
    """
    from telem.agent import forward_commands

    if why := obstacle(displaced):
        raise AgentError(why)
    name = destination_of(client)
    chosen = {"kind": "otlp", "url": displaced.url, "since": "now", "insecure": _is_plain(displaced.url)}
    if displaced.headers:
        headers = _header_file(config, client)
        Disk().directory(headers.parent)
        text = "".join(f"{key}: {value}\n" for key, value in displaced.headers.items())
        Disk().write(headers, text.encode())
        chosen["header_file"] = str(headers)
    try:
        forward_commands.add(config, name, chosen, as_json=False)
    except (AgentError, ValueError):
        _header_file(config, client).unlink(missing_ok=True)
        raise


def end(config: Config, client: str) -> bool:
    """Remove the destination; returns whether there was one."""
    if not (config.layout.forward / f"{destination_of(client)}.toml").exists():
        return False
    from telem.agent import forward_commands

    forward_commands.remove(config, destination_of(client), yes=True)
    _header_file(config, client).unlink(missing_ok=True)
    return True


def _header_file(config: Config, client: str) -> Path:
    return config.layout.setup / f"{destination_of(client)}.headers"


def _is_plain(url: str) -> bool:
    """Did the client send over plain HTTP to another machine? Then its owner allowed that."""
    host = url.removeprefix("http://").partition("/")[0].rpartition(":")[0]
    return url.startswith("http://") and host not in LOOPBACK
