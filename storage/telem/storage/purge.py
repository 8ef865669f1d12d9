"""Removing rows for good: from segments, Parquet, rollups and quarantine. Runs in a worker (duckdb, pyarrow).

What is to go stands in an intent file until all of it is gone, so an interrupted purge is finished by the next start;
every step can be done again. Only files that hold such rows are rewritten. The receipt says what, how much and when,
and names nobody. The caller has set the tombstone, closed the segments and made them into Parquet before.
"""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import duckdb
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from telem.sanitize.records import Signal
from telem.sanitize.tombs import SESSION, USER, USER_COLUMNS

from . import closing, retries, rollups, snapshot
from .intent import ALL, BEFORE, Target
from .inventory import covered_segments, parquet_files
from .journal import segments
from .rewrite import rewrite_day
from .views import glob_safe, quote

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .disk import Disk
    from .layout import Layout

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {"threads": 1, "memory_limit": "256MB"}


class SegmentError(RuntimeError):
    """The journal holds rows of the target that are in no Parquet file yet; try again later."""


@dataclass(frozen=True, slots=True)
class Found:
    """Rows of a target in one Parquet file."""

    path: Path
    signal: Signal
    day: str
    rows: int


def where(target: Target) -> str:
    """SQL condition for rows of raw tables."""
    match target.kind:
        case "session":
            return f"session_id = {quote(target.value)}"
        case "user":
            return " OR ".join(f"{column} = {quote(target.value)}" for column in USER_COLUMNS)
        case "before":
            return f"time < make_timestamptz({target.before_us})"
    return "true"


def where_summed(target: Target) -> str:
    """SQL condition for rows of the rollups."""
    match target.kind:
        case "user":
            return " OR ".join(f'"{column}" = {quote(target.value)}' for column in ("user", "user_id", "account_id"))
        case "before":
            return f"day < DATE {quote(target.value)}"
    return where(target)


def find(layout: Layout, target: Target) -> list[Found]:
    """Which Parquet files hold rows of the target, and how many. Reads one column or two, where statistics let it."""
    found = []
    for signal in Signal:
        paths = [str(file.path) for file in parquet_files(layout, signal)]
        if not paths:
            continue
        by_name = {glob_safe(path): path for path in paths}
        listed = ", ".join(quote(glob_safe(path)) for path in paths)
        with duckdb.connect(config=_SETTINGS) as connection:
            rows = connection.execute(
                f"SELECT filename, count(*) FROM read_parquet([{listed}], filename = true, hive_partitioning = false) "
                f"WHERE {where(target)} GROUP BY filename ORDER BY filename"
            ).fetchall()
        counts = {by_name.get(str(name), str(name)): int(count) for name, count in rows}
        found += [Found(file.path, signal, file.day, counts[str(file.path)])
                  for file in parquet_files(layout, signal) if counts.get(str(file.path))]  # fmt: skip
    return found


def neighbours(layout: Layout, target: Target) -> list[str]:
    """Other stand-ins that occur in rows of a user; rows with only these stay."""
    if target.kind != USER:
        return []
    others: set[str] = set()
    for found in find(layout, target):
        columns = ", ".join(USER_COLUMNS)
        with duckdb.connect(config=_SETTINGS) as connection:
            source = f"read_parquet({quote(glob_safe(str(found.path)))})"
            rows = connection.execute(f"SELECT DISTINCT {columns} FROM {source} WHERE {where(target)}").fetchall()
        others |= {str(value) for row in rows for value in row if value is not None}
    return sorted(others - {target.value})


def purge(layout: Layout, disk: Disk, target: Target, progress: Callable[[int, int], None]) -> dict[str, Any]:
    """Remove the target's rows; returns what the receipt says. Doing it again finds what is left."""
    _settle(layout, disk)
    emptied = _segments(layout, disk, target)  # first: one whose rows are in no Parquet file any more would be read
    found = find(layout, target)
    rows: Counter[str] = Counter()
    days = sorted({(file.signal, file.day) for file in found})
    for number, (signal, day) in enumerate(days):
        progress(number, len(days))
        mine = [file for file in found if (file.signal, file.day) == (signal, day)]
        rewrite_day(layout, signal, day, {file.path: partial(without, target=target) for file in mine}, disk)
        rows[signal.value] += sum(file.rows for file in mine)
    progress(len(days), len(days))
    snapshot.sweep(layout, disk)  # what a killed backup left has rows as they were
    _settle(layout, disk)
    return {
        "rows": dict(rows),
        "files": [str(file.path.relative_to(layout.home)) for file in found],
        "segments": emptied,
        "rollup_rows": _rollups(layout, disk, target),
        "quarantined": _quarantine(layout, disk, target),
    }


def without(table: pa.Table, target: Target) -> pa.Table:
    """The table without the target's rows."""
    if target.kind == ALL:
        return table.slice(0, 0)
    columns = {SESSION: ("session_id",), USER: USER_COLUMNS, BEFORE: ("time",)}[target.kind]
    gone: Any = pa.array([False] * table.num_rows)
    for column in columns:
        if target.kind == BEFORE:
            limit = pa.scalar(target.before_us, pa.timestamp("us", "UTC"))
            hit = pc.less(table[column].cast(pa.timestamp("us", "UTC")), limit)
        else:
            hit = pc.equal(table[column], pa.scalar(target.value))
        gone = pc.or_(gone, pc.fill_null(hit, pa.scalar(value=False)))  # type: ignore[arg-type]  # arrays both
    return table.filter(pc.invert(gone))


