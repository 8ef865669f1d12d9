"""The query port's door: is it alive, how is it, what the command line asks of a running daemon, and questions in SQL.

Without a token it answers `/ping` only. Control is the owner's; whoever has another token may ask, and no more.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from telem.queries import clickhouse

from .metrics import CONTENT_TYPE
from .tokens import HOW, given

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from .guard import Guard
    from .metrics import Metrics
    from .query_http import SqlDoor
    from .tokens import Tokens

log = logging.getLogger(__name__)

HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_METRICS_TYPE = {"Content-Type": CONTENT_TYPE}
_METHODS = ("GET", "HEAD", "POST")


class Local:
    """Answers on the query port.

    Args:
        actions: by method and path, what only the owner may have; each answers with something JSON can hold.
        sql: answers questions; without it there is nothing to ask here.
        metrics: answers Prometheus; without it there is no `/metrics`.
        wrong: is told the address of whoever gave a token that is none.
    """

    def __init__(
        self,
        guard: Guard,
        tokens: Tokens,
        actions: Mapping[tuple[str, str], Callable[[], Awaitable[Any]]],
        sql: SqlDoor | None = None,
        metrics: Metrics | None = None,
        wrong: Callable[[str], None] = lambda _address: None,
    ) -> None:
        self._guard = guard
        self._tokens = tokens
        self._actions = actions
        self._sql = sql
        self._metrics = metrics
        self._wrong = wrong

    def server(self) -> web.Server:
        """The protocol factory for a listening socket. A client that hangs up takes its question with it."""
        return web.Server(
            self.handle, access_log=None, handler_cancellation=True, auto_decompress=False, max_line_size=64 * 1024
        )

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        if reason := self._guard.refusal(request.headers):
            return _text(403, reason)
        if answer := self._without_token(request):
            return answer
        caller = self._tokens.caller(request.headers, request.query)
        if caller is None:
            if given(request.headers, request.query):
                self._wrong(request.remote or "")
            return _unknown()
        if request.path == "/" and self._sql:
            return await self._sql.ask(request, caller)
        if request.path == "/metrics" and self._metrics:
            return web.Response(body=(await self._metrics.text()).encode(), headers={**HEADERS, **_METRICS_TYPE})
        if not caller.owner:
            return _text(403, f"{request.path} is for the owner's token; {caller.name} may ask questions, at /")
        if request.path == "/ask" and self._sql:
            return await self._sql.ask_frames(request, caller)
        return await self._act(request)

    def _without_token(self, request: web.BaseRequest) -> web.Response | None:
        """What anybody is answered; None when a token decides."""
        method, path = request.method, request.path
        if path in ("/ping", "/replicas_status") or (path == "/" and method == "GET" and "query" not in request.query):
            return _text(200, "Ok.")
        if (method, path) in self._actions or (path == "/metrics" and self._metrics and method == "GET"):
            return None
        if path not in ("/", "/ask") or self._sql is None:
            return _text(404, f"there is nothing at {method} {path}; ask with: telem-agent query")
        if method not in _METHODS:
            return _text(405, f"{method} is not possible here; questions come by GET or POST")
        return None

    async def _act(self, request: web.BaseRequest) -> web.Response:
        try:
            said = orjson.dumps(await self._actions[request.method, request.path]())
        except Exception as error:
            log.exception("%s %s failed", request.method, request.path)
            return _text(503, f"{type(error).__name__}: {error}")
        return web.Response(body=said, content_type="application/json", headers=HEADERS)


def _unknown() -> web.Response:
    code = clickhouse.AUTHENTICATION
    answer = web.Response(status=code.status, text=clickhouse.exception_text(code, HOW), headers=HEADERS)
    answer.headers["WWW-Authenticate"] = 'Bearer realm="telem-agent"'
    answer.headers["X-ClickHouse-Exception-Code"] = str(code.number)
    return answer


def _text(status: int, text: str) -> web.Response:
    answer = web.Response(status=status, text=text + "\n", headers=HEADERS)
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers["Allow"] = ", ".join(_METHODS)
    return answer
