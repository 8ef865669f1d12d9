"""Scanning: from a text to the spans that must go, and to the text without them.

The gate says which rules could match at all; only those look. A rule is compiled when it is first triggered. What
they find is merged and replaced from the right. A changed text is scanned again until nothing changes, so that a
second sanitizing is a no-op by construction.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from .assign import MARKER as RULE_MARKER
from .assign import MARKER_BEGINS, assignments
from .assign import gate as name_gate
from .detect import cookies, private_keys
from .effort import (
    BACK,
    BEGINNING_UNITS,
    ESCAPE,
    FINDING,
    LOOK,
    MATCH,
    NAME,
    READ,
    TEXT,
    TOKEN,
    TRIGGER,
    UNITS_AGAIN,
    VIEW,
    WATCHED_CHARS,
    Effort,
    TooMuch,
    is_short,
    place_units,
    reading,
)
from .engines import Engine, best_engine, full_match, linear_pattern
from .flat import Flat, Span, flatten, merge, starts_word
from .heads import Heads
from .known import KnownValues
from .marks import NEAR_CHARS, RUN, RUN_CHARS_MIN, RUNS, Mark
from .pseudonym import KINDS, STAND_IN, Pseudonyms, is_stand_in
from .unwrap import WRAPPED, is_wrapped, views
from .validators import VALIDATORS, entropy_high

if TYPE_CHECKING:
    from .rules import Rule

ROUNDS_MAX = 4
"""Rounds until a text is taken as stable; two do in all but contrived cases."""

TEXT_CHARS_MIN = 6
"""Shorter texts hold nothing: the shortest e-mail address has six characters."""

REJECTED_CHARS_MAX = 256
"""A token this long that fails its checks is skipped whole, so that `sk-sk-sk-…` cannot cost quadratic time."""

KINDS_MIN = 4
"""Different characters at the end of a token; `ghp_xxxxxxxx` has fewer."""

LEADING_ESCAPE = re.compile(r"(?<=\\)(?:[nrt]|[ux]?(?:00)?[0-9a-fA-F]{2})|(?<=%)[0-9A-Fa-f]{2}", re.ASCII)

LOGIN_BEFORE = re.compile(r"//(?:(?:[A-Za-z0-9._~+=%-]{1,200}|\[REDACTED:[a-z0-9-]{1,40}\]):)?\Z", re.ASCII)
COLOUR = re.compile(r"[0-9;]{0,12}m", re.ASCII)
COLOUR_BEFORE = ("\x1b[", "\\u001b[", "\\x1b[", "\\033[", "\\e[", "^[[")

LOGIN_CHARS_MAX = 210

CUT_BODY = re.compile(r"(?:[A-Za-z0-9]{8}|[A-Za-z0-9_-]{9})[A-Za-z0-9_.+/=-]{0,400}", re.ASCII)
"""Unbounded, it was quadratic."""
CUT_MARK = re.compile(r"\Z|\x7f|\.{3}|[ ]?[\[<(](?:[Tt]runc|TRUNC|cut|snip|\.\.\.|\x7f)", re.ASCII)
DIGIT_SHARE_MIN = 8
"""One character in eight of a token in lower case is a digit; of a name in `snake_case`, fewer."""

CUT_TRIGGER_CHARS_MIN = 3
"""A value that was cut off holds too little of a token for its rule; the mark alone has to be telling then."""

Find = Callable[[Flat], Iterable[Span]]
Detector = Callable[["Rule", int, Engine, Effort], Find]
Note = Callable[[str], None]

DETECTORS: dict[str, Detector] = {"assignment": assignments, "private-key": private_keys, "cookie": cookies}

DATA_URI = "base64,"

MARKER = re.compile(RULE_MARKER.pattern + "|" + STAND_IN.pattern, re.ASCII)
STAND_INS = Heads((MARKER_BEGINS, *(f"{kind}:" for kind in KINDS)), before=False)

KNOWN_VALUE = "known-value"
"""The rule of the values that the user told; it comes first."""

TOO_MANY = "too-many-findings"
"""What stands for the rest of a text in which there is more to replace than anybody would read."""

FINDINGS_MAX = 1_000
KEPT_CHARS, OVERLAP_CHARS = 4_096, 1_024
"""A text with more findings keeps its beginning, which is judged together with a piece of what follows it: each finding
takes up to 20 µs, so that thousands of them in one text would keep everybody else waiting."""


class Scanner:
    """All rules in one engine. Not aware of attributes or policy."""

    def __init__(
        self,
        rules: Iterable[Rule],
        pseudonyms: Pseudonyms,
        engine: Engine | None = None,
        *,
        allow: Iterable[str] = (),
        allow_domains: Iterable[str] = (),
        allow_patterns: Iterable[str] = (),
        known_values: Iterable[str] = (),
    ) -> None:
        self.rules = tuple(rules)
        self.engine = engine or best_engine()
        self._pseudonyms = pseudonyms
        self._finds: dict[int, Find] = {}
        marks, self._owners = _marks(self.rules)
        self._gate = self.engine.gate(marks)
        self._wrapped = len(marks) - 1
        self._effort = Effort()
        self._places = _places(self.rules, marks, self._owners)
        self._readers = _readers(self.rules, marks, self._owners)
        self._allow = frozenset(allow)
        self._allow_domains = frozenset(allow_domains)
        self._allow_patterns = [full_match(pattern) for pattern in allow_patterns]
        self._always = {i for i, rule in enumerate(self.rules) if not rule.triggers and not rule.gate}
        self._known = KnownValues(known) if (known := tuple(known_values)) else None

    def clean(self, text: str, note: Note | None = None) -> str:
        """Return `text` without what must go; `note` is told the rule of each replacement."""
        self.start(text)
        return self._clean(text, note, self._found_or_cut)

    def start(self, text: str) -> None:
        """Begin with a value, of which `piece` and `rest` judge parts."""
        effort, chars = self._effort, len(text)
        if chars < WATCHED_CHARS:
            effort.left, effort.watched = UNITS_AGAIN, False
        else:
            effort.start(chars, again=MARKER_BEGINS in text)

    def replaced(self) -> None:
        """Count a part of a value that was replaced without asking the rules."""
        self._effort.left -= TEXT + NAME

    def piece(self, text: str, note: Note | None = None) -> str:
        """Return a part of a value without what must go.

        Raises:
            TooMuch: There was too much to look at since `start`.
        """
        return self._clean(text, note, self._found_all)

    def rest(self, text: str, note: Note | None = None) -> str:
        """Return the value itself without what must go, with what `piece` left of the effort."""
        return self._clean(text, note, self._found_or_cut)

    def _clean(self, text: str, note: Note | None, find: Callable[[str], list[Span]]) -> str:
        for _ in range(ROUNDS_MAX):
            if len(text) < TEXT_CHARS_MIN or not (found := find(text)) or not (spans := self._going(text, found)):
                return text
            text = self._replace(text, spans, note)
        # Whatever is peeled off layer by layer is no text that anybody wrote.
        spans = self._going(text, find(text))
        return self._replace(text, [Span(spans[0].start, len(text), TOO_MANY, "", -1)], note) if spans else text

    def spans(self, text: str) -> list[Span]:
        """Return what must go, left to right, without overlaps."""
        return self._going(text, self.found(text)) if len(text) >= TEXT_CHARS_MIN else []

    def _going(self, text: str, found: list[Span]) -> list[Span]:
        kept = self._without_markers(
            text, [span for span in found if not self.why_kept(span.rule, text[span.start : span.end])]
        )
        return merge(kept) if kept else kept

    def found(self, text: str) -> list[Span]:
        """Return everything that a rule claims, allowed or not, in no order; the rest as a whole if it is too much."""
        self.start(text)
        return self._found_or_cut(text)

    def _found_or_cut(self, text: str) -> list[Span]:
        try:
            found = self._found(text, FINDINGS_MAX + 1)
        except TooMuch:
            return self._beginning(text)
        return found if len(found) <= FINDINGS_MAX else self._beginning(text)

    def _found_all(self, text: str) -> list[Span]:
        return self._found(text, len(text))

    def _beginning(self, text: str) -> list[Span]:
        """Return what goes of a text in which there is too much: what does in its beginning, and all the rest."""
        cut, self._effort.left = KEPT_CHARS, BEGINNING_UNITS
        try:
            begins = self._found(text[: KEPT_CHARS + OVERLAP_CHARS], KEPT_CHARS + OVERLAP_CHARS)
        except TooMuch:
            begins, cut = [], 0
        self._effort.left = UNITS_AGAIN  # for what is kept: it is short, and must not be cut again
        if len(text) <= KEPT_CHARS:
            cut = 0
        for span in sorted(begins, reverse=True):
            if span.end > cut:
                cut = min(cut, span.start)
        return [*(span for span in begins if span.end <= cut), Span(cut, len(text), TOO_MANY, "", -1)]

    def _found(self, text: str, limit: int) -> list[Span]:
        flat = flatten(text)
        marks = self._gate(flat)
        found = self._look(flat, marks, limit, TEXT)
        if self._wrapped in marks:
            for view in views(flat):
                if len(found) < limit:
                    self._effort.left -= len(view.escapes) * ESCAPE
                    inner = self._look(view.flat, self._gate(view.flat), limit - len(found), VIEW)
                    self._effort.left -= BACK * len(inner)
                    found += map(view.back, inner)
        if self._known is not None:
            found += [Span(start, end, KNOWN_VALUE, "", -1) for start, end in self._known.spans(text)]
        return found

    def why_kept(self, rule: str, value: str) -> str:
        """Return why a value is never replaced, or nothing."""
        if rule in {KNOWN_VALUE, TOO_MANY}:
            return ""
        if value in self._allow:
            return "the value is on the allow-list"
        if self._allow_domains and value.rpartition("@")[2].lower() in self._allow_domains:
            return "its e-mail domain is on the allow-list"
        if any(fits(value) for fits in self._allow_patterns):
            return "it fits a pattern of the allow-list"
        return ""

    def holds_token(self, text: str) -> bool:
        """Tell whether a short value of a harmless shape is a token all the same; looks with the token rules only."""
        flat = flatten(text)
        self.start(text)
        triggered = self._triggered(flat, self._gate(flat))
        return any(True for i in triggered if self.rules[i].find == "token" for _ in self._find(i)(flat))

    def _look(self, flat: Flat, marks: Collection[int], limit: int, units: int) -> list[Span]:
        found: list[Span] = []
        effort = self._effort
        effort.left -= units
        if effort.watched:
            effort.left -= reading(LOOK, len(flat.data))
        elif not marks and not self._always:
            return found
        for index in self._triggered(flat, marks) if marks else self._always:
            find = self._finds.get(index) or self._find(index)
            found.extend(islice(find(flat), limit - len(found)))
            if effort.left < 0:
                break
        if found:
            effort.left -= FINDING * len(found)
        if effort.left < 0:
            raise TooMuch
        return found

    def _triggered(self, flat: Flat, marks: Collection[int]) -> set[int]:
        if self._effort.watched:
            self._watch(flat, marks)
        triggered = {owner for mark in marks for owner in self._owners[mark]}
        return triggered | self._always if self._always else triggered

    def _watch(self, flat: Flat, marks: Collection[int]) -> None:
        """Count the places that rules will look at, before they do."""
        lowered = flat.data.lower()
        effort, places = self._effort, self._places
        read: set[int] = set()
        for mark in marks:
            for literal, lower, units in places[mark]:
                effort.left -= units * (lowered if lower else flat.data).count(literal)
            literal, lower, readers = self._readers[mark]
            if not readers <= read and literal in (lowered if lower else flat.data):
                read |= readers
        effort.left -= reading(READ * len(read), len(flat.data))
        if effort.left < 0:
            raise TooMuch

    def _find(self, index: int) -> Find:
        find = self._finds.get(index)
        if find is None:
            find = self._finds[index] = _compile(self.rules[index], index, self.engine, self._effort)
        return find

    def _without_markers(self, text: str, found: list[Span]) -> list[Span]:
        taken = [
            match.span()
            for at in STAND_INS.places(text)
            if (match := MARKER.match(text, at)) is not None and (text[at] == "[" or is_stand_in(match.group()))
        ]
        if not taken:
            return found
        ends = [end for _, end in taken]
        kept = []
        for span in found:
            at = bisect_right(ends, span.start)  # the first marker that ends behind the beginning of the span
            if at == len(taken) or taken[at][0] >= span.end or span.rule == TOO_MANY:
                kept.append(span)
        return kept

    def _replace(self, text: str, spans: list[Span], note: Note | None) -> str:
        pieces: list[str] = []
        at = 0
        for span in spans:
            stand_in = self._pseudonyms.of(span.kind, text[span.start : span.end]) if span.kind else marker(span.rule)
            pieces += (text[at : span.start], stand_in)
            at = span.end
            if note is not None:
                note(span.rule)
        pieces.append(text[at:])
        return "".join(pieces)


def marker(rule: str) -> str:
    """Return what stands where a secret stood. Only its rule is said: no length, no digits, no hash."""
    return f"[REDACTED:{rule}]"


def _marks(rules: tuple[Rule, ...]) -> tuple[list[Mark], list[list[int]]]:
    """Return the marks and the rules of each; the last is of no rule, and says that the text may be wrapped."""
    owners: dict[Mark, list[int]] = {}
    for index, rule in enumerate(rules):
        # A gate of its own stands for the triggers, where they are too short or too common to gate with.
        gate = rule.gate or (name_gate(rule.pattern) if rule.find == "detector" and rule.pattern else "")
        if gate:
            triggers = rule.triggers if rule.find != "token" or not any(map(str.isalpha, rule.triggers)) else ()
            strict = rule.find == "token" or (rule.find == "pattern" and is_short(gate))
            near = rule.near if rule.reach <= NEAR_CHARS else ""
            mark = Mark(
                gate, pattern=True, ignore_case=False, needs=rule.needs, triggers=triggers, strict=strict, near=near
            )
            owners.setdefault(mark, []).append(index)
            continue
        for trigger in rule.triggers:
            in_run = _is_in_run(rule, trigger)
            mark = Mark(trigger, pattern=False, ignore_case=rule.ignore_case, in_run=in_run)
            owners.setdefault(mark, []).append(index)
    wrapped = Mark(WRAPPED, pattern=True, ignore_case=False, quick=is_wrapped)
    return [*owners, wrapped], [*owners.values(), []]


def _is_in_run(rule: Rule, trigger: str) -> bool:
    whole = rule.find == "token" and rule.edge and not rule.group and not rule.gate
    return whole and RUNS.fullmatch(trigger + "x" * RUN_CHARS_MIN) is not None


def _places(rules: tuple[Rule, ...], marks: list[Mark], owners: list[list[int]]) -> list[list[tuple[bytes, bool, int]]]:
    """Return for each mark the literals whose places count, whether in lower case, and what each place takes."""
    places = []
    for mark, owned in zip(marks, owners, strict=True):
        units = sum(place_units(rules[i]) for i in owned)
        literals = mark.triggers if mark.pattern else (mark.text,)
        lower = mark.ignore_case or mark.pattern
        places.append([((w.lower() if lower else w).encode(), lower, units) for w in literals if units])
    return places


def _readers(rules: tuple[Rule, ...], marks: list[Mark], owners: list[list[int]]) -> list[tuple[bytes, bool, set[int]]]:
    """Return for each mark its literal, whether in lower case, and the rules that read the text where it stands.

    Both engines open for a literal that is there, and may for one that is not.
    """
    readers = []
    for mark, owned in zip(marks, owners, strict=True):
        reading = set() if mark.pattern else {i for i in owned if rules[i].find == "pattern"}
        readers.append(((mark.text.lower() if mark.ignore_case else mark.text).encode(), mark.ignore_case, reading))
    return readers


def _compile(rule: Rule, rank: int, engine: Engine, effort: Effort) -> Find:
    if rule.find == "detector":
        return DETECTORS[rule.id](rule, rank, engine, effort)
    if rule.find == "own":
        return _own(rule, rank)
    return _token(rule, rank, effort) if rule.find == "token" else _pattern(rule, rank, engine, effort)


def _own(rule: Rule, rank: int) -> Find:
    matches = linear_pattern(rule.pattern, ignore_case=rule.ignore_case, group=rule.group)

    def find(flat: Flat) -> Iterator[Span]:
        for groups in matches(flat):
            start, end = groups[rule.group]
            if end > start >= 0:
                yield Span(start, end, rule.id, rule.kind, rank)

    return find


def _accepts(rule: Rule) -> Callable[[str], bool]:
    checks = [VALIDATORS[name] for name in rule.checks]
    return lambda value: all(check(value) for check in checks)


def _token(rule: Rule, rank: int, effort: Effort) -> Find:
    match_at = re.compile(rule.pattern, re.ASCII | (re.IGNORECASE if rule.ignore_case else re.NOFLAG)).match
    accepts = _accepts(rule)
    in_runs = {trigger for trigger in rule.triggers if _is_in_run(rule, trigger)}
    read: set[str] = set()

    def judge(text: str, at: int, trigger: str, end_before: int) -> tuple[Span | None, int]:
        """Return the span of the token at `at`, if there is one, and how far to step."""
        if rule.edge and at != end_before and not starts_word(text, at):
            return None, 1
        if text.startswith(DATA_URI, at - len(DATA_URI)):
            return None, 1  # a map of sources, a font; what is in it is read decoded
        if trigger not in in_runs or RUN.match(text, at):  # where both engines look: `re` asks about runs only
            effort.left -= TOKEN
            if trigger not in read:
                read.add(trigger)
                effort.left -= reading(TRIGGER, len(text))
        match = match_at(text, at)
        if match is None:
            end = _cut_end(text, at + len(trigger)) if rule.edge and len(trigger) >= CUT_TRIGGER_CHARS_MIN else 0
            return (Span(at, end, rule.id, rule.kind, rank), end - at) if end else (None, 1)
        start, end = match.span(rule.group)
        end -= len(match.group(rule.group)) - len(match.group(rule.group).rstrip("."))
        if len(set(text[max(start, end - 16) : end].lower())) >= KINDS_MIN and accepts(text[start:end]):
            return Span(start, end, rule.id, rule.kind, rank), max(1, end - at)
        return None, end - at if end - at > REJECTED_CHARS_MAX else 1

    def find(flat: Flat) -> Iterator[Span]:
        text = flat.text
        read.clear()
        for trigger in rule.triggers:
            at, end_before = text.find(trigger), -1
            while at >= 0 and effort.left >= 0:
                span, step = judge(text, at, trigger, end_before)
                if span is not None:
                    end_before = span.end
                    yield span
                at = text.find(trigger, at + step)

    return find


def _cut_end(text: str, at: int) -> int:
    """Return where a token ends that was cut off before its rule could know it, or 0."""
    body = CUT_BODY.match(text, at)
    if body is None:
        return 0
    end = body.end() - (3 if body.group().endswith("...") else 0)
    value = text[at:end]
    return end if CUT_MARK.match(text, end) and _is_random(value) and entropy_high(value) else 0


def _is_random(value: str) -> bool:
    """Tell a piece of a token from the name of a test, which may have a digit at its end."""
    digits = sum(c.isdigit() for c in value)
    named = value.islower() and ("_" in value or "-" in value)
    return digits * DIGIT_SHARE_MIN >= len(value) or (digits > 0 and not named)


def _pattern(rule: Rule, rank: int, engine: Engine, effort: Effort) -> Find:
    matches = engine.finder(rule.pattern, ignore_case=rule.ignore_case, near=rule.near, reach=rule.reach)
    accepts = _accepts(rule)

    def find(flat: Flat) -> Iterator[Span]:
        end_before = -1
        for groups in matches(flat):
            effort.left -= MATCH
            if effort.left < 0:
                return
            start, end = groups[rule.group]
            if end < 0:
                continue
            if rule.kind == "email":
                if LOGIN_BEFORE.search(flat.text, max(0, start - LOGIN_CHARS_MAX), start):
                    continue  # the user of a URL or a password, and no mailbox
                start = escape.end() if (escape := LEADING_ESCAPE.match(flat.text, start)) else start
            elif not rule.group:
                start = _after_colour(flat.text, start)
            if flat.text.startswith("[", start) and RULE_MARKER.match(flat.text, start):
                continue  # it went already, and must not be counted
            edge = not rule.edge or start == end_before or starts_word(flat.text, start)
            if edge and end > start and accepts(flat.text[start:end]):
                end_before = end
                yield Span(start, end, rule.id, rule.kind, rank)

    return find


def _after_colour(text: str, start: int) -> int:
    """Return where a match begins without the end of a terminal's colour, which has letters and digits too."""
    if not text.startswith("[", start - 1) or not text.endswith(COLOUR_BEFORE, 0, start):
        return start
    colour = COLOUR.match(text, start)
    return colour.end() if colour else start
