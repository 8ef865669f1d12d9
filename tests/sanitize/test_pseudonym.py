"""Stand-ins join, do not lead back, and are known when seen again."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telem.sanitize.pseudonym import KINDS, Pseudonyms, is_stand_in

ONE, TWO = Pseudonyms(b"1" * 32), Pseudonyms(b"2" * 32)


def test_key_has_to_have_32_bytes() -> None:
    with pytest.raises(ValueError, match="31 bytes"):
        Pseudonyms(b"k" * 31)


@given(st.sampled_from(KINDS), st.text())
def test_same_value_gives_the_same_stand_in_and_is_left_alone_when_seen_again(kind: str, value: str) -> None:
    name = ONE.of(kind, value)
    assert name == ONE.of(kind, value) == ONE.of(kind, name)
    assert is_stand_in(name)
    assert name.startswith(kind + ":")


def test_key_and_kind_keep_stand_ins_apart() -> None:
    assert ONE.of("user", "ada") != TWO.of("user", "ada")
    assert ONE.of("user", "ada")[5:] != ONE.of("host", "ada")[5:]


def test_stand_in_of_another_key_is_left_alone_too() -> None:
    """After the key changed, old rows pass the sanitizer unharmed."""
    old = TWO.of("user", "ada")
    assert ONE.of("user", old) == old


def test_word_that_looks_like_a_stand_in_is_none_without_its_check_digits() -> None:
    """Or `curl -u user:abcdefghijkl` would carry a password past every rule."""
    assert not is_stand_in("user:abcdefghijkl")
    assert ONE.of("user", "user:abcdefghijkl") != "user:abcdefghijkl"


def test_stand_in_is_safe_in_json_and_urls() -> None:
    name = ONE.of("email", 'a"b@example.com')
    assert json.dumps(name) == f'"{name}"'
    assert quote(name, safe=":") == name
