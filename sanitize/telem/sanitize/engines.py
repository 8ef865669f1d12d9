"""Two engines with one answer: google-re2 where it is installed, `re` where it is not.

An engine gives two things: a *gate* over all triggers at once, and a *finder* for one pattern. The gate is a set of
literals only. One set over all full patterns would look fast in a loop over one text and is slower than Python on
text it sees for the first time, because its automaton is built as it goes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
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
RUN = re.compile(r"[A-Za-z0-9_+/=%-]{11}", re.ASCII)


DIGITS = b"0123456789"
SMALL_LETTERS = "abcdefghijklmnopqrstuvwxyz"
"""The end of a text, which is no character at all, is among them."""

COUNT = re.compile(r"\{(?:\d+,)?(\d+)")
FAR = 12


def counts_far(pattern: str) -> bool:
    """Tell whether a pattern counts to a dozen, which multiplies the states of a set."""
    return any(int(count) >= FAR for count in COUNT.findall(pattern))


class PatternError(ValueError):
    """A pattern cannot be compiled; the message says why."""


def _windows(places: Iterable[re.Match[str]], reach: int, size: int) -> Iterator[tuple[int, int]]:
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


def whole_words(pattern: str) -> str:
    """Return a pattern for the words of `pattern` in any case which no small letter follows, and that character."""
    return f"(?i:{pattern})[^a-z]"


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
    quick: Callable[[Flat], object] | None = None
    """What `re` asks instead of the pattern, if there is something."""

    def source(self) -> str:
        """Return the mark as a pattern."""
        source = self.text if self.pattern else re.escape(self.text)
        return f"(?i:{source})" if self.ignore_case else source


def _enough(needs: str) -> Callable[[bytes], bool]:
    """Return a function that tells whether a text has the characters that a mark needs; it takes 0.2 µs, a set 2."""
    count, char = len(needs), needs[:1].encode()
    if set(needs) - {needs[:1]}:
        raise ValueError(f"{needs!r} is not one character, repeated")
    if char == b"0":
        return lambda data: len(data) - len(data.translate(None, DIGITS)) >= count
    return (lambda data: char in data) if count == 1 else lambda data: data.count(char) >= count


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


WORDS = re.compile(r"[a-z0-9_]{3,}", re.ASCII)
WORD_CHARS_MAX, WORDS_MAX = 32, 20_000
"""What is remembered of words: which literals they hold. Of words with digits nothing is, most come but once."""


RARE = "$%~@<\\/:=-.7 "
"""What stands in literals without long words, the rarest first."""


class _Words:
    """Literals in lower case, looked up word by word: code and prose have few words, and their words repeat."""

    def __init__(self, owners: dict[str, list[int]]) -> None:
        self._pieces: dict[str, list[tuple[str, list[int]]]] = {}
        self._others: dict[str, list[tuple[str, list[int]]]] = {}
        for literal, marks in owners.items():
            piece = max(WORDS.findall(literal), key=len, default="")
            if piece:
                self._pieces.setdefault(piece, []).append((literal if literal != piece else "", marks))
            else:
                rare = next((char for char in RARE if char in literal), literal[0])
                self._others.setdefault(rare, []).append((literal, marks))
        names = list(self._pieces)
        self._tree = _Tree({name: [i] for i, name in enumerate(names)})
        self._of = [self._pieces[name] for name in names]
        self._known: dict[str, list[tuple[str, list[int]]]] = {}

    def owners(self, text: str) -> set[int]:
        """Return the marks in a text in lower case."""
        found: set[int] = set()
        known = self._known
        for word in set(WORDS.findall(text)):
            held = known.get(word)
            for literal, marks in self._look(word) if held is None else held:
                if not literal or literal in text:
                    found.update(marks)
        for char, pairs in self._others.items():
            if char in text:
                for literal, marks in pairs:
                    if literal in text:
                        found.update(marks)
        return found

    def _look(self, word: str) -> list[tuple[str, list[int]]]:
        held = [pair for i in self._tree.owners(word) for pair in self._of[i]]
        if len(word) <= WORD_CHARS_MAX and word.replace("_", "").isalpha():
            if len(self._known) >= WORDS_MAX:
                self._known.clear()
            self._known[word] = held
        return held


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
        """Search a prefix tree in the long runs of token characters, which are few, and look words up everywhere.

        Words are looked up in lower case for all marks: a gate that opens once too often costs a look.
        """
        in_runs = _Tree({mark.text: [i] for i, mark in enumerate(marks) if mark.in_run})
        anywhere: dict[str, list[int]] = {}
        for i, mark in enumerate(marks):
            for literal in mark.triggers if mark.pattern else () if mark.in_run else (mark.text,):
                anywhere.setdefault(literal.lower(), []).append(i)
        everywhere = _Words(anywhere)
        patterns: dict[str, list[tuple[Callable[[str], object], int]]] = {}
        quick = [(mark.quick, i) for i, mark in enumerate(marks) if mark.quick]
        for i, mark in enumerate(marks):
            if mark.pattern and not mark.triggers and not mark.quick:
                patterns.setdefault(mark.needs, []).append((re.compile(mark.source(), re.ASCII).search, i))
        groups = [(_enough(needs) if needs else None, pairs) for needs, pairs in patterns.items()]
        doubtful = {
            i: (_enough(mark.needs) if mark.needs else None, re.compile(mark.source(), re.ASCII).search)
            for i, mark in enumerate(marks)
            if mark.triggers and (mark.needs or mark.strict)
        }

        def look(flat: Flat) -> Collection[int]:
            text = flat.text
            found = everywhere.owners(text.lower())
            for i in doubtful.keys() & found:
                enough, search = doubtful[i]
                if not ((enough is None or enough(flat.data)) and (not marks[i].strict or search(text))):
                    found.discard(i)
            if runs := RUNS.findall(text):
                found |= in_runs.owners("\n".join(runs))
            for enough, pairs in groups:
                if enough is None or enough(flat.data):
                    found.update(i for search, i in pairs if search(text))
            found.update(i for fits, i in quick if fits(flat))
            return found

        return look

    def finder(
        self, pattern: str, *, ignore_case: bool = False, whole: bool = False, near: str = "", reach: int = 0
    ) -> Finder:
        """Compile with `re`."""
        lower = ignore_case and pattern == pattern.lower()
        flags = re.ASCII | (re.IGNORECASE if ignore_case and not lower else re.NOFLAG)
        compiled = re.compile(pattern.replace(r"\z", r"\Z"), flags)

        def find(flat: Flat) -> Iterator[Spans]:
            # Eight times faster than to ignore case: then `re` can look for first letters.
            for match in compiled.finditer(flat.text.lower() if lower else flat.text):
                yield match.regs

        def find_whole(flat: Flat) -> Iterator[Spans]:
            text, at = flat.text, 0
            lowered = text.lower() if lower else text
            while (match := compiled.search(lowered, at)) is not None:
                start, at = match.span()
                if text[at : at + 1] in SMALL_LETTERS:
                    at = start + 1
                else:
                    yield match.regs

        seek = re.compile(near, re.ASCII).finditer if near else None

        def find_near(flat: Flat) -> Iterator[Spans]:
            text = flat.text.lower() if lower else flat.text
            for begin, stop in _windows(seek(flat.text), reach, len(text)) if seek else ():
                at = begin
                while (match := compiled.search(text, at, stop)) is not None:
                    at = match.start() + 1
                    if match.end() == stop < len(text):  # the end of what was looked at is no end of the text
                        match = compiled.match(text, match.start())
                    if match is not None:
                        yield match.regs
                        at = max(at, match.end())

        return find_whole if whole else find_near if near else find


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
        sets = [(_enough(needs) if needs else None, *self._set(marks, owners)) for (needs, _), owners in groups.items()]

        def look(flat: Flat) -> Collection[int]:
            found: list[int] = []
            data = flat.data
            for enough, match, owners in sets:
                if (enough is None or enough(data)) and (hits := match(data)):
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
