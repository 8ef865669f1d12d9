"""The daemon's part of retention: when which step is due. The steps themselves are in `telem.storage.retention`.

Days are closed as they end, and once an hour it is looked what has to go. What goes because of its age was due for
days, and stands in `status` and in the weekly report; what goes because of the size limit is announced an hour before.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

from telem.sanitize.records import Signal
from telem.storage import retention, rollups, spare
from telem.storage.retention import SIZE, Day, Limits
from telem.storage.retire import GRACE_S
from telem.storage.sureclock import SureClock

if TYPE_CHECKING:
    from telem.storage.disk import Disk
    from telem.storage.layout import Layout
    from telem.storage.rollups import Rollups

    from .config import Config

LOOK_EVERY_S = 3600.0
SWEEP_EVERY_S = 60.0
ANNOUNCE_S = 3600.0
GB = 10**9

log = logging.getLogger(__name__)


def limits_of(config: Config) -> Limits:
    """What the settings say."""
    days = {signal: int(getattr(config, f"retention_{signal.value}_days")) for signal in Signal}
    return Limits(days, config.size_limit_gb * GB)


class Retention:
    """Says which jobs are due, and hears what came of them."""

    def __init__(self, layout: Layout, disk: Disk, limits: Limits, clock: SureClock | None = None) -> None:
        self.limits = limits
        self.clock = clock or SureClock(layout, disk)
        self.error = ""
        self._layout = layout
        self._disk = disk
        self._looked_s = self._swept_s = self._reported_s = -math.inf
        self._doomed: list[Day] = []
        self._announced_s: dict[tuple[Signal, str], float] = {}
        self._stamp: tuple[object, ...] | None = None
        self._stamp_since_s = math.inf

    def rollups(self) -> Rollups | None:
        """The rollups in force; None, and a line in the log, when they cannot be read."""
        try:
            found = rollups.read(self._layout)
        except rollups.RollupError as error:
            if str(error) != self.error:
                log.error("retention stands still: %s", error)  # noqa: TRY400 (the message says it all)
            self.error = str(error)
            return None
        self.error = ""
        return found

    def jobs(self, now_s: float) -> list[dict[str, Any]]:
        """What is due at a time of the monotonic clock."""
        today, found = self.clock.look(), self.rollups()
        if found is None:
            return []
        home = str(self._layout.home)
        jobs: list[dict[str, Any]] = []
        if retention.closable(today) > found.closed:
            jobs.append({"job": "close", "home": home, "until": retention.closable(today)})
        week = retention.week_before(today)
        if now_s - self._reported_s >= LOOK_EVERY_S and today > rollups.FIRST_DAY:
            self._reported_s = now_s
            if not self._layout.weekly(week).exists() and retention.days(self._layout):
                jobs.append(weekly_job(self._layout, week, self.limits))
        if now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now_s
            self._doomed = [day for day in retention.due(self._layout, today, self.limits) if self._may_go(day, now_s)]
            held = [day for day in self._doomed if found.raw_since[day.signal] <= day.day < found.closed]
            if held:
                spare.give(self._layout, spare.START_BYTES)  # what makes room must not want for it
                jobs.append(_give_up(home, held))
        if now_s - self._swept_s >= SWEEP_EVERY_S:
            self._swept_s = now_s
            if not jobs and self._settled(found, now_s):  # the jobs above may end what shells still read
                jobs.append({"job": "remove", "home": home, **_reasons(self._doomed)})
        return jobs

    def published(self, stamp: tuple[object, ...], now_s: float) -> None:
        """The catalog now speaks of these rollups; what they give up may go a grace later."""
        if stamp != self._stamp:
            self._stamp, self._stamp_since_s = stamp, now_s

    def note(self, job: dict[str, Any], result: dict[str, Any]) -> None:
        """Hear what came of a job."""
        if job["job"] == "close":
            log.info("ingest days before %s are closed: their totals are in the rollups", result["closed"])
        elif job["job"] == "give up":
            log.info("raw rows are promised since %s", result["raw_since"])
        for day in result.get("removed", ()):
            log.info("%s of %s: %d bytes removed (%s)", day["signal"], day["day"], day["bytes"], day["reason"])

    def _may_go(self, day: Day, now_s: float) -> bool:
        """Is it announced, if it goes for its size?"""
        if day.reason != SIZE:
            return True
        key = (day.signal, day.day)
        if key not in self._announced_s:
            self._announced_s[key] = now_s
            log.warning(
                "the data folder holds more than the %d GB of size_limit_gb: the oldest day, %s of %s (%d bytes), "
                "goes in an hour; a higher limit keeps it",
                self.limits.size_bytes // GB, day.signal, day.day, day.bytes,
            )  # fmt: skip
        return now_s - self._announced_s[key] >= ANNOUNCE_S

    def _settled(self, found: Rollups, now_s: float) -> bool:
        """Has the catalog spoken of these rollups for a grace, and is there something they gave up?"""
        spoken = found.stamp == self._stamp and now_s - self._stamp_since_s >= GRACE_S
        return spoken and bool(retention.given_up(self._layout))

    def status(self) -> dict[str, Any]:
        """What `status` shows."""
        found = self.rollups()
        today = self.clock.day
        return {
            "error": self.error or None,
            "sure_of_day": today,
            "waits_for_clock": bool(self.clock.gaps),
            "days": {signal.value: days for signal, days in self.limits.days.items()},
            "size_limit_bytes": self.limits.size_bytes,
            "size_bytes": retention.size_bytes(self._layout),
            "closed": found.closed if found else None,
            "raw_since": {signal.value: day for signal, day in found.raw_since.items()} if found else None,
            "due": [_said(day) for day in retention.due(self._layout, today, self.limits)],
            "next": [_said(day) for day in retention.next_to_go(self._layout, today, self.limits)],
        }


def jobs_now(layout: Layout, today: str, limits: Limits, cutoff: str) -> list[dict[str, Any]]:
    """All steps at once, because the owner says so: no grace, no announcement, the day she says."""
    home = str(layout.home)
    doomed = retention.due(layout, today, limits)
    return [
        {"job": "close", "home": home, "until": retention.closable(today)},
        _give_up(home, doomed),
        {"job": "publish", "home": home, "cutoff": cutoff},
        {"job": "remove", "home": home, **_reasons(doomed)},
    ]


def weekly_job(layout: Layout, week: str, limits: Limits, *, keep: bool = True) -> dict[str, Any]:
    """The job that makes a week's report, and keeps it or only says it."""
    days = {signal.value: days for signal, days in limits.days.items()}
    home = str(layout.home)
    return {"job": "weekly", "home": home, "week": week, "days": days, "size_bytes": limits.size_bytes, "keep": keep}


def _give_up(home: str, doomed: list[Day]) -> dict[str, Any]:
    return {"job": "give up", "home": home, "days": [_said(day) for day in doomed]}


def _reasons(doomed: list[Day]) -> dict[str, Any]:
    return {"reasons": [[day.signal.value, day.day, day.reason] for day in doomed]}


def _said(day: Day) -> dict[str, Any]:
    return {
        "signal": day.signal.value, "day": day.day, "files": day.files, "bytes": day.bytes, "reason": day.reason,
    }  # fmt: skip
