"""The clock of the house: closes segments, has them made into Parquet, retires them, keeps the catalog current.

Nothing here is in the way of ingest: the work is done in workers, and when it fails it is tried again later while the
journal goes on growing.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from telem.sanitize.records import Signal
from telem.storage import spare
from telem.storage.inventory import days_in_journal, days_to_merge, first_day
from telem.storage.journal import segments
from telem.storage.manifest import unnoted
from telem.storage.retire import retire

from .workers import WorkerError, run_jobs

if TYPE_CHECKING:
    from pathlib import Path

    from telem.storage.disk import Disk
    from telem.storage.layout import Layout
    from telem.storage.seen import Seen

    from .ingest import Committer
    from .retention import Retention

TICK_S = 5.0
RETIRE_EVERY_S = 60.0
MERGE_EVERY_S = 60.0
"""Between two looks for days to merge, through all folders."""

BACKOFF_S = (5.0, 30.0, 120.0, 600.0, 3600.0)
SEGMENTS_A_FILE = 20
"""At most this many segments (120 MiB) become one Parquet file. A worker holds one at a time; its start is paid once
for all of them."""

COMPACT_AFTER_S = 60.0
"""Fewer segments than that wait this long for company: starting a worker costs 0.15 s of CPU, whatever it does."""

log = logging.getLogger(__name__)


class Keeper:
    """Runs the schedule until it is cancelled.

    Args:
        waiting: by signal, closed segments of earlier lives that are not in Parquet yet.
        seen: the ids of forwarded rows, kept before the journal forgets them.
    """

    def __init__(
        self,
        layout: Layout,
        committers: dict[Signal, Committer],
        waiting: dict[Signal, list[int]],
        segment_age_s: float,
        disk: Disk,
        retention: Retention,
        seen: Seen | None = None,
    ) -> None:
        self.retention = retention
        self._layout = layout
        self._seen = seen
        self._committers = committers
        self._waiting = waiting
        self._segment_age_s = segment_age_s
        self._disk = disk
        self._working = asyncio.Lock()
        self._failures = 0
        self._retry_at_s = 0.0
        self._retired_at_s = -math.inf
        self._published: tuple[object, ...] | None = None
        self._published_bytes = 0
        self._waiting_since_s = dict.fromkeys(committers, -math.inf)  # an earlier life's have waited long enough
        self._wanted_by_job: tuple[object, ...] = ()
        self._first_seen_s: dict[Path, float] = {}
        self._to_merge: list[tuple[Signal, str]] = []
        self._to_merge_at_s = -math.inf
        self._merged: set[tuple[Signal, str]] = set()
        self._unnoted: list[tuple[Signal, str]] | None = None  # days of which some file is in no manifest yet
        self._day = utc_day()

    async def run(self) -> None:
        """Tick for ever."""
        while True:
            try:
                await self.tick()
            except Exception:
                log.exception("housekeeping failed; it goes on at the next tick")
            await asyncio.sleep(TICK_S)

    async def tick(self) -> None:
        """One round: what is due is done."""
        now_s = time.monotonic()
        today = max(utc_day(), self._day)  # a clock that jumps back does not reopen a day
        turned, self._day = today != self._day, today
        if turned or now_s - self._retired_at_s >= RETIRE_EVERY_S:
            self._retired_at_s = now_s
            self._retire()
            spare.keep(self._layout)
        for committer in self._committers.values():
            journal = committer.journal
            journal.mend()
            if journal.is_open and (turned or now_s - journal.opened_at_s >= self._segment_age_s):
                await committer.close_segment()
        if now_s >= self._retry_at_s:
            await self.work()

    async def work(self, *, everything: bool = False) -> None:
        """Make closed segments into Parquet and publish the catalog, if due; `everything` waits for nothing."""
        async with self._working:
            jobs = self._due(math.inf if everything else time.monotonic())
            if not jobs:
                return
            try:
                results = await run_jobs(jobs)
            except WorkerError as error:
                results = [{"ok": False, "error": str(error)}] * len(jobs)
            for job, result in zip(jobs, results, strict=True):
                self._note(job, result)
            failed = any(not result["ok"] for result in results)
            self._failures = self._failures + 1 if failed else 0
            wait_s = BACKOFF_S[min(self._failures, len(BACKOFF_S)) - 1] if failed else 0.0
            self._retry_at_s = time.monotonic() + wait_s

    async def run_alone(self, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Run jobs of somebody else's while nothing of ours is at work."""
        async with self._working:
            return await run_jobs(jobs)

    def remember(self) -> None:
        """Keep what only the journal knows of forwarded rows, before segments are taken away."""
        if self._seen is not None:
            self._seen.save(self._disk)

    async def compact_now(self) -> dict[str, Any]:
        """Close every segment and make all of them into Parquet, on request."""
        for committer in self._committers.values():
            await committer.close_segment()
        await self.work(everything=True)
        return {"waiting": {signal.value: len(numbers) for signal, numbers in self._waiting.items()}}

    def _due(self, now_s: float) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = []
        for signal, committer in self._committers.items():
            waiting = self._waiting[signal]
            if not waiting:
                self._waiting_since_s[signal] = time.monotonic()
            while committer.journal.closed:  # the committing thread may add one at any moment
                waiting.append(committer.journal.closed.pop(0))
            waited = now_s - self._waiting_since_s[signal] >= COMPACT_AFTER_S
            jobs += [
                self._job("compact", signal, segments=run, day=self._ingest_day(signal))
                for run in consecutive(waiting, SEGMENTS_A_FILE)
                if waited or len(run) == SEGMENTS_A_FILE
            ]
        jobs += [self._job("merge", signal, day=day) for signal, day in self._mergeable(now_s)]
        jobs += [self._job("note", signal, day=day) for signal, day in self._to_note()]
        jobs += self.retention.jobs(time.monotonic())
        wanted = self._wanted()
        if wanted != self._published or self._is_catalog_gone() or not self._layout.script.exists():
            self._wanted_by_job = wanted
            jobs.append({"job": "publish", "home": str(self._layout.home), "cutoff": wanted[0]})
        return jobs

    def _mergeable(self, now_s: float) -> list[tuple[Signal, str]]:
        """Closed days that still have files to merge."""
        if now_s - self._to_merge_at_s >= MERGE_EVERY_S:
            self._to_merge_at_s = time.monotonic()
            self._to_merge = [
                (signal, day) for signal in self._committers for day in days_to_merge(self._layout, signal, self._day)
            ]
        return [found for found in self._to_merge if found not in self._merged]

    def _wanted(self) -> tuple[object, ...]:
        """What the catalog depends on."""
        found = self.retention.rollups()
        return (self._cutoff(), self._layout.transcripts.exists(), found.stamp if found else ())

    def _is_catalog_gone(self) -> bool:
        """Is it deleted, or an empty one that a shell has made in its place?"""
        return self._catalog_bytes() < max(1, self._published_bytes // 2)

    def _catalog_bytes(self) -> int:
        try:
            return self._layout.catalog.stat().st_size
        except FileNotFoundError:
            return 0

    def _to_note(self) -> list[tuple[Signal, str]]:
        """What a crash, or a version without manifests, left without an entry; workers note what they write."""
        if self._unnoted is None:
            self._unnoted = [(signal, day) for signal in Signal for day in unnoted(self._layout, signal)]
        return self._unnoted

    def compact_again(self, signal: Signal, first: int, last: int) -> None:
        """Make these segments into Parquet once more, as far as they still hold their rows: their file was damaged."""
        waiting = self._waiting[signal]
        for number, path in segments(self._layout, signal):
            if first <= number <= last and number not in waiting and path.stat().st_size:
                waiting.append(number)

    def _job(self, name: str, signal: Signal, **what: Any) -> dict[str, Any]:
        return {"job": name, "home": str(self._layout.home), "signal": signal.value, **what}

    def _cutoff(self) -> str:
        """The ingest day from which on the views compare Parquet with the journal.

        Yesterday, or earlier while a segment still holds rows whose Parquet file is older: outside the window such a
        day would be counted twice.
        """
        yesterday = (date.fromisoformat(self._day) - timedelta(days=1)).isoformat()
        return min([yesterday, *(day for signal in Signal for day in days_in_journal(self._layout, signal))])

    def _note(self, job: dict[str, Any], result: dict[str, Any]) -> None:
        if not result["ok"]:
            log.error("%s failed: %s", job["job"], result["error"])
        elif job["job"] == "publish":
            self._published = self._wanted_by_job
            self._published_bytes = self._catalog_bytes()
            self.retention.published(self._wanted_by_job[2], time.monotonic())  # type: ignore[arg-type]  # its stamp
        elif job["job"] == "note":
            if self._unnoted:
                self._unnoted.remove((Signal(job["signal"]), job["day"]))
        elif job["job"] == "merge":
            self._merged.add((Signal(job["signal"]), job["day"]))  # also when the file system could not do it
            log.info("%s: the files of %s are %d now", job["signal"], job["day"], result["files"])
        elif job["job"] != "compact":
            self.retention.note(job, result)
        else:
            waiting = self._waiting[Signal(job["signal"])]
            waiting[:] = [number for number in waiting if number not in job["segments"]]
            for message in result.get("damage", ()):
                log.error("damaged: %s", message)
            log.info("%s: segments %s became %s", job["signal"], job["segments"], result["path"])

    def _ingest_day(self, signal: Signal) -> str:
        """Today, or a later day while the catalog or the rollups speak of it; then no row may join an earlier one.

        Today by the clock, not by the last tick: rows of the first seconds of a day would expire with the day before.

        So a clock that was years ahead for an hour does not put everything into that day for ever.
        """
        found = self.retention.rollups()
        return max(first_day(self._layout, signal), found.closed if found else "", self._day, utc_day())

    def _retire(self) -> None:
        self.remember()  # first: the journal knows them no longer afterwards
        for signal in Signal:
            retire(self._layout, signal, time.time(), self._disk, self._age_s)

    def _age_s(self, path: Path) -> float:
        """How long a file has been published, as far as this life knows.

        Its own time and the clock would say so too, but a clock that jumps would have segments emptied too early:
        under a query that reads them, and before the requests in them are too old to be sent again.
        """
        now_s = time.monotonic()
        return now_s - self._first_seen_s.setdefault(path, now_s)


def consecutive(numbers: list[int], limit: int) -> list[list[int]]:
    """Runs of consecutive numbers, each of at most `limit`: a Parquet file is named by its first and last segment."""
    ordered = sorted(numbers)
    runs: list[list[int]] = [ordered[:1]] if ordered else []
    for before, number in pairwise(ordered):
        if number == before + 1 and len(runs[-1]) < limit:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def utc_day() -> str:
    """Today in UTC, as YYYY-MM-DD."""
    return datetime.now(UTC).date().isoformat()
