"""The registry of what left the folder: every backup and export, where it was written and what time it covers.

It lets a purge name the copies that it cannot reach. It holds paths, days and counts, no telemetry. An entry is made
before the first byte is written, so that one that was interrupted is named too.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from .disk import Disk
    from .layout import Layout

SCHEMA = 1
ENTRIES_MAX = 10_000
"""Then the oldest goes: a nightly backup fills this in 27 years."""


def record(layout: Layout, disk: Disk, kind: str, path: str, **what: Any) -> str:
    """Note that something is about to be written; returns the entry's id.

    Args:
        kind: `backup`, `export` or `import`.
        path: where to, as an absolute path; `-` for standard output, which nobody can name later.
        what: whatever says more about it: since, until, tables, rows, bytes.
    """
    entries = known(layout)
    at = datetime.now(UTC)
    entry_id = f"{at:%Y%m%dT%H%M%S%f}"
    entries.append({"id": entry_id, "kind": kind, "path": path, "at": at.isoformat(timespec="seconds"), **what})
    _write(layout, disk, entries)
    return entry_id


def complete(layout: Layout, disk: Disk, entry_id: str, **what: Any) -> None:
    """Note what came of an entry."""
    entries = known(layout)
    for entry in entries:
        if entry.get("id") == entry_id:
            entry.update(what, finished=True)
    _write(layout, disk, entries)


def known(layout: Layout) -> list[dict[str, Any]]:
    """All entries, oldest first. A file that cannot be read counts as none, and is written anew."""
    try:
        found = orjson.loads(layout.exports.read_bytes())
    except (FileNotFoundError, ValueError):
        return []
    entries = found.get("exports") if isinstance(found, dict) else None
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _write(layout: Layout, disk: Disk, entries: list[dict[str, Any]]) -> None:
    said = {"schema": SCHEMA, "exports": entries[-ENTRIES_MAX:]}
    disk.write(layout.exports, orjson.dumps(said, option=orjson.OPT_INDENT_2))
