"""The hub's port. Its TLS can be replaced while it listens: connections that are open go on as they began."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

    from aiohttp import web


class Port:
    """Accepts connections for a protocol factory, from `open` to `close`."""

    def __init__(self, factory: web.Server) -> None:
        self._factory = factory
        self._servers: list[asyncio.Server] = []
        self.number = 0

    async def open(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        """Listen; `number` is the port then.

        Raises:
            OSError: it cannot be listened on.
        """
        server = await asyncio.get_running_loop().create_server(self._factory, host, port, ssl=tls)
        self._servers = [server]
        self.number = server.sockets[0].getsockname()[1]

    async def replace(self, tls: ssl.SSLContext) -> None:
        """Let new connections have another TLS. The sockets stay, so nobody is refused meanwhile.

        A context could take over a certificate, and not forget an authority; so it is replaced as a whole.
        """
        loop = asyncio.get_running_loop()
        sockets = [socket.dup() for server in self._servers for socket in server.sockets]
        before = self._servers
        self._servers = [await loop.create_server(self._factory, sock=socket, ssl=tls) for socket in sockets]
        for server in before:
            server.close()

    def close(self) -> None:
        """Accept no more; what is connected stays so."""
        for server in self._servers:
            server.close()
