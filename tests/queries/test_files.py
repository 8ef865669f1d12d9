"""The list of files that a question reads: right at every moment, whatever was known before."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from telem.queries import files
from telem.sanitize.records import Signal
from telem.storage.inventory import parquet_files
from telem.storage.layout import SEED_NAME, Layout, parquet_name

if TYPE_CHECKING:
    from pathlib import Path


def listed(layout: Layout) -> list[str]:
    found = list(files.files_of(layout, Signal.LOGS).parquet)
    assert found == [str(file.path) for file in reversed(parquet_files(layout, Signal.LOGS))]
    return found


def make(layout: Layout, day: str, first: int, *, old: bool = True) -> Path:
    path = layout.day(Signal.LOGS, day) / parquet_name(first, first)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    if old:
        os.utime(path.parent, (1_700_000_000 + first, 1_700_000_000 + first))
    return path


def test_what_changed_is_listed_again(tmp_path: Path) -> None:
    """New files, new days, removed ones, and folders that changed places."""
    layout = Layout(tmp_path)
    assert listed(layout) == []
    make(layout, "2026-01-01", 1)
    (layout.day(Signal.LOGS, "2026-01-01") / SEED_NAME).touch()
    second = make(layout, "2026-01-02", 2)
    assert len(listed(layout)) == 2
    assert len(listed(layout)) == 2
    make(layout, "2026-01-02", 3, old=False)
    assert len(listed(layout)) == 3
    make(layout, "2026-01-02", 4, old=False)  # within the same tick of the clock
    assert len(listed(layout)) == 4
    second.unlink()
    assert len(listed(layout)) == 3
    other = make(layout, "2026-01-09", 5).parent
    aside = tmp_path / "aside"
    other.rename(aside)
    assert len(listed(layout)) == 3
    day = layout.day(Signal.LOGS, "2026-01-02")
    os.utime(day, (1_700_000_000, 1_700_000_000))
    assert len(listed(layout)) == 3
    day.rename(tmp_path / "gone")
    aside.rename(day)
    os.utime(day, (1_700_000_000, 1_700_000_000))
    assert len(listed(layout)) == 2
