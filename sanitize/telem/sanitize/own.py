"""Rules of the user's own: read, refused with a reason, and tried on their examples before they count.

They run in RE2 whatever engine runs the rest, so that no pattern takes more than linear time. Where RE2 is not
installed only literals and patterns without an open end are taken.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .engines import HAS_RE2, PATTERN_CHARS_MAX, PatternError, linear_pattern
from .pseudonym import KEY_BYTES, KINDS, Pseudonyms
from .rules import Rule, RuleError, example
from .scan import Scanner

if TYPE_CHECKING:
    from collections.abc import Collection

RULES_MAX = 200
"""A rule without triggers looks at every text."""

SETTINGS = {
    "id", "sentence", "pattern", "literals", "triggers", "ignore_case", "group", "kind", "must_match",
    "must_not_match",
}  # fmt: skip

RESERVED = {"known-value", "too-many-findings", "sanitizer-error", "code"}

SYNTAX = (
    "; rules are written in the syntax of RE2, "
    "which has no look-around and no backreferences, and repeats up to 1000 times"
)

OPEN_ENDED = re.compile(
    r"\\.|\[(?:\\.|[^\]\\])+\]|(?P<bad>[*+]|\{[0-9]*,\}|\)(?:\{)|\(\?(?!:|i\)))|\{(?P<low>[0-9]+)(?:,(?P<high>[0-9]+))?\}"
)
WAYS_MAX = 256
"""In how many ways the counted repeats of a pattern may divide a text between them, without RE2."""


def own_rules(tables: Any, taken: Collection[str]) -> tuple[Rule, ...]:
    """Read the `[[rule]]` tables of a policy.

    Raises:
        RuleError: A rule cannot be used; the message names it and says what to do.
    """
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise RuleError("rule: write [[rule]], with two brackets")
    if len(tables) > RULES_MAX:
        raise RuleError(f"there are {len(tables)} rules, more than {RULES_MAX}; join some with |")
    rules: list[Rule] = []
    for table in tables:
        rule = _rule(table, {*taken, *RESERVED, *(rule.id for rule in rules)})
        _try(rule)
        rules.append(rule)
    return tuple(rules)


def _try(rule: Rule) -> None:
    """Run a rule on its examples, alone."""
    scanner = Scanner([rule], Pseudonyms(bytes(KEY_BYTES)))
    for number, wanted in enumerate(rule.must_match, 1):
        clean = scanner.clean(wanted.text)
        if clean == wanted.text or any(piece in clean for piece in wanted.losing):
            raise RuleError(f"rule {rule.id}: text {number} of must_match is not changed as it should be")
    for number, text in enumerate(rule.must_not_match, 1):
        if scanner.clean(text) != text:
            raise RuleError(f"rule {rule.id}: text {number} of must_not_match is changed")


def _rule(table: dict[str, Any], taken: set[str]) -> Rule:
    name = str(table.get("id", ""))
    if re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}", name) is None:
        raise RuleError(f"rule {name!r}: the id is not made of small letters, digits and -")
    if name in taken:
        raise RuleError(f"rule {name}: there is a rule of that id already; choose another")
    if unknown := sorted(table.keys() - SETTINGS):
        raise RuleError(f"rule {name}: unknown setting {unknown[0]}; there are {', '.join(sorted(SETTINGS))}")
    kind = table.get("kind", "")
    if kind and kind not in KINDS:
        raise RuleError(f"rule {name}: there is no kind {kind!r}; choose one of {', '.join(KINDS)}, or none")
    pattern = _pattern(name, table)
    examples = tuple(example(text) for text in _texts(name, table, "must_match"))
    return Rule(
        id=name,
        sentence=str(table.get("sentence", "A rule of your own")),
        find="own",
        triggers=tuple(_texts(name, table, "triggers")),
        gate="",
        ignore_case=bool(table.get("ignore_case", False)),
        pattern=pattern,
        group=table.get("group", 0),
        edge=False,
        checks=(),
        kind=str(kind),
        must_match=examples,
        must_not_match=tuple(_texts(name, table, "must_not_match")),
    )


def _pattern(name: str, table: dict[str, Any]) -> str:
    literals = _texts(name, table, "literals")
    pattern = table.get("pattern", "|".join(re.escape(literal) for literal in literals))
    if not isinstance(pattern, str) or not pattern:
        raise RuleError(f"rule {name}: it has neither a pattern nor literals")
    if len(pattern) > PATTERN_CHARS_MAX:
        raise RuleError(f"rule {name}: the pattern has more than {PATTERN_CHARS_MAX} characters; make two rules of it")
    if not pattern.isascii():
        raise RuleError(f"rule {name}: rules see ASCII only; put a text with other characters into known_values")
    if not HAS_RE2:
        _bounded(name, pattern)
    try:
        linear_pattern(pattern, ignore_case=bool(table.get("ignore_case", False)), group=table.get("group", 0))
    except PatternError as error:
        hint = "" if "no group" in str(error) else SYNTAX
        raise RuleError(f"rule {name}: the pattern is refused: {error}{hint}") from error
    return pattern


def _bounded(name: str, pattern: str) -> None:
    """Refuse what could take long in `re`: open ends, repeated groups, and repeats that share a text in many ways."""
    ways = 1
    for token in OPEN_ENDED.finditer(pattern):
        if token["bad"]:
            raise RuleError(
                f"rule {name}: without google-re2, {token['bad']} is refused; install it, or write a bounded repeat "
                "such as {1,40} on a single character or class"
            )
        if token["high"]:
            ways *= max(1, int(token["high"]) - int(token["low"]) + 1)
    if ways > WAYS_MAX:
        raise RuleError(
            f"rule {name}: without google-re2, repeats that vary by more than {WAYS_MAX} in all are refused"
        )


def _texts(name: str, table: dict[str, Any], setting: str) -> list[str]:
    texts = table.get(setting, [])
    if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
        raise RuleError(f"rule {name}: {setting} is not a list of texts")
    return texts
