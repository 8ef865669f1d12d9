"""Reads session logs piece by piece: lines of any length, logs that grow, shrink or are replaced meanwhile.

What is still being written is left for the next time: a line without its end, and in a log that was touched a moment
ago the lines of an answer that has not ended.
"""

from __future__ import annotations

import os
import time
from collections import Counter, OrderedDict
from hashlib import blake2b
from typing import TYPE_CHECKING, BinaryIO

from .facts import Fact, Reader
from .progress import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .folders import Log

LINE_LIMIT_BYTES = 32 * 1024 * 1024
"""A longer line is left out and counted; a client's line holds one message or one tool's result."""

FRESH_S = 60.0
"""A log written to since then may go on with the answer at its end."""

NEAR_LINES = 200
"""The lines of one answer stand closer together than that, also when subagents write in between."""

HEAD_BYTES = 256
PIECE_FACTS = 10_000
PIECE_TEXT_CHARS = 16_000_000
"""So much is held in memory before it is handed over."""

TELLING = (b'"assistant"', b'"user"', b'"querySource"')
"""A line without one of these says nothing and is not parsed; some are half a megabyte of snapshots."""


class Piece:
    """Facts from one or more logs, and the places up to which they were read."""

    def __init__(self) -> None:
        self.facts: dict[str, Fact] = {}
        self.places: dict[str, Place] = {}
        self.text_chars = 0

    def add(self, fact: Fact) -> None:
        """Keep the line with the most output of a request, the first of everything else."""
        known = self.facts.get(fact.key)
        if known is None or (fact.name == "api_request" and _output(fact) > _output(known)):
            self.facts[fact.key] = fact
            self.text_chars += len(str(fact.values.get("prompt", "")))

    @property
    def is_full(self) -> bool:
        """Is it time to hand it over?"""
        return len(self.facts) >= PIECE_FACTS or self.text_chars >= PIECE_TEXT_CHARS


def _output(fact: Fact) -> int:
    return int(fact.values.get("output_tokens", 0))


class Reading:
    """One run over some logs.

    Args:
        known: places where earlier runs stopped, by path.
        settle_s: lines younger than that are left for the next run; their client may be about to export them itself.
    """

    def __init__(self, known: dict[str, Place], *, with_prompts: bool = False, settle_s: float = 0.0) -> None:
        self._known = known
        self._with_prompts = with_prompts
        self._settle_s = settle_s
        self._piece = Piece()
        self.left_out: Counter[str] = Counter()  # lines that say nothing, by reason
        self.lines = 0
        self.bytes_read = 0

    def has_news(self, log: Log) -> bool:
        """Has the log changed since it was read to its end?"""
        place = self._known.get(str(log.path))
        return place is None or (place.size, place.mtime_ns, place.inode) != (log.size, log.mtime_ns, log.inode)

    def pieces(self, logs: list[Log]) -> Iterator[Piece]:
        """Read logs; each piece can be handed over, and its places be remembered then."""
        for log in logs:
            try:
                with log.path.open("rb") as file:
                    for held in self._read(log, file):
                        piece, self._piece = self._piece, Piece()
                        self._piece.facts = held
                        yield piece
            except OSError:
                self.left_out["log cannot be read"] += 1
        yield self._piece

    def _read(self, log: Log, file: BinaryIO) -> Iterator[dict[str, Fact]]:
        """Read one log. Yields when the piece is full, with what must wait for the lines to come."""
        path, head = str(log.path), _head(file)
        reader, offset = self._resume(log, file, head)
        near: OrderedDict[str, tuple[int, int]] = OrderedDict()  # request -> number and offset of its first line
        file.seek(offset)
        for number, data in enumerate(self._whole_lines(file, log)):
            facts = self._facts(reader, data)
            if facts and self._is_young(facts[0]):
                break
            for fact in facts:
                if fact.name == "api_request":
                    near.setdefault(fact.key, (number, offset))
                self._piece.add(fact)
            offset += len(data)
            while near and next(iter(near.values()))[0] < number - NEAR_LINES:
                near.popitem(last=False)
            if self._piece.is_full:
                held = {key: self._piece.facts.pop(key) for key in near if key in self._piece.facts}
                back_to = min((at for _, at in near.values()), default=offset)
                self._piece.places[path] = _place(reader, back_to, log, head)
                yield held
        if _is_fresh(log):
            offset = self._hold_back(near, offset)
        self._piece.places[path] = _place(reader, offset, log, head)

    def _resume(self, log: Log, file: BinaryIO, head: str) -> tuple[Reader, int]:
        """Go on where the last run stopped, or at the beginning of a log that is another one now."""
        place = self._known.get(str(log.path)) or Place()
        if place.offset > os.fstat(file.fileno()).st_size or place.inode != log.inode or place.head != head:
            place = Place()
        return Reader(self._with_prompts, place.prompt_id, tools=OrderedDict(place.tools)), place.offset

    def _hold_back(self, near: OrderedDict[str, tuple[int, int]], offset: int) -> int:
        """Leave answers that may go on; returns where the next run has to begin for them."""
        for key, (_, at) in near.items():
            fact = self._piece.facts.get(key)
            if fact is not None and not fact.ended:
                del self._piece.facts[key]
                offset = min(offset, at)
        return offset

    def _facts(self, reader: Reader, data: bytes) -> list[Fact]:
        if not any(word in data for word in TELLING):
            return []
        try:
            return list(reader.facts(data))
        except ValueError:
            self.left_out["line cannot be read"] += 1
            return []

    def _is_young(self, fact: Fact) -> bool:
        """A line of tomorrow is not: its clock was wrong, and nobody will export it by then."""
        return self._settle_s > 0 and abs(time.time() - fact.time_ns / 1e9) < self._settle_s

    def _whole_lines(self, file: BinaryIO, log: Log) -> Iterator[bytes]:
        """Lines with their ends. One that is too long is passed over: in parts of its length that say nothing."""
        while data := file.readline(LINE_LIMIT_BYTES):
            self.bytes_read += len(data)
            if data.endswith(b"\n") or (len(data) < LINE_LIMIT_BYTES and not _is_fresh(log)):
                self.lines += 1
                yield data
            elif len(data) < LINE_LIMIT_BYTES:
                return  # it is still being written
            else:
                self.left_out["line too long"] += 1
                yield from self._passed_over(file, data)

    def _passed_over(self, file: BinaryIO, data: bytes) -> Iterator[bytes]:
        while data:
            yield bytes(len(data))
            if data.endswith(b"\n"):
                return
            data = file.readline(LINE_LIMIT_BYTES)
            self.bytes_read += len(data)


def _is_fresh(log: Log) -> bool:
    return abs(time.time() - log.mtime_ns / 1e9) < FRESH_S


def _head(file: BinaryIO) -> str:
    return blake2b(file.read(HEAD_BYTES), digest_size=8).hexdigest()


def _place(reader: Reader, offset: int, log: Log, head: str) -> Place:
    size, mtime_ns = (log.size, log.mtime_ns) if offset >= log.size else (-1, 0)
    return Place(offset, size, mtime_ns, log.inode, head, reader.prompt_id, dict(reader.tools))
