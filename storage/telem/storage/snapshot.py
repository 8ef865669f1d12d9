"""A still picture of a data folder: the files of one moment, for a reader that takes long, while the daemon goes on.

Published Parquet files never change, so a second name (a hard link) keeps them as they are, whatever is merged or
removed meanwhile. Of the journal, the acknowledged rows that are in no Parquet file are copied. Both happen under the
workers' lock, so each row is in the picture once. What a killed reader leaves is removed by the next one.
"""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telem.sanitize.records import Signal

from .disk import LockedError
from .inventory import covered_segments, parquet_files
from .journal import scan, segments
from .layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from .disk import Disk

LOCK_SUFFIX = ".lock"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Files of one moment, below a folder that looks like a home. `layout` has its paths."""

    layout: Layout

    def parquet(self, signal: Signal) -> list[str]:
        """Paths of its Parquet files, oldest segment first."""
        return [str(file.path) for file in parquet_files(self.layout, signal)]

    def segments(self, signal: Signal) -> list[str]:
        """Paths of its journal segments: whole batches only, and none that is in Parquet."""
        return [str(path) for _, path in segments(self.layout, signal)]


@contextmanager
def snapshot(layout: Layout, disk: Disk, others: Callable[[], Iterable[Path]] = lambda: ()) -> Iterator[Snapshot]:
    """Take a picture of the data of all signals, and of `others`: further files below home, listed at that moment.

    Needs space for the journal's rows that are not in Parquet yet, and where hard links do not exist, for all.
    """
    with scratch(layout, disk) as folder:
        worker = disk.wait_for_lock(layout.worker_lock)
        try:
            _take(layout, Layout(folder), disk, others)
        finally:
            worker.release()
        yield Snapshot(Layout(folder))


@contextmanager
def scratch(layout: Layout, disk: Disk) -> Iterator[Path]:
    """A folder for what lasts as long as the block. If its process is killed, the next one removes it."""
    disk.directory(layout.snapshots)
    sweep(layout, disk)
    folder = layout.snapshots / secrets.token_hex(6)
    lock = disk.lock(folder.with_name(folder.name + LOCK_SUFFIX))
    try:
        disk.directory(folder)
        yield folder
    finally:
        _remove(folder)
        lock.release()


def _take(layout: Layout, picture: Layout, disk: Disk, others: Callable[[], Iterable[Path]]) -> None:
    for signal in Signal:
        disk.directory(picture.journal(signal))
        disk.directory(picture.parquet(signal))
        covered = covered_segments(layout, signal)
        for number, path in segments(layout, signal) if layout.journal(signal).is_dir() else ():
            if number not in covered:
                _copy_batches(path, picture.segment(signal, number))
        for file in parquet_files(layout, signal):
            _link(file.path, picture.home / file.path.relative_to(layout.home))
    for path in others():
        _link(path, picture.home / path.relative_to(layout.home))


def _copy_batches(source: Path, target: Path) -> None:
    """Copy what was acknowledged: a batch that is being written, or was damaged, has no valid commit line."""
    try:
        data, times = source.read_bytes(), source.stat()
    except FileNotFoundError:  # a segment of long ago, removed at this moment: its rows are in Parquet
        return
    whole = b"".join(data[start:end] for start, end, commit in scan(data) if commit)
    if whole:
        target.write_bytes(whole)
        os.utime(target, ns=(times.st_mtime_ns, times.st_mtime_ns))


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        return
    except OSError:
        shutil.copy2(source, target)  # a file system without hard links


def sweep(layout: Layout, disk: Disk) -> None:
    """Remove the pictures whose reader has died."""
    for folder in sorted(layout.snapshots.glob("*")):
        if not folder.is_dir():
            continue
        try:
            lock = disk.lock(folder.with_name(folder.name + LOCK_SUFFIX))
        except LockedError:
            continue
        _remove(folder)
        lock.release()


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_name(folder.name + LOCK_SUFFIX).unlink(missing_ok=True)
