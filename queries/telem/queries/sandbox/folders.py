"""The folders of a home that questions read, and nothing else (names only)."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telem.storage.disk import Disk
    from telem.storage.layout import Layout

FOLDERS = ("parquet", "journal", "rollups", "sanitizer_audit", "dropped_records", "access_log")
"""Nothing secret lies below them."""


def folders_of(layout: Layout) -> list[str]:
    """The folders that may be read, by their real names, whether they are there or not."""
    return [str((layout.home / name).resolve()) for name in FOLDERS]


def make_folders(layout: Layout, disk: Disk) -> None:
    """Make those that are missing, so that no child's walls keep it out of one that appears later; or leave it be."""
    for name in FOLDERS:
        with contextlib.suppress(OSError):  # a full disk: who needs the folder says so
            disk.directory(layout.home / name)


def fingerprint(layout: Layout) -> tuple[tuple[int, int] | None, ...]:
    """Which of them are there: the walls of a child let it into those that were there when it was started."""
    return tuple(_identity(layout, name) for name in FOLDERS)


def _identity(layout: Layout, name: str) -> tuple[int, int] | None:
    try:
        found = (layout.home / name).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
