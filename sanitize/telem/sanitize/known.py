"""Known values: the user's own secrets, wherever they stand and however they are written.

They are told by the caller, live in memory only and are searched as they are, as JSON escapes, percent signs, HTML
entities, hex, and inside base64 at any offset.
"""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from .tree import tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CHARS_MIN = 6
"""A shorter value stands in half of all texts by chance."""

VALUES_MAX = 10_000
"""Each has up to a dozen spellings, all of which are compiled into one pattern."""

CHARS_MAX = 4_096
WRAPPED_CHARS_MIN = 8
"""Base64 of six characters loses two at each end, and what is left is any word."""

BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")


class KnownValues:
    """Finds known values in texts."""

    def __init__(self, values: Iterable[str]) -> None:
        plain: set[str] = set()
        wrapped: set[str] = set()
        for value in values:
            plain.update(spelling for spelling in spellings(value) if len(spelling) >= CHARS_MIN)
            wrapped.update(base64_pieces(value))
        self._plain = _pattern(plain)
        self._wrapped = _pattern(wrapped - plain)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Return where known values stand; a hit inside base64 takes the whole run."""
        if self._plain is not None:
            yield from (match.span() for match in self._plain.finditer(text))
        if self._wrapped is not None:
            for match in self._wrapped.finditer(text):
                start, end = match.span()
                while start and text[start - 1] in BASE64:
                    start -= 1
                while end < len(text) and text[end] in BASE64:
                    end += 1
                yield start, end


def spellings(value: str) -> set[str]:
    """Return the ways in which a value is written out."""
    return {
        value,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        json.dumps(value)[1:-1].replace("/", "\\/"),
        quote(value, safe=""),
        quote(value),
        quote_plus(value),
        html.escape(value),
        value.encode("utf-8", "replace").hex(),
        value.encode("utf-8", "replace").hex().upper(),
    }


def base64_pieces(value: str) -> set[str]:
    """Return what base64 of any text with the value in it must hold, one piece for each of the three offsets."""
    data = value.encode("utf-8", "replace")
    if len(data) < WRAPPED_CHARS_MIN:
        return set()
    pieces: set[str] = set()
    for offset in range(3):
        whole = (len(data) + offset) // 3 * 4
        piece = b64encode(b"\0" * offset + data).decode()[(0, 4, 4)[offset] : whole]
        pieces |= {piece, piece.replace("+", "-").replace("/", "_")}
    return {piece for piece in pieces if len(piece) >= CHARS_MIN}


def _pattern(words: Iterable[str]) -> re.Pattern[str] | None:
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    return re.compile(tree(longest_first)) if longest_first else None
