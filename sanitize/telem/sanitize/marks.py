"""What a gate is asked for: literals, and short patterns where no literal exists."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .flat import Flat

Gate = Callable[["Flat"], Collection[int]]
"""From a text to the indices of the marks in it."""

RUN_CHARS_MIN = 11
RUNS = re.compile(r"[A-Za-z0-9_+/=%-]{11,}", re.ASCII)
"""Where tokens can be: one character in six of code stands in such a run."""
RUN = re.compile(r"[A-Za-z0-9_+/=%-]{11}", re.ASCII)

DIGITS = b"0123456789"


class Mark(NamedTuple):
    """One entry of the gate: a literal, or a short pattern where no literal exists."""

    text: str
    pattern: bool
    ignore_case: bool
    in_run: bool = False
    """Whether it begins a run of at least `RUN_CHARS_MIN` token characters wherever its rule finds something."""
    needs: str = ""
    """Characters, as often as they stand here, without which it need not be looked for; `0` is any digit."""
    triggers: tuple[str, ...] = ()
    """Literals of which one stands wherever the pattern fits: `re` looks for them first."""
    strict: bool = False
    """Whether its rule might find something where the pattern does not fit."""
    near: str = ""
    """A pattern that fits within `NEAR_CHARS` of wherever this one does, for `re` to look for first."""
    quick: Callable[[Flat], object] | None = None
    """What `re` asks instead of the pattern, if there is something."""

    def source(self) -> str:
        """Return the mark as a pattern."""
        source = self.text if self.pattern else re.escape(self.text)
        return f"(?i:{source})" if self.ignore_case else source


NEAR_CHARS = 100


def enough(needs: str) -> Callable[[bytes], bool]:
    """Return a function that tells whether a text has the characters that a mark needs; it takes 0.2 µs, a set 2."""
    count, char = len(needs), needs[:1].encode()
    if set(needs) - {needs[:1]}:
        raise ValueError(f"{needs!r} is not one character, repeated")
    if char == b"0":
        return lambda data: len(data) - len(data.translate(None, DIGITS)) >= count
    return (lambda data: char in data) if count == 1 else lambda data: data.count(char) >= count


def windows(places: Iterable[re.Match[Any]], reach: int, size: int) -> Iterator[tuple[int, int]]:
    """Return the pieces of a text within reach of some places in it."""
    start = end = -1
    for place in places:
        low, high = max(0, place.start() - reach), min(size, place.end() + reach)
        if start >= 0 and low <= end:
            end = high
            continue
        if start >= 0:
            yield start, end
        start, end = low, high
    if start >= 0:
        yield start, end
