"""A disk that fails when it is told to, and otherwise is the real one."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from telem.storage.disk import FILE_MODE, Appender, Disk, DiskFullError

if TYPE_CHECKING:
    from pathlib import Path

WRITES = ("create", "append", "torn", "sync", "retreat", "write", "cut")


class FaultyDisk(Disk):
    """Fails at the n-th call of the kinds it is told to fail.

    Args:
        kind: `append` leaves the file as it was, `torn` leaves half of the data (cutting it back failed as well).
        at: the calls of that kind that fail, counted from 1; everything from `at[0]` on when it ends with -1.
    """

    def __init__(self, kind: str = "", *at: int) -> None:
        self.kind = kind
        self.at = at
        self.calls = 0
        self.failed = 0

    def step(self, kind: str) -> bool:
        """Count a call; tell whether it is to fail."""
        if kind != self.kind and not (kind == "append" and self.kind == "torn"):
            return False
        self.calls += 1
        fails = self.calls in self.at or (self.at[-1:] == (-1,) and self.calls >= self.at[0])
        self.failed += fails
        return fails

    def create(self, path: Path) -> Appender:
        if self.step("create"):
            raise DiskFullError(errno.ENOSPC, "told to fail", str(path))
        real = super().create(path)
        faulty = FaultyAppender(os.dup(real._descriptor), path, self)
        real.leave()
        return faulty

    def write(self, path: Path, data: bytes, mode: int = FILE_MODE) -> None:
        if self.step("write"):
            raise DiskFullError(errno.ENOSPC, "told to fail", str(path))
        super().write(path, data, mode)

    def cut(self, path: Path, size: int) -> None:
        if self.step("cut"):
            raise OSError(errno.EIO, "told to fail", str(path))
        super().cut(path, size)


class FaultyAppender(Appender):
    """The appender of a faulty disk."""

    def __init__(self, descriptor: int, path: Path, disk: FaultyDisk) -> None:
        super().__init__(descriptor, path)
        self._disk = disk

    def append(self, data: bytes) -> None:
        if not self._disk.step("append"):
            super().append(data)
            return
        os.write(self._descriptor, data[: len(data) // 2])
        if self._disk.kind == "torn":
            self.torn = True
            raise OSError(errno.EIO, "told to fail, and to leave half", str(self.path))
        os.ftruncate(self._descriptor, self.size)
        os.lseek(self._descriptor, self.size, os.SEEK_SET)
        raise DiskFullError(errno.ENOSPC, "told to fail", str(self.path))

    def sync(self) -> None:
        if self._disk.step("sync"):
            raise OSError(errno.EIO, "told to fail", str(self.path))
        super().sync()

    def retreat(self, size: int) -> None:
        if self._disk.step("retreat"):
            raise OSError(errno.EIO, "told to fail", str(self.path))
        super().retreat(size)
