"""Every rule changes its examples and leaves its counter-examples alone, in both engines."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from telem.sanitize.engines import HAS_RE2, Engine, Linear, Pure
from telem.sanitize.flat import flatten
from telem.sanitize.pseudonym import STAND_IN, Pseudonyms
from telem.sanitize.rules import Rule, RuleError, parse_rules, shipped_rules
from telem.sanitize.scan import Scanner

RULES = shipped_rules()
ENGINES: list[Engine] = [Linear(), Pure()] if HAS_RE2 else [Pure()]
SCANNERS = {engine.name: Scanner(RULES, Pseudonyms(b"k" * 32), engine) for engine in ENGINES}
REPLACED = re.compile(r"\[REDACTED:[a-z0-9-]+\]|" + STAND_IN.pattern)

by_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
in_engine = pytest.mark.parametrize("engine", SCANNERS)


def survives(secret: str, text: str) -> bool:
    """Half of a secret, or 24 characters of it, is enough to lose it."""
    size = max(6, min(24, len(secret) // 2))
    return any(secret[at : at + size] in text for at in range(len(secret) - size + 1))


@by_rule
@in_engine
def test_rule_removes_what_its_examples_mark_and_nothing_else(rule: Rule, engine: str) -> None:
    for example in rule.must_match:
        cleaned = SCANNERS[engine].clean(example.text)
        rest = example.text
        for secret in example.losing:
            assert not survives(secret, cleaned), cleaned
            rest = rest.replace(secret, "", 1)
        assert REPLACED.sub("", cleaned) == rest


@by_rule
@in_engine
def test_rule_leaves_its_counter_examples_alone(rule: Rule, engine: str) -> None:
    for text in rule.must_not_match:
        assert SCANNERS[engine].clean(text) == text


@by_rule
def test_rule_is_what_finds_its_examples_when_it_is_alone(rule: Rule) -> None:
    scanner = Scanner([rule], Pseudonyms(b"k" * 32))
    for example in rule.must_match:
        assert scanner.spans(example.text), example.text


@by_rule
def test_rule_has_a_sentence_and_both_sorts_of_examples(rule: Rule) -> None:
    assert rule.sentence
    assert rule.must_match
    assert all(example.losing for example in rule.must_match)
    assert rule.must_not_match


@by_rule
def test_marker_says_nothing_but_the_rule(rule: Rule) -> None:
    notes: Counter[str] = Counter()
    for example in rule.must_match:
        SCANNERS[ENGINES[0].name].clean(example.text, lambda rule: notes.update([rule]))
    assert sum(notes.values()) >= len(rule.must_match)
    assert set(notes) <= {rule.id for rule in RULES}


def test_ids_are_unique_and_fit_a_marker() -> None:
    ids = [rule.id for rule in RULES]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in ids)


def opened(scanner: Scanner, text: str) -> set[str]:
    return {scanner.rules[i].id for mark in scanner._gate(flatten(text)) for i in scanner._owners[mark]}


@pytest.mark.skipif(not HAS_RE2, reason="no re2 here")
def test_gate_of_re2_opens_for_every_trigger_on_its_own() -> None:
    """A set that ran out of memory would answer "nothing there", and nobody would notice."""
    for rule in RULES:
        for trigger in rule.triggers if not rule.gate and rule.id != "assignment" else ():
            assert rule.id in opened(SCANNERS["re2"], trigger), trigger


@in_engine
def test_gate_opens_for_every_example(engine: str) -> None:
    """A rule behind a gate that stays shut would never be missed where another one finds the same."""
    for rule in RULES:
        for example in rule.must_match:
            assert rule.id in opened(SCANNERS[engine], example.text), example.text


@pytest.mark.skipif(not HAS_RE2, reason="no re2 here")
def test_gate_of_re2_opens_for_every_word_of_the_assignment_rule() -> None:
    rule = next(rule for rule in RULES if rule.id == "assignment")
    for trigger in rule.triggers:
        word = {"contrase": "contrasena", "cred": "creds", "session": "sessionid"}.get(trigger, trigger)
        word += " code" if word in {"mfa", "2fa", "verification", "security"} else ""
        assert rule.id in opened(SCANNERS["re2"], f"{word}="), word


RULE = '[[rule]]\nid = "x"\nsentence = "An x"\ntriggers = ["x-"]\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rule = ", "not TOML"),
        (RULE + "pattern = 'x-(?=y)'", "look-around"),
        (RULE + "pattern = 'x-\\s'", "look-around"),
        (RULE + "pattern = 'x-$'", "look-around"),
        (RULE + "pattern = 'x-'\nchecks = ['nonsense']", "no check called nonsense"),
        (RULE + "pattern = 'x-'\nbogus = 1", "unknown setting bogus"),
        ('[[rule]]\nid = "x"\nsentence = "An x"\npattern = "x"', "never run"),
    ],
)
def test_wrong_rule_is_refused_with_a_reason(text: str, message: str) -> None:
    with pytest.raises(RuleError, match=message):
        parse_rules(text)
