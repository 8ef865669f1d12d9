"""The gate of the standard library: few looks at a text, and each for a literal, which `re` finds ten times as fast.

A large text is looked at piece by piece between its blanks, each piece once: of code they make up a third. Patterns
are turned so that they begin with a literal; where digits and capitals are what they ask for, each of these stands
for all others.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from .literals import Literals, Tree
from .marks import NEAR_CHARS, RUN_CHARS_MIN, RUNS, enough, windows
from .turn import in_lower_case, may_fit_blanks, shaped, turned

if TYPE_CHECKING:
    from collections.abc import Collection

    from .flat import Flat
    from .marks import Gate, Mark

PIECES_CHARS_MIN = 4_096
"""Shorter texts repeat little."""

RUN_BYTES = bytes(c if RUNS.fullmatch(chr(c) * RUN_CHARS_MIN) else ord(" ") for c in range(256))

DIGIT, CAPITAL = b"0", b"A"
SHAPES = bytes(ord(DIGIT) if 48 <= c <= 57 else ord(CAPITAL) if 65 <= c <= 90 else c for c in range(256))  # noqa: PLR2004 (0-9, A-Z)


TEXT, PIECES, LOWERED, SHAPED = range(4)
"""The ways in which a text is looked at."""

Ways = tuple[str, str, str, str]
Ask = Callable[[Ways], bool]
Search = Callable[[str], object]


def gate(marks: list[Mark]) -> Gate:
    """Return the gate for these marks. It opens for some literals in any case: once too often costs a look."""
    in_runs = Tree({mark.text: [i] for i, mark in enumerate(marks) if mark.in_run})
    literals = Literals(_literals(marks))
    quick = [(mark.quick, i) for i, mark in enumerate(marks) if mark.quick]
    groups: dict[str, list[tuple[Ask, int]]] = {}
    doubtful: dict[int, tuple[Callable[[bytes], bool] | None, Ask | None]] = {}
    for i, mark in enumerate(marks):
        if mark.pattern and mark.triggers:
            if mark.needs or mark.strict:
                doubtful[i] = (enough(mark.needs) if mark.needs else None, _asker(mark) if mark.strict else None)
        elif mark.pattern and not mark.quick:
            groups.setdefault(mark.needs, []).append((_asker(mark), i))
    needed = [(enough(needs) if needs else None, askers) for needs, askers in groups.items()]

    def look(flat: Flat) -> Collection[int]:
        text, data = flat
        pieces, raw = text, data
        lowered = lowered_pieces = text.lower()
        if len(text) >= PIECES_CHARS_MIN:
            pieces = f" {' '.join(set(text.split()))} "
            raw, lowered_pieces = pieces.encode("ascii"), pieces.lower()
        texts = (text, pieces, lowered, data.translate(SHAPES).decode("ascii"))
        found = literals.owners(lowered, lowered_pieces, raw)
        for i in doubtful.keys() & found:
            has, asks = doubtful[i]
            if (has is not None and not has(data)) or (asks is not None and not asks(texts)):
                found.discard(i)
        runs = [run for run in raw.translate(RUN_BYTES).split() if len(run) >= RUN_CHARS_MIN]
        if runs:
            found |= in_runs.owners(b" ".join(runs))
        for has, askers in needed:
            if has is None or has(data):
                found.update(i for asks, i in askers if asks(texts))
        found.update(i for fits, i in quick if fits(flat))
        return found

    return look


def _literals(marks: list[Mark]) -> dict[str, list[int]]:
    anywhere: dict[str, list[int]] = {}
    for i, mark in enumerate(marks):
        for literal in mark.triggers if mark.pattern else () if mark.in_run else (mark.text,):
            anywhere.setdefault(literal.lower(), []).append(i)
    return anywhere


def _asker(mark: Mark) -> Ask:
    """Return what tells whether a mark's pattern fits."""
    source = mark.source()
    if (plain := in_lower_case(source)) is not None:
        if mark.near and (shape := shaped(mark.near)) is not None:
            return _near(shape[0], plain)
        return _any(_searches(plain), LOWERED)
    shape = shaped(source)
    if shape is None:
        return _any(_searches(source), TEXT if may_fit_blanks(source) else PIECES)
    fits, exact = _any(_searches(shape[0]), SHAPED), _any(_searches(source), TEXT)
    return fits if shape[1] else lambda texts: fits(texts) and exact(texts)


def _near(near: str, pattern: str) -> Ask:
    """Return what asks for a pattern only near places of a shape."""
    places = [re.compile(form, re.ASCII).finditer for form in turned(near)]
    search = re.compile(pattern, re.ASCII).search

    def ask(texts: Ways) -> bool:
        shape, lowered = texts[SHAPED], texts[LOWERED]
        pieces = (piece for find in places for piece in windows(find(shape), NEAR_CHARS, len(shape)))
        return any(search(lowered, start, end) for start, end in pieces)

    return ask


def _search(pattern: str) -> Search:
    return re.compile(pattern, re.ASCII).search


def _searches(pattern: str) -> list[Search]:
    return [_search(form) for form in turned(pattern)]


def _any(searches: list[Search], where: int) -> Ask:
    if len(searches) == 1:
        (search,) = searches
        return lambda texts: search(texts[where]) is not None
    return lambda texts: any(search(texts[where]) for search in searches)
