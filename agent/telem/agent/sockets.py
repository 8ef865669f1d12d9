"""The listening sockets: made here, or taken over from the process that listened before."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from .errors import PortError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AsyncExitStack

    from .config import Config

BACKLOG = 512
"""Connections that may wait to be accepted; also all that arrive while one process hands over to another."""

PORT_SETTINGS = ("otlp_http_port", "otlp_grpc_port", "query_port")


def listen(config: Config, stack: AsyncExitStack, inherited: Mapping[str, socket.socket]) -> dict[str, socket.socket]:
    """Listening sockets by setting. An inherited one is used if it is where the settings want it.

    Raises:
        PortError: a port is taken.
    """
    sockets = {}
    for setting in PORT_SETTINGS:
        port = getattr(config, setting)
        found = inherited.get(setting)
        if found is not None:
            stack.callback(found.close)
        if found is None or not _fits(found, config.bind, port):
            found = _bind(config.bind, port, setting)
            stack.callback(found.close)
        sockets[setting] = found
    return sockets


def _fits(listener: socket.socket, bind: str, port: int) -> bool:
    host, found = listener.getsockname()[:2]
    return bool(host == bind and port in (found, 0))


def _bind(bind: str, port: int, setting: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    try:
        return socket.create_server((bind, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise PortError(
            f"port {port} ({setting}) on {bind} cannot be used: {os.strerror(error.errno or 0)}",
            f"Stop what holds it (lsof -i :{port}), or choose another: --{setting.replace('_', '-')} N",
        ) from error
