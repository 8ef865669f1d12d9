"""Tells the running daemon that a question is coming, so that its child starts while the command line still does.

Both take a tenth of a second and more; one after the other they were most of what a first answer took. The child is
what the answer waits for, so this is light: with pathlib and `Layout` it would start 25 ms later.
"""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING

from telem.storage.disk import Disk

from .homes import home_of

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE_S = 0.2

_open: list[socket.socket] = []
"""A request whose client hangs up is given up, so the connection stays until the process ends."""


def wake(arguments: Sequence[str]) -> None:
    """Send word, and wait for nothing. `arguments` are those of the command.

    Raises:
        OSError: no daemon is there, or it does not listen.
        ValueError: what it said of itself cannot be read.
        KeyError: the same.
    """
    home = home_of(arguments)
    with open(os.path.join(home, "daemon.json"), encoding="utf-8") as file:
        said = json.load(file)
    if Disk().holder(os.path.join(home, "LOCK")) != said["pid"]:
        return  # the port may be somebody else's by now, and the token is not theirs
    with open(os.path.join(home, "token"), encoding="ascii") as file:
        token = file.read().strip()
    connection = _connected(said["endpoints"]["query"])
    _open.append(connection)
    head = f"POST /wake HTTP/1.1\r\nHost: {_host(said['endpoints']['query'])}\r\nAuthorization: Bearer {token}\r\n"
    connection.sendall(f"{head}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())


def _host(endpoint: str) -> str:
    return "localhost" if endpoint.startswith("unix:") else endpoint.removeprefix("http://")


def _connected(endpoint: str) -> socket.socket:
    if endpoint.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(PATIENCE_S)
        connection.connect(endpoint.removeprefix("unix:"))
        return connection
    host, _, port = _host(endpoint).rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE_S)
