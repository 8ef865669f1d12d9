"""Segment numbers for rows that come from elsewhere: handed out by whoever owns the numbering.

That is the daemon while one runs, and else whoever holds the folder's lock.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from telem.storage.disk import Disk, LockedError
from telem.storage.inventory import covered_segments
from telem.storage.journal import Journal, segments

from . import control
from .errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from telem.sanitize.records import Signal
    from telem.storage.layout import Layout

    from .ingest import Committer

ATTEMPTS = 50
PAUSE_S = 0.2
"""A daemon that is just starting or stopping holds the lock and does not answer; that lasts a moment."""


def routes(committers: Mapping[Signal, Committer]) -> dict[tuple[str, str], Callable[[], Awaitable[Any]]]:
    """What the query port answers the holder of its token."""
    return {("POST", f"/reserve/{signal}"): partial(_reserve, committer) for signal, committer in committers.items()}


async def _reserve(committer: Committer) -> dict[str, Any]:
    return {"segment": await committer.reserve()}


def reserve(layout: Layout, signal: Signal) -> int:
    """Take a number that no journal will use, from the daemon if one runs.

    Raises:
        AgentError: a daemon holds the folder and does not answer.
    """
    disk = Disk()
    for attempt in range(ATTEMPTS):
        try:
            if running := control.find(layout):
                return int(control.ask(running, layout.token, "POST", f"/reserve/{signal}")["segment"])
            lock = disk.lock(layout.lock)
        except (LockedError, AgentError):
            if attempt + 1 == ATTEMPTS:
                raise
            time.sleep(PAUSE_S)
            continue
        try:
            return _reserve_alone(layout, signal, disk)
        finally:
            lock.release()
    raise AssertionError("the last attempt returns or raises")


def _reserve_alone(layout: Layout, signal: Signal, disk: Disk) -> int:
    disk.directory(layout.journal(signal))
    used = [*covered_segments(layout, signal), *(number for number, _ in segments(layout, signal)), 0]
    return Journal(layout, signal, disk, max(used) + 1).reserve()
