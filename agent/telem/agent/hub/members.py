"""Who may come to the hub: names, roles, and digests of their tokens. One file, replaced whole, 0600.

A token is shown once, when it is made; what is kept is its SHA-256. It has 256 random bits, so a plain digest is
enough: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import orjson

from telem.agent.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telem.storage.disk import Disk

SCHEMA = 1
TOKEN_PREFIX = "telem-hub-"  # noqa: S105 (what a token begins with, so that scanners and people recognize it)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
ID = re.compile(r"m-[0-9a-f]{8}")


class Role(StrEnum):
    """What a token may do: send and read its own; read what the team adds up to; manage."""

    MEMBER = "member"
    COORDINATOR = "coordinator"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Member:
    """One person, or one machine, that the hub knows.

    Args:
        id: opaque, chosen by the hub; names the member's folder.
        token_sha256: hex; empty when revoked.
        quota_bytes: the most that the member's folder may hold.
    """

    id: str
    name: str
    role: Role
    token_sha256: str
    created_at_s: float
    quota_bytes: int
    expires_at_s: float | None = None
    revoked_at_s: float | None = None

    def is_valid(self, now_s: float) -> bool:
        """May it still come in?"""
        return self.revoked_at_s is None and (self.expires_at_s is None or now_s < self.expires_at_s)


class Members:
    """The register of a hub.

    Args:
        path: its file; need not exist.
    """

    def __init__(self, path: Path, disk: Disk) -> None:
        self._path = path
        self._disk = disk
        self._stamp: tuple[int, int] | None = None
        self._by_id: dict[str, Member] = {}
        self._by_digest: dict[str, Member] = {}

    def __iter__(self) -> Iterator[Member]:
        """All of them, the revoked ones too, in the order in which they came."""
        self._refresh()
        return iter(list(self._by_id.values()))

    def of_token(self, token: str, now_s: float) -> Member | None:
        """The member who may come in with this token, or None. A change of the file counts at once."""
        self._refresh()
        member = self._by_digest.get(digest(token))
        return member if member and member.is_valid(now_s) else None

    def named(self, name: str) -> Member:
        """The member with this name or id.

        Raises:
            AgentError: there is none.
        """
        self._refresh()
        for member in self._by_id.values():
            if name in (member.id, member.name):
                return member
        known = ", ".join(member.name for member in self._by_id.values()) or "nobody yet"
        raise AgentError(f"the hub knows no member {name!r}", f"It knows: {known}")

    def add(self, name: str, role: Role, now_s: float, quota_bytes: int, days: float | None) -> tuple[Member, str]:
        """Add somebody; the member, and the token that is told this once.

        Raises:
            AgentError: the name cannot be used, or is taken.
        """
        if not NAME.fullmatch(name) or ID.fullmatch(name):
            raise AgentError(
                f"{name!r} is no name for a member",
                "Letters, digits, dots, dashes and underscores; at most 63, and not like an id (m-0123abcd).",
            )
        with self._changing():
            if any(name == member.name for member in self._by_id.values()):
                raise AgentError(
                    f"there is a member {name} already", f"A new token: telem-agent hub member rotate {name}"
                )
            token = new_token()
            expires_at_s = now_s + days * 86_400 if days else None
            member = Member(self._new_id(), name, role, digest(token), now_s, quota_bytes, expires_at_s)
            self._save([*self._by_id.values(), member])
        return member, token

    def rotate(self, name: str, now_s: float, days: float | None) -> tuple[Member, str]:
        """Give a member a new token; the old one counts no longer. Also lets a revoked member in again."""
        with self._changing():
            token = new_token()
            expires_at_s = now_s + days * 86_400 if days else None
            member = replace(self.named(name), token_sha256=digest(token), expires_at_s=expires_at_s, revoked_at_s=None)
            self._save([member if other.id == member.id else other for other in self._by_id.values()])
        return member, token

    def revoke(self, name: str, now_s: float) -> Member:
        """Let a member in no longer. The member's data stays until it is purged."""
        with self._changing():
            member = replace(self.named(name), token_sha256="", revoked_at_s=now_s)
            self._save([member if other.id == member.id else other for other in self._by_id.values()])
        return member

    def _new_id(self) -> str:
        while (found := f"m-{secrets.token_hex(4)}") in self._by_id:
            pass
        return found

    def _changing(self) -> _Changing:
        return _Changing(self, self._disk, self._path)

    def _refresh(self) -> None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._by_id, self._by_digest, self._stamp = {}, {}, None
            return
        stamp = (found.st_mtime_ns, found.st_ino)
        if stamp == self._stamp:
            return
        said = orjson.loads(self._path.read_bytes())
        if said.get("schema") != SCHEMA:
            raise AgentError(f"{self._path} was written by another version", "Use that version, or a newer one.")
        members = [_member(one) for one in said["members"]]
        self._by_id = {member.id: member for member in members}
        self._by_digest = {member.token_sha256: member for member in members if member.token_sha256}
        self._stamp = stamp

    def _save(self, members: list[Member]) -> None:
        self._disk.directory(self._path.parent)
        said = {"schema": SCHEMA, "members": [asdict(member) for member in members]}
        self._disk.write(self._path, orjson.dumps(said, option=orjson.OPT_INDENT_2))
        self._stamp = None
        self._refresh()


class _Changing:
    """Reading, changing and writing the register, one process at a time."""

    def __init__(self, members: Members, disk: Disk, path: Path) -> None:
        self._members = members
        self._disk = disk
        self._path = path

    def __enter__(self) -> None:
        self._disk.directory(self._path.parent)
        self._lock = self._disk.wait_for_lock(self._path.with_suffix(".lock"))
        self._members._refresh()  # noqa: SLF001 (its other half)

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def digest(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def new_token() -> str:
    """A token of 256 random bits."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def _member(said: dict[str, Any]) -> Member:
    return Member(**{**said, "role": Role(said["role"])})
