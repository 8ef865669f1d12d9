"""Rewriting many days so that a disk without space gets some: what frees most for least comes first.

A file that loses all its rows needs next to nothing; one that loses few needs its own size again until the old one is
gone. So days are rewritten one after another, in the order of what stays of them, each frees its space before the next
one begins, and what does not fit is tried again after the others, file by file. What is left of the journal although it
is in Parquet goes too, when nothing else helps.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from telem.sanitize.records import Signal

from . import retries, spare
from .disk import FULL, DiskFullError
from .inventory import covered_segments
from .journal import segments
from .meant import without
from .rewrite import rewrite_day

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from .disk import Disk
    from .layout import Layout
    from .meant import Meant

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Found:
    """Rows that are meant in one Parquet file."""

    path: Path
    signal: Signal
    day: str
    rows: int


@dataclass(slots=True)
class _Day:
    signal: Signal
    day: str
    files: list[Found]

    def stays_bytes(self) -> int:
        """About how much space its files will take."""
        return sum(_stays_bytes(file) for file in self.files)


def rewrite_days(
    layout: Layout,
    disk: Disk,
    found: Sequence[Found],
    meant: Meant,
    progress: Callable[[int, int], None],
    begin: Callable[[Sequence[Found]], None],
) -> None:
    """Take rows out of the files that hold them.

    Args:
        begin: told which files are about to be rewritten.

    Raises:
        DiskFullError: there is no space for some of them; all others are done.
    """
    days: dict[tuple[Signal, str], _Day] = {}
    for file in found:
        days.setdefault((file.signal, file.day), _Day(file.signal, file.day, [])).files.append(file)
    work = sorted(days.values(), key=_Day.stays_bytes)
    number, total, can_free = 0, len(found), True
    while work:
        left: list[_Day] = []
        fitted = False
        for day in work:
            progress(number, total)
            begin(day.files)
            try:
                changes = {file.path: partial(without, meant=meant) for file in day.files}
                rewrite_day(layout, day.signal, day.day, changes, disk)
                number += len(day.files)
                fitted = True
            except OSError as error:
                if error.errno not in FULL:
                    raise
                left += [_Day(day.signal, day.day, [file]) for file in day.files]
                why = error
        if left and not fitted and len(left) == len(work):  # each file alone was too much
            if not (can_free and _free(layout, disk)):
                raise _full(layout, left[0], why) from why
            can_free = False
        work = left
    progress(total, total)


def _stays_bytes(file: Found) -> int:
    rows = max(1, pq.read_metadata(file.path).num_rows)
    return file.path.stat().st_size * max(0, rows - file.rows) // rows


def _full(layout: Layout, day: _Day, why: OSError) -> DiskFullError:
    wanted, free = day.stays_bytes(), spare.free_bytes(layout)
    said = (
        f"no space for what stays of {day.signal} of {day.day}: about {wanted / MB:.0f} MB are needed for a moment, "
        f"{free / MB:.0f} MB are free. Free {max(1, (wanted - free) // MB + 1)} MB, then: telem-agent purge --resume"
    )
    return DiskFullError(why.errno, said, str(layout.home))


def _free(layout: Layout, disk: Disk) -> bool:
    """Give up the spare, and segments whose rows are in Parquet too; a query that has listed one fails loudly."""
    before, gone = spare.free_bytes(layout), False
    spare.give(layout)
    for signal in Signal:
        covered = covered_segments(layout, signal)
        doomed = [path for number, path in segments(layout, signal) if number in covered and path.stat().st_size]
        retries.keep(layout, signal, doomed, disk)
        for path in doomed:
            disk.remove(path)
        gone |= bool(doomed)
    return gone or spare.free_bytes(layout) > before
