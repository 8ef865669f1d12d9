"""A backup without some of its rows: read, and written anew beside its place, a file at a time.

It then holds what it held, with its manifest, checksums and counts right, and the tombstones of this folder, so that
who restores it does not get the rows back in another way. Memory and scratch space hold one file of it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pyarrow.parquet as pq

from . import archive, strip, tombstones
from .archive import ArchiveWriter, Manifest
from .backup import segment_days
from .layout import TOMBSTONES, parquet_span
from .manifest import measure
from .snapshot import scratch

if TYPE_CHECKING:
    from typing import Any

    from .disk import Disk
    from .layout import Layout
    from .manifest import Entry
    from .meant import Meant


def in_backup(layout: Layout, disk: Disk, path: Path, meant: Meant, purged: dict[str, Any], *, dry: bool) -> int:
    """Take rows out of a backup; returns how many there were. One that holds none stays as it is.

    Args:
        purged: tombstones that go into it.
        dry: only count.

    Raises:
        ArchiveError: it is no backup, or a damaged one; it stays as it is.
        OSError: there is no space beside it, or it cannot be replaced; likewise.
    """
    with scratch(layout, disk) as folder:
        with path.open("rb") as source:
            counting = _Counting(folder, meant)
            manifest = archive.read(source, counting.open)
            counting.finish()
        if not counting.rows or dry:
            return counting.rows
        temporary = path.with_name(f".tmp-{path.name}-purging")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as target, path.open("rb") as source:
                rewriting = _Rewriting(folder, meant, disk, ArchiveWriter(target, _about(manifest)), manifest)
                archive.read(source, rewriting.open)
                rewriting.finish(purged)
            disk.publish(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        return counting.rows


def _about(manifest: Manifest) -> dict[str, Any]:
    return {name: value for name, value in manifest.about.items() if name != "format"}


class _OneByOne:
    """Unpacks a file at a time and deals with it before the next one comes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = ""
        self._path = folder

    def open(self, name: str) -> BinaryIO | None:
        """Where the next file of the archive goes."""
        self.finish_last()
        self._name = name
        self._path = self._folder / Path(name).name
        return self._path.open("wb")

    def finish_last(self) -> None:
        """Deal with the last one."""
        if self._name:
            self.deal(self._name, self._path)
            self._path.unlink(missing_ok=True)
            self._name = ""

    def deal(self, name: str, path: Path) -> None:
        """What is done with each."""
        raise NotImplementedError


class _Counting(_OneByOne):
    def __init__(self, folder: Path, meant: Meant) -> None:
        super().__init__(folder)
        self._meant = meant
        self.rows = 0

    def deal(self, name: str, path: Path) -> None:
        self.rows += strip.count(name, path, self._meant)

    def finish(self) -> None:
        """The last one too."""
        self.finish_last()


class _Rewriting(_OneByOne):
    def __init__(self, folder: Path, meant: Meant, disk: Disk, writer: ArchiveWriter, manifest: Manifest) -> None:
        super().__init__(folder)
        self._meant = meant
        self._disk = disk
        self._writer = writer
        self._manifest = manifest
        self._manifests: dict[str, bytes] = {}  # of days: they come before the files they speak of
        self._measured: dict[str, dict[str, Entry]] = {}
        self._purged: list[dict[str, Any]] = []

    def deal(self, name: str, path: Path) -> None:
        if name in strip.DERIVED:
            return
        if name == TOMBSTONES:
            self._purged.append(tombstones.parsed(path.read_bytes(), name))
            return
        if name.startswith("manifest/"):
            self._manifests[name] = path.read_bytes()
            return
        changed = strip.strip(name, path, self._meant, self._disk)
        if changed and name.startswith("parquet/"):
            _, signal, version, day, last = name.split("/")
            of_day = f"manifest/{signal}/{day.removeprefix('ingest_day=')}.json"
            self._measured.setdefault(of_day, {})[f"{version}/{last}"] = measure(path)
        self._writer.add(name, path, **_rows(path, self._manifest.files[name]))

    def finish(self, purged: dict[str, Any]) -> None:
        """Write what was held back, and the end."""
        self.finish_last()
        for name, data in self._manifests.items():
            self._add(name, strip.corrected(data, self._measured.get(name, {})))
        self._add(TOMBSTONES, tombstones.data_of(tombstones.together(*self._purged, purged)))
        self._writer.finish()

    def _add(self, name: str, data: bytes) -> None:
        path = self._folder / Path(name).name
        path.write_bytes(data)
        self._writer.add(name, path)
        path.unlink()


def _rows(path: Path, before: dict[str, Any]) -> dict[str, Any]:
    """What the manifest says of a file beside its size and digest, counted anew."""
    if "signal" not in before:
        return {}
    if parquet_span(path.name):
        return {"signal": before["signal"], "days": dict.fromkeys(before["days"], pq.read_metadata(path).num_rows)}
    return {"signal": before["signal"], "days": segment_days(path)}
