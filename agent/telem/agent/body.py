"""Request bodies: read to a limit, decompressed to the same limit."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING

from .errors import BodyError

if TYPE_CHECKING:
    from aiohttp import web

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
    parts: list[bytes] = []
    left = limit_bytes
    while True:
        part, raw = _inflate(zlib.decompressobj(wbits=31), raw, left)
        left -= len(part)
        parts.append(part)
        if not raw:
            return b"".join(parts)


def _deflate(raw: bytes, limit_bytes: int) -> bytes:
    """Zlib-wrapped, as HTTP says, or bare, as some clients send it."""
    try:
        return _inflate(zlib.decompressobj(), raw, limit_bytes)[0]
    except BodyError as error:
        if error.status != 400:  # noqa: PLR2004 (bad request)
            raise
        return _inflate(zlib.decompressobj(wbits=-15), raw, limit_bytes)[0]


def _inflate(inflater: zlib._Decompress, raw: bytes, limit_bytes: int) -> tuple[bytes, bytes]:
    """One stream, and what follows it. Stops at the limit, so a bomb costs no more memory than an honest body."""
    try:
        part = inflater.decompress(raw, limit_bytes + 1)
    except zlib.error as error:
        raise BodyError(400, f"the compressed body is broken: {error}") from error
    if len(part) > limit_bytes:
        raise BodyError(413, f"the decompressed body is larger than the limit of {limit_bytes} bytes")
    if not inflater.eof:
        raise BodyError(400, "the compressed body ends too early")
    return part, inflater.unused_data


def _zstd(raw: bytes, limit_bytes: int) -> bytes:
    import zstandard  # noqa: PLC0415 (few clients use it, and it costs 3 MB)

    try:
        with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(raw, read_across_frames=True) as reader:
            part = reader.read(limit_bytes + 1)
    except zstandard.ZstdError as error:
        raise BodyError(400, f"the compressed body is broken: {error}") from error
    if len(part) > limit_bytes:
        raise BodyError(413, f"the decompressed body is larger than the limit of {limit_bytes} bytes")
    return bytes(part)


_DECOMPRESSORS = {"identity": _identity, "": _identity, "gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate, "zstd": _zstd}
