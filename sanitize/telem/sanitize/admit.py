"""The last judgement: is a finished row stored? Noise is not, nor what sampling leaves out, nor what was purged (pure).

What is left out is counted by client, event and rule. The decision about a kind of record is made once and remembered;
a row of a kind that nobody speaks of costs two look-ups.
"""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from .noise import NEVER_SAMPLED
from .records import Signal
from .tombs import Tombs

if TYPE_CHECKING:
    from .noise import Admission, NoiseRule
    from .records import Row

PURGED, SAMPLED = "purged", "sampling"
"""What stands in place of a rule's id."""

_KINDS_MAX = 4096
_SESSIONS_MAX = 65_536
"""Sessions remembered as begun; a forgotten one keeps one record more."""

_WHOLE = 1 << 64
_NAMES = {Signal.LOGS: "event_name", Signal.METRICS: "metric", Signal.TRACES: "name"}

Dropped = Counter[tuple[str, str, str]]
"""(client, event or span, rule) -> records."""


class Plan(NamedTuple):
    """What is known about a kind of record."""

    rules: tuple[NoiseRule, ...]
    ratio: float | None


class Admit:
    """Decides row by row. One for all gates of a daemon: it remembers which sessions have begun.

    Args:
        key: the installation's; whether a session is in the sample follows from the key and its id alone.
        tombs: what was purged, and must not come back.
        dropped: where to count what is left out.
    """

    def __init__(
        self, admission: Admission, key: bytes, tombs: Tombs | None = None, dropped: Dropped | None = None
    ) -> None:
        self.dropped: Dropped = Counter() if dropped is None else dropped
        self.tombs = Tombs() if tombs is None else tombs
        self._admission = admission
        self._key = blake2b(b"sampling", key=key, digest_size=32).digest()
        self._plans: dict[tuple[Signal, object, object, object], Plan] = {}
        self._begun: dict[str, None] = {}
        self._ranks: dict[str, int] = {}

    def survives(self, row: Row, signal: Signal) -> bool:
        """Tell whether a row is none of what was purged: all that is asked of one another agent let pass."""
        if self.tombs and self.tombs.covers(row):
            self._count(row, signal, PURGED)
            return False
        return True

    def __call__(self, row: Row, signal: Signal) -> bool:
        """Tell whether the row is stored; one of a sampled type is told its ratio."""
        if self.tombs and not self.survives(row, signal):
            return False
        if signal is Signal.METRICS:
            return True
        kind = (signal, row.get("client"), row.get(_NAMES[signal]), row.get("event_type"))
        plan = self._plans.get(kind)
        if plan is None:
            plan = self._plans[kind] = self._plan(signal, kind[1], _name(row, signal), kind[3])
        session = row.get("session_id")
        if plan.rules and (session is None or session in self._begun):
            for rule in plan.rules:
                if not any(row.get(column) is not None for column in rule.unless):
                    self._count(row, signal, rule.id)
                    return False
        if plan.ratio is not None and isinstance(session, str):
            if self._rank(session) >= plan.ratio * _WHOLE:
                self._count(row, signal, SAMPLED)
                return False
            row["sample_ratio"] = plan.ratio
        if isinstance(session, str) and session not in self._begun:
            if len(self._begun) >= _SESSIONS_MAX:
                self._begun.clear()
            self._begun[session] = None
        return True

    def _plan(self, signal: Signal, client: object, name: str, event_type: object) -> Plan:
        rules = tuple(rule for rule in self._admission.rules if rule.speaks_of(signal, client, name))
        sampling = self._admission.sampling
        ratio = sampling.get(name, sampling.get(str(event_type)))
        if event_type in NEVER_SAMPLED or name in NEVER_SAMPLED:
            ratio = None
        if len(self._plans) >= _KINDS_MAX:
            self._plans.clear()
        return Plan(rules, ratio)

    def _rank(self, session: str) -> int:
        """Where the session stands among all there could be; the same for every type, so that samples nest."""
        rank = self._ranks.get(session)
        if rank is None:
            if len(self._ranks) >= _SESSIONS_MAX:
                self._ranks.clear()
            digest = blake2b(session.encode("utf-8", "replace"), key=self._key, digest_size=8).digest()
            rank = self._ranks[session] = int.from_bytes(digest, "big")
        return rank

    def _count(self, row: Row, signal: Signal, rule: str) -> None:
        self.dropped[str(row.get("client") or ""), _name(row, signal), rule] += 1


def _name(row: Row, signal: Signal) -> str:
    return str(row.get(_NAMES[signal]) or "")
