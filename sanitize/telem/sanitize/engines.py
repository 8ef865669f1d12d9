"""Two engines with one answer: google-re2 where it is installed, `re` where it is not.

An engine gives two things: a *gate* over all triggers at once, and a *finder* for one pattern. The gate is a set of
literals only. One set over all full patterns would look fast in a loop over one text and is slower than Python on
text it sees for the first time, because its automaton is built as it goes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from .flat import Flat

try:
    import re2  # type: ignore[import-untyped]
except ImportError:  # pragma: no cover - no wheel for this platform
    re2 = None

HAS_RE2 = re2 is not None

GATE_MEMORY_BYTES = 64 << 20
"""A set that runs out of memory answers "no match", which would let secrets through; ours needs about one MB."""

PATTERN_CHARS_MAX = 2_000
PATTERN_MEMORY_BYTES = 4 << 20
"""For one pattern of the user's; a larger one is refused, rather than slow."""

Gate = Callable[["Flat"], Collection[int]]
Spans = tuple[tuple[int, int], ...]
Finder = Callable[["Flat"], Iterator[Spans]]


class PatternError(ValueError):
    """A pattern cannot be compiled; the message says why."""


class Mark(NamedTuple):
    """One entry of the gate: a literal, or a short pattern where no literal exists."""

    text: str
    pattern: bool
    ignore_case: bool

    def source(self) -> str:
        """Return the mark as a pattern."""
        source = self.text if self.pattern else re.escape(self.text)
        return f"(?i:{source})" if self.ignore_case else source


class Engine(Protocol):
    """What the scanner asks of an engine."""

    name: str

    def gate(self, marks: list[Mark]) -> Gate:
        """Return a function from a text to the indices of the marks in it."""

    def finder(self, pattern: str, *, ignore_case: bool = False) -> Finder:
        """Return a function from a text to the spans of each match and of its groups, left to right."""


class Pure:
    """The standard library: several times slower, always there."""

    name = "re"

    def gate(self, marks: list[Mark]) -> Gate:
        """Ask for each literal in turn: exact, and for texts of a few hundred characters not even slow."""
        literals = [(mark.text, i) for i, mark in enumerate(marks) if not mark.pattern and not mark.ignore_case]
        lowered = [(mark.text.lower(), i) for i, mark in enumerate(marks) if not mark.pattern and mark.ignore_case]
        patterns = [(re.compile(mark.source(), re.ASCII).search, i) for i, mark in enumerate(marks) if mark.pattern]

        def look(flat: Flat) -> Collection[int]:
            text = flat.text
            lower = text.lower()
            found = [i for literal, i in literals if literal in text]
            found += [i for literal, i in lowered if literal in lower]
            found += [i for search, i in patterns if search(text)]
            return found

        return look

    def finder(self, pattern: str, *, ignore_case: bool = False) -> Finder:
        """Compile with `re`."""
        lower = ignore_case and pattern == pattern.lower()
        flags = re.ASCII | (re.IGNORECASE if ignore_case and not lower else re.NOFLAG)
        compiled = re.compile(pattern.replace(r"\z", r"\Z"), flags)
        groups = range(compiled.groups + 1)

        def find(flat: Flat) -> Iterator[Spans]:
            # Eight times faster than to ignore case: then `re` can look for first letters.
            for match in compiled.finditer(flat.text.lower() if lower else flat.text):
                yield tuple(match.span(group) for group in groups)

        return find


class Linear:
    """RE2: time linear in the text whatever the pattern, ten times faster than `re` at the gate."""

    name = "re2"

    def gate(self, marks: list[Mark]) -> Gate:
        """Build one set of all marks."""
        options = re2.Options()
        options.max_mem = GATE_MEMORY_BYTES
        options.log_errors = False
        marks_set = re2.Set.SearchSet(options)
        for mark in marks:
            marks_set.Add(mark.source())
        marks_set.Compile()
        match = marks_set.Match

        def look(flat: Flat) -> Collection[int]:
            found: list[int] | None = match(flat.data)
            return found or ()

        return look

    def finder(self, pattern: str, *, ignore_case: bool = False) -> Finder:
        """Compile with RE2."""
        options = re2.Options()
        options.log_errors = False
        options.case_sensitive = not ignore_case
        compiled = re2.compile(pattern, options)
        groups = range(compiled.groups + 1)

        def find(flat: Flat) -> Iterator[Spans]:
            for match in compiled.finditer(flat.data):
                yield tuple(match.span(group) for group in groups)

        return find


def best_engine() -> Engine:
    """Return the fastest engine there is here."""
    return Linear() if HAS_RE2 else Pure()


def linear_pattern(pattern: str, *, ignore_case: bool = False, group: int = 0) -> Finder:
    """Compile a pattern of the user's: in RE2 where it is installed, whatever engine runs the rest.

    Raises:
        PatternError: It is no pattern, has no such group, or asks for what RE2 does not have.
    """
    compiled: Any = _linear(pattern, ignore_case) if HAS_RE2 else _pure(pattern, ignore_case)
    groups = range(compiled.groups + 1)
    if group not in groups:
        raise PatternError(f"it has no group {group}")

    def find(flat: Flat) -> Iterator[Spans]:
        for match in compiled.finditer(flat.data if HAS_RE2 else flat.text):
            yield tuple(match.span(group) for group in groups)

    return find


def full_match(pattern: str) -> Callable[[str], bool]:
    """Compile a pattern of the user's that must fit a whole value.

    Raises:
        PatternError: As above.
    """
    compiled: Any = _linear(pattern, ignore_case=False) if HAS_RE2 else _pure(pattern, ignore_case=False)
    return lambda value: compiled.fullmatch(value) is not None


def _linear(pattern: str, ignore_case: bool) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = PATTERN_MEMORY_BYTES
    options.case_sensitive = not ignore_case
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0]
        raise PatternError(reason.decode() if isinstance(reason, bytes) else str(reason)) from error


def _pure(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    try:
        return re.compile(pattern.replace(r"\z", r"\Z"), re.ASCII | (re.IGNORECASE if ignore_case else re.NOFLAG))
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternError(str(error)) from error
