"""Readings of wrapped texts: both ways to look for escapes agree, and every character has its way back."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from telem.sanitize.flat import Span, flatten
from telem.sanitize.unwrap import ESCAPE, ESCAPES, View, views

PIECES = [
    "\\\\", "\\u", "00", "1b", "1B", "x", "%", "&", "#", "^", "[", "\x1b", "e", "033", "m", "K", "0;1", "quot", "amp",
    ";", "/", "41", "a", " ", "\\u001b[0m", "\\x1B[3m", "&#65;", "&#x41;", "%3d", "&lt;", "\\/", "\\u0041", "\n",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@given(texts)
@settings(max_examples=400, deadline=None)
def test_both_patterns_find_the_same_escapes(text: str) -> None:
    assert [m.span() for m in ESCAPE.finditer(text)] == [m.span() for m in re.finditer(ESCAPES, text, re.ASCII)]


@given(texts)
@settings(max_examples=200, deadline=None)
def test_what_no_escape_stands_for_is_where_it_was(text: str) -> None:
    flat = flatten(text)
    for view in views(flat):
        for at, char in enumerate(view.flat.text):
            start, end, *_ = view.back(Span(at, at + 1, "", "", 0))
            assert text[start:end] == char or ESCAPE.fullmatch(text, start, end), (text, at)


def test_span_of_a_decoded_run_is_the_run() -> None:
    (view,) = views(flatten("x aGVsbG8gd29ybGQsIGhvdyBhcmUgeW91Pw== y"))
    assert view.flat.text == "hello world, how are you?"
    assert view.back(Span(0, 5, "r", "", 1)) == Span(2, 38, "r", "", 1)
    assert isinstance(view, View)
