"""Two engines with one answer: google-re2 where it is installed, `re` where it is not.

An engine gives two things: a *gate* over all triggers at once, and a *finder* for one pattern. The gate is a set of
literals only. One set over all full patterns would look fast in a loop over one text and is slower than Python on
text it sees for the first time, because its automaton is built as it goes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from . import puregate
from .heads import headed, heads_of
from .marks import enough, windows

if TYPE_CHECKING:
    from .flat import Flat
    from .marks import Gate, Mark

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

Spans = tuple[tuple[int, int], ...]
Finder = Callable[["Flat"], Iterator[Spans]]


COUNT = re.compile(r"\{(?:\d+,)?(\d+)")
FAR = 12


def counts_far(pattern: str) -> bool:
    """Tell whether a pattern counts to a dozen, which multiplies the states of a set."""
    return any(int(count) >= FAR for count in COUNT.findall(pattern))


class PatternError(ValueError):
    """A pattern cannot be compiled; the message says why."""


def whole_words(pattern: str) -> str:
    """Return a pattern for the words of `pattern` in any case which no small letter follows, and that character."""
    return f"(?i:{pattern})[^a-z]"


class Engine(Protocol):
    """What the scanner asks of an engine."""

    name: str

    def gate(self, marks: list[Mark]) -> Gate:
        """Return a function from a text to the indices of the marks in it."""

    def finder(
        self, pattern: str, *, ignore_case: bool = False, whole: bool = False, near: str = "", reach: int = 0
    ) -> Finder:
        """Return a function from a text to the spans of each match and of its groups, left to right.

        Args:
            whole: leave out matches that a small letter follows, and those at the end of the text; no groups then.
            near: a short pattern; every match lies within `reach` characters of one of its matches, on either side.
        """


class Pure:
    """The standard library: several times slower, always there."""

    name = "re"

    def gate(self, marks: list[Mark]) -> Gate:
        """Look for literals, and for patterns that begin with one."""
        return puregate.gate(marks)

    def finder(
        self, pattern: str, *, ignore_case: bool = False, whole: bool = False, near: str = "", reach: int = 0
    ) -> Finder:
        """Compile with `re`."""
        folded = _folded(pattern) if ignore_case else None
        pattern, lower = folded or pattern, folded is not None
        flags = re.ASCII | (re.IGNORECASE if ignore_case and not lower else re.NOFLAG)
        compiled = re.compile(pattern.replace(r"\z", r"\Z"), flags)
        heads = heads_of(pattern.lower() if ignore_case else pattern)

        def find(flat: Flat) -> Iterator[Spans]:
            # Eight times faster than to ignore case: then `re` can look for first letters.
            for match in compiled.finditer(flat.text.lower() if lower else flat.text):
                yield match.regs

        bounded = re.compile(f"(?i:{pattern})(?=[^a-z])", re.ASCII) if whole else compiled

        def find_whole(flat: Flat) -> Iterator[Spans]:
            text, end = flat.text, 0
            for at in heads.places(text.lower()) if heads else range(len(text)):
                if at >= end and (match := bounded.match(text, at)) is not None:
                    end = match.end()
                    yield match.regs

        seek = re.compile(near, re.ASCII).finditer if near else None

        def find_near(flat: Flat) -> Iterator[Spans]:
            text, at = flat.text.lower() if lower else flat.text, 0
            for begin, stop in windows(seek(flat.text), reach, len(text)) if seek else ():
                at = max(at, begin)
                while (match := compiled.search(text, at, stop)) is not None:
                    at = match.start() + 1
                    if match.end() == stop < len(text):  # the end of what was looked at is no end of the text
                        match = compiled.match(text, match.start())
                    if match is not None:
                        yield match.regs
                        at = max(at, match.end())

        if whole or near:
            return find_whole if whole else find_near
        return find if heads is None else headed(heads, compiled, lower=lower, ignore_case=ignore_case)


def _folded(pattern: str) -> str | None:
    """Return a pattern that fits a text in lower case where `pattern` fits in any case, if there is one."""
    folded = re.sub(r"A-Z(?=a-z)|(?<=a-z)A-Z", "", pattern)
    return folded if folded == folded.lower() else None


class Linear:
    """RE2: time linear in the text whatever the pattern, ten times faster than `re` at the gate."""

    name = "re2"

    def gate(self, marks: list[Mark]) -> Gate:
        """Build three sets: of most; of what needs digits, which most texts lack; of what counts far or needs else.

        Each step of one set visits a state that stands for the steps of all its members. On texts seen for the first
        time, which is all that counts, one set of everything took 14 µs a value; these take 3.
        """
        digits = min((mark.needs for mark in marks if mark.needs[:1] == "0"), default="")
        groups: dict[tuple[str, bool], list[int]] = {}
        for i, mark in enumerate(marks):
            needs = digits if mark.needs[:1] == "0" else ""
            groups.setdefault(
                (needs, not needs and mark.pattern and (mark.needs != "" or counts_far(mark.text))), []
            ).append(i)
        sets = [(enough(needs) if needs else None, *self._set(marks, owners)) for (needs, _), owners in groups.items()]

        def look(flat: Flat) -> Collection[int]:
            found: list[int] = []
            data = flat.data
            for has, match, owners in sets:
                if (has is None or has(data)) and (hits := match(data)):
                    found += [owners[i] for i in hits]
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
        return getattr(marks_set, "_set", marks_set).Match, owners  # the wrapper only encodes what is no bytes

    def finder(
        self, pattern: str, *, ignore_case: bool = False, whole: bool = False, near: str = "", reach: int = 0
    ) -> Finder:
        """Compile with RE2, which reads the whole text as quickly as it looks for places to read."""
        del near, reach
        options = re2.Options()
        options.log_errors = False
        options.case_sensitive = not ignore_case or whole
        compiled = re2.compile(whole_words(pattern) if whole else pattern, options)
        regexp = getattr(compiled, "_regexp", None)
        if regexp is None:  # pragma: no cover - another version of google-re2
            return _spans_of(compiled, int(whole))
        look, anchor = regexp.Match, re2._Anchor.UNANCHORED  # noqa: SLF001 (see below)

        def find(flat: Flat) -> Iterator[Spans]:
            # What `finditer` does for bytes, without a match object for each, which costs as much as the search.
            data, at, end = flat.data, 0, len(flat.data)
            while at <= end:
                spans: Spans = look(anchor, data, at, end)
                start, stop = spans[0]
                if start < 0:
                    return
                if whole:
                    stop -= 1
                    yield ((start, stop),)
                else:
                    yield spans
                at = stop + 1 if at == stop else stop

        return find


def _spans_of(compiled: Any, less: int = 0) -> Finder:
    """Return the public way to the spans of all matches, `less` so many characters at their ends."""
    groups = range(1, compiled.groups + 1)

    def find(flat: Flat) -> Iterator[Spans]:
        for match in compiled.finditer(flat.data):
            start, end = match.span()
            yield ((start, end - less), *map(match.span, groups))

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
