"""The OTLP/HTTP door: three paths, two encodings, one answer for each.

aiohttp's low-level server is used without its router and middlewares: three paths need
neither.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from telem.sanitize.records import Encoding, RawRequest, Signal

from . import body
from .conversation import ConversationServer
from .errors import EXPECTED_OF_REQUESTS as EXPECTED
from .errors import BodyError, answer

if TYPE_CHECKING:
    from .guard import Guard
    from .ingest import Ingest

KEEPALIVE_S = 120.0
"""Clients export every 5 to 60 s on one connection; a shorter wait collides with the next export."""

_SIGNALS = {f"/v1/{signal}": signal for signal in Signal}
_ENCODINGS = {"application/x-protobuf": Encoding.PROTOBUF, "application/json": Encoding.JSON}
_TYPES = {encoding: content_type for content_type, encoding in _ENCODINGS.items()}
_RETRY = {"Retry-After": "1"}
"""Claude Code drops what comes with a longer Retry-After than its 10 s budget, and waits exactly this one."""

log = logging.getLogger(__name__)


class OtlpHttp:
    """Answers OTLP/HTTP requests."""

    def __init__(self, ingest: Ingest, guard: Guard, limit_bytes: int) -> None:
        self._ingest = ingest
        self._guard = guard
        self._limit_bytes = limit_bytes
        self.server = ConversationServer(
            self._answer, keepalive_timeout=KEEPALIVE_S, access_log=None, auto_decompress=False, tcp_keepalive=True
        )
        """The protocol factory for a listening socket."""

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        response = await self.handle(request)
        if self.server.draining:
            response.force_close()
        return response

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer one request; whatever goes wrong becomes a Status in the request's own encoding."""
        encoding = _ENCODINGS.get(request.content_type) if "Content-Type" in request.headers else None
        try:
            signal = self._signal(request, encoding)
            raw = await body.read(request, self._limit_bytes)
            await self._ingest.accept(RawRequest(signal, encoding or Encoding.JSON, raw, time.time_ns()))
        except Exception as error:
            if not isinstance(error, EXPECTED):
                log.exception("a request to %s failed", request.path)
            return _failure(error, encoding or Encoding.JSON)
        return _ACCEPTED[encoding or Encoding.JSON]()

    def _signal(self, request: web.BaseRequest, encoding: Encoding | None) -> Signal:
        """What the request is for; everything that headers can tell is checked before the body is read."""
        if reason := self._guard.refusal(request.headers):
            raise BodyError(403, reason)
        signal = _SIGNALS.get(request.path)
        if signal is None:
            raise BodyError(404, f"there is nothing at {request.path}; OTLP is received at {', '.join(_SIGNALS)}")
        if request.method != "POST":
            raise BodyError(405, f"{request.method} is not possible here; OTLP is sent by POST")
        if encoding is None:
            raise BodyError(415, "Content-Type must be application/x-protobuf or application/json")
        return signal


_ACCEPTED = {
    Encoding.PROTOBUF: lambda: web.Response(body=b"", content_type="application/x-protobuf"),
    Encoding.JSON: lambda: web.Response(body=b"{}", content_type="application/json"),
}
"""Every Export…ServiceResponse without a partial_success is the empty message."""


def _failure(error: Exception, encoding: Encoding) -> web.Response:
    said = answer(error)
    headers = dict(_RETRY) if said.retry else {}
    if said.http_status == web.HTTPMethodNotAllowed.status_code:
        headers["Allow"] = "POST"
    return web.Response(
        status=said.http_status,
        body=status_body(_GRPC_NUMBERS.get(said.grpc_code, 2), str(error), encoding),
        content_type=_TYPES[encoding],
        headers=headers,
    )


_GRPC_NUMBERS = {"INVALID_ARGUMENT": 3, "UNAVAILABLE": 14}


def status_body(code: int, message: str, encoding: Encoding) -> bytes:
    """A google.rpc.Status (fields: 1 code, 2 message), as OTLP/HTTP wants the body of every failure."""
    if encoding is Encoding.JSON:
        return orjson.dumps({"code": code, "message": message})
    text = message.encode("utf-8", "replace")
    return b"\x08" + _varint(code) + b"\x12" + _varint(len(text)) + text


_SEVEN_BITS = 0x7F


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > _SEVEN_BITS:
        out.append(number & _SEVEN_BITS | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
