"""Ids of requests whose segments a purge has taken away: they may be sent again, by clients that heard no answer.

The ledger is made anew from the journal's commit lines at each start, and those went with the segments. Ids are keyed
digests of whole requests; they say nothing about whom.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .journal import Commit, abandoned, scan

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from telem.sanitize.records import Signal

    from .disk import Disk
    from .layout import Layout

REQUESTS_MAX = 1_000
"""As many as come back from the journal whatever the clock says."""


def keep(layout: Layout, signal: Signal, doomed: Iterable[Path], disk: Disk) -> None:
    """Note the requests of segments that are about to go."""
    found = [(commit.request_id, commit.at_us) for path in doomed for commit in _commits(path.read_bytes())]
    if found:
        kept = [*((commit.request_id, commit.at_us) for commit in read(layout, signal)), *found][-REQUESTS_MAX:]
        disk.write(layout.retries(signal), json.dumps(kept).encode() + b"\n")


def read(layout: Layout, signal: Signal) -> list[Commit]:
    """What was noted, oldest first. A file that cannot be read costs no more than what it is for."""
    try:
        return [Commit(str(name), 0, int(at_us)) for name, at_us in json.loads(layout.retries(signal).read_bytes())]
    except (OSError, ValueError, TypeError):
        return []


def _commits(data: bytes) -> Iterable[Commit]:
    return (commit for _, _, commit in scan(data) if commit and not abandoned(commit))
