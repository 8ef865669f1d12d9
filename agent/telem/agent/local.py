"""The query port's door: is it alive, how is it, and what the command line asks of a running daemon."""

from __future__ import annotations

import hmac
import logging
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from .guard import Guard

log = logging.getLogger(__name__)

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


class Local:
    """Answers on the query port.

    Args:
        actions: by method and path, what needs the token; each answers with something JSON can hold.
    """

    def __init__(
        self, guard: Guard, token: str, actions: Mapping[tuple[str, str], Callable[[], Awaitable[Any]]]
    ) -> None:
        self._guard = guard
        self._token = token
        self._actions = actions

    def server(self) -> web.Server:
        """The protocol factory for a listening socket."""
        return web.Server(self.handle, access_log=None)

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer one request."""
        if reason := self._guard.refusal(request.headers):
            return _text(403, reason)
        if request.path == "/ping":
            return _text(200, "Ok.")
        action = self._actions.get((request.method, request.path))
        if action is None:
            return _text(404, f"there is nothing at {request.method} {request.path}; ask with: telem-agent query")
        if not self._allowed(request):
            return _text(
                401, "this needs the token: Authorization: Bearer <what the file `token` in the data folder holds>"
            )
        try:
            said = orjson.dumps(await action())
        except Exception as error:
            log.exception("%s %s failed", request.method, request.path)
            return _text(503, f"{type(error).__name__}: {error}")
        return web.Response(body=said, content_type="application/json", headers=_HEADERS)

    def _allowed(self, request: web.BaseRequest) -> bool:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token.encode())


def _text(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text + "\n", headers=_HEADERS)
