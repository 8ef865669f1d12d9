"""Which days' raw rows may go, and how they go: announced, given up by the views, removed whole. Never edited.

The order is what makes it safe for whoever is reading:

1. the days are closed: what they add to the totals is durable in the rollups;
2. `give_up`: the rollups' manifest says from which day on raw rows are promised, and the catalog is published with it;
3. a grace later, `remove`: older versions of the rollups go first, so that a shell with an older catalog fails loudly
   rather than miss a day; then each day's folder leaves the glob in one step, and its files are deleted.

Nothing here asks a clock: the day comes from `SureClock`, or from an owner who says so.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from telem.sanitize.records import Signal

from . import manifest, rollups
from .inventory import days_in_journal, parquet_files
from .journal import segments

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from .disk import Disk
    from .inventory import ParquetFile
    from .layout import Layout
    from .rollups import Rollups

OPEN_DAYS = 1
"""Yesterday stays open: what a client sends again, or exports after its session log was read, comes within a day."""

AGE, SIZE = "age", "size"
NEARLY_FULL = 0.9
"""Of the size limit: from here on what would go next is said."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much is kept. 0 days keeps for ever, 0 bytes knows no limit."""

    days: Mapping[Signal, int]
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Day:
    """One signal's raw rows of one ingest day."""

    signal: Signal
    day: str
    files: int
    bytes: int
    reason: str = ""


def days(layout: Layout) -> list[Day]:
    """All ingest days there are, oldest first."""
    found: dict[tuple[str, Signal], list[ParquetFile]] = {}
    for signal in Signal:
        for file in parquet_files(layout, signal):
            found.setdefault((file.day, signal), []).append(file)
    return [
        Day(signal, day, len(files), sum(file.path.stat().st_size for file in files))
        for (day, signal), files in sorted(found.items())
    ]


def size_bytes(layout: Layout) -> int:
    """What the data occupies: journal, Parquet, rollups."""
    folders = ("journal", "parquet", "rollups")
    return sum(path.stat().st_size for name in folders for path in (layout.home / name).rglob("*") if path.is_file())


def due(layout: Layout, today: str, limits: Limits) -> list[Day]:
    """What has to go: days that are too old, and, beyond the size limit, the oldest ones of those that are left."""
    found = days(layout)
    old = [replace_reason(day, AGE) for day in found if _is_old(day, today, limits)]
    excess = size_bytes(layout) - sum(day.bytes for day in old) - limits.size_bytes if limits.size_bytes else 0
    taken = {(day.signal, day.day) for day in old}
    big = []
    for day in found:
        if excess <= 0:
            break
        if (day.signal, day.day) not in taken and day.day < today:
            big.append(replace_reason(day, SIZE))
            excess -= day.bytes
    return [*old, *big]


def next_to_go(layout: Layout, today: str, limits: Limits, ahead_days: int = 7) -> list[Day]:
    """What will be due within so many days, and the oldest day when the size limit is near."""
    later = (date.fromisoformat(today) + timedelta(days=ahead_days)).isoformat()
    found = [day for day in due(layout, later, limits) if day.reason == AGE]
    if limits.size_bytes and size_bytes(layout) > NEARLY_FULL * limits.size_bytes:
        listed = {(day.signal, day.day) for day in found}
        found += [replace_reason(day, SIZE) for day in days(layout) if (day.signal, day.day) not in listed][:1]
    return found


def week_before(day: str) -> str:
    """The ISO week that ended before the week of a day: `2026-W47`."""
    year, week, _ = (date.fromisoformat(day) - timedelta(days=7)).isocalendar()
    return f"{year}-W{week:02d}"


def replace_reason(day: Day, reason: str) -> Day:
    """The same day, with why it goes."""
    return Day(day.signal, day.day, day.files, day.bytes, reason)


def _is_old(day: Day, today: str, limits: Limits) -> bool:
    keep = limits.days.get(day.signal, 0)
    return bool(keep) and date.fromisoformat(day.day) < date.fromisoformat(today) - timedelta(days=keep)


