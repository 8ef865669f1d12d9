"""What was purged and must not come back: keyed digests of sessions and users, and days before which nothing is taken.

A digest leads back to nobody: whoever has a session's id or a user's stand-in can ask whether it was purged, and that
is all. Who a stand-in is only the installation's key tells.
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


def salt_of(key: bytes) -> bytes:
    """What digests are made with: it stays with them, so that they go on recognizing when the key is replaced."""
    return blake2b(b"tomb", key=key, digest_size=32).digest()


def digest_of(salt: bytes, kind: str, value: str) -> str:
    """What stands for a purged session or user. 32 hex digits."""
    return blake2b(f"{kind}:{value}".encode("utf-8", "replace"), key=salt, digest_size=16).hexdigest()


@dataclass(slots=True)
class Tombs:
    """All that was purged.

    Args:
        digests: by the salt they were made with.
        before_us: imported records that happened earlier are not taken; what clients send now always is.
    """

    digests: dict[bytes, frozenset[str]] = field(default_factory=dict)
    before_us: int = 0
    _known: dict[tuple[str, str], bool] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(self.digests.values()) or self.before_us > 0

    def take(self, others: Tombs) -> None:
        """Judge by these from now on."""
        self.before_us = others.before_us
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
            known = any(digest_of(salt, kind, value) in digests for salt, digests in self.digests.items())
            self._known[kind, value] = known
        return known

    def held(self, kind: str, values: Iterable[str]) -> list[str]:
        """Which of these were purged."""
        return [value for value in values if self.holds(kind, value)]
