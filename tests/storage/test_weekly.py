"""The weekly report: right figures, in both forms, written by itself once a week."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from tests.storage.test_closing import FIRST
from tests.storage.test_retention import limits, retired

from telem.storage import retention, weekly
from telem.storage.catalog import publish
from telem.storage.disk import Disk

if TYPE_CHECKING:
    from pathlib import Path

DISK = Disk()


@pytest.mark.parametrize(
    ("day", "week"), [("2026-11-23", "2026-W47"), ("2026-11-29", "2026-W47"), ("2027-01-04", "2026-W53")]
)
def test_the_week_before(day: str, week: str) -> None:
    """ISO weeks, Monday to Sunday, also around New Year."""
    assert retention.week_before(day) == week
    first, end = weekly.bounds(week)
    assert first < end <= day


def test_it_says_what_came_went_is_due_and_is_held(home: Path) -> None:
    """Rows and bytes of the week's days; what retention removed in it; sizes by month; the same as Markdown."""
    layout = retired(home)
    at_s = datetime(2026, 1, 3, tzinfo=UTC).timestamp()
    all_days = retention.days(layout)
    retention.give_up(layout, DISK, retention.due(layout, "2026-01-05", limits(3)), at_s)
    publish(layout, DISK, FIRST)
    gone = retention.remove(layout, DISK, at_s, {})
    said = weekly.write(layout, DISK, "2026-W01", limits(3))
    left = [day for day in all_days if day.day > FIRST]
    for signal, counts in said["came_in"].items():
        assert counts["bytes"] == sum(day.bytes for day in left if day.signal == signal)
    assert [(line["signal"], line["day"]) for line in said["deleted"]] == [(day.signal, day.day) for day in gone]
    assert {day["day"] for day in said["due_next_week"]} == {"2026-01-02", "2026-01-03"}
    assert list(said["held"]) == ["2026-01"]
    assert json.loads(layout.weekly("2026-W01").read_text()) == json.loads(json.dumps(said))
    text = layout.weekly("2026-W01").with_suffix(".md").read_text()
    assert "# Retention, 2026-W01 (2025-12-29 to 2026-01-04, UTC)" in text
    assert f"| {FIRST} | logs |" in text
    later = weekly.report(layout, "2026-W20", limits(0))
    assert (later["deleted"], later["due_next_week"]) == ([], [])
