"""A backup becomes a data folder again: read aside, checked to the last byte and row, and only then given its name."""

from __future__ import annotations

import secrets
import shutil
from typing import TYPE_CHECKING, BinaryIO

import pyarrow.parquet as pq

from . import archive
from .archive import ArchiveError, silent
from .backup import LEFT_OUT, segment_days
from .layout import parquet_span, segment_number

if TYPE_CHECKING:
    from pathlib import Path

    from .archive import Manifest, Progress
    from .disk import Disk


class NotEmptyError(ValueError):
    """There is something in the folder a backup was to be restored into. Nothing was changed."""


def check(source: BinaryIO, progress: Progress = silent) -> Manifest:
    """Read a whole backup and keep nothing of it.

    Raises:
        ArchiveError: it is damaged.
    """
    return archive.read(source, lambda _name: None, progress)


def restore(
    source: BinaryIO, home: Path, disk: Disk, key: bytes | None = None, progress: Progress = silent
) -> Manifest:
    """Make a data folder of a backup. On any failure there is nothing at `home` that was not there before.

    Args:
        home: a folder that does not exist or is empty.
        key: the file `key`, for a backup without one; else a new one is made at the first start.

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
        disk.publish_tree(aside, home)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return manifest


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
