"""Purging, as the daemon does it and as the command line does it without one. The steps are in `telem.storage.purge`.

First the tombstone, so that nothing more of it is stored; then what is under way is waited for, segments are closed and
made into Parquet, and a worker rewrites what holds such rows. Then come backups and exports, which may take long and
keep nothing else waiting. The intent stays until the receipt is written: a purge that was interrupted goes on when the
daemon next starts, within ten minutes, or at `telem-agent purge --resume`.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from telem.sanitize.records import Signal
from telem.sanitize.tombs import SESSION, USER, digest_of, salt_of
from telem.storage import intent, retention, tombstones
from telem.storage.inventory import days_in_journal, parquet_files
from telem.storage.keys import read_key
from telem.storage.recovery import recover

from .keeper import SEGMENTS_A_FILE, consecutive
from .workers import WorkerError, run_jobs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from telem.sanitize.tombs import Tombs
    from telem.storage.disk import Disk
    from telem.storage.intent import Target
    from telem.storage.layout import Layout

    from .ingest import Ingest
    from .keeper import Keeper

AGAIN_S = 600.0
COPIES_TIMEOUT_S = 6 * 3600.0
"""For taking rows out of all backups and exports; a backup takes as long as writing it did, twice."""

log = logging.getLogger(__name__)


def bury(layout: Layout, disk: Disk, key: bytes, target: Target) -> str:
    """Set the target's tombstone; returns its digest, empty for what is no session and no user."""
    if target.kind in (SESSION, USER):
        return tombstones.add(layout, disk, key, target.kind, target.value)
    tombstones.add_before(layout, disk, key, target.before_us)
    return ""


class Purging:
    """The daemon's part.

    Args:
        after: what else has to forget.
    """

    def __init__(
        self,
        layout: Layout,
        disk: Disk,
        key: bytes,
        tombs: Tombs,
        keeper: Keeper,
        ingest: Ingest,
        after: Callable[[], Awaitable[None]],
    ) -> None:
        self._after = after
        self._layout = layout
        self._disk = disk
        self._key = key
        self._tombs = tombs
        self._keeper = keeper
        self._ingest = ingest
        self._one = asyncio.Lock()

    async def run(self) -> None:
        """Finish what an earlier life began, and what failed; for ever."""
        while True:
            try:
                if intent.noted(self._layout) is not None and not self._one.locked():
                    said = await self.purge()
                    log.info("a purge that was not finished is now: %s", said["receipt"])
            except Exception:
                log.exception("a purge could not be finished; it is tried again")
            await asyncio.sleep(AGAIN_S)

    async def purge(self) -> dict[str, Any]:
        """Purge what the intent names: the folder, then the copies that left it.

        Raises:
            WorkerError: a step failed; the intent stays, and it is tried again.
        """
        await self.purge_folder()
        async with self._one:
            if intent.noted(self._layout) is None:
                return {"receipt": None}
            return await finished(self._layout)

    async def purge_folder(self) -> dict[str, Any]:
        """Take out of the folder what the intent names; the copies are left to whoever asked, or to `run`.

        Raises:
            WorkerError: a step failed; the intent stays, and it is tried again.
        """
        async with self._one:
            target = intent.noted(self._layout)
            if target is None or intent.done(self._layout).home:
                return {}
            bury(self._layout, self._disk, self._key, target)
            self._tombs.take(tombstones.read(self._layout, self._key))
            await self._ingest.settled()
            self._keeper.remember()
            waiting = (await self._keeper.compact_now())["waiting"]
            if any(waiting.values()):
                raise WorkerError(f"segments could not be made into Parquet first: {waiting}")
            (said,) = await self._keeper.run_alone([{"job": "purge", "home": str(self._layout.home)}])
            if not said["ok"]:
                raise WorkerError(said["error"])
            await self._keeper.work(everything=True)
            await self._after()
            return said

    async def sanitize(self, job: dict[str, Any]) -> dict[str, Any]:
        """Judge once more what is stored, as the job says.

        Raises:
            WorkerError: a step failed; what is done is done, and doing it again goes on from there.
        """
        async with self._one:
            await self._ingest.settled()
            await self._keeper.compact_now()
            (said,) = await self._keeper.run_alone([job])
            if not said["ok"]:
                raise WorkerError(said["error"])
            await self._keeper.work(everything=True)
            await self._after()
            return said


async def finished(layout: Layout) -> dict[str, Any]:
    """Take the rows out of backups and exports, and write the receipt; the folder itself is done.

    Raises:
        WorkerError: another process does it just now, or it failed; the intent stays.
    """
    digest = digest_of_target(layout)
    (said,) = await run_jobs([{"job": "copies", "home": str(layout.home), "digest": digest}], COPIES_TIMEOUT_S)
    if not said["ok"]:
        raise WorkerError(said["error"])
    return said


def digest_of_target(layout: Layout) -> str:
    """The tombstone of what the intent names; empty for what is no session and no user."""
    target, key = intent.noted(layout), read_key(layout)
    if target is None or key is None or target.kind not in (SESSION, USER):
        return ""
    return digest_of(salt_of(key), target.kind, target.value)


def purge_without_daemon(layout: Layout, disk: Disk, key: bytes) -> dict[str, Any]:
    """The folder's part without a daemon; the caller holds the folder's lock.

    Raises:
        WorkerError: a step failed; the intent stays.
    """
    target = intent.noted(layout)
    if target is None or intent.done(layout).home:
        return {}
    bury(layout, disk, key, target)
    return work_without_daemon(layout, disk, {"job": "purge", "home": str(layout.home)})


def work_without_daemon(layout: Layout, disk: Disk, job: dict[str, Any]) -> dict[str, Any]:
    """Make all segments into Parquet, do a job on it, publish the catalog; the caller holds the folder's lock.

    Raises:
        WorkerError: a step failed.
    """
    today = datetime.now(UTC).date().isoformat()
    home = str(layout.home)
    jobs: list[dict[str, Any]] = []
    for signal in Signal:
        disk.directory(layout.journal(signal))
        day = max([today, *(file.day for file in parquet_files(layout, signal))])
        jobs += [
            {"job": "compact", "home": home, "signal": signal.value, "segments": run, "day": day}
            for run in consecutive(recover(layout, signal, disk, 1 << 62).waiting, SEGMENTS_A_FILE)
        ]
    at = len(jobs)
    held = [day for signal in Signal for day in days_in_journal(layout, signal)]
    jobs += [job, {"job": "publish", "home": home, "cutoff": min([retention.closable(today), *held])}]
    results = asyncio.run(run_jobs(jobs))
    if failed := [result["error"] for result in results if not result["ok"]]:
        raise WorkerError(f"it is not finished: {failed[0]}")
    return results[at]
