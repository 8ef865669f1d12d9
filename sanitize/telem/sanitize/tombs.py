"""What was purged and must not come back: keyed digests of sessions and users, and days before which nothing is taken.

A digest leads back to nobody without the installation's key, and a session's or user's own rows are the only ones it
can recognise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .records import Row

SESSION, USER = "session", "user"
USER_COLUMNS = ("user_email", "account_id", "user_id")
IMPORTED = "transcript"
_REMEMBERED_MAX = 65_536


def digest_of(key: bytes, kind: str, value: str) -> str:
    """What stands for a purged session or user. 32 hex digits."""
    tomb_key = blake2b(b"tomb", key=key, digest_size=32).digest()
    return blake2b(f"{kind}:{value}".encode("utf-8", "replace"), key=tomb_key, digest_size=16).hexdigest()


@dataclass(slots=True)
class Tombs:
    """All that was purged.

    Args:
        before_us: imported records that happened earlier are not taken; what clients send now always is.
    """

    key: bytes = b""
    digests: frozenset[str] = frozenset()
    before_us: int = 0
    _known: dict[tuple[str, str], bool] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.digests) or self.before_us > 0

    def take(self, others: Tombs) -> None:
        """Judge by these from now on."""
        self.key, self.before_us = others.key, others.before_us
        self._known.clear()
        self.digests = others.digests
        self._known.clear()

    def covers(self, row: Row) -> bool:
        """Was the row's session, or its user, purged?"""
        if self.before_us and row.get("source") == IMPORTED and int(str(row["time"])) < self.before_us:
            return True
        session = row.get("session_id")
        if isinstance(session, str) and self.holds(SESSION, session):
            return True
        return any(self.holds(USER, user) for column in USER_COLUMNS if isinstance(user := row.get(column), str))

    def holds(self, kind: str, value: str) -> bool:
        """Was this session or user purged?"""
        if not self.digests:
            return False
        known = self._known.get((kind, value))
        if known is None:
            if len(self._known) >= _REMEMBERED_MAX:
                self._known.clear()
            known = self._known[kind, value] = digest_of(self.key, kind, value) in self.digests
        return known

    def held(self, kind: str, values: Iterable[str]) -> list[str]:
        """Which of these were purged."""
        return [value for value in values if self.holds(kind, value)]
