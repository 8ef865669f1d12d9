"""A backup: everything that cannot be made anew, of one moment, as one stream. The daemon goes on meanwhile.

The key stays out unless it is asked for. Without it nobody who gets hold of the backup can test whether a known
person's rows are in it; but who restores it gets a new key, and with it every person a new stand-in from then on.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow.parquet as pq

from telem.sanitize.columns import SCHEMA_VERSION
from telem.sanitize.records import Signal

from . import origin
from .archive import ArchiveWriter, silent
from .inventory import parquet_files
from .journal import scan, segments
from .keys import key_id, read_key
from .snapshot import snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from .archive import Manifest, Progress
    from .disk import Disk
    from .layout import Layout

LEFT_OUT = {
    "LOCK": "says which process has the folder",
    "WORKER": "likewise, of a worker",
    "daemon.json": "likewise",
    "token": "made anew; a copy would open this machine's query port",
    "tokens.json": "likewise, for others",
    "sql_history": "what somebody typed",
    "access_log": "says who asked this machine what, and stays with it",
    "access.head": "likewise",
    "ACCESS": "likewise",
    "COPIES": "says which process has the copies",
    "progress": "of work under way",
    "cutoff": "derived",
    "spare": "zeros",
    "telemetry.duckdb": "derived",
    "telemetry.sql": "derived",
    "journal": "read through a snapshot",
    "parquet": "read through a snapshot",
    "snapshots": "what a backup or an export is reading",
    "logs": "no telemetry",
    "setup": "what other programs' settings on this machine were; they may hold secrets",
    "members": "a hub's members have a folder of this kind each: back them up one by one, with --home",
    "quarantine": "damaged pieces; to be looked at where they were found",
}
"""Top-level names that are not taken as they are, with the reason. All others are, but for keys and secrets."""

_SECRET_SUFFIXES = (".key", ".pem", ".p12", ".token", ".secret", ".password", ".credentials", ".retired")
"""Files that open something elsewhere, wherever they lie below home."""


def write_backup(
    layout: Layout,
    disk: Disk,
    target: BinaryIO,
    *,
    with_key: bool = False,
    about: dict[str, Any] | None = None,
    progress: Progress = silent,
) -> Manifest:
    """Write a backup of this moment to a stream. Everything acknowledged before the call is in it.

    Raises:
        OSError: a file cannot be read, or the target not be written.
    """
    with snapshot(layout, disk, lambda: other_files(layout, with_key=with_key)) as picture:
        writer = ArchiveWriter(target, {**describe(layout, with_key=with_key), **(about or {})}, progress)
        for path in other_files(picture.layout, with_key=True):  # secrets were left out before
            writer.add(_name(picture.layout, path), path)
        for signal in Signal:
            for _, path in segments(picture.layout, signal):
                writer.add(_name(picture.layout, path), path, signal=signal.value, days=segment_days(path))
            for file in parquet_files(picture.layout, signal):
                days = {file.day: pq.read_metadata(file.path).num_rows}
                writer.add(_name(picture.layout, file.path), file.path, signal=signal.value, days=days)
        return writer.finish()


def describe(layout: Layout, *, with_key: bool) -> dict[str, Any]:
    """What a backup says of itself in its first lines."""
    key = read_key(layout)
    return {
        "program": metadata.version("telem-agent"),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "schema_version": SCHEMA_VERSION,
        "key_id": key_id(key) if key else None,
        "origin": origin.read(layout).said(),
        "with_key": with_key and key is not None,
    }


def other_files(layout: Layout, *, with_key: bool) -> list[Path]:
    """Everything below home that is neither telemetry nor derived nor secret."""
    found = []
    for path in sorted(layout.home.iterdir()):
        if path.name in LEFT_OUT or path.name.startswith((".", "telemetry.duckdb")) or path.is_symlink():
            continue
        if path.is_dir():
            inside = (file for file in sorted(path.rglob("*")) if file.is_file() and not file.is_symlink())
            found += [file for file in inside if not file.name.startswith(".") and not _is_secret(file.name)]
        elif not _is_secret(path.name) or (with_key and _is_key(path.name)):
            found.append(path)
    return found


def _is_key(name: str) -> bool:
    return name == "key" or (name.startswith("key.") and name.endswith(".retired"))


def _is_secret(name: str) -> bool:
    return name == "token" or _is_key(name) or name.lower().endswith(_SECRET_SUFFIXES)


def _name(layout: Layout, path: Path) -> str:
    return path.relative_to(layout.home).as_posix()


def segment_days(path: Path) -> dict[str, int]:
    """Rows of a journal segment by the UTC day they arrived."""
    days: Counter[str] = Counter()
    for _, _, commit in scan(path.read_bytes()):
        if commit:
            days[datetime.fromtimestamp(commit.at_us / 1e6, UTC).date().isoformat()] += commit.rows
    return dict(days)
