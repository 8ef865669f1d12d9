"""A machine on which something is wrong, for real daemons: see shim.c."""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("shim.c")
DAY_S = 86_400


class Shim:
    """What is wrong, changed at any moment; `env` makes a process live with it."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None or sys.platform != "linux":
            pytest.skip("there is no C compiler for Linux here")
        library = folder / "shim.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"], check=True)
        path = folder / "shim.said"
        path.write_bytes(bytes(24))
        with path.open("r+b") as file:
            self._said = mmap.mmap(file.fileno(), 24)
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

    def _put(self, at: int, value: int) -> None:
        struct.pack_into("q", self._said, at * 8, value)
