"""The listening sockets: made here, or taken over from the process that listened before."""

from __future__ import annotations

import os
import socket
from pathlib import Path
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
        wanted = _address(config, setting)
        found = inherited.get(setting)
        if found is not None:
            stack.callback(found.close)
        if found is None or not _fits(found, wanted):
            found = _bind(wanted, setting)
            stack.callback(found.close)
        sockets[setting] = found
    return sockets


def endpoint(listener: socket.socket) -> str:
    """The address of a listening socket, as it is told to others."""
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def port(listener: socket.socket) -> int:
    """The port of a listening socket; 0 if it has none."""
    return 0 if listener.family == socket.AF_UNIX else int(listener.getsockname()[1])


def _address(config: Config, setting: str) -> tuple[str, int] | str:
    """Host and port, or the path of a Unix socket."""
    if config.sockets:
        return str(Path(config.sockets) / setting.removesuffix("_port"))
    return config.bind, getattr(config, setting)


def _fits(listener: socket.socket, wanted: tuple[str, int] | str) -> bool:
    if isinstance(wanted, str) or listener.family == socket.AF_UNIX:
        return bool(listener.getsockname() == wanted)
    host, found = listener.getsockname()[:2]
    return bool(host == wanted[0] and wanted[1] in (found, 0))


def _bind(wanted: tuple[str, int] | str, setting: str) -> socket.socket:
    if isinstance(wanted, str):
        return _bind_path(wanted)
    bind, number = wanted
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    try:
        return socket.create_server((bind, number), family=family, backlog=BACKLOG)
    except OSError as error:
        raise PortError(
            f"port {number} ({setting}) on {bind} cannot be used: {os.strerror(error.errno or 0)}",
            f"Stop what holds it (lsof -i :{number}), or choose another: --{setting.replace('_', '-')} N",
        ) from error


def _bind_path(path: str) -> socket.socket:
    """A Unix socket. What lies there is an ended daemon's: the folder is ours by the lock."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        Path(path).unlink(missing_ok=True)
        listener.bind(path)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise PortError(
            f"the socket {path} cannot be made: {error.strerror or error}",
            "Choose a folder of your own with a path of at most 90 bytes: --sockets FOLDER",
        ) from error
    return listener
