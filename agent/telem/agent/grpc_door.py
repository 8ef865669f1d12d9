"""Opens the gRPC door when the first client speaks gRPC, and not before.

Importing grpc and running its server takes 10 MB, which most installations never need: HTTP is what the documents
recommend. The first connection waits for the import; nothing of it is lost, for the switchboard holds what it heard.
"""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .ingest import Ingest

MODULE = "telem.agent.grpc"


class GrpcDoor:
    """A gRPC server on a private Unix socket.

    Args:
        folder: a directory only we can enter.
    """

    def __init__(self, ingest: Ingest, folder: str, limit_bytes: int) -> None:
        self._ingest = ingest
        self._path = f"{folder}/grpc"
        self._limit_bytes = limit_bytes
        self._opening = asyncio.Lock()
        self._grpc: Any = None
        self._server: Any = None

    async def open(self) -> str:
        """Return the path of its socket, once it is listened on."""
        async with self._opening:
            if self._server is None:
                self._grpc = await asyncio.to_thread(importlib.import_module, MODULE)
                self._server = await self._grpc.start(self._ingest, f"unix:{self._path}", self._limit_bytes)
        return self._path

    async def stop(self) -> None:
        """Let what is under way end, for a moment."""
        if self._server is not None:
            await self._server.stop(self._grpc.STOP_GRACE_S)
