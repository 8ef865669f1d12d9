"""Data folders with rows in them, as a daemon leaves them: some in Parquet, some in the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from telem.sanitize.records import Signal
from telem.storage.compact import compact
from telem.storage.disk import Disk
from telem.storage.journal import Journal
from telem.storage.keys import load_key
from telem.storage.layout import Layout
from telem.storage.recovery import recover
from telem.storage.snapshot import snapshot
from telem.storage.views import Files, worker_sql

if TYPE_CHECKING:
    from pathlib import Path

    from telem.sanitize.records import SanitizedBatch

DAY = "2026-01-31"


def home_of(path: Path) -> Layout:
    """An empty home with journal folders and a key."""
    layout = Layout(path)
    for signal in Signal:
        Disk().directory(layout.journal(signal))
    load_key(layout, Disk())
    return layout


def segment(layout: Layout, number: int, *batches: SanitizedBatch) -> None:
    """Put batches into a segment of their own; closed."""
    journal = Journal(layout, batches[0].signal, Disk(), number)
    journal.append(batches, 0.0)
    journal.close()


def parquet(layout: Layout, number: int, *batches: SanitizedBatch, day: str = DAY) -> Path:
    """Put batches into a segment that is Parquet, and retired."""
    segment(layout, number, *batches)
    path = compact(layout, batches[0].signal, [number], day, Disk())
    Disk().empty(layout.segment(batches[0].signal, number))
    return path


def record_names(layout: Layout, signal: Signal = Signal.LOGS) -> list[str]:
    """The `record.name` of every row that a question would see, sorted."""
    rows = asked(layout, f"SELECT attributes->>'$.\"record.name\"' FROM raw_{signal}")
    return sorted(str(name) for (name,) in rows)


def asked(layout: Layout, sql: str) -> list[tuple[object, ...]]:
    """What a question over the files of a home answers."""
    with snapshot(layout, Disk()) as picture, duckdb.connect() as connection:
        files = {signal: Files(picture.parquet(signal), picture.segments(signal)) for signal in Signal}
        for statement in worker_sql(files, sql):
            connection.execute(statement)
        return connection.execute(sql).fetchall()


def next_segment(layout: Layout, signal: Signal = Signal.LOGS) -> int:
    """The number a daemon that starts now begins with."""
    return recover(layout, signal, Disk(), 0).next_segment
