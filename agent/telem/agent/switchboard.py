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

from .conversation import leave
from .h2 import Streams

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from .conversation import ConversationServer
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

    def __init__(
        self, port_name: str, port: int, http: ConversationServer, grpc: GrpcDoor, misdialled: Misdialled
    ) -> None:
        self.port_name = port_name
        self.port = port
        self.http = http
        self.grpc = grpc
        self.misdialled = misdialled
        self.callers: set[Caller] = set()
        self.calls: set[Call] = set()

    def __call__(self) -> asyncio.Protocol:
        """Make the protocol of a new connection."""
        return Caller(self)

    def say_goodbye(self) -> None:
        """Tell every gRPC client that this connection takes no further calls; those under way are answered."""
        for call in list(self.calls):
            call.leave()

    def close(self) -> None:
        """Close the connections that have not said anything yet, and those of gRPC."""
        for caller in list(self.callers):
            caller.close()
        for call in list(self.calls):
            call.close()


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
        self._board.callers.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (the protocol's signature)
        """Forget it."""
        self._hand_on()

    def leave(self) -> tuple[socket.socket, bytes] | None:
        """Let go of the connection without closing it: its socket, and what was heard; None when it is gone."""
        transport = self._transport
        self._hand_on()
        if transport is None or transport.is_closing():
            return None
        return leave(transport, transport.close), self._heard

    def close(self) -> None:
        """Close the connection."""
        if self._transport:
            self._transport.close()

    def _hand_on(self) -> None:
        self._timer.cancel()
        self._board.callers.discard(self)

    def data_received(self, data: bytes) -> None:
        """Take in what came."""
        self._heard += data
        if self._heard.startswith(GREETING):
            self._connect_grpc()
        elif not GREETING.startswith(self._heard[: len(GREETING)]):
            self._connect_http()

    def _connect_http(self) -> None:
        self._hand_on()
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
        self._hand_on()
        board, transport = self._board, self._transport
        if transport is None:
            return
        if board.port_name != "gRPC":
            board.misdialled.note(board.port_name, "gRPC", board.port)
        Call(board, transport).connect(self._heard)


class Call:
    """A connection that is joined with the gRPC door, both ways."""

    def __init__(self, board: Switchboard, transport: asyncio.Transport) -> None:
        self._board = board
        self._streams = Streams()
        self._client = Leg(transport, self._from_client, self._client_ended)
        self._door = Leg(None, self._from_door, self._door_ended)
        self._joining: asyncio.Task[None] | None = None  # held here, for the loop holds tasks only weakly
        transport.pause_reading()
        transport.set_protocol(self._client)
        board.calls.add(self)

    def connect(self, heard: bytes) -> None:
        """Join it with the door, which is told what was heard."""
        self._joining = asyncio.create_task(self._join(heard))

    @property
    def quiet(self) -> bool:
        """Has every call that was passed on been answered?"""
        return self._streams.quiet

    def leave(self) -> None:
        """Say that no further call is taken here."""
        self._client.write(self._streams.leave())

    async def _join(self, heard: bytes) -> None:
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.create_unix_connection(lambda: self._door, await self._board.grpc.open())
        except (OSError, ImportError):
            log.exception("the gRPC door does not open")
            self._client.close()
            return
        self._door.other, self._client.other = self._client, self._door
        self._from_client(heard)
        if self._client.lost:
            transport.close()
        else:
            self._client.resume()

    def _from_client(self, data: bytes) -> None:
        self._door.write(self._streams.from_client(data))

    def _from_door(self, data: bytes) -> None:
        self._client.write(self._streams.from_server(data))

    def close(self) -> None:
        """Close both ends."""
        self._client.close()
        self._door.close()

    def _client_ended(self) -> None:
        self._board.calls.discard(self)
        self._door.close()

    def _door_ended(self) -> None:
        if not self._streams.leaving:  # else the client, having been told, closes when it has read that
            self._client.close()


class Leg(asyncio.Protocol):
    """One end of a joined connection: what it receives, the other end sends; when one stalls, the other waits."""

    def __init__(
        self, transport: asyncio.Transport | None, received: Callable[[bytes], None], ended: Callable[[], None]
    ) -> None:
        self._transport = transport
        self._received = received
        self._ended = ended
        self.other: Leg | None = None
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take in what came."""
        self._received(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (the protocol's signature)
        """Say so."""
        self.lost = True
        self._ended()

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
        if self._transport and data and not self._transport.is_closing():
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
