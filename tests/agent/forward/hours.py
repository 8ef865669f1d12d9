"""Hours that pass in seconds for a real daemon: its monotonic clock is put forward while it waits for something.

Never while one of its workers is under way: what that takes is real, and is no part of a gap between two tries.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.daemons import wait_for

if TYPE_CHECKING:
    from tests.faults.shim import Shim

STEP_S = 4.0
"""Beside the daemon's own tick, the most by which an attempt may seem late."""

PATIENCE_S = 1200.0
FORWARDING = b"telem.agent.forward.worker"
WORKERS = (FORWARDING, b"telem.storage.worker", b"telem.agent.everyday.seed")


class Hours:
    """The time of one daemon, from now until it is closed."""

    def __init__(self, shim: Shim, pid: int) -> None:
        self._shim, self._pid = shim, pid
        self._ahead_s = 0.0
        self._known: dict[int, bytes] = {}
        self._done = threading.Event()
        self.tries_s: list[float] = []
        """When each forwarding process was started, by the daemon's clock."""

        self.ended_s: list[float] = []
        """When each of them was gone. What an attempt takes itself is real time, and long on a busy machine."""

        self._shim.ahead(pid, 0.0)
        self._thread = threading.Thread(target=self._pass, daemon=True)
        self._thread.start()

    def now_s(self) -> float:
        """The daemon's clock."""
        return time.monotonic() + self._ahead_s

    def until(self, end_s: float) -> None:
        """Return when it is so late."""
        wait_for(lambda: self.now_s() >= end_s, PATIENCE_S)

    def close(self) -> None:
        self._done.set()
        self._thread.join()

    def _pass(self) -> None:
        since = 0
        while not self._done.is_set():
            waited = self._shim.waited()  # before we look for workers: what it started before it waited is seen
            there = children(self._pid)
            for pid in there - self._known.keys():
                self._known[pid] = said_by(pid)
                if FORWARDING in self._known[pid]:
                    self.tries_s.append(self.now_s())
            self.ended_s += [self.now_s() for pid in self._known.keys() - there if FORWARDING in self._known[pid]]
            self._known = {pid: said for pid, said in self._known.items() if pid in there}
            under_way = any(worker in said for worker in WORKERS for said in self._known.values())
            if under_way:
                since = waited
            elif waited >= since + 2:  # it has looked at the clock, has done what was due, and waits
                since = waited
                self._ahead_s += STEP_S
                self._shim.ahead(self._pid, self._ahead_s)
            time.sleep(0.001)


def children(pid: int) -> set[int]:
    """Processes that this one has started and that are still there."""
    found: set[int] = set()
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found.update(map(int, path.read_text(encoding="ascii").split()))
        except OSError:
            continue  # a thread that has ended
    return found


def said_by(pid: int) -> bytes:
    """The command line of a process. One that was just forked has its parent's or none, for as long as it takes."""
    while True:
        try:
            found = Path(f"/proc/{pid}/cmdline").read_bytes()
            state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
        except OSError:
            return b""
        if state == b"Z" or (found and b"telem\0run" not in found):
            return found
        time.sleep(0.001)
