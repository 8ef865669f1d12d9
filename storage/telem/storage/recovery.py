"""What happens to an earlier life's journal at start, before anything new is accepted.

A tail without its commit line was never acknowledged and is cut; a damaged batch is taken out of the segment and put
into quarantine with its number of bytes, so that every other row stays readable; so is a tail that is in doubt.

A segment that was being written when its life ended is written anew, into another file: one of its syncs may have
failed, after which its pages read as if they were on the medium, and no later sync would put them there.
"""

from __future__ import annotations

import math
import shutil
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telem.sanitize.records import Signal

from . import retries, spare
from .inventory import covered_segments, is_unsure
from .journal import abandoned, ends_well, scan, segments
from .ledger import REMEMBER_S, row_ids
from .tail import is_doubtful

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .disk import Disk
    from .journal import Commit
    from .layout import Layout


READ_BYTES = 64 * 1024 * 1024
"""What a start reads of each signal's journal, the youngest segments (0.1 s of CPU)."""

END_BYTES = 4_096
"""What is read of each end of an older one."""

REMEMBER_AT_LEAST = 1_000
"""Requests of each signal whose ids come back whatever the clock says: it may have jumped meanwhile."""


@dataclass(slots=True)
class Recovered:
    """What was found in one signal's journal."""

    next_segment: int = 1
    waiting: list[int] = field(default_factory=list)  # closed segments that are not in Parquet yet
    commits: list[Commit] = field(default_factory=list)  # of the requests in them, oldest first
    doubted: set[str] = field(default_factory=set)  # requests in segments of which nobody knows what is on the medium
    doubted_rows: set[str] = field(default_factory=set)  # rows in them of which nobody knows the request
    cut_bytes: int = 0  # unacknowledged tails
    damaged_bytes: int = 0  # quarantined
    messages: list[str] = field(default_factory=list)


def recover_all(layout: Layout, disk: Disk, remember_since_us: int) -> dict[Signal, Recovered]:
    """What a start does with the folder, before anything is accepted. Whoever calls it has the lock.

    Whatever it does is done again at the next start when it is cut short.
    """
    swept = [str(path) for path in disk.sweep_temporary(layout.home)]
    found = {}
    for signal in Signal:
        disk.directory(layout.journal(signal))
        shutil.rmtree(layout.merging(signal), ignore_errors=True)  # a crash's: unfinished, or replaced already
        found[signal] = recover(layout, signal, disk, remember_since_us)
    if swept:
        found[Signal.LOGS].messages.append(f"removed what a crash left unfinished: {', '.join(swept)}")
    return found


def recover(layout: Layout, signal: Signal, disk: Disk, remember_since_us: int) -> Recovered:
    """Make an earlier life's segments whole.

    The youngest are read, and those that were never closed; of the others, which were closed in good order long before
    the end, only both ends are: a start after a crash must not wait for gigabytes. They are read when they become
    Parquet (`check`).

    Args:
        remember_since_us: requests younger than this are returned in `commits`, also from segments that are
            Parquet already: their retries may still come.
    """
    found = Recovered()
    covered = covered_segments(layout, signal)
    there = segments(layout, signal)
    found.next_segment = max([*covered, *(number for number, _ in there), 0]) + 1
    walked: list[Walked] = []
    closed: list[Walked] = []
    unsure: list[Walked] = []
    read_bytes = 0
    for number, path in reversed(there):
        size = path.stat().st_size
        if not size:
            continue
        if read_bytes >= READ_BYTES and not is_unsure(path) and _is_closed(path):
            closed.append(Walked(number, path, number in covered, _head(path)))
        else:
            walked.append(Walked(number, path, number in covered))
            read_bytes += size
    walked.reverse()
    _drop_copies(walked)
    _cut_abandoned([*walked, *closed], disk, found)
    for one in walked:
        try:
            left = mend(layout, one, disk, found)
            _make_sure(layout, one, disk)
        except OSError as error:
            found.messages.append(f"{one.path.name}: cannot be made whole, and waits for the next start: {error}")
            unsure.append(one)
            continue
        if left and not one.covered and not one.blocked:
            found.waiting.append(one.number)
    older = [one.number for one in closed if not one.covered and not one.blocked]
    found.waiting = sorted([*found.waiting, *older])
    found.doubted = {commit.request_id for one in unsure for commit in one.commits}
    found.doubted_rows = {row for one in unsure for row in _rows_in_doubt(one.path)}
    commits = [commit for one in walked if one not in unsure for commit in one.commits]
    found.doubted -= {commit.request_id for commit in commits}
    commits = [*retries.read(layout, signal), *commits]
    late = len(commits) - REMEMBER_AT_LEAST
    found.commits = [commit for at, commit in enumerate(commits) if at >= late or commit.at_us >= remember_since_us]
    return found


def _rows_in_doubt(path: Path) -> Iterator[str]:
    """Ids of the rows in damaged pieces that readers see all the same: a retry must not be stored beside them."""
    data = path.read_bytes()
    for start, end, commit in scan(data):
        if commit is None:
            yield from row_ids(data[start:end].splitlines())


def check(layout: Layout, signal: Signal, number: int, disk: Disk) -> list[str]:
    """Read a closed segment before it becomes Parquet; what is damaged is put aside. What was found, in words."""
    found = Recovered()
    path = layout.segment(signal, number)
    if path.exists():
        mend(layout, Walked(number, path, covered=False), disk, found)
    return found.messages


