"""The policy: what happens to an attribute because of its name, before any rule looks at its value."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from .contents import CodeSettings
from .engines import PatternError, full_match
from .known import CHARS_MAX, CHARS_MIN, VALUES_MAX
from .noise import SETTINGS as NOISE_SETTINGS
from .noise import Admission, NoiseError, parse_admission
from .own import own_rules
from .pseudonym import KINDS
from .records import Profile
from .rules import Rule, RuleError, shipped_rules

if TYPE_CHECKING:
    from collections.abc import Iterable


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
    COUNT = "count"
    """Store how many lines and bytes it had in place of the content."""
    ALLOW = "allow"
    """Store as is, unseen: only the user can ask for that."""


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


Globs = tuple[tuple[str, AttributeRule], ...]
Compiled = tuple[tuple[re.Pattern[str], AttributeRule], ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Which attribute gets what, and what else the user decided.

    The user's entries win over the profile, the profile over the shipped ones; exact names win over globs, and earlier
    globs over later ones.
    """

    profile: Profile
    exact: dict[str, AttributeRule]
    globs: Globs
    own_exact: dict[str, AttributeRule] = field(default_factory=dict)
    own_globs: Globs = ()
    content: frozenset[str] = frozenset()
    """Attributes that hold what people and models wrote: `strict` keeps their lengths only."""
    allow: frozenset[str] = frozenset()
    """Values that are never replaced, for instance an e-mail address that is public."""
    allow_patterns: tuple[str, ...] = ()
    """Patterns of values that are never replaced; they must fit the whole value."""
    allow_domains: frozenset[str] = frozenset()
    """Domains whose e-mail addresses are kept."""
    rules_off: frozenset[str] = frozenset()
    """Ids of rules that do not run."""
    rules: tuple[Rule, ...] = ()
    """Rules of the user's own."""
    known_values: tuple[str, ...] = field(default=(), repr=False)
    """The user's own secrets, which go wherever they stand."""
    known_values_file: str = ""
    """Where the caller finds more of them, one a line."""
    known_values_env: tuple[str, ...] = ()
    """Environment variables whose values the caller adds to them."""
    code: CodeSettings = field(default_factory=CodeSettings)
    api_bodies: frozenset[str] = frozenset()
    """Attributes that hold whole requests to models and their answers."""
    drop_api_bodies: bool = False
    admission: Admission = field(default_factory=Admission)
    """Which records are noise, and what is sampled."""
    _globs: Compiled = field(init=False, repr=False, compare=False)
    _own_globs: Compiled = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the globs once."""
        object.__setattr__(self, "_globs", tuple((_glob(glob), rule) for glob, rule in self.globs))
        object.__setattr__(self, "_own_globs", tuple((_glob(glob), rule) for glob, rule in self.own_globs))

    def rule_for(self, key: str) -> AttributeRule:
        """Return what happens to the attribute `key`. A name nobody listed is scanned."""
        rule = self.own_exact.get(key) or _first(self._own_globs, key)
        if rule is not None:
            return rule
        if self.profile is Profile.STRICT and key in self.content:
            return AttributeRule(Action.LENGTH, kind="value")
        if self.drop_api_bodies and key in self.api_bodies:
            return AttributeRule(Action.COUNT)
        return self.exact.get(key) or _first(self._globs, key) or SCAN_RULE

    def names(self) -> set[str]:
        """Return the names of attributes that the policy mentions."""
        return {*self.exact, *self.own_exact, *self.content, *self.api_bodies}


def shipped_policy(profile: Profile | str = Profile.STANDARD) -> Policy:
    """Return the policy that comes with the program."""
    return parse_policy("", profile)


def parse_policy(text: str, profile: Profile | str | None = None, *, known_values: Iterable[str] = ()) -> Policy:
    """Read the user's `sanitize.toml` on top of the shipped policy.

    Args:
        text: the TOML; what it does not mention stays as shipped.
        profile: wins over the one the text names.
        known_values: what the caller read from `known_values_file` and the environment. Empty lines, and values
            shorter than six characters, are passed over: whoever wrote the file did not mean the blank line at its end.

    Raises:
        PolicyError: The text cannot be used; the message says where, why and what to do.
    """
    try:
        policy = _parsed(text, profile)
    except PolicyError as error:
        raise PolicyError(_with_line(str(error), text)) from error
    told = {value.strip() for value in known_values}
    told = {value for value in told if CHARS_MIN <= len(value) <= CHARS_MAX}
    if not told:
        return policy
    if len(told) > VALUES_MAX:
        raise PolicyError(f"there are {len(told)} known values, more than {VALUES_MAX}")
    members = {name.name: getattr(policy, name.name) for name in fields(policy) if name.init}
    return Policy(**{**members, "known_values": (*policy.known_values, *sorted(told))})


SETTINGS = {
    "profile", "keep", "hash", "drop", "length", "count", "scan", "content", "allow", "code", "rule",
    "known_values", "known_values_file", "known_values_env", *NOISE_SETTINGS,
}  # fmt: skip
ALLOW_SETTINGS = {"values", "patterns", "attributes", "email_domains", "rules_off"}
CODE_SETTINGS = {
    "paths", "paths_kept", "fenced_lines_max", "drop_tool_contents", "drop_api_bodies", "api_bodies",
}  # fmt: skip
STRICT_FENCED_LINES_MAX = 10


def _parsed(text: str, profile: Profile | str | None) -> Policy:
    tables = _tables(text, SETTINGS)
    shipped = _shipped_tables()
    named = str(profile or tables.get("profile", shipped["profile"]))
    if named not in set(Profile):
        raise PolicyError(f"there is no profile {named!r}; choose one of {', '.join(Profile)}")
    both = (shipped, tables)
    listed, own = _rules(shipped), [*_allowed(tables), *_rules(tables)]
    rules = _own_rules(tables)
    return Policy(
        profile=Profile(named),
        exact={key: rule for key, rule in listed if "*" not in key},
        globs=tuple((key, rule) for key, rule in listed if "*" in key),
        own_exact={key: rule for key, rule in own if "*" not in key},
        own_globs=tuple((key, rule) for key, rule in own if "*" in key),
        content=frozenset(name for each in both for name in _names(each.get("content", {}), "content", "attributes")),
        allow=frozenset(value for each in both for value in _allow(each, "values")),
        allow_patterns=tuple(_patterns(tables)),
        allow_domains=frozenset(domain.lower().lstrip("@") for domain in _allow(tables, "email_domains")),
        rules_off=frozenset(_rules_off(tables, rules)),
        rules=rules,
        known_values=tuple(_known_values(tables)),
        known_values_file=_text(tables, "known_values_file"),
        known_values_env=tuple(_names(tables, "", "known_values_env")),
        admission=_admission(tables),
        **_code(shipped.get("code", {}), tables.get("code", {}), strict=named == Profile.STRICT),
    )


@cache
def _shipped_tables() -> dict[str, Any]:
    return _tables((resources.files(__package__) / "policy.toml").read_text(encoding="utf-8"), SETTINGS)


def _tables(text: str, known: set[str]) -> dict[str, Any]:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"the policy is not TOML: {error}") from error
    _only(tables, known, "the policy")
    return tables


def _only(table: Any, known: set[str], where: str) -> None:
    if not isinstance(table, dict):
        raise PolicyError(f"{where} is not a table")
    if unknown := sorted(table.keys() - known):
        homes = (("code", CODE_SETTINGS), ("allow", ALLOW_SETTINGS), ("the beginning of the file", SETTINGS))
        home = next((home for home, settings in homes if unknown[0] in settings - known), "")
        where_to = f"it belongs to {home}" if home else f"there are {', '.join(sorted(known))}"
        raise PolicyError(f"{where} has a setting that does not exist: {unknown[0]}; {where_to}")


def _allow(tables: dict[str, Any], name: str) -> list[str]:
    allow = tables.get("allow", {})
    _only(allow, ALLOW_SETTINGS, "allow")
    return _names(allow, "allow", name)


def _allowed(tables: dict[str, Any]) -> list[tuple[str, AttributeRule]]:
    return [(key, AttributeRule(Action.ALLOW)) for key in _allow(tables, "attributes")]


def _patterns(tables: dict[str, Any]) -> list[str]:
    patterns = _allow(tables, "patterns")
    for pattern in patterns:
        try:
            full_match(pattern)
        except PatternError as error:
            raise PolicyError(f"allow.patterns: {pattern!r} is refused: {error}") from error
    return patterns


def _rules_off(tables: dict[str, Any], own: tuple[Rule, ...]) -> list[str]:
    known = {rule.id for rule in (*shipped_rules(), *own)} | {"known-value"}
    off = _allow(tables, "rules_off")
    if unknown := sorted(set(off) - known):
        raise PolicyError(f"allow.rules_off: there is no rule {unknown[0]!r}; markers and `explain` say the ids")
    return off


def _own_rules(tables: dict[str, Any]) -> tuple[Rule, ...]:
    try:
        return own_rules(tables.get("rule", []), {rule.id for rule in shipped_rules()})
    except RuleError as error:
        raise PolicyError(str(error)) from error


def _admission(tables: dict[str, Any]) -> Admission:
    try:
        return parse_admission(tables)
    except NoiseError as error:
        raise PolicyError(str(error)) from error


def _known_values(tables: dict[str, Any]) -> list[str]:
    values = _names(tables, "", "known_values")
    if len(values) > VALUES_MAX:
        raise PolicyError(f"there are {len(values)} known_values, more than {VALUES_MAX}")
    for number, value in enumerate(values, 1):
        if not CHARS_MIN <= len(value) <= CHARS_MAX:
            raise PolicyError(
                f"known_values: the value at place {number} has {len(value)} characters; "
                f"{CHARS_MIN} at least, or it would be found everywhere, and {CHARS_MAX} at most"
            )
    return values


def _text(tables: dict[str, Any], name: str) -> str:
    value = tables.get(name, "")
    if not isinstance(value, str):
        raise PolicyError(f"{name} is not a text")
    return value


def _code(shipped: dict[str, Any], own: Any, *, strict: bool) -> dict[str, Any]:
    _only(own, CODE_SETTINGS, "code")
    lines = own.get("fenced_lines_max", STRICT_FENCED_LINES_MAX if strict else 0)
    if not isinstance(lines, int) or lines < 0:
        raise PolicyError("code.fenced_lines_max is not a number of lines; 0 keeps all")
    drops = {name: own.get(name, strict) for name in ("drop_tool_contents", "drop_api_bodies")}
    for name, value in drops.items():
        if not isinstance(value, bool):
            raise PolicyError(f"code.{name} is neither true nor false")
    lists = {
        name: (*_names(shipped, "code", name), *_names(own, "code", name))
        for name in ("paths", "paths_kept", "api_bodies")
    }
    return {
        "code": CodeSettings(lists["paths"], lists["paths_kept"], lines, drops["drop_tool_contents"]),
        "api_bodies": frozenset(lists["api_bodies"]),
        "drop_api_bodies": drops["drop_api_bodies"],
    }


def _rules(tables: dict[str, Any]) -> list[tuple[str, AttributeRule]]:
    rules: list[tuple[str, AttributeRule]] = []
    for shape in _keys(tables, "keep"):
        if shape not in SHAPES:
            raise PolicyError(f"keep: there is no shape {shape!r}; choose one of {', '.join(SHAPES)}")
        rules += [(key, AttributeRule(Action.KEEP, shape=shape)) for key in _names(tables["keep"], "keep", shape)]
    for kind in _keys(tables, "hash"):
        if kind not in KINDS:
            raise PolicyError(f"hash: there is no kind {kind!r}; choose one of {', '.join(KINDS)}")
        rules += [(key, AttributeRule(Action.HASH, kind=kind)) for key in _names(tables["hash"], "hash", kind)]
    for action in (Action.DROP, Action.LENGTH, Action.COUNT, Action.SCAN):
        table = tables.get(action.value, {})
        _only(table, {"attributes"}, action.value)
        stand_in = "value" if action is Action.LENGTH else None
        rules += [(key, AttributeRule(action, kind=stand_in)) for key in _names(table, action, "attributes")]
    return rules


def _keys(tables: dict[str, Any], name: str) -> list[str]:
    table = tables.get(name, {})
    if not isinstance(table, dict):
        raise PolicyError(f"{name} is not a table")
    return list(table)


def _names(table: Any, place: str, name: str) -> list[str]:
    if not isinstance(table, dict):
        raise PolicyError(f"{place} is not a table")
    names = table.get(name, [])
    if not isinstance(names, list) or not all(isinstance(item, str) and item for item in names):
        raise PolicyError(f"{f'{place}.' if place else ''}{name} is not a list of names")
    return names


def _with_line(message: str, text: str) -> str:
    """Say at which line of the text a message probably points: where its last-quoted or named word stands first."""
    if "(at " in message:  # tomllib said it already
        return message
    words = [word for pattern in CULPRITS for word in re.findall(pattern, message)]
    for word in words:
        for number, line in enumerate(text.splitlines(), 1):
            if re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", line):
                return f"line {number}: {message}"
    return message


CULPRITS = (r"'([^']+)'", r"rule ([a-z0-9-]+)", r"exist: ([^\s;]+)", r"^(?:[a-z]+\.)?([a-z_]+)")
"""Where a message names what it is about, the surest first."""


def _first(globs: Compiled, key: str) -> AttributeRule | None:
    return next((rule for glob, rule in globs if glob.fullmatch(key)), None)


def _glob(glob: str) -> re.Pattern[str]:
    """Compile a glob; each star takes the first place that fits and never goes back, so no name takes long."""
    first, *rest = (re.escape(piece) for piece in glob.split("*"))
    if not rest:
        return re.compile(first)
    *middle, last = rest
    return re.compile(first + "".join(f"(?>.*?{piece})" for piece in middle if piece) + ".*" + last, re.DOTALL)
