"""How what a pattern fits begins: a few literals, which `re` finds twenty times as fast as many words side by side.

`(?:docker|podman) login -p` begins with "docker login -p" or "podman login -p", and nowhere else need it be tried.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from .turn import alternatives, closing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .flat import Flat

HEADS_MAX = 60
"""With more of them it would be quicker to try everywhere."""
HEAD_CHARS_MIN, HEAD_CHARS_ENOUGH = 2, 4

BEFORE = re.compile(r"\(\?:\^\|(\[\^[^\]]*\])\)")
"""`(?:^|[^A-Za-z])`: a head is at the beginning of the text, or there is one character before it."""
ITEM = re.compile(
    r"(?P<group>\((?:\?:)?)|(?P<few>\[(?:[^\]\\^-]|\\[^A-Za-z]){1,3}\])|\\(?P<escaped>[^A-Za-z0-9])|"
    r"(?P<plain>[^\\\[\](){}?*+.|^$])"
)
TIMES = re.compile(r"[?*+{]")


class TooMany(Exception):  # noqa: N818 (no error, but an answer)
    """There are more heads than it is good for, or one is too short."""


class Heads(NamedTuple):
    """The literals with which all begins that a pattern fits."""

    literals: tuple[str, ...]
    before: bool
    """Whether there may be one more character before them."""

    def places(self, text: str) -> list[int]:
        """Return where a match may begin, from left to right."""
        found: set[int] = set()
        for literal in self.literals:
            at = text.find(literal)
            while at >= 0:
                found.add(at)
                at = text.find(literal, at + 1)
        if self.before:
            found.update([at - 1 for at in found if at])
        return sorted(found)


def heads_of(pattern: str) -> Heads | None:
    """Return how all begins that a pattern fits, or None where that cannot be said, or `re` is quick enough."""
    bare = BEFORE.sub("", pattern.replace(r"\b", ""))
    try:
        found = set(_heads(bare, "", HEADS_MAX))
    except TooMany:
        return None
    literals = {one for one in found if not any(one != other and one.startswith(other) for other in found)}
    if len(literals) > HEADS_MAX or not any(one[0].isalnum() for one in literals):
        return None
    if len(literals) == 1 and pattern.startswith(min(literals)):
        return None
    return Heads(tuple(sorted(literals)), bare != pattern)


def headed(
    heads: Heads, pattern: re.Pattern[str], *, lower: bool, ignore_case: bool
) -> Callable[[Flat], Iterator[tuple[tuple[int, int], ...]]]:
    """Return what finds a pattern where its heads stand.

    Args:
        lower: the pattern is in lower case, and looked for in the text in lower case.
        ignore_case: its heads are.
    """

    def find(flat: Flat) -> Iterator[tuple[tuple[int, int], ...]]:
        text, end = flat.text, 0
        lowered = text.lower() if ignore_case else text
        match = pattern.match
        for at in heads.places(lowered):
            if at >= end and (found := match(lowered if lower else text, at)) is not None:
                end = found.end()
                yield found.regs

    return find


def _heads(pattern: str, head: str, room: int) -> Iterator[str]:
    """Yield the ways in which `head` goes on with what fits `pattern`."""
    ways = alternatives(pattern)
    if len(ways) > room:
        raise TooMany
    for way in ways:
        yield from _goes_on(way, head, room)


def _goes_on(pattern: str, head: str, room: int) -> Iterator[str]:
    item = ITEM.match(pattern) if len(head) < HEAD_CHARS_ENOUGH else None
    end = 0 if item is None else closing(pattern) if item["group"] else item.end()
    rest = pattern[end:]
    maybe = rest[:1] == "?" and rest[1:2] not in {"?", "+"}
    if item is None or (TIMES.match(rest) and not maybe):
        if len(head) < HEAD_CHARS_MIN:
            raise TooMany
        yield head
        return
    rest = rest[maybe:]
    ways = [way + rest for way in _ways(item, pattern[item.end() : end - 1])]
    if len(ways) > room:
        raise TooMany
    for way in ways:
        yield from _goes_on(way, head, room)
    if not ways:
        yield from _goes_on(rest, head + (item["escaped"] or item["plain"]), room)
    if maybe:
        yield from _goes_on(rest, head, room)


def _ways(item: re.Match[str], inner: str) -> list[str]:
    """Return what may stand in the place of a group or of a class."""
    if item["group"]:
        return alternatives(inner)
    return [re.escape(char) for char in re.sub(r"\\(.)", r"\1", item["few"][1:-1])] if item["few"] else []
