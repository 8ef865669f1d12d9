"""What was purged, on disk: keyed digests, and the time before which nothing is imported. Names nobody.

Each digest stands beside the salt it was made with, so that it goes on recognizing what it stands for when the key is
replaced, and in a folder that was restored without the key.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from telem.sanitize.tombs import Tombs, digest_of, salt_of

if TYPE_CHECKING:
    from pathlib import Path

    from .disk import Disk
    from .layout import Layout

SCHEMA = 2
_KNOWN = (1, SCHEMA)
"""The first had no salts: its digests are under the key that was in force."""


class TombstoneError(RuntimeError):
    """The tombstones cannot be read; the message says why and what to do."""


def read(layout: Layout, key: bytes) -> Tombs:
    """All tombstones, ready to judge rows.

    Raises:
        TombstoneError: the file is there and does not read as ours: what was purged might come back.
    """
    return of(_read(layout.tombstones, key))


def of(said: dict[str, Any]) -> Tombs:
    """What `said` says, ready to judge rows."""
    digests: dict[bytes, set[str]] = {}
    for item in said["digests"]:
        digests.setdefault(bytes.fromhex(item["salt"]), set()).add(item["digest"])
    return Tombs({salt: frozenset(found) for salt, found in digests.items()}, said["before_us"])


def said_by(path: Path, key: bytes | None = None) -> dict[str, Any]:
    """What a file of tombstones says; that of nothing when there is none.

    Args:
        key: of the folder it lies in, for digests without a salt; without it those are left out.

    Raises:
        TombstoneError: it is there and does not read as ours.
    """
    return _read(path, key)


def _read(path: Path, key: bytes | None) -> dict[str, Any]:
    try:
        return parsed(path.read_bytes(), str(path), key)
    except FileNotFoundError:
        return {"schema": SCHEMA, "digests": [], "before_us": 0}


def parsed(data: bytes, name: str, key: bytes | None = None) -> dict[str, Any]:
    """What the bytes of such a file say.

    Raises:
        TombstoneError: they are none.
    """
    salt = salt_of(key).hex() if key else ""
    try:
        said: dict[str, Any] = json.loads(data)
        if said["schema"] not in _KNOWN:
            raise TombstoneError(f"{name} has schema {said['schema']!r}, this program knows {SCHEMA}. Use a newer one.")
        digests = [
            {**item, "salt": str(item.get("salt", salt)), "digest": str(item["digest"])} for item in said["digests"]
        ]
        _ = [bytes.fromhex(item["salt"]) for item in digests]
        kept = [item for item in digests if item["salt"]]
        return {"schema": SCHEMA, "digests": kept, "before_us": int(said["before_us"])}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TombstoneError(f"{name} is damaged: {error!r}. Restore it from a backup.") from error


def add(layout: Layout, disk: Disk, key: bytes, kind: str, value: str) -> str:
    """Keep a session or a user from coming back; returns its digest. Twice is as once."""
    said, salt = _read(layout.tombstones, key), salt_of(key)
    digest = digest_of(salt, kind, value)
    if digest not in {item["digest"] for item in said["digests"]}:
        said["digests"].append({"digest": digest, "kind": kind, "at_s": int(time.time()), "salt": salt.hex()})
        _write(layout, disk, said)
    return digest


def add_before(layout: Layout, disk: Disk, key: bytes, before_us: int) -> None:
    """Keep imports from bringing back what happened earlier."""
    said = _read(layout.tombstones, key)
    if before_us > said["before_us"]:
        said["before_us"] = before_us
        _write(layout, disk, said)


def keep(layout: Layout, disk: Disk, key: bytes) -> None:
    """Put the salt beside digests that have none yet, before the key is replaced."""
    if layout.tombstones.exists():
        _write(layout, disk, _read(layout.tombstones, key))


def together(*several: dict[str, Any]) -> dict[str, Any]:
    """What several files say, in one."""
    digests = {(item["salt"], item["digest"]): item for said in several for item in said["digests"]}
    before_us = max((said["before_us"] for said in several), default=0)
    return {"schema": SCHEMA, "digests": list(digests.values()), "before_us": before_us}


def data_of(said: dict[str, Any]) -> bytes:
    """The file that says so."""
    return json.dumps(said).encode() + b"\n"


def _write(layout: Layout, disk: Disk, said: dict[str, Any]) -> None:
    disk.write(layout.tombstones, data_of(said))