def _make_sure(layout: Layout, one: Walked, disk: Disk) -> None:
    """Put on the medium what its readers see; from now on retries of it are answered, and it may become Parquet.

    Killed before its sync it may be whole by luck. One that is in Parquet was handed over when it was sure.
    """
    if one.covered or not is_unsure(one.path):
        disk.sync_file(one.path)
    elif not one.blocked:
        data = one.path.read_bytes()
        spare.give(layout, len(data) + spare.START_BYTES)
        disk.write(one.path, data)


def _is_closed(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - END_BYTES))
        return ends_well(file.read())


def _head(path: Path) -> bytes:
    """The commit lines at the head of a segment that belong to no rows."""
    with path.open("rb") as file:
        data = file.read(END_BYTES)
    return b"".join(
        data[start:end] for start, end, commit in scan(data[: data.rfind(b"\n") + 1]) if commit and abandoned(commit)
    )


class Walked:
    """A segment and the pieces it consists of, without their bytes: there may be many.

    Args:
        data: read instead of the file.
    """

    def __init__(self, number: int, path: Path, covered: bool, data: bytes | None = None) -> None:
        self.number = number
        self.path = path
        self.covered = covered
        data = path.read_bytes() if data is None else data
        self.pieces = list(scan(data))
        self.copies: set[int] = set()  # starts of batches that are in another segment too
        self.unended = False  # its last batch is whole but for the line feed
        self.blocked = False  # it holds what it should not, and cannot be cut
        if self.pieces and self.pieces[-1][2] is not None:
            self.unended = not data.endswith(b"\n")

    @property
    def commits(self) -> list[Commit]:
        """Of the batches in it, oldest first."""
        return [commit for _, _, commit in self.pieces if commit]


def _cut_abandoned(found: list[Walked], disk: Disk, said: Recovered) -> None:
    """Cut segments that a later one says should end earlier: a sync had failed, and so had cutting them back."""
    notes = (abandoned(commit) for one in found for _, _, commit in one.pieces if commit)
    sizes = dict(note for note in notes if note)
    for one in found:
        if sizes.get(one.number, math.inf) < one.path.stat().st_size:
            try:
                disk.cut(one.path, int(sizes[one.number]))
            except OSError as error:
                said.messages.append(f"{one.path.name}: cannot be cut back, and waits for the next start: {error}")
                one.blocked = True
            one.pieces = [piece for piece in one.pieces if piece[1] <= sizes[one.number]]


def _drop_copies(walked: list[Walked]) -> None:
    """Find batches that were written twice, because a segment that failed could not be cut back.

    Such a batch was not acknowledged from there, and the client's retry, or our own, was stored in a later segment.
    What came again after the ledger had forgotten it is no such copy.
    """
    later: dict[str, Commit] = {}
    for one in reversed(walked):
        for start, _, commit in reversed(one.pieces):
            if commit is None:
                continue
            other = later.get(commit.request_id)
            if other and abs(other.at_us - commit.at_us) <= REMEMBER_S * 1e6 and not one.covered:
                one.copies.add(start)
            later[commit.request_id] = commit


def mend(layout: Layout, one: Walked, disk: Disk, found: Recovered) -> bool:
    """Take out of a segment what should not be there; returns whether anything is left in it."""
    path = one.path
    good = [(start, end) for start, end, commit in one.pieces if commit and start not in one.copies]
    whole = max((end for _, end, commit in one.pieces if commit), default=0)
    if len(good) == len(one.pieces) and not one.unended:
        return bool(good)
    data = path.read_bytes()
    bad = [(start, end) for start, end, commit in one.pieces if commit is None]
    damaged = [(start, end) for start, end in bad if end <= whole or is_doubtful(data[start:end])]
    kept = b"".join(data[start:end].removesuffix(b"\n") + b"\n" for start, end in good)
    if damaged:
        _quarantine(layout, path, disk, data, damaged)
        size = sum(end - start for start, end in damaged)
        found.damaged_bytes += size
        where = "" if damaged[-1][1] <= whole else "; its end may have been acknowledged or not"
        found.messages.append(f"{path.name}: {size} damaged bytes moved to {layout.quarantine}{where}")
    if one.copies:
        found.messages.append(f"{path.name}: {len(one.copies)} batches that were stored again elsewhere removed")
    if data.startswith(kept) and not is_unsure(path):
        disk.cut(path, len(kept))
    else:
        disk.write(path, kept)
    cut = sum(end - start for start, end in bad if (start, end) not in damaged)
    if cut:
        found.cut_bytes += cut
        found.messages.append(f"{path.name}: {cut} unacknowledged bytes cut from its end")
    return bool(kept)


def _quarantine(layout: Layout, path: Path, disk: Disk, data: bytes, damaged: list[tuple[int, int]]) -> None:
    """Put it aside under a name of its own: there may be more from the same segment already."""
    disk.directory(layout.quarantine)
    pieces = b"".join(data[start:end] for start, end in damaged)
    name = f"{path.parent.name}-{path.name}.{damaged[0][0]}-{zlib.crc32(pieces):08x}.damaged"
    disk.write(layout.quarantine / name, pieces)
