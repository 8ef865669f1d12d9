"""A backup becomes a data folder again: read aside, checked to the last byte and row, and only then given its name."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow.parquet as pq

from telem.sanitize.records import Signal
from telem.sanitize.tombs import SESSION, USER

from . import archive, origin, strip, tombstones
from .archive import ArchiveError, silent
from .backup import LEFT_OUT, segment_days
from .keys import read_key
from .layout import Layout, parquet_span, segment_number
from .manifest import measure
from .meant import Meant
from .origin import ALWAYS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .archive import Manifest, Progress
    from .disk import Disk
    from .origin import Origin


DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Purged:
    """What was purged in another folder.

    Args:
        said: its tombstones.
        origin: which folder it is; it counts only for backups of its kin. None counts for all.
    """

    said: dict[str, Any]
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of it.

    Args:
        left_out: rows and sums that were purged since the backup was made, and stayed out.
    """

    manifest: Manifest
    left_out: int


class NotEmptyError(ValueError):
    """There is something in the folder a backup was to be restored into. Nothing was changed."""


def check(source: BinaryIO, progress: Progress = silent) -> Manifest:
    """Read a whole backup and keep nothing of it.

    Raises:
        ArchiveError: it is damaged.
    """
    return archive.read(source, lambda _name: None, progress)


def restore(
    source: BinaryIO,
    home: Path,
    disk: Disk,
    key: bytes | None = None,
    progress: Progress = silent,
    purged: Sequence[Purged] = (),
) -> Restored:
    """Make a data folder of a backup. On any failure there is nothing at `home` that was not there before.

    Args:
        home: a folder that does not exist or is empty.
        key: the file `key`, for a backup without one; else a new one is made at the first start.
        purged: what was purged in other folders; it stays out.

    Raises:
        NotEmptyError: `home` holds something.
        ArchiveError: the backup is damaged, or is none.
    """
    refuse_unless_empty(home)
    disk.directory(home.parent)
    aside = home.with_name(f".{home.name}.restoring-{secrets.token_hex(4)}")
    disk.directory(aside)
    try:
        manifest = archive.read(source, lambda name: _open(aside, name, disk), progress)
        _check_rows(aside, manifest)
        if key is not None:
            (aside / "key").write_bytes(key)
        left_out = _leave_out(aside, manifest, disk, purged)
        origin.restored(Layout(aside), disk, manifest.about, manifest.last_day())
        disk.publish_tree(aside, home)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Restored(manifest, left_out)


def _leave_out(aside: Path, manifest: Manifest, disk: Disk, purged: Sequence[Purged]) -> int:
    """Take out what was purged since the backup was made, and keep the tombstones; returns how many rows and sums."""
    layout = Layout(aside)
    own = tombstones.said_by(layout.tombstones, read_key(layout))
    whose = origin.of_backup(manifest.about)
    said = tombstones.together(own, *(more for one in purged if (more := _meant_for(one, whose))))
    if len(said["digests"]) == len(own["digests"]) and said["before_us"] == own["before_us"]:
        return 0  # it knows all of it, and had been purged before
    disk.write(layout.tombstones, tombstones.data_of(said))
    tombs = tombstones.of(said)
    sessions: set[str] = set()
    users: set[str] = set()
    for name in manifest.files:
        found = strip.named(name, aside / name)
        sessions |= set(tombs.held(SESSION, found[0]))
        users |= set(tombs.held(USER, found[1]))
    meant = Meant(frozenset(sessions), frozenset(users), tombs.before_us if tombs.before_us > own["before_us"] else 0)
    return _strip(aside, manifest, disk, meant) if meant else 0


def _meant_for(purged: Purged, whose: Origin) -> dict[str, Any] | None:
    """What of it concerns a backup of that folder; a purge of a time only those days that both may have."""
    shared = purged.origin.shared_until(whose) if purged.origin else ALWAYS
    if not shared:
        return None
    until_us = int((datetime.fromisoformat(shared).replace(tzinfo=UTC).timestamp() + DAY_S) * 1e6)
    return {**purged.said, "before_us": min(int(purged.said["before_us"]), until_us)}


def _strip(aside: Path, manifest: Manifest, disk: Disk, meant: Meant) -> int:
    rows = 0
    for name in strip.DERIVED:
        (aside / name).unlink(missing_ok=True)
    for name in manifest.files:
        hits = strip.strip(name, aside / name, meant, disk) if (aside / name).exists() else 0
        rows += hits
        if hits and name.startswith("parquet/"):
            _, signal, version, day, last = name.split("/")
            noted = Layout(aside).manifest(Signal(signal), day.removeprefix("ingest_day="))
            if noted.exists():
                entry = {f"{version}/{last}": measure(aside / name)}
                disk.write(noted, strip.corrected(noted.read_bytes(), entry))
    return rows


def refuse_unless_empty(home: Path) -> None:
    """Raise unless `home` can take a backup.

    Raises:
        NotEmptyError: it cannot.
    """
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise NotEmptyError(f"{home} is not empty")


def _open(aside: Path, name: str, disk: Disk) -> BinaryIO:
    if name.partition("/")[0] in LEFT_OUT and not name.startswith(("journal/", "parquet/")):
        raise ArchiveError(f"the backup holds {name!r}, which no backup of ours does")
    path = aside / name
    disk.directory(path.parent)
    return path.open("xb")


def _check_rows(aside: Path, manifest: Manifest) -> None:
    for name, file in manifest.files.items():
        path = aside / name
        if parquet_span(path.name) and "signal" in file:
            found = {path.parent.name.removeprefix("ingest_day="): pq.read_metadata(path).num_rows}
        elif segment_number(path.name) is not None and "signal" in file:
            found = segment_days(path)
        else:
            continue
        if found != file["days"]:
            raise ArchiveError(
                f"{name} holds {sum(found.values())} rows, the manifest says {sum(file['days'].values())}"
            )
