"""Patterns turned to begin with a literal fit where they fitted before."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telem.sanitize.puregate import SHAPES
from telem.sanitize.rules import shipped_rules
from telem.sanitize.scan import _marks
from telem.sanitize.turn import alternatives, in_lower_case, may_fit_blanks, shaped, turned

PATTERNS = sorted({mark.source() for mark in _marks(shipped_rules())[0] if mark.pattern})
EXAMPLES = [example.text for rule in shipped_rules() for example in rule.must_match]


@pytest.mark.parametrize(
    ("pattern", "forms"),
    [
        ("(?:SK|AC)[0-9a-f]{8}", ["SK[0-9a-f]{8}", "AC[0-9a-f]{8}"]),
        ("[a-z.]@", ["@(?<=[a-z.]@)"]),
        (r"[0)][ .]0|\+0{7}", ["0[ .]0", r"\)[ .]0", r"\+0{7}"]),
        ("[A]{2}[0]{2}[ -]?[A0]", ["AA00[ -]?[A0]"]),
        ("[A]{2,3}b", ["[A]{2,3}b"]),
        (r"a(?:b|c)|d\|[|]", ["a(?:b|c)", r"d\|[|]"]),
        ("(?:a|b)?c", ["(?:a|b)?c"]),
    ],
)
def test_turned(pattern: str, forms: list[str]) -> None:
    assert turned(pattern) == forms


def test_alternatives_are_what_no_bracket_holds() -> None:
    assert alternatives(r"a|b(c|d)|[|]\||") == ["a", "b(c|d)", r"[|]\|", ""]


def test_case_is_left_to_the_text_where_all_letters_ignore_it() -> None:
    assert in_lower_case("(?i:a(?:b|c))[=:]") == "(?:a(?:b|c))[=:]"
    assert [in_lower_case(pattern) for pattern in ("(?i:A)", "(?i:a)b", "ab")] == [None, None, None]


def test_shapes_are_of_whole_ranges_only() -> None:
    assert shaped("[A-Z]{2}[0-9]{2}") == ("[A]{2}[0]{2}", True)
    assert shaped("[2-6][0-9]{3}") == ("[0][0]{3}", False)
    assert [shaped(pattern) for pattern in ("[0-9]7", "[^0-9]", "ab", r"[0-9]\w", "[A-F]")] == [None] * 5


def test_blanks_are_seen() -> None:
    assert all(map(may_fit_blanks, ["a b", "[^a]", "a.b", r"\t", "a$"]))
    assert not any(map(may_fit_blanks, [r"a\.b", "[.]", "a[a-z]{2}"]))


@given(st.lists(st.one_of(st.sampled_from(EXAMPLES), st.text("aZ09 .-:@/+(", max_size=12)), max_size=3).map("".join))
@settings(max_examples=150, deadline=None)
def test_turned_patterns_fit_where_they_fitted(text: str) -> None:
    text = text.encode("ascii", "replace").decode()
    shape, pieces = text.encode().translate(SHAPES).decode(), f" {' '.join(set(text.split()))} "
    for pattern in PATTERNS:
        fits = re.search(pattern, text, re.ASCII) is not None
        plain, of_shape = in_lower_case(pattern), shaped(pattern)
        assert any(re.search(form, text, re.ASCII) for form in turned(pattern)) == fits, pattern
        assert plain is None or (re.search(plain, text.lower(), re.ASCII) is not None) == fits, pattern
        assert may_fit_blanks(pattern) or (re.search(pattern, pieces, re.ASCII) is not None) == fits, pattern
        if of_shape is not None:
            fits_shape = any(re.search(form, shape, re.ASCII) for form in turned(of_shape[0]))
            assert fits_shape == fits if of_shape[1] else fits_shape >= fits, pattern
