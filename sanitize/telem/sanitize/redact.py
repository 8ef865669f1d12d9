"""The judge of attributes: the policy first, then the rules; whatever happens, no value passes unjudged.

A value that cannot be judged, because a rule raises, becomes a marker. It is never passed through.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import orjson

from .assign import is_secret, secret_class
from .contents import Contents, counts
from .effort import TooMuch
from .explain import Finding, explained
from .naming import SOCIAL_SECURITY, is_social_security, is_value, name_after, number_as_text, pair_name
from .policy import SHAPES, TOKENLESS, Action, AttributeRule, Policy
from .pseudonym import Pseudonyms, is_stand_in
from .records import Profile
from .rules import Rule, shipped_rules
from .scan import TOO_MANY, Scanner, marker

if TYPE_CHECKING:
    from .engines import Engine
    from .records import Attribute

CLEAN_VALUES_MAX = 20_000
"""Values remembered as clean; when full, the memory is emptied, which costs one scan a value."""

CLEAN_CHARS_MAX = 256
"""Longer values hardly repeat."""

HANDLERS_MAX = 4_096
"""Attribute names remembered; a sender can invent names without end."""

PSEUDONYMS_MAX = 4_096
"""Stand-ins remembered for each attribute."""

DEPTH_MAX = 16
"""How deep lists, maps and JSON in strings are followed; deeper values are scanned as JSON text."""

CODE_CHARS_MIN = 16
"""A path and contents in JSON are longer, and so is a fenced block."""

CARD_NUMBERS = range(10**14, 10**16)
"""Integers with as many digits as a payment card's: the only numbers that are looked at as texts are."""

SHORT_KEY_CHARS = 5
"""No secret is as short as that, and most names in JSON are."""

FAILED: Final = marker("sanitizer-error")


class Dropped:
    """The type of `DROPPED`."""

    def __repr__(self) -> str:
        """Return the name of the one instance."""
        return "DROPPED"


DROPPED: Final = Dropped()
"""Stands for an attribute that is not stored."""

Handler = Callable[[str], "str | Dropped"]

NOTHING_KNOWN: Final[dict[str, str]] = {}
"""The memory of attributes whose values are judged each time; nothing is put into it."""


class Tally:
    """Counts of what was done: by rule and attribute, never with a value."""

    def __init__(self) -> None:
        self.redactions: Counter[tuple[str, str]] = Counter()
        self.errors: Counter[str] = Counter()

    def take(self) -> tuple[dict[tuple[str, str], int], dict[str, int]]:
        """Return the counts of redactions by (rule, attribute) and of errors by attribute, and start anew."""
        counts = dict(self.redactions), dict(self.errors)
        self.redactions.clear()
        self.errors.clear()
        return counts


