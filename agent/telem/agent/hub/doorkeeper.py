"""The hub's one door: who are you, what may you, and on to your own agent.

Every request but `/ping` carries a token. OTLP and questions of a member go to that member's agent, with that agent's
own token in the place of the member's; questions of a coordinator go to the team's tables. Nothing that the caller says
beside the token decides whose data is touched.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web
from yarl import URL

from telem.agent.errors import AgentError

from . import page

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from multidict import MultiMapping

    from .houses import House, Houses
    from .limits import Limits
    from .members import Member, Members

    Ask = Callable[[Member, web.BaseRequest], Awaitable[web.StreamResponse]]

OTLP_PATHS = ("/v1/logs", "/v1/metrics", "/v1/traces")
KEEPALIVE_S = 120.0
PASS_TIMEOUT_S = 330.0
"""Longer than any question may take; what takes longer is ended by the agent that works on it."""

_PASSED = ("Content-Type", "Content-Encoding", "Accept-Encoding", "Accept", "X-ClickHouse-Format")
_SECRETS = ("user", "password")
"""Parameters that say who somebody is; they end here."""

_RETURNED = ("Content-Type", "Content-Encoding", "Retry-After", "Cache-Control", "X-Content-Type-Options")
_SAFE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_CHALLENGE = {**_SAFE, "WWW-Authenticate": 'Bearer realm="telem-agent hub"'}

log = logging.getLogger(__name__)


class Doorkeeper:
    """Answers on the hub's port.

    Args:
        actions: what else there is, by method and path; each looks at the member's role itself.
    """

    def __init__(self, members: Members, houses: Houses, limits: Limits, actions: Mapping[str, Ask]) -> None:
        self._members = members
        self._houses = houses
        self._limits = limits
        self._actions = actions
        self.refused = 0  # requests without a token that counts
        self.requests = 0  # telemetry passed on
        self.failed = 0  # of these, not stored

    def server(self) -> web.Server:
        """The protocol factory for a listening socket."""
        return web.Server(
            self.handle, keepalive_timeout=KEEPALIVE_S, access_log=None, auto_decompress=False, tcp_keepalive=True
        )

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        if request.path == "/ping":
            return _text(HTTPStatus.OK, "Ok.")
        if not _is_from_here(request.headers):
            return _text(HTTPStatus.FORBIDDEN, "requests from other web pages are refused (Origin header)")
        if page.wants(request.method, request.path, request.headers, has_query=bool(request.query)):
            return page.answer()
        token = token_of(request.headers) or request.query.get("password", "")
        member = self._members.of_token(token, time.time())
        if member is None:
            self.refused += 1
            return _text(
                HTTPStatus.UNAUTHORIZED,
                "this hub wants a token that counts: Authorization: Bearer <token>; its admin makes one with: "
                "telem-agent hub member add NAME (rotate NAME for another)",
                _CHALLENGE,
            )
        self._limits.note_visit(member)
        try:
            return await self._serve(member, request)
        except AgentError as error:
            return _text(HTTPStatus.SERVICE_UNAVAILABLE, str(error), {**_SAFE, "Retry-After": "1"})
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            log.warning("%s %s of %s failed: %s", request.method, request.path, member.id, error)
            text = "the hub could not pass this on; send it again"
            return _text(HTTPStatus.SERVICE_UNAVAILABLE, text, {**_SAFE, "Retry-After": "1"})

    async def _serve(self, member: Member, request: web.BaseRequest) -> web.StreamResponse:
        if request.path in OTLP_PATHS:
            if refusal := self._limits.refusal(member, request.content_length or 0):
                return _text(
                    HTTPStatus.TOO_MANY_REQUESTS, refusal.message, {**_SAFE, "Retry-After": refusal.retry_after_s}
                )
            self.requests += 1
            try:
                answered = await self._pass(member, request, "otlp_http")
            except BaseException:
                self.failed += 1
                raise
            self.failed += answered.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            return answered
        if action := self._actions.get(f"{request.method} {request.path}"):
            return await action(member, request)
        if request.path in ("/", "/ask", "/status"):
            return await self._pass(member, request, "query")
        return _text(HTTPStatus.NOT_FOUND, f"there is nothing at {request.path}")

    async def _pass(self, member: Member, request: web.BaseRequest, door: str) -> web.StreamResponse:
        """Let the member's agent answer, in a stream both ways."""
        async with self._houses.visit(member.id) as house:
            process = house.process
            try:
                return await self._pass_to(house, member, request, door)
            except aiohttp.ClientConnectorError:  # its agent has ended a moment ago; nothing of the request was read
                await self._houses.reopen(house, process)
                return await self._pass_to(house, member, request, door)

    async def _pass_to(self, house: House, member: Member, request: web.BaseRequest, door: str) -> web.StreamResponse:
        headers = {name: request.headers[name] for name in _PASSED if name in request.headers}
        headers |= {"Host": "localhost", "User-Agent": f"hub/{member.name}"}
        if door == "query":
            headers["Authorization"] = f"Bearer {_token_in(house)}"
        timeout = aiohttp.ClientTimeout(total=PASS_TIMEOUT_S)
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(house.socket(door)), timeout=timeout, auto_decompress=False
            ) as session,
            session.request(
                request.method,
                URL("http://localhost").with_path(request.path).with_query(_without_secrets(request.query)),
                data=request.content if request.can_read_body else None,
                headers=headers,
                allow_redirects=False,
            ) as answered,
        ):
            return await _return(request, answered)


async def _return(request: web.BaseRequest, answered: aiohttp.ClientResponse) -> web.StreamResponse:
    headers = {
        name: value for name, value in answered.headers.items() if name in _RETURNED or name.startswith("X-ClickHouse")
    }
    response = web.StreamResponse(status=answered.status, headers=headers)
    if answered.content_length is not None:
        response.content_length = answered.content_length
    await response.prepare(request)
    async for part in answered.content.iter_any():
        await response.write(part)
    await response.write_eof()
    return response


def token_of(headers: Mapping[str, str]) -> str:
    """The token of a request: as a bearer, as ClickHouse's key, or as the password of basic authorization."""
    kind, _, value = headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            return ""
    return headers.get("X-ClickHouse-Key", "")


def _is_from_here(headers: Mapping[str, str]) -> bool:
    """Is this of no web page, or of the hub's own? A browser says where a page came from, and which host it asks."""
    origin = headers.get("Origin")
    if headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        return headers.get("Sec-Fetch-Mode") == "navigate" and origin is None  # a link to the page
    return origin is None or origin.partition("://")[2] == headers.get("Host")


def _without_secrets(query: MultiMapping[str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in query.items() if name not in _SECRETS]


def _token_in(house: House) -> str:
    return (house.home / "token").read_text(encoding="ascii").strip()


def _text(status: int, text: str, headers: Mapping[str, str] = _SAFE) -> web.Response:
    return web.Response(status=status, text=text + "\n", headers=headers)


async def close_idle_forever(houses: Houses, every_s: float) -> None:
    """End idle agents now and then, for ever."""
    while True:
        await asyncio.sleep(every_s)
        await houses.close_idle(time.monotonic())
