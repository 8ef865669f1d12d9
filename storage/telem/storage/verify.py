"""Is everything as it was written? Every published file against its manifest, every journal batch against its CRC.

Deep: every page of every file against its checksum, and its rows against what the journal says was acknowledged, where
the journal still has them. Imports pyarrow, for that only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telem.sanitize.records import Signal

from . import manifest
from .damage import Damaged, examine
from .journal import scan, segments
from .layout import parquet_span
from .tail import is_doubtful

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .layout import Layout

BATCH_ROWS = 8192


@dataclass(slots=True)
class Report:
    """What `verify` found."""

    files: int = 0
    segments: int = 0
    bytes: int = 0
    rows: int = 0  # counted only when deep
    unlisted: list[tuple[Signal, str]] = field(default_factory=list)  # days with files the manifest does not name yet
    damaged: list[Damaged] = field(default_factory=list)


def work_bytes(layout: Layout) -> int:
    """How much there is to read, for a progress bar."""
    parquet = sum(path.stat().st_size for _, _, _, path in _published(layout))
    return parquet + sum(path.stat().st_size for signal in Signal for _, path in _segments(layout, signal))


def verify(layout: Layout, *, deep: bool, progress: Callable[[int], None] = lambda _bytes: None) -> Report:
    """Check everything; never changes anything.

    Args:
        progress: told the size of each file when it has been checked.
    """
    report = Report()
    for signal in Signal:
        commits = _check_journal(layout, signal, report, progress)
        for day in manifest.days(layout, signal):
            _check_day(layout, signal, day, report, commits if deep else None, progress)
    return report


def _published(layout: Layout) -> list[tuple[Signal, str, str, Path]]:
    return [
        (signal, day, name, path)
        for signal in Signal
        for day in manifest.days(layout, signal)
        for name, path in manifest.files(layout, signal, day).items()
    ]


def _segments(layout: Layout, signal: Signal) -> list[tuple[int, Path]]:
    return segments(layout, signal) if layout.journal(signal).is_dir() else []


def _check_journal(layout: Layout, signal: Signal, report: Report, progress: Callable[[int], None]) -> dict[int, int]:
    """Check every batch; returns the rows acknowledged in each segment that still has them."""
    rows = {}
    found = _segments(layout, signal)
    for number, path in found:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue
        if not data:
            continue
        pieces = list(scan(data))
        whole = max((end for _, end, commit in pieces if commit), default=0)
        is_written = number == found[-1][0]  # what follows its last whole batch may be under way
        bad = [
            (start, end)
            for start, end, commit in pieces
            if commit is None and (end <= whole or (not is_written and is_doubtful(data[start:end])))
        ]
        for start, end in bad:
            report.damaged.append(Damaged(signal, "", path, f"bytes {start} to {end} are not as they were written"))
        if not bad:
            rows[number] = sum(commit.rows for _, _, commit in pieces if commit)
        report.segments += 1
        report.bytes += len(data)
        progress(len(data))
    return rows


def _check_day(
    layout: Layout,
    signal: Signal,
    day: str,
    report: Report,
    commits: dict[int, int] | None,
    progress: Callable[[int], None],
) -> None:
    there, entries = manifest.files(layout, signal, day), manifest.read(layout, signal, day)
    if there.keys() - entries.keys():
        report.unlisted.append((signal, day))
    for name, path in there.items():
        try:
            why = _check_file(path, entries.get(name, ()), commits, report)
            size = path.stat().st_size
        except FileNotFoundError:  # merged or deleted meanwhile
            continue
        if why:
            report.damaged.append(Damaged(signal, day, path, why))
        report.files += 1
        report.bytes += size
        progress(size)
    for name in entries.keys() - there.keys():
        path = layout.parquet(signal) / name.replace("/", f"/ingest_day={day}/")
        if not path.exists() and there and manifest.files(layout, signal, day).keys() == there.keys():
            report.damaged.append(Damaged(signal, day, path, "it is missing"))


def _check_file(path: Path, entries: tuple[manifest.Entry, ...], commits: dict[int, int] | None, report: Report) -> str:
    if why := examine(path, entries):
        return why
    if entries and manifest.measure(path) not in entries:
        return "its content is not what was published"
    if commits is None:
        return ""
    try:
        rows = count_rows(path)
    except (OSError, ValueError) as error:
        return f"it cannot be read: {str(error).strip().splitlines()[0]}"
    report.rows += rows
    first, last = parquet_span(path.name) or (0, -1)
    numbers = range(first, last + 1)
    if first and all(number in commits for number in numbers):
        acknowledged = sum(commits[number] for number in numbers)
        if rows != acknowledged:
            return f"it has {rows} rows, the journal's segments {first} to {last} have {acknowledged}"
    return ""


def count_rows(path: Path) -> int:
    """Read every page of a file, checking it against its checksum; returns the rows.

    Raises:
        OSError, ValueError: a page is not what was written (pyarrow's errors are of these kinds).
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        return sum(batch.num_rows for batch in file.iter_batches(BATCH_ROWS, use_threads=False))
