"""What happens to an earlier life's journal at start, before anything new is accepted.

A tail without its commit line was never acknowledged and is cut; a damaged batch in the middle is taken out of the
segment and put into quarantine with its number of bytes, so that every other row stays readable.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .inventory import covered_segments
from .journal import scan, segments

if TYPE_CHECKING:
    from pathlib import Path

    from telem.sanitize.records import Signal

    from .disk import Disk
    from .journal import Commit
    from .layout import Layout


@dataclass(slots=True)
class Recovered:
    """What was found in one signal's journal."""

    next_segment: int = 1
    waiting: list[int] = field(default_factory=list)  # closed segments that are not in Parquet yet
    commits: list[Commit] = field(default_factory=list)  # of the requests in them, oldest first
    cut_bytes: int = 0  # unacknowledged tails
    damaged_bytes: int = 0  # quarantined
    messages: list[str] = field(default_factory=list)


def recover(layout: Layout, signal: Signal, disk: Disk, remember_since_us: int) -> Recovered:
    """Make an earlier life's segments whole.

    Args:
        remember_since_us: requests younger than this are returned in `commits`, also from segments that are
            Parquet already: their retries may still come.
    """
    found = Recovered()
    covered = covered_segments(layout, signal)
    found.next_segment = max([*covered, *(number for number, _ in segments(layout, signal)), 0]) + 1
    for number, path in segments(layout, signal):
        if path.stat().st_size == 0:
            continue
        _check(layout, path, disk, found, remember_since_us)
        if number not in covered and path.stat().st_size:
            found.waiting.append(number)
    return found


def _check(layout: Layout, path: Path, disk: Disk, found: Recovered, remember_since_us: int) -> None:
    data = path.read_bytes()
    pieces = list(scan(data))
    good = [(start, end) for start, end, commit in pieces if commit]
    found.commits += [commit for _, _, commit in pieces if commit and commit.at_us >= remember_since_us]
    whole = good[-1][1] if good else 0
    damaged = [(start, end) for start, end, commit in pieces if commit is None and end <= whole]
    if damaged:
        _quarantine(layout, path, disk, data, damaged)
        size = sum(end - start for start, end in damaged)
        found.damaged_bytes += size
        found.messages.append(f"{path.name}: {size} damaged bytes moved to {layout.quarantine}")
        disk.write(path, b"".join(data[start:end] for start, end in good))
    elif whole < len(data):
        disk.cut(path, whole)
    if whole < len(data):
        found.cut_bytes += len(data) - whole
        found.messages.append(f"{path.name}: {len(data) - whole} unacknowledged bytes cut from its end")


def _quarantine(layout: Layout, path: Path, disk: Disk, data: bytes, damaged: list[tuple[int, int]]) -> None:
    disk.directory(layout.quarantine)
    name = f"{path.parent.name}-{path.name}.damaged"
    disk.write(layout.quarantine / name, b"".join(data[start:end] for start, end in damaged))
