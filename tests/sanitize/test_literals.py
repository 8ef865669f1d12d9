"""Literals looked up word by word are found wherever they stand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telem.sanitize import literals
from telem.sanitize.literals import Literals, Tree
from telem.sanitize.rules import shipped_rules
from telem.sanitize.scan import _marks

MARKS = _marks(shipped_rules())[0]
SHIPPED = sorted({literal.lower() for mark in MARKS for literal in (mark.triggers if mark.pattern else (mark.text,))})
CHOSEN = [
    "key",
    "key=",
    "-u",
    " -b ",
    "r--",
    "login ",
    "docker login",
    "x-key",
    "a.b",
    "://",
    "_pat_",
    "$1$",
    "s.",
    "- -",
]
EVERY = sorted({*CHOSEN, *SHIPPED})
LITERALS = Literals({literal: [i] for i, literal in enumerate(EVERY)})


def looked_up(words: Literals, text: str) -> set[int]:
    """As a short text and as a large one."""
    lowered = text.lower()
    pieces = f" {' '.join(set(lowered.split()))} "
    assert words.owners(lowered, lowered, lowered.encode()) <= words.owners(lowered, pieces, pieces.encode())
    return words.owners(lowered, lowered, lowered.encode())


parts = st.one_of(st.sampled_from(CHOSEN), st.sampled_from(SHIPPED), st.text("abks$.=-_/: 1\n", max_size=4))


@given(st.lists(parts, max_size=6).map("".join))
@settings(max_examples=300, deadline=None)
def test_what_is_looked_up_is_what_stands_there(text: str) -> None:
    assert {EVERY[i] for i in looked_up(LITERALS, text)} == {literal for literal in EVERY if literal in text.lower()}


def test_memory_of_words_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(literals, "WORDS_MAX", 10)
    words = Literals({"key": [0]})
    for n in range(200):
        letters = "".join(chr(97 + int(digit)) for digit in str(n))
        assert looked_up(words, f"x{letters}key and {letters} {n}key123") == {0}
    assert len(words._known) <= 10
    assert not any(b"123" in word for word in words._known)


@pytest.mark.parametrize("piece", ["key_", "x-key", "shpat_", "a1b2"])
def test_long_words_and_many_places_hold_what_short_ones_do(piece: str) -> None:
    text = piece * 600
    assert {EVERY[i] for i in looked_up(LITERALS, text)} == {literal for literal in EVERY if literal in text}
    tree = Tree({literal: [i] for i, literal in enumerate(EVERY)})
    assert {EVERY[i] for i in tree.owners((text + "ghp_").encode())} == {one for one in EVERY if one in text + "ghp_"}


def test_tree_finds_what_begins_inside_another() -> None:
    tree = Tree({"sk-": [0], "sk-proj-": [1], "proj": [2], "j-1": [3]})
    assert tree.owners(b"sk-proj-1") == {0, 1, 2, 3}
    assert Tree({}).owners(b"sk-") == set()
