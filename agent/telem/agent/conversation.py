"""An HTTP connection that can be left between two requests, so that another process goes on with it.

A client keeps its connection for the next export. Closing it is a race that the client may lose: it sends at the very
moment. An idle connection has no state but the socket, so at a restart the socket is handed on, and nothing is closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aiohttp import web

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Callable


RECEIVE_BYTES = 65_536
"""Room for one receive. asyncio takes four times as much, which the system maps and unmaps each time."""


class Conversation(web.RequestHandler):
    """aiohttp's connection, which also knows whether it lies between two requests."""

    __slots__ = ("_began",)

    _began: bool

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._began = False
        transport.max_size = RECEIVE_BYTES  # type: ignore[attr-defined]  # asyncio's own, of its socket transports
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Take in what came; when it was no whole request line and headers, a request has begun."""
        super().data_received(data)
        self._began = self._waits

    @property
    def idle(self) -> bool:
        """Has every request been answered, and no other begun? Clients of OTLP do not send the next one early."""
        transport = self.transport
        return (
            transport is not None
            and not transport.is_closing()
            and not transport.get_write_buffer_size()
            and self._waits
            and not self._began
        )

    @property
    def _waits(self) -> bool:
        waiter = self._waiter
        return waiter is not None and not waiter.done()

    def leave(self) -> socket.socket:
        """Let go of the connection without closing it: a socket on which another process can go on."""
        transport = cast("asyncio.Transport", self.transport)
        return leave(transport, self.force_close)


def leave(transport: asyncio.Transport, close: Callable[[], None]) -> socket.socket:
    """Copy a connection's socket, then end our side of it. Nothing is sent to the peer: the copy holds it open."""
    transport.pause_reading()
    copy: socket.socket = transport.get_extra_info("socket").dup()
    close()
    return copy


class ConversationServer(web.Server):
    """Makes conversations. Once `draining`, whoever answers asks the client to close (see `OtlpHttp`)."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.draining = False

    def __call__(self) -> Conversation:
        """Make the protocol of a new connection."""
        return Conversation(self, loop=self._loop, **self._kwargs)