def _segments(layout: Layout, disk: Disk, target: Target) -> list[str]:
    """Unlink segments whose rows are in Parquet and that hold some of the target's.

    Unlinked, not emptied as retiring does: a query that has listed one and not opened it yet fails, where an emptied
    one would read as no rows although its Parquet file was not there yet when the query began.
    """
    gone = []
    for signal in Signal:
        covered = covered_segments(layout, signal)
        meant = [
            (number, path)
            for number, path in segments(layout, signal)
            if path.stat().st_size and any(_is_meant(line, target) for line in _lines(path))
        ]
        doomed = [path for number, path in meant if number in covered]
        if target.kind in (SESSION, USER) and len(doomed) < len(meant):  # of these nothing is stored any more
            raise SegmentError(f"a segment of {signal} could not be made whole yet, and holds such rows")
        retries.keep(layout, signal, doomed, disk)
        for path in doomed:
            disk.remove(path)
        gone += [f"{signal}/{path.name}" for path in doomed]
    return gone


def _settle(layout: Layout, disk: Disk) -> None:
    """Sync every folder in which names may have changed.

    A step whose sync failed is not seen to be unfinished by the purge that is tried again; with a power cut it would
    be undone, and what was said to be gone be back.
    """
    for signal in Signal:
        below = layout.parquet(signal)
        days = below.glob("v=*/ingest_day=*")
        for folder in (layout.journal(signal), below, layout.merging(signal), *below.glob("v=*"), *days):
            if folder.is_dir():
                disk.sync_directory(folder)


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def _is_meant(line: bytes, target: Target) -> bool:
    """Does a line of a segment, whole or damaged, belong to the target?"""
    if target.kind == ALL:
        return True
    if target.kind != BEFORE and target.value.encode() not in line:
        return False
    try:
        row = orjson.loads(line)
    except ValueError:
        return target.kind != BEFORE
    if target.kind == BEFORE:
        return isinstance(row.get("time"), int) and row["time"] < target.before_us
    columns = ("session_id",) if target.kind == SESSION else USER_COLUMNS
    return any(row.get(column) == target.value for column in columns)


def _quarantine(layout: Layout, disk: Disk, target: Target) -> int:
    """Take the target's lines out of damaged pieces; what cannot be read stays, unless all is to go. Returns lines."""
    removed = 0
    for path in sorted(layout.quarantine.glob("*")):
        if target.kind == ALL:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            disk.sync_directory(layout.quarantine)
            removed += 1
        elif path.is_file() and path.suffix != ".parquet":
            lines = path.read_bytes().splitlines(keepends=True)
            kept = [line for line in lines if not _is_meant(line, target)]
            removed += len(lines) - len(kept)
            if len(kept) < len(lines):
                disk.write(path, b"".join(kept))
    return removed


def _rollups(layout: Layout, disk: Disk, target: Target) -> int:
    """A new version without the target's rows; all older ones go at once."""
    in_force = rollups.read(layout)
    if not in_force.version:
        return 0
    usage, series = rollups.files(layout, in_force)
    condition = where_summed(target)
    of_series = condition.replace("day <", "ingest_day <")
    rows = _count(usage, condition)
    if rows or _count(series, of_series):
        after = replace(in_force, version=rollups.next_version(layout, in_force))
        new_usage, new_series = rollups.files(layout, after)
        _keep(usage, condition, new_usage, disk)
        if target.kind == BEFORE:  # what a running total had reached is needed by what it adds later
            disk.link(series, new_series)
        else:
            _keep(series, of_series, new_series, disk)
        rollups.write(layout, disk, after)
        in_force = after
    rollups.sweep(layout, disk, in_force)
    return rows


def _count(path: Path, condition: str) -> int:
    """How many rows of a file of the rollups are meant."""
    with duckdb.connect(config=_SETTINGS) as connection:
        rows = connection.execute(f"SELECT count(*) FROM ({closing.rows_of(path)}) WHERE {condition}").fetchall()
    return int(rows[0][0])


def _keep(path: Path, condition: str, new: Path, disk: Disk) -> None:
    """Write the other rows into another one."""
    with duckdb.connect(config=_SETTINGS) as connection:
        kept = f"SELECT * FROM ({closing.rows_of(path)}) WHERE ({condition}) IS NOT TRUE"
        closing.publish(connection, kept, new, disk)


def receipt(
    layout: Layout, disk: Disk, target: Target, said: dict[str, Any], digest: str, *, here: bool = True
) -> Path:
    """Write what was done, without who it was about; if it was done here, the intent is fulfilled then."""
    now_s = time.time()
    disk.directory(layout.receipts)
    name = f"{time.strftime('%Y-%m-%dT%H%M%SZ', time.gmtime(now_s))}-{target.id}.json"
    about = {**asdict(target), "value": target.value if target.kind == BEFORE else None}
    text = json.dumps({"schema": 1, **about, "tombstone": digest or None, "finished_at_s": now_s, **said}, indent=2)
    disk.write(layout.receipts / name, text.encode() + b"\n")
    if here:
        with suppress(FileNotFoundError):
            layout.intent.unlink()
        disk.sync_directory(layout.home)
    return layout.receipts / name
