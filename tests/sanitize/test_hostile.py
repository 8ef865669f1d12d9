"""No input, however hostile, makes judging grow faster than the input does.

What it takes is measured by `bench/hostile.py`; here a text is judged at two lengths. Eight times the text takes about
eight times as long when the work is linear, and sixty-four times when it is quadratic, on a slow machine as on a quick
one. And steps are counted, which are the same on every machine.
"""

from __future__ import annotations

import json
import random
import sys
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz import fuzz_sanitize, hostile

from telem.sanitize.engines import HAS_RE2, Engine, Linear, Pure
from telem.sanitize.policy import shipped_policy
from telem.sanitize.redact import FAILED, Redactor
from telem.sanitize.rules import shipped_rules

ENGINES: list[Engine] = [Linear(), Pure()] if HAS_RE2 else [Pure()]
REDACTORS = {engine.name: Redactor(shipped_policy(), b"k" * 32, engine=engine) for engine in ENGINES}
TRIGGERS = sorted({trigger for rule in shipped_rules() for trigger in rule.triggers})
EXAMPLES = [example.text for rule in shipped_rules() for example in rule.must_match]
CHARS_SHORT, CHARS_LONG = 4_096, 32_768
GROWTH_MAX = 28.0
"""Between 8, which is linear, and 64, which is quadratic."""

NOTICEABLE_S = 0.1
"""A text that takes less is fine however it came to that."""

CHARS_FULL = 65_536
ORDINARY = [
    "$ psql -h db{n} -U app -c 'select {n}'\n 1 row\n$ curl -s https://api.test/v1/{n}\n",
    "    token = self.tokens[{n}]  # the password is checked elsewhere\n",
    '{{"usage": {{"input_tokens": {n}, "cache_creation_input_tokens": {n}, "output_tokens": 5}}}}\n',
    "https://h.test/a%20b%2Fc?x=%7B{n}%7D&y=1\n",
    "  modified:   src/auth/key_{n}.py\n",
    "export SERVICE_{n}_URL=https://h{n}.example.com/api\n",
    "    def test_login_{n}(self, client): assert client.login(user, password) == {n}\n",
]
"""Lines that ordinary texts are full of, and that make many rules look."""

SAMPLE = 40
"""Triggers looked at in one run, another choice each time the rules change."""


def judge(engine: str, text: str) -> float:
    """CPU seconds of judging a text, the better of two: the first one may compile rules."""
    took = []
    for _ in range(2):
        start = time.process_time()
        assert REDACTORS[engine].text(text) != FAILED
        took.append(time.process_time() - start)
    return min(took)


def is_tame(engine: str, piece: str) -> bool:
    """Does judging repetitions of `piece` grow like their length?"""
    long_s = judge(engine, (piece * CHARS_LONG)[:CHARS_LONG])
    if long_s < NOTICEABLE_S:
        return True
    return long_s / judge(engine, (piece * CHARS_SHORT)[:CHARS_SHORT]) < GROWTH_MAX


STEPS_A_CHAR_MAX = 16
"""Calls of functions while a text is judged; the worst of 4,000 texts takes 10."""

STEPS_CHARS, STEPS_SAMPLE = 8_192, 80


