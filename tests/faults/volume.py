"""A small file system of one's own, that can be filled and freed."""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE_BYTES = 4096


class Volume:
    """A mounted file system; `home` is on it, and so is what takes its space."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self._filler = root / "filler"

    def fill(self, leave_bytes: int = 0) -> None:
        """Take all space but so much."""
        descriptor = os.open(self._filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            while (left := self.free_bytes() - leave_bytes) > 0:
                os.write(descriptor, b"\0" * min(left, 1 << 20))
        except OSError:
            pass  # full
        finally:
            os.close(descriptor)

    def free(self) -> None:
        """Give it back."""
        self._filler.unlink(missing_ok=True)

    def free_bytes(self) -> int:
        found = os.statvfs(self._filler.parent)
        return found.f_bavail * found.f_frsize


@contextlib.contextmanager
def mounted(root: Path, size: str) -> Iterator[Volume]:
    """A tmpfs at `root`; the test is skipped where nobody may mount one."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700,uid={os.getuid()}", "tmpfs", str(root)]
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    try:
        done = subprocess.run([*sudo, *command], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("nothing to mount with")
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.decode().strip()}")
    try:
        yield Volume(root)
    finally:
        subprocess.run([*sudo, "umount", "--lazy", str(root)], check=True)
