"""Looking through one level of wrapping: colours, escapes, percent signs, entities, base64 and hex.

A view is the text as it would read unwrapped, with the way back: a span in the view becomes the span of the original
that it came from. Only one level is undone; what is wrapped twice was wrapped on purpose.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from .flat import Flat, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


RUN_CHARS_MIN = 24
"""Shorter base64 runs are words, ids and paths."""

PEEK_CHARS = 64
"""Enough of a run to see that it holds an image or a digest rather than text."""

WINDOW_CHARS = 400
"""How far around an escape a text is read unescaped."""

BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-")

DEL = 0x7F
BLANK = 0x20

COLOUR_BEGINS = r"\x1b|\^\[|\\u001[bB]|\\x1[bB]|\\033|\\e"
ESCAPES = (
    r"\\u00[0-9A-Fa-f]{2}|\\x[0-9A-Fa-f]{2}|%[0-9A-Fa-f]{2}|&#\d{2,3};|&#[xX][0-9A-Fa-f]{2};|"
    rf"&(?:quot|amp|lt|gt|apos);|\\/|(?:{COLOUR_BEGINS})\[[0-9;]{{0,12}}[mK]"
)
ESCAPE = re.compile(
    r"[\\%&^\x1b](?:(?<=%)(?P<p>[0-9A-Fa-f]{2})|(?<=\\)(?:u(?P<u>00[0-9A-Fa-f]{2})|x(?P<x>[0-9A-Fa-f]{2})|(?P<s>/))|"
    r"(?<=&)(?:#(?P<d>\d{2,3});|#[xX](?P<h>[0-9A-Fa-f]{2});|(?P<e>quot|amp|lt|gt|apos);)|"
    r"(?P<a>(?:(?<=\x1b)|(?<=\^)\[|(?<=\\)(?:u001[bB]|x1[bB]|033|e))\[[0-9;]{0,12}[mK]))",
    re.ASCII,
)
"""The same, beginning with one set of characters, for which `re` can look ten times as fast."""

ENTITIES = {"quot": '"', "amp": "&", "lt": "<", "gt": ">", "apos": "'"}


class View:
    """An unwrapped text, and the way back."""

    __slots__ = ("_ats", "_origins", "end", "escapes", "flat", "start")

    def __init__(self, flat: Flat, start: int, end: int, escapes: Sequence[re.Match[str]] = ()) -> None:
        self.flat, self.start, self.end = flat, start, end
        self.escapes = escapes
        """What was undone between `start` and `end`; nothing when all of it was decoded."""
        self._ats: list[int] = []
        """Where each piece begins: what stands as in the original, and single characters that were escapes."""
        self._origins: list[tuple[int, int]] = []
        """And where in the original; where an escape ends there, 0 for other pieces."""

    def back(self, span: Span) -> Span:
        """Return the span of the original; a hit inside base64 takes the whole run."""
        if not self.escapes:
            return span._replace(start=self.start, end=self.end)
        if not self._ats:
            self._mark()
        return span._replace(start=self._origin(span.start)[0], end=self._origin(span.end - 1)[1])

    def _mark(self) -> None:
        """Note where each piece came from; most texts have nothing to find, and need no way back."""
        at, size = self.start, 0
        for match in self.escapes:
            first, last = match.span()
            self._ats.append(size)
            self._origins.append((at, 0))
            size += first - at
            if _plain(match):
                self._ats.append(size)
                self._origins.append((first, last))
                size += 1
            at = last
        self._ats.append(size)
        self._origins.append((at, 0))

    def _origin(self, at: int) -> tuple[int, int]:
        """Return from where to where a character stands in the original."""
        piece = bisect_right(self._ats, at) - 1
        start, end = self._origins[piece]
        start += 0 if end else at - self._ats[piece]
        return start, end or start + 1


def is_wrapped(flat: Flat) -> bool:
    """Tell whether there may be another reading, by quicker ways than `WRAPPED` is in `re`."""
    text = flat.text
    escaped = "\\" in text or "%" in text or "&" in text or "\x1b" in text
    return (escaped and ESCAPE.search(text) is not None) or RUN in flat.data.translate(RUN_BYTES)


def views(flat: Flat) -> Iterator[View]:
    """Return the readings of the text that differ from the text."""
    text = flat.text
    if escapes := list(ESCAPE.finditer(text)):
        starts = [escape.start() for escape in escapes]
        for start, end in _windows(text, escapes):
            first, last = bisect_left(starts, start), bisect_left(starts, end)
            last -= last > first and escapes[last - 1].end() > end
            yield _unescaped(text, start, end, escapes[first:last])
    for start, end in _runs(flat.data, flat.data.translate(RUN_BYTES)):
        # The second try is for a run that begins with the n of a newline escape, or the third for 0x.
        for at in (start, start + 1, start + 2) if text[start : start + 2] == "0x" else (start, start + 1):
            decoded = _decoded(text[at:end])
            if decoded:
                yield View(decoded, at, end)
                break


RUN_BYTES = bytes(1 if chr(c) in BASE64 else 0 for c in range(256))
RUN = b"\x01" * RUN_CHARS_MIN
"""Bytes mapped to two values show the long runs of base64 faster than any pattern of `re`."""


def _runs(data: bytes, mapped: bytes) -> Iterator[tuple[int, int]]:
    """Return the long runs of base64 characters."""
    at = mapped.find(RUN)
    while at >= 0:
        end = mapped.find(b"\x00", at)
        end = len(data) if end < 0 else end
        yield at, end + (2 if data[end : end + 2] == b"==" else data[end : end + 1] == b"=")
        at = mapped.find(RUN, end)


def _windows(text: str, escapes: Iterable[re.Match[str]]) -> Iterator[tuple[int, int]]:
    """Return the parts of the text around its escapes, from blank to blank: a large text is not copied whole."""
    start = end = -1
    for escape in escapes:
        at, stop = escape.span()
        if start >= 0 and at - WINDOW_CHARS <= end:
            end = stop
            continue
        if start >= 0:
            yield start, _blank_after(text, end)
        start, end = max(0, _blank_before(text, at), min(end, at)), stop
    if start >= 0:
        yield start, _blank_after(text, end)


def _blank_before(text: str, at: int) -> int:
    found = [text.rfind(blank, max(0, at - 2 * WINDOW_CHARS), max(0, at - WINDOW_CHARS // 4)) for blank in " \n"]
    return max(*found, at - 2 * WINDOW_CHARS, 0)


def _blank_after(text: str, at: int) -> int:
    found = [text.find(blank, at + WINDOW_CHARS // 4, at + 2 * WINDOW_CHARS) for blank in " \n"]
    return min([place for place in found if place >= 0], default=min(len(text), at + 2 * WINDOW_CHARS))


def _unescaped(text: str, start: int, end: int, escapes: Sequence[re.Match[str]]) -> View:
    pieces: list[str] = []
    at, known = start, _plains
    for match in escapes:
        first, last = match.span()
        escape = text[first:last]
        plain = known.get(escape)
        if plain is None:
            plain = _plain(match)
            if len(known) < PLAINS_MAX:
                known[escape] = plain
        pieces += (text[at:first], plain)
        at = last
    pieces.append(text[at:end])
    joined = "".join(pieces)
    return View(Flat(joined, joined.encode("ascii")), start, end, escapes)


PLAINS_MAX = 2_000
"""Escapes whose meaning is remembered; colours have many."""
_plains: dict[str, str] = {}


def _plain(match: re.Match[str]) -> str:
    group, value = match.lastgroup or "", match.group(match.lastgroup or 0)
    if group == "a":
        return ""
    if group == "s":
        return "/"
    if group == "e":
        return ENTITIES[value]
    code = int(value, 10 if group == "d" else 16)
    return chr(code) if code < DEL else "\x7f"


FIRST_OF_FOUR = "CDGIJKLMNOPQRSTUVWXYZabcdef"
FIRST_OF_TWO = "01234567"
"""What every fourth character of base64 is, and every second one of hex, where what it holds is text."""
HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")

_ANY = "[A-Za-z0-9+/_-]"
WRAPPED = (
    rf"{ESCAPES}|(?:^|[^A-Za-z0-9+/_-])(?:{_ANY}?|0x)"
    rf"(?:(?:[{FIRST_OF_FOUR}]{_ANY}{{3}}){{{RUN_CHARS_MIN // 4}}}|(?:[{FIRST_OF_TWO}]{_ANY}){{{RUN_CHARS_MIN // 2}}})"
)
"""What stands in a text of which there is another reading: an escape, or a run that may be base64 or hex of a text."""


def _decoded(run: str) -> Flat | None:
    body = run.rstrip("=")
    if body[0:PEEK_CHARS:4].strip(FIRST_OF_FOUR):
        # No base64 of a text, so nearly every name and path; hex may still be one.
        if body[0:PEEK_CHARS:2].strip(FIRST_OF_TWO):
            return None
    elif body.isalpha():
        return None
    if body.isdigit() or len(body) < RUN_CHARS_MIN:
        return None
    if len(body) % 2 == 0 and HEX.fullmatch(body):
        return _readable(binascii.unhexlify(body))
    head = _base64(body[:PEEK_CHARS])
    if head is None or _readable(head) is None:
        return None
    whole = _base64(body)
    return None if whole is None else _readable(whole)


def _base64(body: str) -> bytes | None:
    body = body.replace("-", "+").replace("_", "/")
    body = body[: len(body) // 4 * 4 + (len(body) % 4 if len(body) % 4 > 1 else 0)]
    try:
        return b64decode(body + "=" * (-len(body) % 4), validate=True)
    except binascii.Error:
        return None


def _readable(data: bytes) -> Flat | None:
    if not data.isascii() or any(byte < BLANK and byte not in b"\t\n\r\x1b" for byte in data[:PEEK_CHARS]):
        return None
    return Flat(data.decode("ascii"), data)
