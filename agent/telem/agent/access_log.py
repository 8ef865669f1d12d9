"""Writes the access log: what is noted of a question goes through the sanitizer, then to the disk, soon after."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from telem.queries.table import Problem
from telem.storage import access

if TYPE_CHECKING:
    from collections.abc import Callable

    from telem.storage.disk import Disk
    from telem.storage.layout import Layout

    from .asked import Asked

WRITE_EVERY_S = 0.5
"""Questions of so long are written and synced together; a crash loses the note of those, never an answer."""

STATEMENT_CHARS_MAX = 8_192
WAITING_MAX = 10_000

_OUTCOMES = {
    "": "answered",
    "gone": "gone",
    Problem.TIMEOUT: "stopped",
    Problem.MEMORY: "stopped",
    Problem.FAILED: "failed",
    Problem.WORKER: "failed",
    Problem.STORAGE: "failed",
    Problem.TYPE: "failed",
    Problem.TOO_MANY_ROWS: "failed",
}
"""What became of a question, by the kind of its problem; any other kind was refused before anything was read."""

log = logging.getLogger(__name__)


class AccessLog:
    """Notes questions. `clean` puts a text through the sanitizer that is in force."""

    def __init__(self, layout: Layout, disk: Disk, clean: Callable[[str], str]) -> None:
        self._layout = layout
        self._disk = disk
        self._clean = clean
        self._waiting: list[dict[str, Any]] = []
        self.failed = 0

    def note(self, asked: Asked) -> None:
        """Note a question that is over; it is written within half a second."""
        if len(self._waiting) >= WAITING_MAX:
            self.failed += 1
            return
        self._waiting.append(entry(asked, self._clean))

    async def run(self) -> None:
        """Write what was noted, for ever."""
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            if self._waiting:
                await asyncio.to_thread(self.write)

    def write(self) -> None:
        """Write what was noted; what cannot be written is said in our log, and tried again."""
        noted, self._waiting = self._waiting, []
        if not noted:
            return
        try:
            access.append(self._layout, self._disk, noted)
        except OSError:
            log.exception("%d questions could not be noted in the access log yet", len(noted))
            self._waiting = noted + self._waiting

    async def close(self) -> None:
        """Write what is left."""
        await asyncio.to_thread(self.write)


def entry(asked: Asked, clean: Callable[[str], str]) -> dict[str, Any]:
    """What is kept of a question."""
    text = asked.statement
    cut = len(text) > STATEMENT_CHARS_MAX
    statement = clean(text[:STATEMENT_CHARS_MAX]) + (f"… ({len(text)} characters)" if cut else "")
    when = datetime.fromtimestamp(asked.started_s, UTC)
    return {
        "time": f"{when:%Y-%m-%dT%H:%M:%S.%fZ}",
        "caller": asked.caller,
        "via": asked.via,
        "address": clean(asked.address),
        "query_id": clean(asked.query_id),
        "statement": statement,
        "format": asked.form,
        "outcome": _OUTCOMES.get(asked.problem, "refused"),
        "problem": str(asked.problem),
        "rows": asked.rows,
        "bytes": asked.bytes,
        "elapsed_ms": round(asked.elapsed_ms or (time.time() - asked.started_s) * 1000, 3),
    }
