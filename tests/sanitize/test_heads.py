"""Looking where a pattern's heads stand finds what looking everywhere does."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.hostile import variants

from telem.sanitize.engines import Pure
from telem.sanitize.flat import flatten
from telem.sanitize.heads import Heads, heads_of
from telem.sanitize.rules import Rule, shipped_rules

HEADED = [rule for rule in shipped_rules() if rule.find == "pattern" and not rule.near]
PIECES = sorted({text for rule in shipped_rules() for text in variants(rule) if text})


@pytest.mark.parametrize(
    ("pattern", "literals"),
    [
        ("(?:docker|podman) login", {"dock", "podm"}),
        ("(?:(?:a|b)c|d)(?:e)?f", {"acef", "acf", "bcef", "bcf", "def", "df"}),
        ("ab?cd", {"abcd", "acd"}),
        ("[xy]-[0-9]", {"x-", "y-"}),
        (r"x\.y+z", {"x."}),
        ("user|users|us|a[b]c", {"us", "abc"}),
    ],
)
def test_heads_of_a_pattern(pattern: str, literals: set[str]) -> None:
    heads = heads_of(pattern)
    assert heads is not None
    assert set(heads.literals) == literals


def test_character_before_a_head_is_looked_at_too() -> None:
    assert heads_of("(?:^|[^a-z])(?:ssn|ss no)") == Heads(("ss n", "ssn"), before=True)
    assert Heads(("ssn",), before=True).places("ssn ssn") == [0, 3, 4]


@pytest.mark.parametrize(
    "pattern", ["[a-z]+x", "a*b", "(?:a|b+)c", "[?&]key", r"\\*x", "(?:0|1|2|3)" * 3 + "[a-z]", "a.*", "login x"]
)
def test_there_are_no_heads_where_all_may_begin_or_re_is_quick(pattern: str) -> None:
    assert heads_of(pattern) is None


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text("aA -:=/\n", max_size=5)), max_size=8).map("".join))
@settings(max_examples=80, deadline=None)
def test_heads_lead_to_all_matches(text: str) -> None:
    for rule in HEADED:
        assert found(rule, text) == everywhere(rule, text), rule.id


def test_heads_lead_to_all_matches_in_what_rules_look_for() -> None:
    source = random.Random(len(PIECES))
    for _ in range(60):
        text = "\n".join(source.sample(PIECES, 30))
        for rule in HEADED:
            assert found(rule, text) == everywhere(rule, text), rule.id


def found(rule: Rule, text: str) -> list[tuple[tuple[int, int], ...]]:
    return list(Pure().finder(rule.pattern, ignore_case=rule.ignore_case)(flatten(text)))


def everywhere(rule: Rule, text: str) -> list[tuple[tuple[int, int], ...]]:
    flags = re.ASCII | (re.IGNORECASE if rule.ignore_case else re.NOFLAG)
    pattern = re.compile(rule.pattern.replace(r"\z", r"\Z"), flags)
    return [match.regs for match in pattern.finditer(flatten(text).text)]
