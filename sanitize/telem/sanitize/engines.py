"""Two engines with one answer: google-re2 where it is installed, `re` where it is not.

An engine gives two things: a *gate* over all triggers at once, and a *finder* for one pattern. The gate is a set of
literals only. One set over all full patterns would look fast in a loop over one text and is slower than Python on
text it sees for the first time, because its automaton is built as it goes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from .tree import tree

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


RUN_CHARS_MIN = 11
RUNS = re.compile(r"[A-Za-z0-9_+/=%-]{11,}", re.ASCII)
"""Where tokens can be: one character in six of code stands in such a run."""


DIGIT = re.compile(r"[0-9]")
NEEDS_DIGIT = re.compile(r"\[0-9\](?![*?]|\{0)")
COUNT = re.compile(r"\{(?:\d+,)?(\d+)")
FAR = 12


def counts_far(pattern: str) -> bool:
    """Tell whether a pattern counts to a dozen, which multiplies the states of a set."""
    return any(int(count) >= FAR for count in COUNT.findall(pattern))


class PatternError(ValueError):
    """A pattern cannot be compiled; the message says why."""


class Mark(NamedTuple):
    """One entry of the gate: a literal, or a short pattern where no literal exists."""

    text: str
    pattern: bool
    ignore_case: bool
    in_run: bool = False
    """Whether it begins a run of at least `RUN_CHARS_MIN` token characters wherever its rule finds something."""

    def source(self) -> str:
        """Return the mark as a pattern."""
        source = self.text if self.pattern else re.escape(self.text)
        return f"(?i:{source})" if self.ignore_case else source


class _Tree:
    """Literals as one pattern, and for each the marks that open where it stands."""

    def __init__(self, owners: dict[str, list[int]]) -> None:
        self._search = re.compile(tree(owners)).search if owners else None
        # The longest is found first; what it holds stands in the text as well, but need not begin where it does.
        self._opens = {word: {i for part in owners if part in word for i in owners[part]} for word in owners}

    def owners(self, text: str) -> set[int]:
        """Return the marks in the text. Steps by one: a literal may begin inside another."""
        found: set[int] = set()
        if self._search is None:
            return found
        match = self._search(text)
        while match is not None:
            found |= self._opens[match.group()]
            match = self._search(text, match.start() + 1)
        return found


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
        """Search two prefix trees: one in the long runs of token characters, which are few, and one everywhere.

        Asking for six hundred literals one by one takes twice as long. The second tree is in lower case for all its
        marks: a gate that opens once too often costs a look, and one tree less to walk costs nothing.
        """
        in_runs = _Tree({mark.text: [i] for i, mark in enumerate(marks) if mark.in_run})
        anywhere: dict[str, list[int]] = {}
        for i, mark in enumerate(marks):
            if not mark.in_run and not mark.pattern:
                anywhere.setdefault(mark.text.lower(), []).append(i)
        everywhere = _Tree(anywhere)
        patterns = [(re.compile(mark.source(), re.ASCII).search, i) for i, mark in enumerate(marks) if mark.pattern]
        numeric = [
            (search, i) for search, i in patterns if all(map(NEEDS_DIGIT.search, marks[i].text.split("|")))
        ]  # which most texts are too short to have
        others = [pair for pair in patterns if pair not in numeric]

        def look(flat: Flat) -> Collection[int]:
            text = flat.text
            found = everywhere.owners(text.lower())
            if runs := RUNS.findall(text):
                found |= in_runs.owners("\n".join(runs))
            found.update(i for search, i in others if search(text))
            if DIGIT.search(text) is not None:
                found.update(i for search, i in numeric if search(text))
            return found

        return look

    def finder(self, pattern: str, *, ignore_case: bool = False) -> Finder:
        """Compile with `re`."""
        lower = ignore_case and pattern == pattern.lower()
        flags = re.ASCII | (re.IGNORECASE if ignore_case and not lower else re.NOFLAG)
        compiled = re.compile(pattern.replace(r"\z", r"\Z"), flags)

        def find(flat: Flat) -> Iterator[Spans]:
            # Eight times faster than to ignore case: then `re` can look for first letters.
            for match in compiled.finditer(flat.text.lower() if lower else flat.text):
                yield match.regs

        return find


class Linear:
    """RE2: time linear in the text whatever the pattern, ten times faster than `re` at the gate."""

    name = "re2"

    def gate(self, marks: list[Mark]) -> Gate:
        """Build three sets: of literals, of patterns, and of patterns that count far.

        Each step of one set visits a state that stands for the steps of all its members. On texts seen for the first
        time, which is all that counts, two sets took 8 µs a value, one 14, and these three take 6.
        """
        literals = [i for i, mark in enumerate(marks) if not mark.pattern]
        far = [i for i, mark in enumerate(marks) if mark.pattern and counts_far(mark.text)]
        near = [i for i, mark in enumerate(marks) if mark.pattern and i not in far]
        sets = [self._set(marks, owners) for owners in (literals, near, far) if owners]

        def look(flat: Flat) -> Collection[int]:
            found: list[int] = []
            for match, owners in sets:
                found += [owners[i] for i in match(flat.data) or ()]
            return found

        return look

    @staticmethod
    def _set(marks: list[Mark], owners: list[int]) -> tuple[Callable[[bytes], list[int] | None], list[int]]:
        options = re2.Options()
        options.max_mem = GATE_MEMORY_BYTES
        options.log_errors = False
        marks_set = re2.Set.SearchSet(options)
        for i in owners:
            marks_set.Add(marks[i].source())
        marks_set.Compile()
        return marks_set.Match, owners

    def finder(self, pattern: str, *, ignore_case: bool = False) -> Finder:
        """Compile with RE2."""
        options = re2.Options()
        options.log_errors = False
        options.case_sensitive = not ignore_case
        compiled = re2.compile(pattern, options)
        regexp = getattr(compiled, "_regexp", None)
        if regexp is None:  # pragma: no cover - another version of google-re2
            return _spans_of(compiled)
        look, anchor = regexp.Match, re2._Anchor.UNANCHORED  # noqa: SLF001 (see below)

        def find(flat: Flat) -> Iterator[Spans]:
            # What `finditer` does for bytes, without a match object for each, which costs as much as the search.
            data, at, end = flat.data, 0, len(flat.data)
            while at <= end:
                spans: Spans = look(anchor, data, at, end)
                start, stop = spans[0]
                if start < 0:
                    return
                yield spans
                at = stop + 1 if at == stop else stop

        return find


def _spans_of(compiled: Any) -> Finder:
    """Return the public way to the spans of all matches."""
    groups = range(1, compiled.groups + 1)

    def find(flat: Flat) -> Iterator[Spans]:
        for match in compiled.finditer(flat.data):
            yield (match.span(), *map(match.span, groups))

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
    groups = range(1, compiled.groups + 1)
    if group and group not in groups:
        raise PatternError(f"it has no group {group}")

    def find(flat: Flat) -> Iterator[Spans]:
        for match in compiled.finditer(flat.data if HAS_RE2 else flat.text):
            yield (match.span(), *map(match.span, groups))

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
