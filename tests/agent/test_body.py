"""Decompression: every kind, whole or not at all, and never more than the limit in memory."""

from __future__ import annotations

import gzip
import time
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from telem.agent.body import _DECOMPRESSORS
from telem.agent.errors import BodyError

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 1_000_000


def bare(data: bytes) -> bytes:
    squeezer = zlib.compressobj(wbits=-15)
    return squeezer.compress(data) + squeezer.flush()


def streamed(data: bytes) -> bytes:
    """A zstd frame that does not announce its size, as streaming clients write."""
    squeezer = zstandard.ZstdCompressor().compressobj()
    return squeezer.compress(data) + squeezer.flush()


KINDS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "bare deflate": ("deflate", bare),
    "zstd": ("zstd", zstandard.compress),
    "streamed zstd": ("zstd", streamed),
}
kinds = pytest.mark.parametrize("kind", list(KINDS))


def unpack(coding: str, raw: bytes, limit: int = LIMIT) -> bytes:
    return _DECOMPRESSORS[coding](raw, limit)


def status_of(coding: str, raw: bytes, limit: int = LIMIT) -> int:
    with pytest.raises(BodyError) as caught:
        unpack(coding, raw, limit)
    return caught.value.status


@kinds
@settings(max_examples=40, deadline=None)
@given(data=st.binary(max_size=20_000))
def test_what_was_compressed_comes_back(kind: str, data: bytes) -> None:
    """Any bytes, any kind."""
    coding, squeeze = KINDS[kind]
    assert unpack(coding, squeeze(data)) == data


@pytest.mark.parametrize("kind", ["gzip", "zstd", "streamed zstd"])
def test_streams_in_a_row_are_one_body(kind: str) -> None:
    """Multi-member gzip, and zstd frames."""
    coding, squeeze = KINDS[kind]
    assert (
        unpack(coding, b"".join(map(squeeze, (b"a" * 9_000, b"", b"b", b"c" * 9_000))))
        == b"a" * 9_000 + b"b" + b"c" * 9_000
    )


@kinds
def test_a_truncated_body_is_400_at_every_byte(kind: str) -> None:
    """A part must never pass for the whole, also where a block ends."""
    coding, squeeze = KINDS[kind]
    whole = squeeze(bytes(range(256)) * 3)
    for size in range(len(whole)):
        assert status_of(coding, whole[:size]) == 400, size


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
@pytest.mark.parametrize("raw", [b"", b"x", b"not compressed at all", b"\0" * 100])
def test_broken_bodies_are_400(coding: str, raw: bytes) -> None:
    """With a message, not with another exception."""
    assert status_of(coding, raw) == 400


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_garbage_behind_a_stream_is_400(kind: str) -> None:
    """It is neither a stream nor nothing."""
    coding, squeeze = KINDS[kind]
    assert status_of(coding, squeeze(b"good") + b"garbage!") == 400


@kinds
def test_the_limit_is_exact(kind: str) -> None:
    """As many bytes as allowed pass, one more is 413."""
    coding, squeeze = KINDS[kind]
    assert len(unpack(coding, squeeze(b"a" * 5_000), 5_000)) == 5_000
    assert status_of(coding, squeeze(b"a" * 5_001), 5_000) == 413


@kinds
def test_a_bomb_costs_no_more_memory_than_an_honest_body(kind: str) -> None:
    """256 MiB of zeros are refused with less than 40 MiB in use."""
    coding, squeeze = KINDS[kind]
    bomb = squeeze(bytes(256 * 1024 * 1024))
    tracemalloc.start()
    assert status_of(coding, bomb) == 413
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * 1024 * 1024


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_very_many_empty_streams_take_no_time(kind: str) -> None:
    """A megabyte of them is done in a second: the time grows with the size, not with its square."""
    coding, squeeze = KINDS[kind]
    one = squeeze(b"")
    started_s = time.monotonic()
    assert unpack(coding, one * (1_000_000 // len(one))) == b""
    assert time.monotonic() - started_s < 2
