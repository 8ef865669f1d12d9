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
from .verdict import AS_TEXT, SAME
from .wire import attributes_of, pair_of, raw_of

if TYPE_CHECKING:
    from collections.abc import Iterable

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

IDS = ("session.id", "prompt.id")
"""Ids that many records share."""

_NUMBERS = (int, float, bool)
_STAMP = ("event.timestamp", None, None, BIT["event_timestamp"], False, None, None)


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

        The innermost loops of the house, twenty turns a record.

        Args:
            stamp: the `event.timestamp` that says what `time` says; it leaves its bit and nothing else.
        """
        rest: dict[str, object] = {}
        bits = 0
        for _, column, value, bit, second, name, kept in self._verdicts(raws, stamp):
            bits |= bit
            if name is None:
                if column is not None:
                    row[column] = value
                continue
            if column is not None and not (second and column in row):
                row[column] = value
            rest[name] = kept
        row["attributes"] = rest
        row["promoted"] = bits & SAME
        if bits > SAME:
            row["promoted_as_text"] = bits >> AS_TEXT

    def _verdicts(self, raws: list[bytes], stamp: bytes | None) -> Iterable[Verdict]:
        """Judge the attributes of a record. A name sent twice keeps its last value, and only that one is judged."""
        known, easy = self._known, self._easy.verdict
        found: dict[str, Any] = {}
        new: list[tuple[str, Attribute, bytes]] = []
        for raw in raws:
            verdict = known.get(raw)
            if verdict is not None:
                found[verdict[0]] = verdict
            elif raw == stamp:
                found[_STAMP[0]] = _STAMP
            elif (verdict := easy(raw)) is not None:
                found[verdict[0]] = verdict
                if (verdict[2] in SMALL) if type(verdict[2]) is int else (verdict[0] in IDS):
                    self._remember(raw, verdict)
            else:
                key, value = pair_of(raw)
                found[key] = pair = (key, value, raw)
                new.append(pair)
        if "file_path" in found or "prompt_text" in found:
            return self._together(attributes_of(raws), stamp)
        for pair in new:
            if found[pair[0]] is pair:
                found[pair[0]] = self._new(*pair)
        return found.values()

    def _together(self, attributes: Attributes, stamp: bytes | None) -> list[Verdict]:
        """Judge attributes of which one decides about another."""
        if "file_path" in attributes:
            attributes = self._redactor.without_contents(attributes)
        silent: dict[str, Verdict] = {}
        twin, bit = attributes.get("prompt_text"), self._step("prompt_text").bit
        if bit and isinstance(twin, str) and twin == attributes.get("prompt"):
            silent["prompt_text"] = ("prompt_text", None, None, bit, False, None, None)
        if stamp is not None and raw_of(_STAMP[0], attributes.get(_STAMP[0])) == stamp:
            silent[_STAMP[0]] = _STAMP
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
            return key, None, None, 0, False, None, None
        if kind is exact and type(kept) is kind:
            return key, column, kept, bit, False, None, None
        converted = None
        if column:
            converted, form = read(kept)
            if bit and form is not Form.LOST:
                filled = column if converted is not None else None
                return key, filled, converted, bit if form is Form.SAME else bit << AS_TEXT, False, None, None
        left = kept if kind is str else plain(kept)
        return key, column if converted is not None else None, converted, 0, not bit, name, left

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
