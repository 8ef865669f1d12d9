"""Which records are not worth keeping, and of which types only a share of sessions is kept: read from TOML (pure)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from .columns import COLUMNS
from .records import Signal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ANY = "*"
NEVER_SAMPLED = ("api_request", "api_error")
"""Tokens, cost and failures come from them: their sums must be those of all sessions."""

SETTINGS = ("noise", "noise_keep", "sampling")
_CHOICES = ("drop", "keep")


class NoiseError(ValueError):
    """What was said of noise or sampling cannot be used; the message says where and why."""


@dataclass(frozen=True, slots=True)
class NoiseRule:
    """One kind of record that no question needs."""

    id: str
    sentence: str
    signal: Signal
    client: str
    names: frozenset[str]
    unless: tuple[str, ...]

    def speaks_of(self, signal: Signal, client: object, name: str) -> bool:
        """Is it about records of this signal, client and name?"""
        return signal is self.signal and client == self.client and (name in self.names or ANY in self.names)


@dataclass(frozen=True, slots=True)
class Admission:
    """What is stored of what was sanitized: the rules in force, and by event the share of sessions that is kept."""

    rules: tuple[NoiseRule, ...] = ()
    sampling: Mapping[str, float] = field(default_factory=dict)


@cache
def shipped_noise() -> tuple[NoiseRule, ...]:
    """The rules that come with the program."""
    text = (resources.files(__package__) / "noise.toml").read_text(encoding="utf-8")
    return tuple(map(_rule, tomllib.loads(text)["rule"]))


def _rule(table: dict[str, Any]) -> NoiseRule:
    signal = Signal(table["signal"])
    known = {column.name for column in COLUMNS[signal]}
    if unknown := sorted(set(table["unless"]) - known):
        raise NoiseError(f"{table['id']}: {signal} have no column {unknown[0]!r}")
    return NoiseRule(
        table["id"], table["sentence"], signal, table["client"], frozenset(table["names"]), tuple(table["unless"])
    )


def parse_admission(tables: Mapping[str, Any]) -> Admission:
    """Read `noise`, `noise_keep` and `sampling` of the user's `sanitize.toml`.

    Raises:
        NoiseError: one of them cannot be used.
    """
    choice = tables.get("noise", "drop")
    if choice not in _CHOICES:
        raise NoiseError(f"noise is one of {', '.join(_CHOICES)}; this is {choice!r}")
    kept = _ids(tables.get("noise_keep", []))
    rules = () if choice == "keep" else tuple(rule for rule in shipped_noise() if rule.id not in kept)
    return Admission(rules, dict(_ratios(tables.get("sampling", {}))))


def _ids(listed: Any) -> set[str]:
    known = {rule.id for rule in shipped_noise()}
    if not isinstance(listed, list):
        raise NoiseError("noise_keep is a list of rules")
    if unknown := sorted(str(item) for item in listed if item not in known):
        raise NoiseError(f"noise_keep: there is no rule {unknown[0]!r}; there are {', '.join(sorted(known))}")
    return set(listed)


def _ratios(table: Any) -> Iterable[tuple[str, float]]:
    if not isinstance(table, dict):
        raise NoiseError("sampling is a table: event = share of sessions to keep")
    for name, ratio in table.items():
        if name in NEVER_SAMPLED:
            raise NoiseError(
                f"sampling.{name}: {' and '.join(NEVER_SAMPLED)} are always kept, whole: totals stand on them"
            )
        if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 <= ratio <= 1:
            raise NoiseError(f"sampling.{name} lies between 0 (no session) and 1 (all); this is {ratio!r}")
        if ratio < 1:
            yield name, float(ratio)
