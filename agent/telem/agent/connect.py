"""HTTP to a daemon of this machine, whether it listens on a port or on a Unix socket."""

from __future__ import annotations

import http.client
import socket
from urllib.parse import urlsplit


def connect(endpoint: str, timeout_s: float) -> http.client.HTTPConnection:
    """A connection to what `daemon.json` calls an endpoint: `http://127.0.0.1:8123` or `unix:/…/query`."""
    if endpoint.startswith("unix:"):
        return _UnixConnection(endpoint.removeprefix("unix:"), timeout_s)
    url = urlsplit(endpoint)
    return http.client.HTTPConnection(url.hostname or "127.0.0.1", url.port or 0, timeout=timeout_s)


class _UnixConnection(http.client.HTTPConnection):
    """The same over a Unix socket; the guard knows it as localhost."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Open it."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