def closable(today: str) -> str:
    """Up to which day (not included) ingest days may be closed today."""
    return (date.fromisoformat(today) - timedelta(days=OPEN_DAYS)).isoformat()


def give_up(layout: Layout, disk: Disk, doomed: Iterable[Day], now_s: float) -> Rollups:
    """Promise raw rows only from the day after the doomed ones on. What is not closed yet waits; returns what holds."""
    before = after = rollups.read(layout)
    for day in doomed:
        since = (date.fromisoformat(day.day) + timedelta(days=1)).isoformat()
        if since <= after.closed and since > after.raw_since[day.signal]:
            after = rollups.give_up(after, day.signal, since, now_s)
    if after != before:
        after = rollups.renew(layout, disk, after)
        rollups.write(layout, disk, after)
    return after


def given_up(layout: Layout) -> list[Day]:
    """Days whose raw rows nobody is promised any more and that still lie there."""
    since = rollups.read(layout).raw_since
    return [day for day in days(layout) if day.day < since[day.signal]]


def remove(layout: Layout, disk: Disk, now_s: float, reasons: Mapping[tuple[Signal, str], str]) -> list[Day]:
    """Remove what was given up; the catalog must have been published with it, a grace ago. Returns what went.

    A day of which a segment still holds rows stays: without its Parquet file they would be read, and counted, again.
    """
    gone = []
    rollups.sweep(layout, disk, rollups.read(layout))
    held = {signal: days_in_journal(layout, signal) for signal in Signal}
    for day in given_up(layout):
        if day.day in held[day.signal]:
            continue
        reason = reasons.get((day.signal, day.day), AGE)
        _remember(layout, disk, day, reason, now_s)
        _keep_number(layout, disk, day)
        _remove_day(layout, disk, day)
        manifest.note(layout, day.signal, day.day, disk)
        gone.append(replace_reason(day, reason))
    for signal in Signal:
        shutil.rmtree(layout.removing(signal), ignore_errors=True)
    return gone


def _remove_day(layout: Layout, disk: Disk, day: Day) -> None:
    for live in sorted(layout.parquet(day.signal).glob(f"v=*/ingest_day={day.day}")):
        aside = layout.removing(day.signal) / live.parent.name / live.name
        shutil.rmtree(aside, ignore_errors=True)
        disk.directory(aside.parent)
        disk.move(live, aside)
        shutil.rmtree(aside)


def _keep_number(layout: Layout, disk: Disk, day: Day) -> None:
    """Leave the name of the last segment, empty: numbers given once are not given again, whatever is removed."""
    last = max(file.last for file in parquet_files(layout, day.signal) if file.day == day.day)
    names = [number for number, _ in segments(layout, day.signal)]
    if last >= max([*names, *(file.last for file in parquet_files(layout, day.signal))]) and last not in names:
        disk.create(layout.segment(day.signal, last)).close()


def _remember(layout: Layout, disk: Disk, day: Day, reason: str, now_s: float) -> None:
    """Note what is about to go, before it does."""
    said = [line for line in removals(layout) if (line["signal"], line["day"]) != (day.signal, day.day)]
    said.append({**asdict(day), "reason": reason, "rows": _rows(layout, day), "at_s": now_s})
    disk.directory(layout.reports)
    disk.write(layout.removals, "".join(json.dumps(line) + "\n" for line in said).encode())


def _rows(layout: Layout, day: Day) -> int | None:
    """How many rows a day has, by its files' footers; None where they cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        paths = [file.path for file in parquet_files(layout, day.signal) if file.day == day.day]
        return sum(pq.read_metadata(path).num_rows for path in paths)
    except (OSError, pa.ArrowException):
        return None


def removals(layout: Layout) -> list[dict[str, Any]]:
    """All that retention removed so far, oldest first: signal, day, files, bytes, rows, reason, at_s."""
    return list(_lines(layout.removals))


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue
