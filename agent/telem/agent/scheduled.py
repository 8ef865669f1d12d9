"""Reports that make themselves: once a month or week has been closed for a day, a child process writes its report.

The child is `telem-agent report … --tell`, so the daemon's memory and the ingest path have no part in it. A report that
is there is not made again; one that fails is tried again after an hour.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .interpreter import PYTHON

if TYPE_CHECKING:
    from collections.abc import Callable

    from .config import Config

LOOK_EVERY_S = 300.0
RETRY_AFTER_S = 3600.0
TIMEOUT_S = 900.0
KINDS = {"": (), "month": ("month",), "week": ("week",), "both": ("month", "week")}

log = logging.getLogger(__name__)


class Reporter:
    """Looks now and then whether a report is due."""

    def __init__(self, config: Config, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._config = config
        self._clock = clock
        self._retry_at_s = 0.0

    async def run(self) -> None:
        """Look for ever."""
        while True:
            for kind, when in self.due():
                await self._make(kind, when)
            await asyncio.sleep(LOOK_EVERY_S)

    def due(self) -> list[tuple[str, str]]:
        """Kinds and names of the reports that should be there and are not."""
        if not self._config.report_schedule or time.monotonic() < self._retry_at_s:
            return []
        from telem.queries.reports.period import of

        now = self._clock()
        found = [of(kind, None, now.date()) for kind in KINDS[self._config.report_schedule]]
        return [
            (period.kind, period.name)
            for period in found
            if period.is_closed(now) and not self._config.layout.report(f"{period.kind}-{period.name}.html").exists()
        ]

    async def _make(self, kind: str, when: str) -> None:
        command = [
            *PYTHON,
            "telem",
            "report",
            kind,
            when,
            "--tell",
            "--home",
            str(self._config.home),
        ]
        command += ["--shared"] if self._config.report_shared else []
        child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, said = await asyncio.wait_for(child.communicate(), TIMEOUT_S)
        except TimeoutError:
            said = b"it took too long"
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        text = said.decode(errors="replace").strip()
        if child.returncode:
            self._retry_at_s = time.monotonic() + RETRY_AFTER_S
            log.error("the report on %s failed: %s", when, text)
        else:
            log.info("the report on %s is written%s", when, f": {text}" if text else "")
