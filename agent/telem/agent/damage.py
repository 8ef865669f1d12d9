"""Looks after the published files while the daemon runs: what nobody could open is put aside, counted and named."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from telem.storage.damage import Watch, put_aside
from telem.storage.layout import parquet_span

if TYPE_CHECKING:
    from telem.storage.disk import Disk
    from telem.storage.layout import Layout

    from .keeper import Keeper

LOOK_EVERY_S = 60.0
"""Only times and sizes are asked for; a file is read when they have changed."""

ANEW_EVERY_S = 86_400.0
"""Every footer is read once a day all the same: a failing medium changes no time."""

log = logging.getLogger(__name__)


class DamageWatch:
    """Finds unreadable Parquet files at start, and within a minute when they become so."""

    def __init__(self, layout: Layout, disk: Disk, keeper: Keeper) -> None:
        self._layout = layout
        self._disk = disk
        self._keeper = keeper
        self._watch = Watch(layout)
        self._anew_at_s = 0.0
        self.messages: list[str] = []

    async def run(self) -> None:
        """Look for ever."""
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("looking for damaged files failed; it goes on in a minute")
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Examine what is new or changed, and put aside what cannot be read."""
        anew = time.monotonic() >= self._anew_at_s
        if anew:
            self._anew_at_s = time.monotonic() + ANEW_EVERY_S
        for found in await asyncio.to_thread(self._watch.look, anew=anew):
            target = await asyncio.to_thread(put_aside, self._layout, found, self._disk)
            message = f"{found.signal} of {found.day}: {found.path.name} moved to {target}: {found.why}"
            log.error("damaged: %s", message)
            self.messages.append(message)
            self._keeper.compact_again(found.signal, *(parquet_span(found.path.name) or (0, -1)))

    def status(self) -> dict[str, Any]:
        """What `status` says of it."""
        try:
            kept = [path.stat().st_size for path in self._layout.quarantine.iterdir()]
        except FileNotFoundError:
            kept = []
        return {"files": len(kept), "bytes": sum(kept), "messages": self.messages}