def steps(engine: str, text: str) -> int:
    """How many functions are called to judge a text, those in C too."""
    count = 0

    def called(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    redactor = REDACTORS[engine]
    redactor._judge("text", text)  # compiles rules
    before = sys.getprofile()
    sys.setprofile(called)
    try:
        redactor._judge("text", text)
    finally:
        sys.setprofile(before)
    return count


def left(engine: str, text: str) -> int:
    """What is left of the effort after a text was judged."""
    redactor = REDACTORS[engine]
    redactor._judge("text", text)
    return redactor.scanner._effort.left


PIECES = PIECES_OF_NOTE = [
    "a.a.", "a-a-", "a1B2c3D4", "sk-", "sk-ant-", "eyJ", "eyJ.", "://a:", "://a:a@", "password", "password=", "key: ",
    "A", "0", "1 2-3.", "\\u0041", "%41", "&#65;", "\x1b[31m", "\\", '"', "'", "`", "{", "[", "@", "a@a.", "/home/",
    "C:\\Users\\a ", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "1.1.1.1 ", "a:1:", "4111 ", "+1 ",
    "cookie: a=", "mysql -p", "echo a | ", "author: A ", "Ab Cd ", "token is ", "secret = [", 'file_path":"', "```\n",
    "AAAA ", "\u00e9", "login ", "uid=1(", "drwxr-xr-x 1 a ", "?key=", "GB82 WEST ", "\n", " ", "password: {",
]  # fmt: skip


TOO_COSTLY = ["AUTH ", "psw ", "mongo", "unzip", "a@", "secret_ ", "kinit%20ada%20%3C%3C%3C%20S3cretpw1", "key= "]


@pytest.mark.parametrize("piece", TOO_COSTLY)
def test_what_would_take_long_keeps_its_beginning_only(piece: str) -> None:
    text = (piece * CHARS_FULL)[:CHARS_FULL]
    answers = {redactor.text(text) for redactor in REDACTORS.values()}
    assert len(answers) == 1
    clean = answers.pop()
    assert clean.endswith("[REDACTED:too-many-findings]")
    assert len(clean) < CHARS_LONG
    assert clean.count("too-many-findings") == 1
    assert {redactor.text(clean) for redactor in REDACTORS.values()} == {clean}


def test_json_that_would_take_long_goes_whole() -> None:
    addresses = json.dumps([f"u{n}@example{n % 9}.com" for n in range(3_000)])
    attribute: list[Any] = [f"u{n}@example{n % 9}.com" for n in range(3_000)]
    for redactor in REDACTORS.values():
        assert redactor.text(addresses) == "[REDACTED:too-many-findings]"
        assert redactor.attribute("to", attribute) == "[REDACTED:too-many-findings]"


@given(st.lists(st.sampled_from([*PIECES_OF_NOTE, *TRIGGERS, *EXAMPLES]), min_size=1, max_size=4))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_both_engines_count_the_same_effort(parts: list[str]) -> None:
    text = ("".join(parts) * CHARS_SHORT)[: CHARS_SHORT * 2]
    assert len({left(engine, text) for engine in REDACTORS}) == 1


@pytest.mark.parametrize("lines", ORDINARY, ids=range(len(ORDINARY)))
def test_ordinary_text_takes_a_part_of_the_effort(lines: str) -> None:
    text = "".join(lines.format(n=n) for n in range(CHARS_FULL // len(lines)))
    for engine, redactor in REDACTORS.items():
        assert left(engine, text) > 0
        assert "too-many-findings" not in redactor.text(text)


@pytest.mark.parametrize("engine", REDACTORS)
@pytest.mark.parametrize("piece", PIECES, ids=range(len(PIECES)))
def test_repeating_a_piece_grows_with_its_length(engine: str, piece: str) -> None:
    assert is_tame(engine, piece)


@pytest.mark.parametrize("engine", REDACTORS)
def test_repeating_a_trigger_grows_with_its_length(engine: str) -> None:
    chosen = random.Random(len(TRIGGERS)).sample(TRIGGERS, SAMPLE)
    assert [trigger for trigger in chosen if not is_tame(engine, trigger)] == []


pieces = st.one_of(st.sampled_from(PIECES), st.sampled_from(TRIGGERS), st.sampled_from(EXAMPLES))


@given(st.lists(pieces, min_size=1, max_size=3), st.sampled_from(sorted(REDACTORS)))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_few_pieces_repeated_grow_with_their_length(parts: list[str], engine: str) -> None:
    assert is_tame(engine, "".join(parts))


def test_random_inputs_are_answered_alike_and_once() -> None:
    source = random.Random(1)
    for _ in range(300):
        fuzz_sanitize.check(fuzz_sanitize.random_input(source))


@pytest.mark.parametrize("engine", REDACTORS)
def test_no_text_takes_many_steps(engine: str) -> None:
    rules = shipped_rules()
    every = sorted({piece for rule in rules for piece in hostile.variants(rule) if piece})
    chosen = [*PIECES, *random.Random(len(every)).sample(every, STEPS_SAMPLE), *hostile.mixed(rules, 10, len(every))]
    texts = [(piece * (STEPS_CHARS // len(piece) + 1))[:STEPS_CHARS] for piece in chosen]
    assert [text[:80] for text in texts if steps(engine, text) > STEPS_A_CHAR_MAX * STEPS_CHARS] == []
