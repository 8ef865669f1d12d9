"""What there is, by its names."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from unittest.mock import Mock

from telem.sanitize.records import Signal
from telem.storage import inventory
from telem.storage.inventory import days_to_merge, runs_of_day
from telem.storage.layout import parquet_name

if TYPE_CHECKING:
    import pytest

    from telem.storage.layout import Layout

LOGS = Signal.LOGS


def make(layout: Layout, day: str, *spans: tuple[int, int]) -> None:
    folder = layout.day(LOGS, day)
    folder.mkdir(parents=True, exist_ok=True)
    for span in spans:
        (folder / parquet_name(*span)).touch()


def test_only_files_that_follow_one_another_are_merged(layout: Layout) -> None:
    """Neither those with a gap between them, nor a single one, nor the day that is not over."""
    make(layout, "2026-01-01", (1, 2), (3, 3), (5, 6))
    make(layout, "2026-01-02", (4, 4), (7, 7))
    make(layout, "2026-01-03", (8, 9))
    make(layout, "2026-01-04", (10, 10), (11, 11))
    assert days_to_merge(layout, LOGS, "2026-01-04") == ["2026-01-01"]
    assert [[(file.first, file.last) for file in run] for run in runs_of_day(layout, LOGS, "2026-01-01")] == [
        [(1, 2), (3, 3)],
        [(5, 6)],
    ]
    assert runs_of_day(layout, LOGS, "2026-02-01") == []


def test_a_year_of_days_is_listed_once(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for each day took the daemon 4 s of every 10 over a year of days."""
    for number in range(365):
        day = dt.date(2025, 1, 1) + dt.timedelta(days=number)
        make(layout, day.isoformat(), (2 * number + 1, 2 * number + 1), (2 * number + 2, 2 * number + 2))
    listing = Mock(side_effect=inventory.parquet_files)
    monkeypatch.setattr(inventory, "parquet_files", listing)
    assert len(days_to_merge(layout, LOGS, "2026-01-01")) == 365
    listing.assert_called_once()
