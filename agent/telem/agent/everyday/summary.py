"""Keeps `statusline.json` current: what the status line and `top` show, and where the budgets stand.

Rows are counted as they are stored; what was stored before comes from the store at the start, and again from time to
time, since only the store knows computed costs and what was told twice. Nothing here is in the way of ingest.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from telem.agent.interpreter import PYTHON
from telem.sanitize.records import Signal
from telem.storage.inventory import sizes

from . import budget
from .snapshot import said
from .totals import Totals

if TYPE_CHECKING:
    from pathlib import Path

    from telem.sanitize.records import SanitizedBatch
    from telem.storage.disk import Disk
    from telem.storage.layout import Layout

EVERY_S = 2.0
FIRST_AFTER_S = 1.0
"""A daemon that starts has more urgent things to do."""

SEED_AGAIN_S = 3600.0
SEED_SOON_S = 300.0
SEED_AFTER_FLOOD_S = 60.0
"""Between two seeds: usually, when something was stored that only the store can judge, when rows were not counted."""

ROWS_A_TICK = 500
"""Counting takes some 10 µs a row, a good part of what storing one takes: more are left to the next seed."""

SEED_TIMEOUT_S = 120.0
_EVENT, _PLACE = b'"event_type":"', b'"event_name":"session_context"'
_IMPORTED = b'"source":"transcript"'

log = logging.getLogger(__name__)


class Summary:
    """Counts, and writes when something has changed."""

    def __init__(self, layout: Layout, disk: Disk) -> None:
        self._layout = layout
        self._disk = disk
        self._totals = Totals()
        self._next: Totals | None = None  # counts from where the seed under way ends
        self._changed = True
        self._ready = not _holds_anything(layout)  # until the first seed there is nothing true to write
        self._seeded_at_s = time.monotonic() if self._ready else -math.inf
        self._seeding: asyncio.Task[None] | None = None
        self._unsure = False
        self._skipped = False
        self._room = ROWS_A_TICK
        self._shown: tuple[str, int] = ("", 0)  # day and age of the budgets at the last writing
        self._told = budget.Told(layout.alerts)
        self._alerts: set[asyncio.Task[None]] = set()

    def stored(self, batch: SanitizedBatch) -> None:
        """Count what was stored just now."""
        if batch.signal is not Signal.LOGS:
            return
        if self._room <= 0:
            self._skipped = True
            return
        self._room -= len(batch.lines)
        for line in batch.lines:
            if _IMPORTED in line:
                self._unsure = True  # perhaps exported too: the store can tell
            elif _EVENT in line or _PLACE in line:
                row = orjson.loads(line)
                self._unsure = self._unsure or (row.get("event_type") == "api_request" and "cost_usd" not in row)
                for totals in (self._totals, self._next):
                    if totals is not None:
                        totals.add(row)
                self._changed = True

    async def run(self) -> None:
        """Seed, then look every two seconds."""
        self._told.load()
        await asyncio.sleep(FIRST_AFTER_S)
        try:
            while True:
                try:
                    await self.tick()
                except Exception:
                    log.exception("the summary could not be kept current; it goes on at the next tick")
                await asyncio.sleep(EVERY_S)
        finally:
            await self._stop_seeding()

    async def begin_anew(self) -> None:
        """Forget all, and count again from what the store says: something was taken out of it."""
        await self._stop_seeding()
        self._totals, self._ready, self._seeded_at_s = Totals(), False, -math.inf
        await self.tick()
        if self._seeding is not None:
            await asyncio.wait([self._seeding])
        await self.tick()

    async def tick(self) -> None:
        """One round."""
        self._room = ROWS_A_TICK
        due_s = SEED_AFTER_FLOOD_S if self._skipped else SEED_SOON_S if self._unsure else SEED_AGAIN_S
        if self._seeding is None and time.monotonic() - self._seeded_at_s >= due_s:
            self._seeded_at_s = time.monotonic()
            self._unsure = self._skipped = False
            self._seeding = asyncio.create_task(self._seed())
        shown = (datetime.now().astimezone().date().isoformat(), _changed_at(self._layout.budgets))
        if self._ready and (self._changed or shown != self._shown):
            self._changed, self._shown = False, shown
            self._totals.forget(time.time())
            await asyncio.to_thread(self._disk.write, self._layout.statusline, orjson.dumps(self.said()))
            self._tell()

    async def _stop_seeding(self) -> None:
        if self._seeding is not None:
            self._seeding.cancel()
            await asyncio.wait([self._seeding])

    async def _seed(self) -> None:
        """Begin anew with what the store says; what is stored meanwhile is counted on top of it."""
        self._next = Totals()
        try:
            self._next.load(orjson.loads(await self._ask_store()))
        except (OSError, ValueError, TimeoutError) as error:
            log.warning("the store could not be asked for its totals, and will be again: %s", error)
            self._unsure = True
        else:
            self._totals, self._ready, self._changed = self._next, True, True
        finally:
            self._next = self._seeding = None

    async def _ask_store(self) -> bytes:
        before_us = time.time_ns() // 1000
        command = [*PYTHON, "telem.agent.everyday.seed", str(self._layout.home), str(before_us)]
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(SEED_TIMEOUT_S):
                output, errors = await process.communicate()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        if process.returncode:
            said = errors.decode("utf-8", "replace").strip().splitlines()
            raise OSError(said[-1] if said else f"status {process.returncode}")
        return output

    def said(self) -> dict[str, Any]:
        """What `statusline.json` holds."""
        return said(self._layout, self._totals)

    def budgets(self, now: datetime | None = None) -> list[dict[str, Any]]:
        """Where each budget stands."""
        now = now or datetime.now().astimezone()
        return [each.said() for each in budget.standings(budget.load(self._layout.budgets), self._totals, now)]

    def _tell(self) -> None:
        """Tell of thresholds that were crossed, each once; the telling is a process of its own."""
        now = datetime.now().astimezone()
        budgets = budget.load(self._layout.budgets)
        due = [each for each in budget.standings(budgets, self._totals, now) if self._told.due(each)]
        if not due:
            return
        self._disk.write(self._layout.alerts, self._told.dump(now.date().isoformat()))
        for standing in due:
            log.warning("budget: %s", budget.sentence(standing))
            if budgets.command or budgets.webhook:
                task = asyncio.create_task(_alert(budgets, standing))
                self._alerts.add(task)
                task.add_done_callback(self._alerts.discard)


def _holds_anything(layout: Layout) -> bool:
    found = sizes(layout, Signal.LOGS)
    return bool(found.journal_bytes or found.parquet_files)


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


async def _alert(budgets: budget.Budgets, standing: budget.Standing) -> None:
    words = {
        "text": budget.sentence(standing),
        "percent": f"{standing.percent:.0f}",
        "spent": f"{standing.spent_usd:.2f}",
        "limit": standing.budget.usd,
        "period": standing.budget.period,
        "project": standing.budget.project,
        "threshold": str(standing.reached),
    }
    what = {"command": budgets.command, "webhook": budgets.webhook, "words": words}
    process = await asyncio.create_subprocess_exec(
        *PYTHON,
        "telem.agent.everyday.alert",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate(orjson.dumps(what))
    if process.returncode:
        log.warning("the budget's alert failed: %s", errors.decode("utf-8", "replace").strip())
