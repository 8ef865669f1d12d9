"""A machine on which something is wrong, for real daemons: see shim.c."""

from __future__ import annotations

import mmap
import shutil
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import pytest

SOURCES = [str(Path(__file__).with_name(name)) for name in ("shim.c", "power.c")]
DAY_S = 86_400
NUMBERS = 8


@cache
def _compiled() -> bytes:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("there is no C compiler for Linux here")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shim.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(path), *SOURCES, "-ldl"], check=True)
        return path.read_bytes()


class Shim:
    """What is wrong, changed at any moment; `env` makes a process live with it."""

    def __init__(self, folder: Path) -> None:
        library = folder / "shim.so"
        library.write_bytes(_compiled())
        path = folder / "shim.said"
        path.write_bytes(bytes(8 * NUMBERS))
        with path.open("r+b") as file:
            self._said = memoryview(mmap.mmap(file.fileno(), 8 * NUMBERS)).cast("q")
        # Each is written at once: `struct.pack_into` clears it first, and whoever looked then lived in another time.
        self.env = {"LD_PRELOAD": str(library), "TELEM_TEST_SHIM": str(path)}

    def clock(self, off_s: int) -> None:
        """Let the wall clock be off by so much; other clocks go on."""
        self._put(0, off_s)

    def slow(self, sync_s: float) -> None:
        """Let every sync take so long."""
        self._put(1, int(sync_s * 1e6))

    def failing(self, number: int) -> None:
        """Let every sync fail; 0 mends it."""
        self._put(2, number)

    def pass_(self, seconds: int) -> None:
        """Let so much time pass at once, on all clocks."""
        self._put(3, self._get(3) + seconds)

    def lying(self) -> None:
        """Let syncs do nothing, and say that they did."""
        self._put(4, 1)

    def ahead(self, pid: int, ahead_s: float) -> None:
        """Let time have passed for one process: its monotonic clock is ahead, and what it waits for comes earlier."""
        self._put(5, int(ahead_s))
        self._put(6, pid)

    def waited(self) -> int:
        """How often that process has waited since then, with nothing to do, a millisecond each."""
        return self._get(7)

    def now_s(self) -> float:
        """What its clock says."""
        return time.time() + self._get(0) + self._get(3)

    def _put(self, at: int, value: int) -> None:
        self._said[at] = value

    def _get(self, at: int) -> int:
        return self._said[at]
