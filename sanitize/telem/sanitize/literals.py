"""Which of many literals stand in a text, found with the standard library alone.

Code and prose have few words, and their words repeat; so literals are looked up word by word, and what was looked up
is remembered. Only what a word may be part of is then looked for in the text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from .tree import tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WORD = re.compile(r"[a-z0-9_]+", re.ASCII)
WORDS = bytes(ord(chr(c).lower()) if chr(c).isalnum() or c == ord("_") else ord(" ") for c in range(128)) + b" " * 128
"""Bytes mapped so that `split` gives words in lower case, four times as fast as a pattern."""
WORD_CHARS_MAX, WORDS_MAX = 32, 20_000
"""What is remembered of words: which literals they hold. Of longer words with digits nothing is, most come but once."""
ANY_WORD_CHARS_MAX = 3

RARE = "$%~@<\\/:=-. "
"""What stands in literals without long words, the rarest first."""


PLACES_MAX = 200
"""Places looked at one by one; a text with more of them repeats itself."""
WORD_BYTES_MAX = 500
"""Longer words are looked at alone: nobody wrote them."""


class Tree:
    """Literals as one pattern, and for each the owners of those that may open where it stands."""

    def __init__(self, owners: dict[str, list[int]], *, before: str = "") -> None:
        pattern = (before + tree(owners)).encode()
        self._search = re.compile(pattern).search if owners else None
        self._every = re.compile(b"(?=(" + pattern + b"))").findall
        # The longest is found first; what it holds stands in the text as well, but need not begin where it does.
        self._opens = {
            (before + word).encode(): frozenset(i for part in owners if part in word for i in owners[part])
            for word in owners
        }

    def places(self, data: bytes, most: int | None = None) -> list[tuple[int, frozenset[int]]]:
        """Return where literals stand, and whose. Steps by one: a literal may begin inside another."""
        found: list[tuple[int, frozenset[int]]] = []
        if (search := self._search) is None:
            return found
        match = search(data)
        while match is not None and len(found) != most:
            at = match.start()
            found.append((at, self._opens[match.group()]))
            match = search(data, at + 1)
        return found

    def owners(self, data: bytes) -> set[int]:
        """Return whose literals stand in the text."""
        places = self.places(data, PLACES_MAX)
        found = {owner for _, owners in places for owner in owners} if places else set()
        if len(places) == PLACES_MAX:
            for literal in set(self._every(data, places[-1][0])):
                found |= self._opens[literal]
        return found


class Literal(NamedTuple):
    """What is looked for once a word says that it may be there."""

    text: str
    blanks: bool
    """Whether there are blanks in it, so that it stands in no piece."""
    marks: tuple[int, ...]


class Literals:
    """Literals in lower case."""

    def __init__(self, owners: dict[str, list[int]]) -> None:
        others: dict[tuple[str, bool], list[Literal]] = {}
        self._literals: list[Literal] = []
        tables: tuple[dict[str, list[int]], ...] = ({}, {}, {}, {})
        inside, heads, tails, exact = tables
        for text, marks in owners.items():
            word = max(WORD.findall(text), key=len, default="")
            literal = Literal(text, text.strip(" ").split() != [text.strip(" ")], tuple(marks))
            if len(word) <= 1:
                char = next((char for char in RARE if char in text), text[0])
                others.setdefault((char, literal.blanks), []).append(literal)
                continue
            at = text.index(word)
            table = tables[(at > 0) + 2 * (at + len(word) < len(text))]
            table.setdefault(word, []).append(len(self._literals))
            self._literals.append(literal._replace(text="") if text == word else literal)
        self._inside = Tree(inside)
        self._heads = Tree(heads, before=" ")
        self._tails = Tree({word[::-1]: numbers for word, numbers in tails.items()}, before=" ")
        self._exact = {word.encode(): frozenset(numbers) for word, numbers in exact.items()}
        self._others = [(char, blanks, _any_of(char, found), found) for (char, blanks), found in others.items()]
        self._known: set[bytes] = set()
        self._holding: dict[bytes, frozenset[int]] = {}

    def owners(self, lowered: str, pieces: str, data: bytes) -> set[int]:
        """Return the marks whose literals stand in a text; a blank at an end of one may be any blank, or an end.

        Args:
            lowered: the text in lower case.
            pieces: what stands between its blanks, with a blank before and after it; or the text itself.
            data: the same as bytes.
        """
        found: set[int] = set()
        for number in self._candidates(set(data.translate(WORDS).split())):
            text, blanks, marks = self._literals[number]
            if text in (lowered if blanks else pieces):
                found.update(marks)
        for char, blanks, search, literals in self._others:
            where = lowered if blanks else pieces
            if char in where and search(where):
                found.update(mark for text, _, marks in literals if text in where for mark in marks)
        return found

    def _candidates(self, words: set[bytes]) -> set[int]:
        """Return the literals that may stand where these words do."""
        holding = self._holding
        found: set[int] = set()
        for word in words & holding.keys():
            found |= holding[word]
        if new := words - self._known:
            found |= self._looked_up(list(new))
        return found

    def _looked_up(self, words: list[bytes]) -> set[int]:
        """Look words up, and remember them."""
        if len(self._known) + len(words) > WORDS_MAX:
            self._known.clear()
            self._holding.clear()
        found: set[int] = set()
        for word, numbers in self._held(words):
            found |= numbers
            if _is_remembered(word):
                self._holding[word] = self._holding.get(word, frozenset()) | numbers
        self._known.update(filter(_is_remembered, words))
        return found

    def _held(self, words: list[bytes]) -> Iterator[tuple[bytes, frozenset[int]]]:
        """Return which literals may stand where a word does: all of them are looked for in all words at once."""
        for word in (word for word in words if len(word) > WORD_BYTES_MAX):
            alone = b" %b " % word
            for found, text in ((self._inside, alone), (self._heads, alone), (self._tails, alone[::-1])):
                yield word, frozenset(found.owners(text))
        words = [word for word in words if len(word) <= WORD_BYTES_MAX]
        joined = b" %b " % b" ".join(words)
        for found, text, order in (
            (self._inside, joined, words),
            (self._heads, joined, words),
            (self._tails, joined[::-1], words[::-1]),
        ):
            index = before = 0
            for at, numbers in found.places(text):
                index, before = index + text.count(b" ", before, at + 1), at + 1
                yield order[index - 1], numbers
        for one in self._exact.keys() & words:
            yield one, self._exact[one]


def _any_of(char: str, literals: list[Literal]) -> Callable[[str], object]:
    """Return what tells whether one of some literals is there that hold a character; `re` looks for that first."""
    parts = [text.partition(char) for text, *_ in literals]
    ways = [(f"(?<={re.escape(head + char)})" if head else "") + re.escape(tail) for head, _, tail in parts]
    return re.compile(f"{re.escape(char)}(?:{'|'.join(ways)})").search


def _is_remembered(word: bytes) -> bool:
    size = len(word)
    return size <= ANY_WORD_CHARS_MAX or (size <= WORD_CHARS_MAX and word.replace(b"_", b"").isalpha())
