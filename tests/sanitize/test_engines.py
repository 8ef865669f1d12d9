"""The two engines: what opens a gate, and what a finder finds."""

from __future__ import annotations

import pytest

from telem.sanitize import engines
from telem.sanitize.engines import HAS_RE2, Engine, Linear, Pure
from telem.sanitize.flat import flatten
from telem.sanitize.marks import Mark

ENGINES: list[Engine] = [Linear(), Pure()] if HAS_RE2 else [Pure()]
in_engine = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)


def literal(text: str, *, ignore_case: bool = False) -> Mark:
    return Mark(text, pattern=False, ignore_case=ignore_case)


@in_engine
def test_gate_says_which_literals_stand_in_a_text(engine: Engine) -> None:
    gate = engine.gate([literal("sk-"), literal("docker login"), literal("://"), literal("-u"), literal("ab")])
    assert set(gate(flatten("x sk-1 docker login -u a"))) == {0, 1, 3}
    assert set(gate(flatten("docker and login"))) == set()
    assert set(gate(flatten("http://cab"))) == {2, 4}


@in_engine
def test_gate_asks_for_a_pattern_only_where_the_text_has_what_it_needs(engine: Engine) -> None:
    numbers = Mark("[0-9]-[0-9]", pattern=True, ignore_case=False, needs="0000")
    colons = Mark("a:b::", pattern=True, ignore_case=False, needs=":::")
    gate = engine.gate([numbers, colons])
    assert set(gate(flatten("1-2 and 34, a:b:"))) == {0}
    assert set(gate(flatten("1-2, a:b::"))) == {1}


@in_engine
def test_gate_with_triggers_opens_where_its_pattern_fits(engine: Engine) -> None:
    strict = Mark("live_[0-9]{3}", pattern=True, ignore_case=False, triggers=("live_",), strict=True)
    gate = engine.gate([strict])
    assert set(gate(flatten("live_123"))) == {0}
    assert set(gate(flatten("live_reload"))) == set()


@pytest.mark.parametrize("needs", ["01", ":-"])
def test_needs_of_two_kinds_are_refused(needs: str) -> None:
    with pytest.raises(ValueError, match="not one character"):
        Pure().gate([Mark("a", pattern=True, ignore_case=False, needs=needs)])


@in_engine
def test_whole_words_have_no_small_letter_behind_them(engine: Engine) -> None:
    find = engine.finder("pass(?:word)?|key", ignore_case=True, whole=True)
    text = "PASSWORD= passing Key: keyword passKey= keys apiKeyName key"
    assert [text[start:end] for (start, end), *_ in find(flatten(text))] == ["PASSWORD", "Key", "pass", "Key", "Key"]


def test_looking_near_a_place_sees_what_stands_before_and_behind_it() -> None:
    find = Pure().finder(r"[a-z]{1,5}@[a-z]+(?:[^a-z]|\z)", near="@", reach=6)
    text = "." * 50 + "abc@defghijkl" + "." * 50 + "x@yz"
    assert [text[start:end] for (start, end), *_ in find(flatten(text))] == ["abc@defghijkl.", "x@yz"]


def test_looking_near_a_place_takes_the_end_of_a_piece_for_no_end_of_the_text() -> None:
    find = Pure().finder(r"@[a-z]{2}\z", near="@", reach=2)
    assert list(find(flatten("@abcdefgh"))) == []
    assert [spans[0] for spans in find(flatten("....@ab"))] == [(4, 7)]


def test_looking_near_a_place_goes_on_behind_what_was_found() -> None:
    find = Pure().finder("@[a-z@]{2,}", near="@", reach=4)
    text = "@abcdefgh" + "@" + "." * 20 + "@zz"
    assert [text[start:end] for (start, end), *_ in find(flatten(text))] == ["@abcdefgh@", "@zz"]


@in_engine
def test_shorter_word_is_whole_where_a_longer_one_is_not(engine: Engine) -> None:
    find = engine.finder("pass(?:word)?", ignore_case=True, whole=True)
    text = "DB_PASSWORDexport=1 passwords=2"
    assert [text[start:end] for (start, end), *_ in find(flatten(text))] == ["PASS"]


def test_every_way_to_spans_gives_the_same() -> None:
    re2 = pytest.importorskip("re2")
    flat = flatten("a=1 b=22")
    for pattern, whole in ((r"([a-z])=([0-9]+)", False), ("a|b", True)):
        compiled = re2.compile(engines.whole_words(pattern) if whole else pattern)
        usual = [tuple(spans) for spans in Linear().finder(pattern, ignore_case=whole, whole=whole)(flat)]
        assert list(engines._spans_of(compiled, int(whole))(flat)) == usual
