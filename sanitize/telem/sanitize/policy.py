"""The policy: what happens to an attribute because of its name, before any rule looks at its value."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import resources
from typing import Any

from .pseudonym import KINDS


class Action(StrEnum):
    """What can happen to an attribute."""

    KEEP = "keep"
    """Store as is when the value has the shape the policy names; scan it otherwise."""
    SCAN = "scan"
    """Scan with every rule."""
    HASH = "hash"
    """Replace by a stand-in that is the same for the same value."""
    DROP = "drop"
    """Do not store."""
    LENGTH = "length"
    """Store the length and a stand-in in place of the content."""


class Profile(StrEnum):
    """How much content is kept."""

    STANDARD = "standard"
    STRICT = "strict"
    OFF = "off"


class PolicyError(ValueError):
    """A policy is wrong; the message says where."""


SHAPES: dict[str, re.Pattern[str]] = {
    name: re.compile(pattern, re.ASCII)
    for name, pattern in {
        "bool": r"true|false|True|False|TRUE|FALSE",
        "number": r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,18})?(?:[eE][+-]?[0-9]{1,3})?|NaN|undefined|",
        "uuid": r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
        "hex": r"[0-9a-fA-F]{1,128}",
        "id": (
            r"(?:(?:req|toolu|msg|resp|call|chatcmpl|sp|run|fc|rs)_)?"
            r"(?:[0-9A-Za-z]{1,40}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
        ),
        "ids": r"[0-9a-f-]{36}########[0-9]{1,6}|[0-9a-f-]{36}",
        "word": r"[A-Za-z](?:[A-Za-z]|[_-](?=[A-Za-z])){0,39}",
        "name": r"[A-Za-z][A-Za-z0-9]{0,23}(?:[ ._:/-][A-Za-z0-9]{0,23}){0,5}",
        "event": r"[a-z][a-z0-9]{0,30}(?:[._][a-z0-9]{1,30}){0,6}",
        "version": r"v?[0-9]{1,6}(?:\.[0-9]{1,6}){0,4}(?:[-+.][0-9A-Za-z.]{1,24}){0,3}",
        "model": r"(?=[a-z])[a-z0-9]{1,16}(?:[-./:][a-z0-9.]{1,12}){0,9}(?:\[[0-9a-z]{1,8}\])?",
        "time": (
            r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
        ),
        "tool": r"[A-Za-z][A-Za-z0-9]{0,23}(?:_{1,2}[A-Za-z][A-Za-z0-9]{0,23}){0,8}",
    }.items()
}
"""What a kept value has to look like. None of them has room for an e-mail address, a path or a long random token."""

TOKENLESS = re.compile(
    "|".join(SHAPES[name].pattern for name in ("uuid", "bool", "time", "number"))
    + r"|(?:req_01|toolu_01|msg_01)[0-9A-Za-z]{10,40}",
    re.ASCII,
)
"""Values that no provider's token looks like, so that kept ones need no second look: ids that are new with each record
are most of what is not known already, and the look takes 8 µs, a fifth of all work on a record."""


@dataclass(frozen=True, slots=True)
class AttributeRule:
    """What happens to one attribute."""

    action: Action
    shape: str | None = None
    kind: str | None = None


SCAN_RULE = AttributeRule(Action.SCAN)


@dataclass(frozen=True, slots=True)
class Policy:
    """Which attribute gets what. Exact names win over globs, earlier globs over later ones."""

    profile: Profile
    exact: dict[str, AttributeRule]
    globs: tuple[tuple[str, AttributeRule], ...]
    content: frozenset[str] = frozenset()
    """Attributes that hold what people and models wrote: `strict` keeps their lengths only."""
    allow: frozenset[str] = frozenset()
    """Values that are never replaced, for instance an e-mail address that is public."""
    allow_domains: frozenset[str] = frozenset()
    """Domains whose e-mail addresses are kept."""
    rules_off: frozenset[str] = frozenset()
    """Ids of rules that do not run."""
    _globs: tuple[tuple[re.Pattern[str], AttributeRule], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the globs once."""
        compiled = tuple((_glob(glob), rule) for glob, rule in self.globs)
        object.__setattr__(self, "_globs", compiled)

    def rule_for(self, key: str) -> AttributeRule:
        """Return what happens to the attribute `key`. A name nobody listed is scanned."""
        if self.profile is Profile.STRICT and key in self.content:
            return AttributeRule(Action.LENGTH, kind="value")
        rule = self.exact.get(key)
        if rule is not None:
            return rule
        return next((rule for glob, rule in self._globs if glob.fullmatch(key)), SCAN_RULE)


def shipped_policy(profile: Profile | str = Profile.STANDARD) -> Policy:
    """Return the policy that comes with the program."""
    text = (resources.files(__package__) / "policy.toml").read_text(encoding="utf-8")
    return parse_policy(text, profile)


def parse_policy(text: str, profile: Profile | str | None = None) -> Policy:
    """Read a policy; `profile` wins over the one the text names.

    Raises:
        PolicyError: The text is not TOML, or names an action, a shape, a kind or a profile that does not exist.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"the policy is not TOML: {error}") from error
    known = {"profile", "keep", "hash", "drop", "length", "scan", "content", "allow"}
    if unknown := sorted(tables.keys() - known):
        raise PolicyError(f"the policy has a setting that does not exist: {unknown[0]}")
    named = str(profile or tables.get("profile", Profile.STANDARD))
    if named not in set(Profile):
        raise PolicyError(f"there is no profile {named!r}; choose one of {', '.join(Profile)}")
    listed = _rules(tables)
    allow = tables.get("allow", {})
    return Policy(
        profile=Profile(named),
        exact={key: rule for key, rule in listed if "*" not in key},
        globs=tuple((key, rule) for key, rule in listed if "*" in key),
        content=frozenset(_names(tables.get("content", {}), "content", "attributes")),
        allow=frozenset(_names(allow, "allow", "values")),
        allow_domains=frozenset(domain.lower() for domain in _names(allow, "allow", "email_domains")),
        rules_off=frozenset(_names(allow, "allow", "rules_off")),
    )


def _rules(tables: dict[str, Any]) -> list[tuple[str, AttributeRule]]:
    rules: list[tuple[str, AttributeRule]] = []
    for shape in tables.get("keep", {}):
        if shape not in SHAPES:
            raise PolicyError(f"keep: there is no shape {shape!r}; choose one of {', '.join(SHAPES)}")
        rules += [(key, AttributeRule(Action.KEEP, shape=shape)) for key in _names(tables["keep"], "keep", shape)]
    for kind in tables.get("hash", {}):
        if kind not in KINDS:
            raise PolicyError(f"hash: there is no kind {kind!r}; choose one of {', '.join(KINDS)}")
        rules += [(key, AttributeRule(Action.HASH, kind=kind)) for key in _names(tables["hash"], "hash", kind)]
    for action in (Action.DROP, Action.LENGTH, Action.SCAN):
        table = tables.get(action.value, {})
        kind = "value" if action is Action.LENGTH else None
        rules += [(key, AttributeRule(action, kind=kind)) for key in _names(table, action, "attributes")]
    return rules


def _names(table: Any, place: str, name: str) -> list[str]:
    if not isinstance(table, dict):
        raise PolicyError(f"{place} is not a table")
    names = table.get(name, [])
    if not isinstance(names, list) or not all(isinstance(item, str) and item for item in names):
        raise PolicyError(f"{place}.{name} is not a list of names")
    return names


def _glob(glob: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(piece) for piece in glob.split("*")), re.DOTALL)
