"""What was purged, on disk: keyed digests, and the time before which nothing is imported. Names nobody."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from telem.sanitize.tombs import Tombs, digest_of

if TYPE_CHECKING:
    from .disk import Disk
    from .layout import Layout

SCHEMA = 1


class TombstoneError(RuntimeError):
    """The tombstones cannot be read; the message says why and what to do."""


def read(layout: Layout, key: bytes) -> Tombs:
    """All tombstones, ready to judge rows.

    Raises:
        TombstoneError: the file is there and does not read as ours: what was purged might come back.
    """
    said = _read(layout)
    return Tombs(key, frozenset(str(item["digest"]) for item in said["digests"]), int(said["before_us"]))


def _read(layout: Layout) -> dict[str, Any]:
    path = layout.tombstones
    try:
        said: dict[str, Any] = json.loads(path.read_bytes())
        if said["schema"] != SCHEMA:
            raise TombstoneError(f"{path} has schema {said['schema']!r}, this program knows {SCHEMA}. Use a newer one.")
        _ = [item["digest"] for item in said["digests"]], int(said["before_us"])
    except FileNotFoundError:
        return {"schema": SCHEMA, "digests": [], "before_us": 0}
    except (ValueError, KeyError, TypeError) as error:
        raise TombstoneError(f"{path} is damaged: {error!r}. Restore it from a backup.") from error
    return said


def add(layout: Layout, disk: Disk, key: bytes, kind: str, value: str) -> str:
    """Keep a session or a user from coming back; returns its digest. Twice is as once."""
    said, digest = _read(layout), digest_of(key, kind, value)
    if digest not in {item["digest"] for item in said["digests"]}:
        said["digests"].append({"digest": digest, "kind": kind, "at_s": int(time.time())})
        disk.write(layout.tombstones, json.dumps(said).encode() + b"\n")
    return digest


def add_before(layout: Layout, disk: Disk, before_us: int) -> None:
    """Keep imports from bringing back what happened earlier."""
    said = _read(layout)
    if before_us > said["before_us"]:
        said["before_us"] = before_us
        disk.write(layout.tombstones, json.dumps(said).encode() + b"\n")
