"""The daemon's part of forwarding: it sees that there is something to send and starts the process that does.

It never waits for a destination, and knows nothing of one but its name, when to try again, and what it said last.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from telem.agent.interpreter import PYTHON
from telem.storage.sequence import stamp

from . import destinations
from .cursor import paused

if TYPE_CHECKING:
    from collections.abc import Callable

    from telem.storage.layout import Layout

TICK_S = 2.0
FIRST_S, CAP_S = 1.0, 300.0
"""Gaps between attempts grow from one second to five minutes, each drawn from its upper half."""

LOOK_EVERY_S = 900.0
"""Also without anything new in the journal: an import publishes Parquet alone."""

log = logging.getLogger(__name__)


def gap_s(failures: int, asked_s: float | None, chance: Callable[[], float] = random.random) -> float:
    """How long to wait after so many failures in a row; never shorter than the destination asked for."""
    grown = min(CAP_S, FIRST_S * 2.0 ** min(failures - 1, 30)) if failures > 0 else 0.0
    return max(grown * (0.5 + chance() / 2), asked_s or 0.0)


@dataclass(slots=True)
class Known:
    """What the daemon remembers of a destination."""

    failures: int = 0
    next_at_s: float = 0.0
    looked_at_s: float = -LOOK_EVERY_S
    seen: object = None  # what there was to send when it was looked at last
    settings: object = None
    task: asyncio.Task[None] | None = None
    said: dict[str, Any] = field(default_factory=dict)


class Dispatcher:
    """Runs until it is cancelled.

    Args:
        now_s: a monotonic clock.
    """

    def __init__(self, layout: Layout, now_s: Callable[[], float] = time.monotonic) -> None:
        self._layout = layout
        self._now_s = now_s
        self._known: dict[str, Known] = {}

    async def run(self) -> None:
        """Look for ever; when it is cancelled, the processes end with it."""
        try:
            while True:
                try:
                    self.look()
                except OSError:
                    log.exception("forwarding could not look at what there is; it goes on at the next tick")
                await asyncio.sleep(TICK_S)
        finally:
            tasks = [known.task for known in self._known.values() if known.task]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def look(self) -> None:
        """Start a process for each destination that has something to send and may."""
        there = destinations.names(self._layout)
        for name in self._known.keys() - set(there):
            if task := self._known.pop(name).task:
                task.cancel()
        now_there = stamp(self._layout) if there else None
        for name in there:
            known = self._known.setdefault(name, Known())
            now_s, settings = self._now_s(), self._settings(name)
            if settings != known.settings:  # whoever mended something need not wait
                known.settings, known.seen, known.next_at_s, known.failures = settings, None, 0.0, 0
            if why := paused(self._layout, name):
                self._stopped(name, known, why)
                continue
            if known.task is None and known.said.get("state") == "paused":
                known.said = {}
            due = known.seen != now_there or now_s - known.looked_at_s >= LOOK_EVERY_S
            if known.task is None and due and now_s >= known.next_at_s:
                known.seen, known.looked_at_s = now_there, now_s
                known.task = asyncio.create_task(self._work(name, known))

    def _stopped(self, name: str, known: Known, why: str) -> None:
        """Say so once. Nothing is waited for: who resumes it may do so before we look again."""
        known.seen, known.next_at_s, known.failures = None, 0.0, 0
        said = {"state": "paused", "error": why}
        if known.said != said:
            known.said = said
            log.error("forwarding to %s has STOPPED: %s; telem-agent forward resume %s", name, why, name)

    def _settings(self, name: str) -> object:
        """Changes whenever somebody edits or resumes a destination."""
        try:
            return (self._layout.forward / f"{name}.toml").stat().st_mtime_ns
        except FileNotFoundError:
            return None

    async def _work(self, name: str, known: Known) -> None:
        try:
            said = await self._process(name)
        except (OSError, ValueError) as error:
            said = {"state": "later", "error": f"the forwarding process failed: {error}"}
        finally:
            known.task = None
        if said["state"] == "paused":
            self._stopped(name, known, said["error"])
            return
        known.said = said
        if said["state"] in ("later", "busy"):
            known.failures = said.get("failures", known.failures + 1)  # 1 again after whatever was taken
            wait_s = gap_s(known.failures, said.get("after_s"))
            known.next_at_s, known.seen = self._now_s() + wait_s, None
            log.warning("forwarding to %s: %s; again in %.0f s", name, said.get("error"), wait_s)
        else:
            known.failures, known.next_at_s = 0, 0.0
            known.seen = said.get("seen")  # nothing, if it ended before it was through

    async def _process(self, name: str) -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            *PYTHON,
            "telem.agent.forward.worker",
            str(self._layout.home),
            name,
            stdin=asyncio.subprocess.PIPE,  # its end tells the process that we are gone
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            assert process.stdout  # noqa: S101 (it was asked for)
            output = await process.stdout.read()
            await process.wait()
        except BaseException:
            process.kill()  # it may be waiting for a destination; its cursor is true at any moment
            await process.wait()
            raise
        lines = output.splitlines()
        if not lines:
            raise ValueError(f"it ended with status {process.returncode} and no word")
        return dict(json.loads(lines[-1]))

    def status(self) -> dict[str, Any]:
        """What `status` shows of it."""
        return {
            name: {
                "running": known.task is not None,
                "state": known.said.get("state"),
                "error": known.said.get("error"),
                "next_in_s": max(0.0, round(known.next_at_s - self._now_s(), 1)),
            }
            for name, known in self._known.items()
        }
