"""The attributes of a record: judged, and put into the columns of its row.

What was judged once is remembered under the bytes it came as, so that the values that repeat, three in four, cost a
look each: they are neither read nor judged again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .columns import BIT
from .easy import Easy
from .lines import plain
from .naming import number_as_text
from .policy import Action
from .redact import CARD_NUMBERS, DROPPED
from .shape import NOWHERE, Form, plan
from .verdict import AS_TEXT, LOST, NOTHING, SAME, TOGETHER
from .wire import attributes_of, pair_of, raw_of

if TYPE_CHECKING:
    from .records import Attribute, Attributes, Row, Signal
    from .redact import Handler, Redactor
    from .shape import Reader
    from .verdict import Verdict

STEPS_MAX = 4_096
"""Attribute names remembered; a sender can invent names without end."""

VERDICTS_MAX = 4_096
"""Attributes remembered, some 250 bytes each; when full, the memory is emptied, which costs a judging each."""

RAW_BYTES_MAX = 400
"""Longer ones hardly repeat."""

SMALL = range(-1, 256)
"""Numbers that repeat: counts, states, small sizes."""

IDS = ("session_id", "prompt_id")
"""Columns of ids that many records share."""

_NUMBERS = (int, float, bool)
_TOGETHER_HEADS = [b"\n%c%b" % (len(name), name.encode()) for name in TOGETHER]
_STAMP = "event.timestamp"
_STAMP_BIT = BIT["event_timestamp"]


class Step(NamedTuple):
    """What is known about an attribute name."""

    column: str  # empty when it has none
    read: Reader
    exact: type | None  # values of this type go into the column as they are and need not be kept a second time
    bit: int  # 0 for a second name of the column
    known: dict[str, str]  # values judged already
    judge: Handler
    name: str  # the name itself, sanitized
    passes: bool  # numbers need no judging: the policy neither drops nor hashes the attribute


class Judge:
    """Judges the attributes of one signal's records under one redactor."""

    def __init__(self, signal: Signal, redactor: Redactor) -> None:
        self._places = plan(signal)
        self._redactor = redactor
        self._steps: dict[str, Step] = {}
        self._known: dict[bytes, Verdict] = {}
        self._easy = Easy(signal, redactor.policy)

    def fill(self, row: Row, raws: list[bytes], stamp: bytes | None = None) -> None:
        """Fill the columns, `attributes` with what no column represents, and the bits of what one does.

        The innermost loop of the house, twenty turns a record.

        Args:
            stamp: the `event.timestamp` that says what `time` says; it leaves its bit and nothing else.
        """
        known, easy = self._known, self._easy.verdict
        before, bits, dropped, plainly = len(row), 0, 0, False
        rest: dict[str, object] = {}
        for raw in raws:
            verdict = known.get(raw)
            if verdict is None:
                if raw == stamp:
                    bits |= _STAMP_BIT
                    continue
                verdict = easy(raw)
                if verdict is None:
                    plainly = plainly or _are_plain(raws)
                    key, value = pair_of(raw)
                    if not plainly or key in TOGETHER:
                        return self._fill_anew(row, before, raws, stamp)
                    verdict = self._new(key, value, raw)
                elif (verdict[1] in SMALL) if type(verdict[1]) is int else (verdict[0] in IDS):
                    self._remember(raw, verdict)
            column, found, bit, rare = verdict
            bits |= bit
            if rare is None:
                row[column] = found  # type: ignore[index]  # what is not rare has one
                continue
            second, name, kept = rare
            if name is None:
                dropped += not bit
                continue
            rest[name] = kept
            if column is not None and not (second and column in row):
                row[column] = found
        if not _all_differ(bits, len(rest) + dropped, len(raws)):
            return self._fill_anew(row, before, raws, stamp)
        return _finish(row, rest, bits)

    def _fill_anew(self, row: Row, before: int, raws: list[bytes], stamp: bytes | None) -> None:
        """Do the same for a record with a name that was sent twice, or of whose attributes one decides about another.

        A name sent twice keeps its last value, and only that one is judged.

        Args:
            before: how many columns the row had before its attributes.
        """
        for column in list(row)[before:]:
            del row[column]
        rest: dict[str, object] = {}
        bits = 0
        for into, found, bit, rare in self._together(attributes_of(raws), stamp):
            bits |= bit
            second, name, kept = rare or NOTHING
            if into is not None and not (second and into in row):
                row[into] = found
            if name is not None:
                rest[name] = kept
        _finish(row, rest, bits)

    def _together(self, attributes: Attributes, stamp: bytes | None) -> list[Verdict]:
        """Judge attributes of which one decides about another."""
        if "file_path" in attributes:
            attributes = self._redactor.without_contents(attributes)
        silent: dict[str, Verdict] = {}
        twin, bit = attributes.get("prompt_text"), self._step("prompt_text").bit
        if bit and isinstance(twin, str) and twin == attributes.get("prompt"):
            silent["prompt_text"] = (None, None, bit, NOTHING)
        if stamp is not None and raw_of(_STAMP, attributes.get(_STAMP)) == stamp:
            silent[_STAMP] = (None, None, _STAMP_BIT, NOTHING)
        return [silent.get(key) or self._judged(self._step(key), key, value) for key, value in attributes.items()]

    def _new(self, key: str, value: Attribute, raw: bytes) -> Verdict:
        """Judge an attribute, and remember it if it may well come again: a small number, or a text seen before."""
        step = self._steps.get(key) or self._step(key)
        kind = type(value)
        repeats = value in step.known if kind is str else kind is bool or (kind is int and value in SMALL)
        verdict = self._judged(step, key, value)
        if repeats and (kind is str or step.passes) and len(raw) <= RAW_BYTES_MAX:
            self._remember(raw, verdict)
        return verdict

    def _remember(self, raw: bytes, verdict: Verdict) -> None:
        if len(self._known) >= VERDICTS_MAX:
            self._known.clear()
        self._known[raw] = verdict

    def _judged(self, step: Step, key: str, value: Attribute) -> Verdict:
        column, read, exact, bit, known, judge, name, passes = step
        kind = type(value)
        if kind is str:
            kept: Any = known.get(value)  # type: ignore[arg-type]  # a str, here and below
            if kept is None:
                kept = judge(value)  # type: ignore[arg-type]
        elif passes and kind in _NUMBERS and not (kind is int and value in CARD_NUMBERS):
            kept = value
        else:
            kept = self._redactor.attribute(key, value)
        if kept is DROPPED:
            return None, None, 0, NOTHING
        if kind is exact and type(kept) is kind:
            return column, kept, bit, None
        converted = None
        if column:
            converted, form = read(kept)
            if bit and form is not Form.LOST:
                bits = bit if form is Form.SAME else bit << AS_TEXT
                return (None, None, bits, NOTHING) if converted is None else (column, converted, bits, None)
        left = kept if kind is str else plain(kept)
        return column if converted is not None else None, converted, bit << LOST, (not bit, name, left)

    def _step(self, key: str) -> Step:
        step = self._steps.get(key)
        if step is None:
            if len(self._steps) >= STEPS_MAX:
                self._steps.clear()
            step = self._steps[key] = self._make(key)
        return step

    def _make(self, key: str) -> Step:
        column, read, exact, bit = self._places.get(key, NOWHERE)
        redactor = self._redactor
        action = redactor.policy.rule_for(key).action
        passes = action is Action.KEEP or (action is Action.SCAN and not number_as_text(key, 0))
        return Step(column, read, exact, bit, redactor.memory(key), redactor.handler(key), redactor.name(key), passes)


def _are_plain(raws: list[bytes]) -> bool:
    """Tell whether no name comes twice and none is of `TOGETHER`, as far as the usual form of the bytes says.

    Whatever is found in a text is counted, so those that are looked at twice would be counted twice.
    """
    heads = {raw[: raw[1] + 2] for raw in raws if len(raw) > 1}
    return len(heads) == len(raws) and heads.isdisjoint(_TOGETHER_HEADS)


def _all_differ(bits: int, others: int, attributes: int) -> bool:
    """Tell whether no name came twice: each attribute has a bit of its own, or is one of the others without a bit."""
    if bits > SAME:
        same, as_text, lost = bits & SAME, bits >> AS_TEXT & SAME, bits >> LOST
        if same & as_text or (lost and (same | as_text) & lost):
            return False
        others -= lost.bit_count()  # they have a bit and stay as well
    return bits.bit_count() + others == attributes


def _finish(row: Row, rest: dict[str, object], bits: int) -> None:
    row["attributes"] = rest
    row["promoted"] = bits & SAME
    if as_text := bits >> AS_TEXT & SAME:
        row["promoted_as_text"] = as_text
