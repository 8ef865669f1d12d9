"""Hands requests to the daemon's own door, one after another over one connection, and waits when it is busy."""

from __future__ import annotations

import contextlib
import http.client
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from telem.agent import control
from telem.agent.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telem.storage.layout import Layout

TIMEOUT_S = 60.0
PATIENCE_S = 120.0
"""For so long a door that is busy, full or gone for a moment is asked again."""

PAUSE_S = 0.5


class Door:
    """The daemon's OTLP door."""

    def __init__(self, endpoint: str) -> None:
        self._url = urlsplit(endpoint)
        self._connection: http.client.HTTPConnection | None = None

    def send(self, body: bytes) -> None:
        """Return when the daemon has it on the disk. A request that is sent again is not stored again.

        Raises:
            AgentError: it does not take it.
        """
        end_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                status, text = self._post(body)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                status, text = 0, str(error)
            if status == http.client.OK:
                return
            if status not in (0, http.client.SERVICE_UNAVAILABLE) or time.monotonic() > end_s:
                what = f"it answered {status}: {text}" if status else text
                raise AgentError(
                    f"the daemon at {self._url.netloc} does not take what was read: {what}",
                    "Look at its log (telem-agent logs), then import again; it goes on where it stopped",
                )
            time.sleep(PAUSE_S)

    def _post(self, body: bytes) -> tuple[int, str]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._url.hostname or "", self._url.port, timeout=TIMEOUT_S)
        self._connection.request("POST", "/v1/logs", body, {"Content-Type": "application/x-protobuf"})
        response = self._connection.getresponse()
        return response.status, response.read().decode("utf-8", "replace")[:500]

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@contextlib.contextmanager
def open_door(layout: Layout) -> Iterator[Door]:
    """The door of the running daemon, else of one that runs for as long as the import does, on ports of its own."""
    running = control.find(layout)
    own = running is None
    if running is None:
        ports = ("--otlp-http-port", "--otlp-grpc-port", "--query-port")
        flags = ["run", "--home", str(layout.home), *(part for port in ports for part in (port, "0"))]
        endpoint = control.start(flags, layout)["endpoints"]["otlp_http"]
    else:
        endpoint = running.endpoints.get("otlp_http", "")
    door = Door(endpoint)
    try:
        yield door
    finally:
        door.close()
        if own:
            control.stop(layout)
