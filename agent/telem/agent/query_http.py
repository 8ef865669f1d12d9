"""Questions over HTTP, in the manner of ClickHouse: `GET /?query=…`, `POST /` with the statement as its body.

`docs/contracts/query-api.md` describes it. The first part of an answer is held back: a short one then has its length
and its summary in the header, and an error its status. A longer one is passed on as it comes, piece by piece.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import zstandard
from aiohttp import web

from telem.queries import clickhouse
from telem.queries.sandbox.frames import Kind, Question, failure
from telem.queries.table import Problem, QueryError

from . import body
from .asked import Asked
from .errors import BodyError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from telem.queries.sandbox.frames import Frame

    from .askers import Answering, Askers
    from .tokens import Caller

STATEMENT_LIMIT_BYTES = 1 << 20
HELD_BYTES = 256 * 1024
HELD_WHOLE_BYTES = 64 * 1024 * 1024
"""How much of an answer is held back at most; the second when the client asks for it whole."""

READER_S = 60.0
"""A client that reads nothing for so long is given up; its child could answer others."""

COMPRESS_FROM_BYTES = 1024
FRAMES = "application/x-telem-frames"

log = logging.getLogger(__name__)


class SqlDoor:
    """Answers questions.

    Args:
        note: is told of every question when it is over.
        headers: of every answer.
    """

    def __init__(self, askers: Askers, note: Callable[[Asked], None], headers: Mapping[str, str]) -> None:
        self._askers = askers
        self._note = note
        self._headers = {**headers, "X-ClickHouse-Server-Display-Name": "telem-agent", "X-ClickHouse-Timezone": "UTC"}

    async def ask(self, request: web.BaseRequest, caller: Caller) -> web.StreamResponse:
        """Answer a question in the manner of ClickHouse."""
        query_id = request.query.get("query_id") or str(uuid.uuid4())
        headers = {**self._headers, "X-ClickHouse-Query-Id": _header_text(query_id)}
        asked = Asked(caller.name, "http", "", query_id=query_id, address=request.remote or "")
        try:
            text = await _statement(request)
        except BodyError as error:
            return web.Response(status=error.status, text=f"{error}\n", headers=headers)
        if not text.strip():
            return web.Response(text="Ok.\n", headers=headers)
        asked.statement = text
        read: clickhouse.Request | None = None
        try:
            arguments = {"default_format": request.headers.get("X-ClickHouse-Format", "")} | dict(request.query)
            read = clickhouse.read(text, arguments, private=caller.owner)
            asked.form = read.format.name
            headers |= {"X-ClickHouse-Format": read.format.name, "Content-Type": read.format.media_type}
            return await self._answer(request, read, asked, headers)
        except QueryError as error:
            asked.problem = error.problem
            return _refusal(error, read, headers)
        except BaseException as error:
            asked.problem = "gone" if isinstance(error, ConnectionError | asyncio.CancelledError) else Problem.FAILED
            raise
        finally:
            self._close(asked)

    async def ask_frames(self, request: web.BaseRequest, caller: Caller) -> web.StreamResponse:
        """Answer a question of our own command line: frames in, frames out."""
        via = _via(request)
        # Only our own programs ask here; which client a coding agent's tools serve says more than their address.
        address = (via == "mcp" and request.headers.get("X-Telem-Client")) or request.remote or ""
        asked = Asked(caller.name, via, "", address=_header_text(address))
        try:
            question = Question.read(await body.read(request, STATEMENT_LIMIT_BYTES))
            question = replace(question, limits=question.limits.bounded())  # on a hub, members share the machine
        except (BodyError, ValueError) as error:
            return web.Response(status=400, text=f"{error}\n", headers=self._headers)
        asked.statement, asked.form = question.sql, question.form
        response = web.StreamResponse(headers={**self._headers, "Content-Type": FRAMES})
        try:
            async with self._askers.answer(question) as answering:
                while frame := await answering.next():
                    asked.count(frame)
                    await self._write(response, request, frame.packed())
        except QueryError as error:
            asked.problem = error.problem
            await self._write(response, request, failure(error).packed())
        except BaseException:
            asked.problem = "gone"
            raise
        finally:
            self._close(asked)
        await response.write_eof()
        return response

    def _close(self, asked: Asked) -> None:
        asked.elapsed_ms = asked.elapsed_ms or (time.time() - asked.started_s) * 1000
        try:
            self._note(asked)
        except Exception:
            log.exception("a question could not be noted")

    async def _answer(
        self, request: web.BaseRequest, read: clickhouse.Request, asked: Asked, headers: dict[str, str]
    ) -> web.StreamResponse:
        async with self._askers.answer(read.question) as answering:
            held, end = await _hold(answering, HELD_WHOLE_BYTES if read.hold else HELD_BYTES, asked)
            if end is not None:
                return self._whole(request, held, headers, asked)
            if read.hold:
                message = f"The answer is larger than the {HELD_WHOLE_BYTES >> 20} MiB that are held back."
                raise QueryError(message, "Ask without wait_end_of_query.", Problem.MEMORY)
            return await self._stream(request, held, answering, headers, asked)

    def _whole(
        self, request: web.BaseRequest, held: bytes, headers: dict[str, str], asked: Asked
    ) -> web.StreamResponse:
        headers |= {"X-ClickHouse-Summary": _summary(asked)}
        packer = _packer(request, len(held))
        if packer is None:
            return web.Response(body=held, headers=headers)
        packed = packer.compress(held) + packer.flush()
        return web.Response(body=packed, headers=headers | {"Content-Encoding": packer.name, "Vary": "Accept-Encoding"})

    async def _stream(
        self, request: web.BaseRequest, held: bytes, answering: Answering, headers: dict[str, str], asked: Asked
    ) -> web.StreamResponse:
        headers |= {"X-ClickHouse-Summary": _summary(asked)}
        packer = _packer(request, len(held))
        if packer is not None:
            headers |= {"Content-Encoding": packer.name, "Vary": "Accept-Encoding"}
        response = web.StreamResponse(headers=headers)
        data: bytes | None = held
        try:
            while data is not None:
                if part := packer.compress(data) if packer else data:
                    await self._write(response, request, part)
                data = await _next_data(answering, asked)
        except QueryError as error:
            # The status is sent; all that is left is to say it where the answer ends, and to end it as a broken one.
            text = clickhouse.error_text(error).encode()
            await self._write(response, request, packer.compress(text) + packer.flush() if packer else text)
            asked.problem = error.problem
            if request.transport is not None:
                request.transport.close()
            return response
        if packer:
            await self._write(response, request, packer.flush())
        await response.write_eof()
        return response

    async def _write(self, response: web.StreamResponse, request: web.BaseRequest, data: bytes) -> None:
        try:
            async with asyncio.timeout(READER_S):
                if not response.prepared:
                    await response.prepare(request)
                await response.write(data)
        except TimeoutError as error:
            raise ConnectionResetError("the client stopped reading") from error


class _Packer(Protocol):
    name: str

    def compress(self, data: bytes) -> bytes: ...
    def flush(self) -> bytes: ...


class _Gzip:
    name = "gzip"

    def __init__(self) -> None:
        self._packer = zlib.compressobj(level=3, wbits=31)

    def compress(self, data: bytes) -> bytes:
        return self._packer.compress(data)

    def flush(self) -> bytes:
        return self._packer.flush()


class _Zstd:
    name = "zstd"

    def __init__(self) -> None:
        self._packer = zstandard.ZstdCompressor(level=3).compressobj()

    def compress(self, data: bytes) -> bytes:
        return self._packer.compress(data)

    def flush(self) -> bytes:
        return self._packer.flush()


def _packer(request: web.BaseRequest, size: int) -> _Packer | None:
    """What to pack an answer with, by what the client accepts; short ones are not packed."""
    if size < COMPRESS_FROM_BYTES:
        return None
    accepted = {}
    for part in request.headers.get("Accept-Encoding", "").split(","):
        name, _, quality = part.partition(";")
        accepted[name.strip().lower()] = quality.replace(" ", "") not in ("q=0", "q=0.0")
    if accepted.get("zstd"):
        return _Zstd()
    return _Gzip() if accepted.get("gzip") else None


async def _statement(request: web.BaseRequest) -> str:
    """The statement: the argument `query`, the body, or the one and then the other.

    Raises:
        BodyError: the body cannot be read.
    """
    query = request.query.get("query", "")
    if request.method != "POST":
        return query
    if request.content_type.startswith("multipart/"):
        raise BodyError(501, "External tables (multipart/form-data) are not supported")
    sent = (await body.read(request, STATEMENT_LIMIT_BYTES)).decode("utf-8", "replace")
    return f"{query}\n{sent}" if query and sent else query or sent


async def _hold(answering: Answering, limit_bytes: int, asked: Asked) -> tuple[bytes, Frame | None]:
    """The beginning of an answer, up to the limit, and its end if that was all."""
    parts: list[bytes] = []
    while frame := await answering.next():
        asked.count(frame)
        if frame.kind is Kind.END:
            return b"".join(parts), frame
        if frame.kind is Kind.DATA:
            parts.append(frame.payload)
            limit_bytes -= len(frame.payload)
        if limit_bytes < 0:
            break
    return b"".join(parts), None


async def _next_data(answering: Answering, asked: Asked) -> bytes | None:
    while frame := await answering.next():
        asked.count(frame)
        if frame.kind is Kind.DATA:
            return frame.payload
    return None


def _summary(asked: Asked) -> str:
    """What ClickHouse's clients read about an answer; numbers are texts there. What is not known is 0."""
    said = {
        "read_rows": 0,
        "read_bytes": 0,
        "written_rows": 0,
        "written_bytes": 0,
        "total_rows_to_read": 0,
        "result_rows": asked.rows,
        "result_bytes": asked.bytes,
        "elapsed_ns": int(asked.elapsed_ms * 1e6),
    }
    return json.dumps({name: str(value) for name, value in said.items()}, separators=(",", ":"))


def _refusal(error: QueryError, read: clickhouse.Request | None, headers: dict[str, str]) -> web.Response:
    code = clickhouse.CODES[error.problem]
    headers |= {"X-ClickHouse-Exception-Code": str(code.number), "Content-Type": "text/plain; charset=UTF-8"}
    if error.problem is Problem.BUSY:
        headers |= {"Retry-After": "1"}
    text = clickhouse.error_text(error, read).encode("utf-8", "replace")
    return web.Response(status=code.status, body=text, headers=headers)


def _via(request: web.BaseRequest) -> str:
    """By which of our own programs a question came."""
    said = request.headers.get("X-Telem-Via", "cli")
    return said if said in ("cli", "mcp", "report", "page") else "cli"


def _header_text(text: str) -> str:
    return "".join(character for character in text if character.isprintable() and character.isascii())[:200]
