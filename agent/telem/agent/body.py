"""Request bodies: read to a limit, decompressed to the same limit."""

from __future__ import annotations

import asyncio
import zlib
from http import HTTPStatus
from typing import TYPE_CHECKING

from .errors import BodyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

STEP_BYTES = 4096
ZSTD_STEP_BYTES = 512
"""Compressed bytes unpacked at once. A zstd block of four bytes may hold 128 KiB, so this many may hold 16 MiB."""

READ_TIMEOUT_S = 60.0
"""A client that takes longer for one body is cut off."""


async def read(request: web.BaseRequest, limit_bytes: int) -> bytes:
    """The body, decompressed.

    Raises:
        BodyError: 413 above the limit, before or after decompression; 400 broken; 415 unknown encoding.
    """
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in _DECOMPRESSORS:
        raise BodyError(415, f"Content-Encoding {encoding} is not supported; use gzip, deflate, zstd or none")
    if (request.content_length or 0) > limit_bytes:
        raise BodyError(413, f"the body has {request.content_length} bytes, the limit is {limit_bytes}")
    if request.headers.get("Expect", "").lower() == "100-continue":
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")  # type: ignore[union-attr]  # connected
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            raw = await _read_raw(request, limit_bytes)
    except TimeoutError as error:
        raise BodyError(408, f"the body did not arrive within {READ_TIMEOUT_S:.0f} s") from error
    return _DECOMPRESSORS[encoding](raw, limit_bytes)


async def _read_raw(request: web.BaseRequest, limit_bytes: int) -> bytes:
    content = request.content
    first = await content.readany()
    if content.at_eof():
        return first
    parts, size = [first], len(first)
    while not content.at_eof():
        part = await content.readany()
        size += len(part)
        if size > limit_bytes:
            raise BodyError(413, f"the body is larger than the limit of {limit_bytes} bytes")
        parts.append(part)
    return b"".join(parts)


def _identity(raw: bytes, _limit_bytes: int) -> bytes:
    return raw


def _gzip(raw: bytes, limit_bytes: int) -> bytes:
    """All members of a gzip stream."""
    return _inflate(raw, limit_bytes, lambda: zlib.decompressobj(wbits=31))


def _deflate(raw: bytes, limit_bytes: int) -> bytes:
    """Zlib-wrapped, as HTTP says, or bare, as some clients send it."""
    try:
        return _inflate(raw, limit_bytes, zlib.decompressobj)
    except BodyError as error:
        if error.status != HTTPStatus.BAD_REQUEST:
            raise
        return _inflate(raw, limit_bytes, lambda: zlib.decompressobj(wbits=-15))


def _inflate(raw: bytes, limit_bytes: int, make: Callable[[], zlib._Decompress]) -> bytes:
    """One stream after another. Stops at the limit, so a bomb costs no more memory than an honest body.

    Fed in steps: what follows a stream is copied, so that thousands of empty ones in one piece would take minutes.
    """
    parts: list[bytes] = []
    left = limit_bytes
    inflater = make()
    try:
        for at in range(0, len(raw), STEP_BYTES):
            piece = raw[at : at + STEP_BYTES]
            while piece:
                inflater = make() if inflater.eof else inflater
                parts.append(inflater.decompress(piece, left + 1))
                left = _less(left, parts[-1], limit_bytes)
                piece = inflater.unused_data
    except zlib.error as error:
        raise BodyError(400, f"the compressed body is broken: {error}") from error
    return _whole(parts, inflater.eof)


def _zstd(raw: bytes, limit_bytes: int) -> bytes:
    """One frame after another; small steps, for there is no other way to bound what one call unpacks."""
    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    parts: list[bytes] = []
    left = limit_bytes
    inflater = decompressor.decompressobj()
    try:
        for at in range(0, len(raw), ZSTD_STEP_BYTES):
            piece = raw[at : at + ZSTD_STEP_BYTES]
            while piece:
                inflater = decompressor.decompressobj() if inflater.eof else inflater
                parts.append(inflater.decompress(piece))
                left = _less(left, parts[-1], limit_bytes)
                piece = inflater.unused_data if inflater.eof else b""
    except zstandard.ZstdError as error:
        raise BodyError(400, f"the compressed body is broken: {error}") from error
    return _whole(parts, inflater.eof)


def _less(left: int, part: bytes, limit_bytes: int) -> int:
    if len(part) > left:
        raise BodyError(413, f"the decompressed body is larger than the limit of {limit_bytes} bytes")
    return left - len(part)


def _whole(parts: list[bytes], ended: bool) -> bytes:
    if not ended:
        raise BodyError(400, "the compressed body ends too early")
    return b"".join(parts)


_DECOMPRESSORS = {
    "identity": _identity,
    "": _identity,
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "zstd": _zstd,
}
