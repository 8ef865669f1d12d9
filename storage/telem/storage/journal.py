"""The durable log of one signal: append -> position, and only then an answer to the client.

A segment is a file of newline-delimited JSON. Each accepted request is its rows, one a line, and then a commit line

    {"commit":{"request":"<32 hex>","rows":50,"crc":1234567890,"at":<µs>}}

which readers skip (it has no `seg`) and recovery needs: rows without their commit line were never acknowledged. A
segment belongs to one life of one process; nobody appends to another life's segment.
"""

from __future__ import annotations

import contextlib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from .layout import segment_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from telem.sanitize.records import SanitizedBatch, Signal

    from .disk import Appender, Disk
    from .layout import Layout

SEGMENT_LIMIT_BYTES = 6 * 1024 * 1024
"""A segment is closed when it reaches this: 6,300 Claude-Code-like rows. A worker holds one segment at a time, which
takes 2.5 MB of memory a MiB: DuckDB reads a file as one piece."""

_COMMIT = b'{"commit":'
_COMMIT_END = b"}}"


@dataclass(frozen=True, slots=True)
class Position:
    """Where a batch lies: durable when you hold one."""

    segment: int
    end_bytes: int


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit line says: a request that was acknowledged, or could have been."""

    request_id: str
    rows: int
    at_us: int


class Journal:
    """Appends batches to numbered segments.

    Not thread-safe: one writer at a time (see `telem.agent.ingest`).

    Args:
        first: number of the first segment this life will create.
    """

    def __init__(self, layout: Layout, signal: Signal, disk: Disk, first: int) -> None:
        self.signal = signal
        self._layout = layout
        self._disk = disk
        self._next = first
        self._open: Appender | None = None
        self._number = 0
        self.opened_at_s = 0.0
        self.closed: list[int] = []
        self._unmended: dict[int, int] = {}  # abandoned segments that end too late, and where they should

    @property
    def is_open(self) -> bool:
        """Is a segment being written?"""
        return self._open is not None

    @property
    def unmended(self) -> bool:
        """Does a segment end later than it should, because the medium would not have it cut?"""
        return bool(self._unmended)

    def append(self, batches: Sequence[SanitizedBatch], now_s: float) -> list[Position]:
        """Write batches and return when all of them are on the medium.

        Either all are durable or none is acknowledged: after a failed write the segment is cut back, after a failed
        sync it is abandoned (its pages may be gone, and a second sync would only pretend), and the batches go to a
        new one.

        Raises:
            DiskFullError: no space; try again later.
            OSError: the medium fails.
        """
        self.mend()
        try:
            return self._append(batches, now_s)
        except SyncFailedError:
            return self._append(batches, now_s)

    def _append(self, batches: Sequence[SanitizedBatch], now_s: float) -> list[Position]:
        segment = self._open or self._create(now_s)
        start = segment.size
        parts = [encode(batch, self._number) for batch in batches]
        notes = b"" if start else b"".join(abandoned_line(*item) for item in self._unmended.items())
        try:
            segment.append(notes + b"".join(parts))
        except OSError:
            if segment.torn:
                self._abandon(start)
            raise
        try:
            segment.sync()
        except OSError as error:
            try:
                segment.retreat(start)
                self.close(sure=False)
            except OSError:
                self._abandon(start)
            raise SyncFailedError(error.errno, "sync failed, segment abandoned", str(segment.path)) from error
        positions = []
        start += len(notes)
        for part in parts:
            start += len(part)
            positions.append(Position(self._number, start))
        if segment.size >= SEGMENT_LIMIT_BYTES:
            self.close()
        return positions

    def _create(self, now_s: float) -> Appender:
        self._number = self._next
        self._next += 1  # also when it fails: what made this name unusable must not make the next attempt fail
        self._open = self._disk.create(self._layout.segment(self.signal, self._number))
        self.opened_at_s = now_s
        return self._open

    def reserve(self) -> int:
        """Give a segment number away to rows that come from elsewhere.

        An empty segment of that number is durable when this returns, so no later life uses the number again, whether
        or not a Parquet file of it is ever published.
        """
        number = self._next
        self._next += 1
        self._disk.create(self._layout.segment(self.signal, number)).close()
        return number

    def _abandon(self, size: int) -> None:
        """Stop writing to a segment that could not be cut back to `size`; it is not ready until it has been."""
        self._unmended[self._number] = size
        segment, self._open = self._open, None
        if segment is not None:
            with contextlib.suppress(OSError):
                segment.leave()

    def mend(self) -> None:
        """Try again to cut what should not be there; until then it may be seen, but does not become Parquet."""
        for number, size in list(self._unmended.items()):
            try:
                self._disk.cut(self._layout.segment(self.signal, number), size)
            except OSError:
                continue
            del self._unmended[number]
            self.closed.append(number)

    def close(self, *, sure: bool = True) -> None:
        """Finish the segment being written; it is then ready to become Parquet.

        Args:
            sure: none of its syncs failed.
        """
        if self._open is not None:
            segment, self._open = self._open, None
            self.closed.append(self._number)
            finish = segment.close if sure else segment.leave
            with contextlib.suppress(OSError):  # everything acknowledged is synced already
                finish()


class SyncFailedError(OSError):
    """fsync reported an error; nothing of the batch may be believed to be on the medium."""


def encode(batch: SanitizedBatch, segment: int) -> bytes:
    """The lines of one batch with its commit line."""
    prefix = b'{"seg":%d,' % segment
    pieces: list[bytes] = []
    for line in batch.lines:
        pieces += (prefix, line[1:], b"\n")
    rows = b"".join(pieces)
    return rows + _commit_line(rows, Commit(batch.request_id, len(batch.lines), batch.received_at_ns // 1000))


def recoded(lines: Sequence[bytes], commit: Commit) -> bytes:
    """A batch that has only these of its lines left, with their line feeds."""
    rows = b"".join(lines)
    return rows + _commit_line(rows, Commit(commit.request_id, len(lines), commit.at_us))


def _commit_line(rows: bytes, commit: Commit) -> bytes:
    return b'{"commit":{"request":"%b","rows":%d,"crc":%d,"at":%d}}\n' % (
        commit.request_id.encode(),
        commit.rows,
        zlib.crc32(rows),
        commit.at_us,
    )


_ABANDONED = "abandoned:"


def abandoned_line(number: int, size: int) -> bytes:
    """Says at the head of a segment that an earlier one should end at `size`, and could not be cut back."""
    return b'{"commit":{"request":"%b%d:%d","rows":0,"crc":0,"at":0}}\n' % (_ABANDONED.encode(), number, size)


def abandoned(commit: Commit) -> tuple[int, int] | None:
    """The segment and size that such a line names; None for any other commit."""
    if commit.rows or not commit.request_id.startswith(_ABANDONED):
        return None
    number, _, size = commit.request_id.removeprefix(_ABANDONED).partition(":")
    return int(number), int(size)


def ends_well(data: bytes) -> bool:
    """Is this end of a segment the end of a commit line?"""
    line = data[data.rfind(b"\n", 0, len(data) - 1) + 1 :]
    return line.startswith(_COMMIT) and line.endswith(b"}}\n")


def scan(data: bytes) -> Iterator[tuple[int, int, Commit | None]]:
    """Walk a segment: (start, end, commit) of each batch, with None for a piece that is not a whole batch."""
    start = 0
    size = len(data)
    while start < size:
        at = start if data.startswith(_COMMIT, start) else data.find(b"\n" + _COMMIT, start) + 1
        found = bool(at) or data.startswith(_COMMIT, start)
        line_end = data.find(b"\n", at) + 1 if found else 0
        if not line_end:
            yield from _last(data, start, at) if found else [(start, size, None)]
            return
        first, commit = _judge(data, start, at, line_end)
        end = line_end
        if commit is None:  # the line feed may be what is damaged; the next line then seems to be part of this one
            close = data.find(_COMMIT_END, at, line_end) + len(_COMMIT_END)
            if _COMMIT_END in data[at:line_end]:
                first, commit = _judge(data, start, at, close)
                end = close if commit else line_end
        if first > start:
            yield start, first, None
        yield first, end, commit
        start = end
        if end < line_end:
            start += not data.startswith(b'{"', end)
            yield end, start, None


def _last(data: bytes, start: int, at: int) -> Iterator[tuple[int, int, Commit | None]]:
    """A commit line that ends without a line feed: whole all the same, or damaged just there, or torn."""
    close = data.find(_COMMIT_END, at) + len(_COMMIT_END)
    first, commit = _judge(data, start, at, close) if _COMMIT_END in data[at:] else (start, None)
    if commit is None:
        yield start, len(data), None
        return
    if first > start:
        yield start, first, None
    yield first, close, commit
    if close < len(data):
        yield close, len(data), None


def _judge(data: bytes, start: int, at: int, end: int) -> tuple[int, Commit | None]:
    """Where the batch of the commit line at `at` begins: at `start`, or later if the one before lost its own."""
    line = data[at:end]
    try:
        said = orjson.loads(line)["commit"]
        commit = Commit(str(said["request"]), int(said["rows"]), int(said["at"]))
        crc = int(said["crc"])
    except (ValueError, KeyError, TypeError):
        return start, None
    if zlib.crc32(data[start:at]) == crc:
        return start, commit
    first = at
    for _ in range(commit.rows):
        if first <= start:
            return start, None
        first = data.rfind(b"\n", start, first - 1) + 1 or start
    return (first, commit) if zlib.crc32(data[first:at]) == crc else (start, None)


def segments(layout: Layout, signal: Signal) -> list[tuple[int, Path]]:
    """Segments on disk, oldest first, the emptied ones included."""
    found = ((segment_number(path.name), path) for path in layout.journal(signal).iterdir())
    return sorted((number, path) for number, path in found if number is not None)
