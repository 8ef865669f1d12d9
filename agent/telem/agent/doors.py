"""The open doors of a daemon: they open together, and are left in good order.

Leaving means: accept nothing more, answer what was begun, and close no connection on a client that may be about to
send. Idle HTTP connections are handed on to the process that comes next; gRPC clients are told to take another one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .conversation import Conversation, ConversationServer
from .sockets import endpoint

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from aiohttp import web

    from .switchboard import Switchboard

DRAIN_S = 3.0
"""How long a request that was begun may take to arrive; new clients wait as long, and give up after ten seconds."""

GRACE_S = 1.0
LINGER_S = 1.0
LOOK_S = 0.002

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Handed:
    """A connection that goes on in another process: the port it came to, its socket, what was heard of it."""

    setting: str
    socket: socket.socket
    heard: bytes = b""


class Doors:
    """Serves listening sockets, each through its own switchboard or server."""

    def __init__(self) -> None:
        self.endpoints: dict[str, str] = {}
        self._boards: dict[str, Switchboard] = {}
        self._servers: list[asyncio.Server] = []
        self._webs: list[web.Server] = []

    async def open(
        self, setting: str, listener: socket.socket, factory: Callable[[], asyncio.BaseProtocol], server: web.Server
    ) -> None:
        """Accept connections. The listener itself stays open when the doors close: it may be handed on."""
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_server(factory, sock=listener.dup()))
        self._webs.append(server)
        self.endpoints[setting.removesuffix("_port")] = endpoint(listener)

    async def open_board(self, setting: str, listener: socket.socket, board: Switchboard) -> None:
        """The same for a port that speaks OTLP."""
        self._boards[setting] = board
        await self.open(setting, listener, board, board.http)

    async def resume(self, handed: Handed) -> None:
        """Go on with a connection that another process has left."""
        board = self._boards.get(handed.setting)
        if board is None:
            handed.socket.close()
            return
        loop = asyncio.get_running_loop()
        transport, caller = await loop.connect_accepted_socket(board, handed.socket)
        if handed.heard and not transport.is_closing():
            caller.data_received(handed.heard)

    async def drain(self, *, hand_on: bool) -> list[Handed]:
        """Accept nothing more, answer what was begun; returns the idle connections, which are closed otherwise."""
        for server in self._servers:
            server.close()
        for board in self._boards.values():
            board.http.draining = True
        handed: list[Handed] = []
        end_s = time.monotonic() + DRAIN_S
        while True:
            await asyncio.sleep(LOOK_S)  # also for what was accepted a moment ago to get its protocol
            for setting, board in self._boards.items():
                board.say_goodbye()
                handed += _leave(setting, board) if hand_on else []
            busy = self._busy()
            if not busy:
                break
            if time.monotonic() > end_s:
                log.warning("%d connections were still sending after %.0f s, and are closed", busy, DRAIN_S)
                break
        return handed

    def _busy(self) -> int:
        """Connections with a request that has no answer yet."""
        found = 0
        for board in self._boards.values():
            found += sum(not call.quiet for call in board.calls)
            found += sum(not (isinstance(one, Conversation) and one.idle) for one in _open(board.http))
        return found

    @property
    def _has_calls(self) -> bool:
        return any(board.calls for board in self._boards.values())

    async def close(self) -> None:
        """Close the HTTP connections."""
        for server in self._servers:
            server.close()
        for web_server in reversed(self._webs):
            await web_server.shutdown(GRACE_S)

    async def linger(self) -> None:
        """Close the others, when their clients have had a moment to read that they should go."""
        end_s = time.monotonic() + LINGER_S
        while self._has_calls and time.monotonic() < end_s:  # noqa: ASYNC110 (clients end them, not we)
            await asyncio.sleep(LOOK_S)
        for board in self._boards.values():
            board.close()


def _open(server: ConversationServer) -> list[web.RequestHandler]:
    return [one for one in server.connections if one.transport is not None and not one.transport.is_closing()]


def _leave(setting: str, board: Switchboard) -> list[Handed]:
    left = [caller.leave() for caller in list(board.callers)]
    handed = [Handed(setting, *one) for one in left if one]
    idle = [one for one in _open(board.http) if isinstance(one, Conversation) and one.idle]
    return handed + [Handed(setting, one.leave()) for one in idle]
