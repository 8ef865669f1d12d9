"""Which folder rows come from, so that days that two folders have in common are told apart from their own.

A folder that was restored is another one from then on: both may go on receiving. It remembers whose it was, and until
which day. A folder that never was restored, and never had another key, is known by the id of its key; the file is made
before either changes.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from .keys import key_id, read_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .disk import Disk
    from .layout import Layout

SCHEMA = 1
ALWAYS = "9999-12-31"
ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class Past:
    """Whose the days were, up to a last one (YYYY-MM-DD)."""

    id: str
    until: str


@dataclass(frozen=True, slots=True)
class Origin:
    """A folder's id, and those it was restored from, the first one first."""

    id: str = ""
    past: tuple[Past, ...] = ()

    def of_day(self, day: str) -> str:
        """The id of the folder that received what this one has of an ingest day."""
        return next((past.id for past in self.past if day <= past.until), self.id)

    def has(self, origin: str, day: str) -> bool:
        """Is what that folder received on that day here by nature, since this is it, or was restored from it?"""
        return bool(origin) and self.of_day(day) == origin

    def shared_until(self, other: Origin) -> str:
        """The last day whose rows both may have, since they are one folder, or have one in their past; else empty."""
        mine, theirs = self._lineage(), other._lineage()
        return max((min(mine[one], theirs[one]) for one in mine.keys() & theirs.keys()), default="")

    def _lineage(self) -> dict[str, str]:
        return {past.id: past.until for past in self.past} | ({self.id: ALWAYS} if self.id else {})

    def said(self) -> dict[str, Any]:
        """For the head of a backup."""
        return {"id": self.id, "past": [asdict(past) for past in self.past]}


def read(layout: Layout) -> Origin:
    """Which folder this is; without an id when it has no key yet."""
    try:
        return parsed(json.loads(layout.origin.read_bytes()))
    except FileNotFoundError:
        key = read_key(layout)
        return Origin(key_id(key) if key else "")


def parsed(said: Mapping[str, Any]) -> Origin:
    """What such a file, or the head of a backup, says."""
    return Origin(str(said["id"]), tuple(Past(str(one["id"]), str(one["until"])) for one in said["past"]))


def of_backup(about: Mapping[str, Any]) -> Origin:
    """Which folder a backup was made of; the first ones say it by their key alone."""
    return parsed(about["origin"]) if "origin" in about else Origin(str(about.get("key_id") or ""))


def keep(layout: Layout, disk: Disk) -> None:
    """Write down which folder this is, before its key is replaced."""
    found = read(layout)
    if found.id and not layout.origin.exists():
        _write(layout, disk, found)


def restored(layout: Layout, disk: Disk, about: Mapping[str, Any], until: str) -> None:
    """Make a folder that was just restored one of its own."""
    before = of_backup(about)
    if before.id:
        past = (*before.past, Past(before.id, until))
        _write(layout, disk, Origin(secrets.token_hex(ID_BYTES), past))


def _write(layout: Layout, disk: Disk, origin: Origin) -> None:
    disk.write(layout.origin, json.dumps({"schema": SCHEMA, **origin.said()}).encode() + b"\n")
