"""Known values go wherever they stand and however they are written."""

from __future__ import annotations

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telem.sanitize.known import KnownValues
from telem.sanitize.policy import PolicyError, parse_policy
from telem.sanitize.redact import Redactor
from telem.sanitize.tree import tree

KEY = b"k" * 32
VALUE = 'plain "wörd" & more/less'
REDACTOR = Redactor(parse_policy('known_values = ["correct horse"]', known_values=[VALUE, "", "abc"]), KEY)


@pytest.mark.parametrize(
    "write",
    [
        str,
        lambda value: json.dumps(value)[1:-1],
        lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
        quote,
        quote_plus,
        html.escape,
        lambda value: value.encode().hex(),
    ],
    ids=range(7),
)
def test_known_value_goes_in_every_spelling(write) -> None:  # type: ignore[no-untyped-def]
    assert REDACTOR.text(f"x {write(VALUE)} y") == "x [REDACTED:known-value] y"


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
def test_known_value_inside_base64_takes_the_whole_run(before: str) -> None:
    wrapped = base64.b64encode(f"{before}{VALUE} and after".encode()).decode()
    assert REDACTOR.text(f"data {wrapped}!") == "data [REDACTED:known-value]!"


def test_values_of_the_policy_and_of_the_caller_both_count() -> None:
    assert REDACTOR.text("a correct horse abc") == "a [REDACTED:known-value] abc"


def test_where_values_come_from_is_told_to_the_caller_and_not_read() -> None:
    policy = parse_policy('known_values_file = "secrets.txt"\nknown_values_env = ["DB_PASSWORD"]')
    assert (policy.known_values_file, policy.known_values_env) == ("secrets.txt", ("DB_PASSWORD",))
    assert policy.known_values == ()


def test_known_values_are_not_shown_with_the_policy() -> None:
    assert "correct horse" not in repr(REDACTOR.policy)


def test_too_many_values_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telem.sanitize.policy.VALUES_MAX", 1)
    with pytest.raises(PolicyError, match="more than 1"):
        parse_policy("", known_values=["abcdef", "ghijkl"])
    with pytest.raises(PolicyError, match="more than 1"):
        parse_policy('known_values = ["abcdef", "ghijkl"]')


def test_no_known_values_find_nothing() -> None:
    assert list(KnownValues([]).spans("anything")) == []


words = st.lists(st.text(alphabet="ab.", min_size=1, max_size=4), min_size=1, max_size=8)


@given(words, st.text(alphabet="ab.", max_size=12))
@settings(max_examples=200, deadline=None)
def test_prefix_tree_finds_what_the_plain_alternation_finds(literals: list[str], text: str) -> None:
    plain = "|".join(re.escape(word) for word in sorted(literals, key=len, reverse=True))
    assert [match.span() for match in re.finditer(tree(set(literals)), text)] == [
        match.span() for match in re.finditer(plain, text)
    ]
