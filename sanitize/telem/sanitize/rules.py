r"""What is looked for: the rules as data, one TOML file a family, each rule with examples that run as tests.

A rule has a *gate*, literals of which one must stand in the text before anything else is tried, or a short pattern in
their place where they are too short or too common to gate with; and a way to *find*:

* `token`: the pattern is matched where a trigger stands, if a word may begin there;
* `pattern`: the pattern is searched in the whole text;
* `detector`: a function of this room looks, because a pattern cannot (`telem.sanitize.detect`);
* `own`: a rule of the user's (`telem.sanitize.own`), searched in RE2 whatever engine runs the rest.

Patterns are written in the syntax that RE2 and `re` share and understand alike: no look-around, no `$`, no `\s`.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from .validators import VALIDATORS

FAMILIES = (
    "keys",
    "pem",
    "cloud",
    "code",
    "ai",
    "saas",
    "structure",
    "assignment",
    "personal",
)
"""The files under `rules/`, in order of precedence: where two rules overlap, the earlier names the marker."""

SPLIT = "¦"
"""Stands in the middle of fake tokens in the examples, so that scanners of repositories do not take them for real."""

OPEN, CLOSE = "«", "»"
"""Stand around what an example must lose."""

SETTINGS = {
    "id", "sentence", "find", "triggers", "gate", "needs", "near", "reach", "ignore_case", "pattern", "group", "edge",
    "checks", "kind", "must_match", "must_not_match",
}  # fmt: skip

REFUSED = re.compile(r"\(\?[=!<]|\$")


class RuleError(ValueError):
    """A rule file is wrong; the message names the rule."""


@dataclass(frozen=True, slots=True)
class Example:
    """A text and the pieces of it that must go."""

    text: str
    losing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is looked for. `group` of the pattern is replaced, if all `checks` accept it."""

    id: str
    sentence: str
    find: str
    triggers: tuple[str, ...]
    gate: str
    ignore_case: bool
    pattern: str
    group: int
    edge: bool
    checks: tuple[str, ...]
    kind: str
    must_match: tuple[Example, ...]
    must_not_match: tuple[str, ...]
    needs: str = ""
    """Characters without which its gate need not be asked; as often as they stand here, `0` for any digit."""
    near: str = ""
    """A short pattern that fits within every match, or beside it."""
    reach: int = 0
    """How far a match goes from there at most: `re` looks nowhere else."""


@cache
def shipped_rules() -> tuple[Rule, ...]:
    """Return all rules that come with the program, in order of precedence."""
    return tuple(rule for family in FAMILIES for rule in family_rules(family))


def family_rules(family: str) -> list[Rule]:
    """Return the rules of one file."""
    folder = resources.files(__package__) / "rules"
    return parse_rules((folder / f"{family}.toml").read_text(encoding="utf-8"))


def parse_rules(text: str) -> list[Rule]:
    """Read one family of rules."""
    try:
        tables = tomllib.loads(text).get("rule", [])
    except tomllib.TOMLDecodeError as error:
        msg = f"not TOML: {error}"
        raise RuleError(msg) from error
    return [_rule(table) for table in tables]


def example(text: str) -> Example:
    """Read an example: join what was split, take the marks away, remember what stood between them."""
    text = text.replace(SPLIT, "")
    losing = tuple(re.findall(f"{OPEN}([^{CLOSE}]*){CLOSE}", text))
    return Example(text.replace(OPEN, "").replace(CLOSE, ""), losing)


def _differs(pattern: str) -> bool:
    """Tell whether the engines would disagree about a pattern: escapes first, then what stands outside of classes."""
    if set(re.findall(r"\\(.)", pattern)) & set("sSZAB"):
        return True
    bare = re.sub(r"\[\^?\]?[^\]]*\]", "", re.sub(r"\\.", "", pattern))
    return REFUSED.search(bare) is not None


def _rule(table: dict[str, Any]) -> Rule:
    name = str(table.get("id", "?"))
    if unknown := table.keys() - SETTINGS:
        msg = f"rule {name}: unknown setting {min(unknown)}"
        raise RuleError(msg)
    pattern, checks = str(table.get("pattern", "")), tuple(table.get("checks", ()))
    if _differs(pattern):
        msg = f"rule {name}: the pattern uses look-around, $ or \\s, on which the engines differ"
        raise RuleError(msg)
    if missing := [check for check in checks if check not in VALIDATORS]:
        msg = f"rule {name}: there is no check called {missing[0]}"
        raise RuleError(msg)
    if not table.get("triggers") and not table.get("gate"):
        msg = f"rule {name}: no trigger, so it would never run"
        raise RuleError(msg)
    return Rule(
        id=name,
        sentence=str(table["sentence"]),
        find=str(table.get("find", "token")),
        triggers=tuple(trigger.replace(SPLIT, "") for trigger in table.get("triggers", ())),
        gate=str(table.get("gate", "")),
        ignore_case=bool(table.get("ignore_case", False)),
        pattern=pattern.replace(SPLIT, ""),
        group=int(table.get("group", 0)),
        edge=bool(table.get("edge", True)),
        checks=checks,
        kind=str(table.get("kind", "")),
        must_match=tuple(example(text) for text in table.get("must_match", ())),
        must_not_match=tuple(example(text).text for text in table.get("must_not_match", ())),
        needs=str(table.get("needs", "")),
        near=str(table.get("near", table.get("gate", "") if table.get("reach") else "")),
        reach=int(table.get("reach", 0)),
    )