class Redactor:
    """Applies a policy. Not safe for use by several threads at once; make one for each."""

    def __init__(
        self, policy: Policy, key: bytes, *, rules: tuple[Rule, ...] | None = None, engine: Engine | None = None
    ) -> None:
        self.policy = policy
        self.tally = Tally()
        self.pseudonyms = Pseudonyms(key)
        chosen = [rule for rule in (*(rules or shipped_rules()), *policy.rules) if rule.id not in policy.rules_off]
        self.scanner = Scanner(
            chosen,
            self.pseudonyms,
            engine,
            allow=policy.allow,
            allow_domains=policy.allow_domains,
            allow_patterns=policy.allow_patterns,
            known_values=() if "known-value" in policy.rules_off else policy.known_values,
        )
        self._contents = Contents(policy.code)
        self._off = policy.profile is Profile.OFF
        self._clean: dict[str, str] = {}
        self._kept: dict[str, str] = {}
        self._handlers: dict[str, Handler] = {}
        self._memories: dict[Handler, dict[str, str]] = {}
        self._names = self._known_names()

    def handler(self, key: str) -> Handler:
        """Return the function that judges string values of the attribute `key`."""
        handler = self._handlers.get(key)
        if handler is None:
            if len(self._handlers) > HANDLERS_MAX:
                self._handlers.clear()
                self._memories.clear()
            handler = self._handlers[key] = self._make(key, self.policy.rule_for(key))
        return handler

    def memory(self, key: str) -> dict[str, str]:
        """Return what is known of string values of the attribute `key`: value -> judged value.

        A look into it saves the call of `handler(key)` for the values that repeat, which most do; it may be emptied at
        any time.
        """
        handler = self._handlers.get(key) or self.handler(key)
        return self._memories.get(handler, NOTHING_KNOWN)

    def attribute(self, key: str, value: Attribute) -> Attribute | Dropped:
        """Judge one attribute of any type, or return `DROPPED`."""
        if isinstance(value, str):
            return self.handler(key)(value)
        if value is None or self._off:
            return value
        try:
            self.scanner.start(_dump(value) if isinstance(value, (list, dict)) else "")
            return self._composite(key, value)
        except TooMuch:
            return self._too_much(self.name(key))
        except Exception:  # noqa: BLE001 (fail closed, whatever it was)
            return self._failed(key)

    def name(self, key: str) -> str:
        """Return the name of an attribute, scanned unless it is known."""
        known = self._names.get(key)
        if known is None:
            if len(self._names) > HANDLERS_MAX:
                self._names = self._known_names()
            known = self._names[key] = key if self._off else self._scan("attribute name", key)
        return known

    def text(self, value: str) -> str:
        """Judge a text that has no name, such as a log body or a status message."""
        return value if self._off else self._scan("text", value)

    def without_contents(self, attributes: dict[str, Attribute]) -> dict[str, Attribute]:
        """Return a record's attributes without what a hidden file held: one names it, others have the contents."""
        if self._off or not self._contents.active:
            return attributes
        try:
            return self._contents.map(attributes)
        except Exception:  # noqa: BLE001 (fail closed, whatever it was)
            return dict.fromkeys(attributes, self._failed("contents"))

    def sanitized(self, text: str, attribute: str | None = None) -> str:
        """Return a text as the gate would store it under the name `attribute`; empty when it would not."""
        clean = self.text(text) if attribute is None else self.handler(attribute)(text)
        return clean if isinstance(clean, str) else ""

    def explain(self, text: str, attribute: str | None = None) -> list[Finding]:
        """Say what happens to a text under the name `attribute`, piece by piece and why; never what a piece says."""
        tally, self.tally = self.tally, Tally()
        try:
            self._clean.pop(text, None)
            after = self.sanitized(text, attribute)
            return explained(self, text, attribute, after)
        finally:
            self.tally = tally

    def _known_names(self) -> dict[str, str]:
        return {name: name for name in self.policy.names()}

    def _make(self, key: str, rule: AttributeRule) -> Handler:
        if self._off:
            return lambda value: value
        if rule.action is Action.KEEP:
            return self._keep(key, rule.shape or "")
        if rule.action is Action.DROP:
            return lambda _value: DROPPED
        if rule.action is Action.HASH:
            return self._hash(rule.kind or "value")
        if rule.action is Action.LENGTH:
            return lambda value: self._length(rule.kind or "value", value)
        if rule.action is Action.COUNT:
            return lambda value: counts(value) if value else value
        if rule.action is Action.ALLOW:
            return whole
        return self._scanning(key)

    def _scanning(self, key: str) -> Handler:
        where = self.name(key)
        if kind := secret_class(key):
            return lambda value: self._promised(where, kind, value)

        def scan(value: str) -> str:
            return self._scan(where, value)

        if SOCIAL_SECURITY.search(key):
            return lambda value: self._social(where, key, value) if is_social_security(key, value) else scan(value)
        self._memories[scan] = self._clean
        return scan

    def _promised(self, where: str, kind: str, value: str) -> str:
        """Judge the value of an attribute whose name promises a secret; what is clean elsewhere may be one here."""
        try:
            if _is_open(value) and is_secret(value, kind, quoted=True):
                self._note("assignment", where)
                return marker("assignment")
        except Exception:  # noqa: BLE001 (fail closed, whatever it was)
            return self._failed(where)
        return self._scan(where, value)

    def _hash(self, kind: str) -> Handler:
        of = self.pseudonyms.of
        known: dict[str, str] = {}

        def stand_in(value: str) -> str:
            found = known.get(value)
            if found is None:
                if len(known) >= PSEUDONYMS_MAX:
                    known.clear()
                found = known[value] = of(kind, value) if value and value != FAILED else value
            return found

        self._memories[stand_in] = known
        return stand_in

    def _keep(self, key: str, shape: str) -> Handler:
        fits, sure = SHAPES[shape].fullmatch, TOKENLESS.fullmatch
        where = self.name(key)
        kept = self._kept

        def keep(value: str) -> str:
            if value in kept:
                return value
            if sure(value) is not None or (fits(value) is not None and not self._is_token(value)):
                _remember(kept, value)
                return value
            return self._scan(where, value)

        self._memories[keep] = kept
        return keep

    def _is_token(self, value: str) -> bool:
        try:
            return self.scanner.holds_token(value)
        except Exception:  # noqa: BLE001 (in doubt it is one, and scanning will say so and count)
            return True

    def _length(self, kind: str, value: str) -> str:
        if is_length(value):
            return value
        return f'{{"length":{len(value)},"digest":"{self.pseudonyms.of(kind, value)}"}}'

    def _composite(self, key: str, value: Attribute) -> Attribute | Dropped:
        rule = self.policy.rule_for(key)
        if rule.action is Action.DROP:
            return DROPPED
        if rule.action is Action.ALLOW:
            return value
        if rule.action in {Action.HASH, Action.LENGTH, Action.COUNT}:
            handler = self.handler(key)
            if isinstance(value, (bytes, list, dict)):
                return handler(_dump(value))
            return handler(str(value)) if rule.action is Action.HASH else value
        if isinstance(value, bytes):
            return self._bytes(key, value)
        if rule.action is Action.KEEP and isinstance(value, (bool, int, float)):
            return value
        return self._walk(self.name(key), value, 0, key)

    def _bytes(self, key: str, value: bytes) -> bytes:
        text = value.decode("utf-8", "replace")
        clean = self._scan(self.name(key), text)
        return value if clean == text else clean.encode()

    def _scan(self, where: str, value: str) -> str:
        if value in self._clean:
            return value
        try:
            clean = self._judge(where, value)
        except Exception:  # noqa: BLE001 (fail closed, whatever it was)
            return self._failed(where)
        if clean == value:
            _remember(self._clean, value)
        return clean

    def _failed(self, where: str) -> str:
        self.tally.errors[where] += 1
        return FAILED

    def _judge(self, where: str, value: str) -> str:
        if not value.isascii():
            value = whole(value)
        scanner = self.scanner
        scanner.start(value)
        if value[:1] in "{[" and value[-1:] in "}]" and len(value) > 1:
            try:
                value = self._json(where, value, 0)
            except TooMuch:
                return self._too_much(where)
        if self._contents.active:
            value = self._without_code(where, value)
        return scanner.rest(value, lambda rule: self._note(rule, where))

    def _too_much(self, where: str) -> str:
        self._note(TOO_MANY, where)
        return marker(TOO_MANY)

    def _without_code(self, where: str, value: str) -> str:
        clean = self._contents.text(value)
        if clean != value:
            self._note("code", where)
        return clean

    def _note(self, rule: str, where: str) -> None:
        self.tally.redactions[rule, where] += 1

    def _json(self, where: str, value: str, depth: int) -> str:
        """Clean JSON inside a string, and write it anew only if something had to go."""
        try:
            parsed = orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
        clean = self._walk(where, parsed, depth)
        return value if clean == parsed else orjson.dumps(clean).decode()

    def _walk(self, where: str, value: Attribute, depth: int, name: str = "") -> Attribute:
        if isinstance(value, str):
            if depth < DEPTH_MAX and value[:1] in "{[" and len(value) > 1:
                value = self._json(where, value, depth + 1)
            if self._contents.active and len(value) > CODE_CHARS_MIN:
                value = self._without_code(where, value)
            return self.scanner.piece(value, lambda rule: self._note(rule, where))
        if type(value) is int:
            return self._number(where, name, value)
        if depth >= DEPTH_MAX:
            return value if isinstance(value, (bool, int, float, type(None))) else self._too_deep(where, value)
        if isinstance(value, list):
            return self._list(where, value, depth, name)
        if isinstance(value, dict):
            return self._dict(where, value, depth)
        return value

    def _number(self, where: str, name: str, value: int) -> Attribute:
        """Judge an integer as the digits of a card, and as what its name says."""
        said = number_as_text(name, value) if name else ""
        if not said and value not in CARD_NUMBERS:
            return value
        clean = self.scanner.piece(said or str(value), lambda rule: self._note(rule, where))
        return value if clean == (said or str(value)) else clean[clean.find(": ") + 2 :] if said else clean

    def _social(self, where: str, name: str, value: str) -> str:
        self.scanner.start(value)
        return str(self._digits(where, name, value))

    def _digits(self, where: str, name: str, value: str) -> Attribute:
        clean = self._number(where, name, int(value)) if value.isascii() else value
        return value if isinstance(clean, int) else clean

    def _too_deep(self, where: str, value: Attribute) -> str:
        text = _dump(value)
        return self.scanner.piece(text, lambda rule: self._note(rule, where))

    def _list(self, where: str, items: list[Attribute], depth: int, name: str) -> list[Attribute]:
        """Clean a list; an element after `--password` is a password, as in the arguments of a command.

        So is one after `password` that looks like one. The others have the name of the list, as those of a header have.
        """
        befores = [None, *items]
        return [
            self._named(where, name_after(before, item) or name, item, depth)
            for before, item in zip(befores, items, strict=False)
        ]

    def _dict(self, where: str, items: dict[str, Attribute], depth: int) -> dict[str, Attribute]:
        """Clean a map; its keys are names, and so is the `name` beside a `value`."""
        if self._contents.active and (kept := self._contents.map(items)) is not items:
            self._note("code", where)
            items = kept
        pair = pair_name(items)
        clean: dict[str, Attribute] = {}
        for key, item in items.items():
            name = pair if pair and is_value(key) else key
            clean[self.scanner.piece(key) if len(key) > SHORT_KEY_CHARS else key] = self._named(
                where, name, item, depth
            )
        return clean

    def _named(self, where: str, name: str, item: Attribute, depth: int) -> Attribute:
        if isinstance(item, bytes):
            text = item.decode("utf-8", "replace")
            clean = self._walk(where, text, depth + 1, name)
            return item if clean == text else str(clean).encode()
        if name and isinstance(item, str) and is_social_security(name, item):
            return self._digits(where, name, item)
        kind = secret_class(name) if isinstance(item, str) and name else ""
        if kind and isinstance(item, str) and _is_open(item) and is_secret(item, kind, quoted=True):
            self._note("assignment", where)
            self.scanner.replaced()
            return marker("assignment")
        return self._walk(where, item, depth + 1, name)


def _dump(value: Attribute) -> str:
    """Spell a value as JSON, whatever it holds; `orjson` refuses integers beyond 64 bits and bytes."""
    return json.dumps(value, ensure_ascii=False, default=repr)


def _remember(values: dict[str, str], value: str) -> None:
    if len(value) <= CLEAN_CHARS_MAX:
        if len(values) >= CLEAN_VALUES_MAX:
            values.clear()
        values[value] = value


def _is_open(value: str) -> bool:
    return not value.startswith("[REDACTED:") and not is_stand_in(value)


def whole(value: str) -> str:
    """Return `value` with lone surrogates replaced: no engine and no file would take them."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return value


def is_length(value: str) -> bool:
    """Tell whether a value is what `LENGTH` leaves of one."""
    if not value.startswith('{"length":') or len(value) > CLEAN_CHARS_MAX:
        return False
    digest = value.partition('"digest":"')[2]
    return digest.endswith('"}') and is_stand_in(digest[:-2])
