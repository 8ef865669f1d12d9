"""The day of which retention is sure: a clock that jumped deletes nothing.

A wall clock may be wrong by days or years, and be put right minutes later. What passes while the daemon watches is
believed; a step forward that it did not live through (a jump, or a time when it did not run) is a gap, and counts only
when the clock has gone on from there for a day of waking life. A step back undoes gaps first. So after a month in a
drawer retention is a day late, and after a wrong date of some hours it has not noticed anything.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from .disk import Disk
    from .layout import Layout

GAP_S = 3600.0
"""Steps up to this long are believed: reboots, corrections by NTP."""

PATIENCE_S = 86_400.0
"""How long the daemon must have been awake since a gap before the time after it is believed."""

LOOK_S = 120.0
"""At most this much of what passed between two looks counts as awake: the rest was sleep."""

WRITE_EVERY_S = 600.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Gap:
    """A step forward that nobody lived through, and how long the daemon has been awake since."""

    size_s: float
    awake_s: float = 0.0


def elapsed_s() -> float:
    """Seconds since the machine started, those asleep included."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def boot_id() -> str:
    """Which life of the machine this is; empty when it does not say."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


class SureClock:
    """Looks at the wall clock, and says what of it is believed.

    Args:
        wall: seconds since 1970.
        elapsed: seconds since some moment, running on in sleep.
        boot: changes when `elapsed` starts anew.
    """

    def __init__(
        self,
        layout: Layout,
        disk: Disk,
        wall: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = elapsed_s,
        boot: Callable[[], str] = boot_id,
    ) -> None:
        self._path = layout.clock
        self._disk = disk
        self._wall, self._elapsed, self._boot = wall, elapsed, boot()
        self._last_wall_s = self._last_elapsed_s = 0.0
        self.gaps: list[Gap] = []
        self._written_s = -WRITE_EVERY_S
        self._same_boot = False
        self._read()

    @property
    def day(self) -> str:
        """The UTC day that is believed, as YYYY-MM-DD, as of the last look."""
        sure_s = max(0.0, self._last_wall_s - sum(gap.size_s for gap in self.gaps))
        return datetime.fromtimestamp(sure_s, UTC).date().isoformat()

    def look(self, *, write: bool = True) -> str:
        """Look at the clock; returns the day that is believed. Whoever only asks writes nothing."""
        wall_s, now_s = self._wall(), self._elapsed()
        passed_s = max(0.0, now_s - self._last_elapsed_s) if self._same_boot else 0.0
        step_s = wall_s - self._last_wall_s - passed_s
        changed = False
        if step_s > GAP_S:
            self.gaps.append(Gap(step_s))
            changed = True
        elif step_s < 0:
            self._undo(-step_s)
        for gap in self.gaps:
            gap.awake_s += min(passed_s, LOOK_S)
        believed = [gap for gap in self.gaps if gap.awake_s >= PATIENCE_S]
        if believed:
            self.gaps = [gap for gap in self.gaps if gap not in believed]
            changed = True
        self._last_wall_s, self._last_elapsed_s, self._same_boot = wall_s, now_s, True
        if write and (changed or now_s - self._written_s >= WRITE_EVERY_S):
            self._write(now_s)
        return self.day

    def _undo(self, step_s: float) -> None:
        while self.gaps and step_s > 0:
            undone_s = min(step_s, self.gaps[-1].size_s)
            self.gaps[-1].size_s -= undone_s
            step_s -= undone_s
            if self.gaps[-1].size_s <= GAP_S:
                self.gaps.pop()

    def _read(self) -> None:
        try:
            said: dict[str, Any] = json.loads(self._path.read_bytes())
            self._last_wall_s, self._last_elapsed_s = float(said["wall_s"]), float(said["elapsed_s"])
            self.gaps = [Gap(float(gap["size_s"]), float(gap["awake_s"])) for gap in said["gaps"]]
            self._same_boot = bool(self._boot) and said["boot"] == self._boot
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError) as error:
            log.warning("%s is damaged (%s): retention waits for a day of waking life", self._path, error)
            self._last_wall_s, self.gaps = 0.0, []

    def _write(self, now_s: float) -> None:
        said = {
            "wall_s": self._last_wall_s,
            "elapsed_s": self._last_elapsed_s,
            "boot": self._boot,
            "gaps": [{"size_s": gap.size_s, "awake_s": gap.awake_s} for gap in self.gaps],
        }
        try:
            self._disk.write(self._path, json.dumps(said).encode() + b"\n")
        except OSError as error:
            log.warning("%s could not be written; retention may be a day later for it: %s", self._path, error)
        self._written_s = now_s
