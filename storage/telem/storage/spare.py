"""Space that is kept back, for what must work on a full disk: a start, and the purge that makes room again.

Whoever removes rows writes first: what is to go, and what stays of a file. So a file of zeros takes the space while
there is plenty, and is given up, piece by piece or whole, when there is none. It is worth nothing in itself.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .layout import Layout

SPARE_BYTES = 32 * 1024 * 1024
"""Holds what stays of a day of about 2 million rows."""

PLENTY = 4
"""It is made when so many times its size is free."""

START_BYTES = 1024 * 1024
"""What a start takes of it; a start writes some kilobytes."""


def keep(layout: Layout) -> None:
    """Have the spare whole, if there is plenty of space. Never fails."""
    with suppress(OSError):
        if _size(layout) < SPARE_BYTES and free_bytes(layout) >= PLENTY * SPARE_BYTES:
            _make(layout)


def give(layout: Layout, wanted_bytes: int = SPARE_BYTES) -> None:
    """Give up so much of it, unless that much is free anyway. Never fails."""
    with suppress(OSError):
        size = _size(layout)
        if not size or free_bytes(layout) >= wanted_bytes:
            return
        if wanted_bytes >= size:
            layout.spare.unlink()
        else:
            os.truncate(layout.spare, size - wanted_bytes)


def free_bytes(layout: Layout) -> int:
    """What the file system still has for us."""
    found = os.statvfs(layout.home)
    return found.f_bavail * found.f_frsize


def _size(layout: Layout) -> int:
    try:
        return layout.spare.stat().st_size
    except FileNotFoundError:
        return 0


def _make(layout: Layout) -> None:
    descriptor = os.open(layout.spare, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, SPARE_BYTES)
        else:
            os.write(descriptor, bytes(SPARE_BYTES))
    finally:
        os.close(descriptor)
