"""Our listening sockets: each connection is shown to the door that speaks its protocol.

The first bytes say whether a client speaks gRPC (HTTP/2 with prior knowledge begins with `PRI * HTTP/2.0`) or HTTP/1.
A client that was given the other protocol's port would otherwise fail without a word on either side, and lose its
data; here it is served all the same, counted, and named in `status` and the log.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from aiohttp import web

    from .grpc_door import GrpcDoor

GREETING = b"PRI * HTTP/2.0"

SILENCE_S = 120.0
"""A connection that has said nothing for so long is closed; clients connect when they have something to send."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Misdialled:
    """Connections that came to the other protocol's port, by port name."""

    counts: dict[str, int] = field(default_factory=dict)

    def note(self, port_name: str, protocol: str, port: int) -> None:
        """Count one; the first of its kind is logged."""
        key = f"{protocol} on the {port_name} port"
        self.counts[key] = self.counts.get(key, 0) + 1
        if self.counts[key] == 1:
            log.warning(
                "a client speaks %s on port %d, which is the %s port; it is served, but should be given the other one",
                protocol,
                port,
                port_name,
            )


class Switchboard:
    """Makes the protocol for each new connection of one port.

    Args:
        port_name: "gRPC" or "HTTP", what the port is meant for.
        port: its number.
        http: protocol factory of the HTTP door.
        grpc: the gRPC door.
    """

    def __init__(self, port_name: str, port: int, http: web.Server, grpc: GrpcDoor, misdialled: Misdialled) -> None:
        self.port_name = port_name
        self.port = port
        self.http = http
        self.grpc = grpc
        self.misdialled = misdialled

    def __call__(self) -> asyncio.Protocol:
        """Make the protocol of a new connection."""
        return Caller(self)


class Caller(asyncio.Protocol):
    """A connection that has not said yet what it speaks."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        self._transport: asyncio.Transport | None = None
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)
        self._timer = asyncio.get_running_loop().call_later(SILENCE_S, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (the protocol's signature)
        """Forget it."""
        self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Take in what came."""
        self._heard += data
        if self._heard.startswith(GREETING):
            self._connect_grpc()
        elif not GREETING.startswith(self._heard[: len(GREETING)]):
            self._connect_http()

    def _connect_http(self) -> None:
        self._timer.cancel()
        board, transport = self._board, self._transport
        if transport is None:
            return
        if board.port_name != "HTTP":
            board.misdialled.note(board.port_name, "HTTP", board.port)
        protocol = board.http()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(self._heard)

    def _connect_grpc(self) -> None:
        self._timer.cancel()
        board, transport = self._board, self._transport
        if transport is None:
            return
        if board.port_name != "gRPC":
            board.misdialled.note(board.port_name, "gRPC", board.port)
        transport.pause_reading()
        client = Leg(transport)
        transport.set_protocol(client)
        client.joining = asyncio.create_task(_join(client, board.grpc, self._heard))


async def _join(client: Leg, grpc: GrpcDoor, heard: bytes) -> None:
    """Connect the client with the gRPC door, both ways."""
    door = Leg(None)
    try:
        transport, _ = await asyncio.get_running_loop().create_unix_connection(lambda: door, await grpc.open())
    except (OSError, ImportError):
        log.exception("the gRPC door does not open")
        client.close()
        return
    door.other, client.other = client, door
    transport.write(heard)
    if client.lost:
        transport.close()
    else:
        client.resume()


class Leg(asyncio.Protocol):
    """One end of a joined connection: what it receives, the other end sends; when one stalls, the other waits."""

    def __init__(self, transport: asyncio.Transport | None) -> None:
        self._transport = transport
        self.other: Leg | None = None
        self.joining: asyncio.Task[None] | None = None  # held here, for the loop holds tasks only weakly
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take in what came."""
        if self.other:
            self.other.write(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (the protocol's signature)
        """Close the other end too."""
        self.lost = True
        if self.other:
            self.other.close()

    def pause_writing(self) -> None:
        """Let the other end wait: whoever reads here is slow."""
        if self.other:
            self.other.pause()

    def resume_writing(self) -> None:
        """Let the other end go on."""
        if self.other:
            self.other.resume()

    def write(self, data: bytes) -> None:
        """Send to whoever is at this end."""
        if self._transport:
            self._transport.write(data)

    def pause(self) -> None:
        """Stop reading for a while."""
        if self._transport:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Go on reading."""
        if self._transport and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        """Close this end, after what is still to be sent."""
        if self._transport:
            self._transport.close()
