"""No gate keeps a rule from what it would find: scanning behind gates finds what scanning without them does."""

from __future__ import annotations

import random
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.hostile import mixed, variants

from telem.sanitize.assign import ATOM, MAY_BEGIN, NAME_CHARS, SEPARATOR
from telem.sanitize.effort import WATCHED_CHARS
from telem.sanitize.engines import HAS_RE2, Engine, Linear, Pure
from telem.sanitize.flat import flatten
from telem.sanitize.pseudonym import Pseudonyms
from telem.sanitize.rules import shipped_rules
from telem.sanitize.scan import Scanner, _marks

if TYPE_CHECKING:
    from collections.abc import Collection

    from telem.sanitize.flat import Flat, Span

RULES = shipped_rules()
MARKS = _marks(RULES)[0]
STRICT = {i for i, mark in enumerate(MARKS) if mark.strict}
"""Their rules are meant to look behind their gates only, which both engines must therefore open alike."""
ENGINES: list[Engine] = [Linear(), Pure()] if HAS_RE2 else [Pure()]
in_engine = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
VARIANTS_SAMPLE, MIXED, PIECES_OF_CODE = 1_200, 200, 150


class Open(Scanner):
    """Looks with every rule at everything, but for those that are meant for what their gate lets through."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(RULES, Pseudonyms(b"k" * 32), engine)
        gate, others = self._gate, set(range(len(MARKS))) - STRICT

        def look(flat: Flat) -> Collection[int]:
            return others | (STRICT & set(gate(flat)))

        self._gate = look


GATED = {engine.name: Scanner(RULES, Pseudonyms(b"k" * 32), engine) for engine in ENGINES}
OPEN = {engine.name: Open(engine) for engine in ENGINES}


def missed(engine: Engine, text: str) -> set[Span]:
    """What nobody looks for, although it would be found."""
    return set(OPEN[engine.name].found(text)) - set(GATED[engine.name].found(text))


def texts() -> list[str]:
    """Every example of every rule; many of them as they may stand in a text; ordinary code."""
    source = random.Random(len(RULES))
    every = sorted({text for rule in RULES for text in variants(rule) if text})
    chosen = source.sample(every, VARIANTS_SAMPLE) + list(mixed(RULES, MIXED, len(every)))
    examples = [example.text for rule in RULES for example in rule.must_match]
    code = [path.read_text("utf-8", "replace") for path in Path(sysconfig.get_paths()["stdlib"]).glob("[a-c]*.py")]
    pieces = [text[at : at + 400] for text in code for at in [source.randrange(len(text))]]
    return [text[: WATCHED_CHARS - 1] for text in (*examples, *chosen, *pieces[:PIECES_OF_CODE])]


@in_engine
def test_gates_open_for_all_that_would_be_found(engine: Engine) -> None:
    assert [(text, found) for text in texts() if (found := missed(engine, text))] == []


def test_strict_gates_open_alike() -> None:
    gates = [GATED[engine.name]._gate for engine in ENGINES]
    asked = {i for i in STRICT if not MARKS[i].needs}  # the others may open for what has too few digits for its rule
    for text in texts():
        assert len({frozenset(asked & set(gate(flatten(text)))) for gate in gates}) == 1, text


NAMES = ["password", "api_key", "passKey2", "TOKEN", "x.token", "pwd", "sig", "AuthToken", "Cookie", "salt"]
JOINTS = [
    "=", ":", " ", "\n", " = ", ": ", ":=", "=>", "->", "(", ")", ",", ".", '"', "'", "`", '\\"', ">", "|", "||", "[",
    "]", "{", "}", "\t", "\\t", "\\n", "\r\n", "\x1b[0m", "**", "__", "<<<", "</key>", "<string>", "<![CDATA[",
    " is ", " for ", " of x is ", " will be ", " --value ", " provided: ", "value", "Value", "default", "?", "!",
    "!!str ", "\x7f", " string", "'static ", "_", "-", "@", "&", "%3D",
]  # fmt: skip
VALUES = ["hunter2xX9", "Abc123def456Ghi7Jkl0", "abcDEFghiJKL1234567890xyz", "self.x", "None", "1234", "p@ss w0rd", ""]
joints = st.lists(st.sampled_from(JOINTS), max_size=5).map("".join)


@given(st.sampled_from(NAMES), joints, st.sampled_from(VALUES), joints)
@settings(max_examples=300, deadline=None)
def test_gates_open_for_names_before_anything(name: str, between: str, value: str, after: str) -> None:
    for engine in ENGINES:
        assert not missed(engine, name + between + value + after)


@given(joints, st.sampled_from([*VALUES, "v", '"v']))
@settings(max_examples=300, deadline=None)
def test_what_may_begin_a_separator_begins_every_one(joint: str, value: str) -> None:
    text = joint + value
    if (text[:1] not in NAME_CHARS or text[:2] == "->") and (SEPARATOR.match(text) or ATOM.match(text)):
        assert MAY_BEGIN(text)
