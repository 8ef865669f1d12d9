"""Old days go, whole and in the right order; what they added to the totals stays, and nobody ever counts wrongly."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest
from tests.storage.test_closing import DAYS, FIRST, FOURTH, SECOND, THIRD, answers, by_shell, spread

from telem.queries.commands import ask
from telem.sanitize.records import Signal
from telem.storage import retention
from telem.storage.catalog import publish
from telem.storage.closing import close
from telem.storage.disk import Disk
from telem.storage.inventory import parquet_files
from telem.storage.recovery import recover
from telem.storage.retention import AGE, SIZE, Limits
from telem.storage.retire import GRACE_S, retire

if TYPE_CHECKING:
    from pathlib import Path

    from telem.storage.layout import Layout

LOGS, METRICS, TRACES = Signal.LOGS, Signal.METRICS, Signal.TRACES
TODAY = "2026-01-05"
DISK = Disk()


def limits(days: int, size_bytes: int = 0, **others: int) -> Limits:
    return Limits({signal: others.get(signal.value, days) for signal in Signal}, size_bytes)


def kept(layout: Layout, signal: Signal = LOGS) -> list[str]:
    return [file.day for file in parquet_files(layout, signal)]


def retired(home: Path) -> Layout:
    """Three closed days whose segments have long been emptied, as retention finds them."""
    layout = spread(home)
    for signal in Signal:
        retire(layout, signal, 4e9, DISK)
    close(layout, FOURTH, DISK)
    publish(layout, DISK, FIRST)
    return layout


def test_days_are_due_by_the_age_their_signal_is_given(home: Path) -> None:
    """A day of exactly that age is kept; 0 keeps for ever."""
    layout = retired(home)
    assert retention.due(layout, TODAY, limits(0)) == []
    assert retention.due(layout, TODAY, limits(4)) == []
    found = retention.due(layout, TODAY, limits(3, metrics=2, traces=0))
    assert {(day.signal, day.day, day.reason) for day in found} == {
        (LOGS, FIRST, AGE),
        (METRICS, FIRST, AGE),
        (METRICS, SECOND, AGE),
    }
    assert all(day.bytes > 0 and day.files == 1 for day in found)


def test_beyond_the_size_limit_the_oldest_go_first(home: Path) -> None:
    """As many as it takes, of all signals alike; today's stay."""
    layout = retired(home)
    total, all_days = retention.size_bytes(layout), retention.days(layout)
    assert retention.due(layout, TODAY, limits(0, total)) == []
    found = retention.due(layout, TODAY, limits(0, total - all_days[0].bytes - 1))
    assert [(day.signal, day.day, day.reason) for day in found] == [(day.signal, day.day, SIZE) for day in all_days[:2]]
    assert [day.day for day in retention.due(layout, SECOND, limits(0, 1))] == [
        day.day for day in all_days if day.day < SECOND
    ]


def test_what_is_next_is_known_a_week_before(home: Path) -> None:
    """Due by age within seven days, or the oldest day when nine tenths of the limit are used."""
    layout = retired(home)
    assert {day.day for day in retention.next_to_go(layout, TODAY, limits(9))} == {FIRST, SECOND}
    near = int(retention.size_bytes(layout) / 0.95)
    assert [day.reason for day in retention.next_to_go(layout, TODAY, limits(0, near))] == [SIZE]
    assert retention.next_to_go(layout, TODAY, limits(0, near * 2)) == []


def test_raw_rows_go_and_totals_stay(home: Path) -> None:
    """The whole way of two days, asked at every step by our own questions and by shells."""
    layout = retired(home)
    wanted, wanted_by_shell = answers(layout), by_shell(layout)
    doomed = retention.due(layout, TODAY, limits(2))
    retention.give_up(layout, DISK, doomed, 1.0)
    assert answers(layout) == wanted
    assert by_shell(layout) == wanted_by_shell
    publish(layout, DISK, FIRST)
    assert by_shell(layout) == wanted_by_shell
    gone = retention.remove(layout, DISK, 2.0, {})
    assert {(day.signal, day.day) for day in gone} == {(day.signal, day.day) for day in doomed}
    assert kept(layout) == [THIRD]
    assert answers(layout) == wanted
    assert by_shell(layout) == wanted_by_shell
    assert not layout.removing(LOGS).exists()
    assert ask(layout, "SELECT count(*) FROM events WHERE ingest_day < DATE '2026-01-03'").rows == ((0,),)
    assert [(line["signal"], line["day"], line["reason"]) for line in retention.removals(layout)] == [
        (day.signal.value, day.day, AGE) for day in gone
    ]
    assert all(line["rows"] > 0 for line in retention.removals(layout))
    assert retention.remove(layout, DISK, 3.0, {}) == []


def test_a_day_that_is_not_closed_stays(home: Path) -> None:
    """Its totals would be lost."""
    layout = spread(home)
    close(layout, SECOND, DISK)
    found = retention.give_up(layout, DISK, retention.due(layout, "2027-01-01", limits(90)), 1.0)
    assert set(found.raw_since.values()) == {SECOND}
    retention.remove(layout, DISK, 2.0, {})
    assert SECOND in kept(layout)


def test_a_day_whose_segments_still_hold_rows_stays(home: Path) -> None:
    """Without its Parquet file they would be read as rows that are in none."""
    layout = spread(home)
    close(layout, FOURTH, DISK)
    retention.give_up(layout, DISK, retention.due(layout, "2027-01-01", limits(90)), 1.0)
    wanted = answers(layout)
    assert retention.remove(layout, DISK, 2.0, {}) == []
    assert kept(layout) == list(DAYS)
    assert answers(layout) == wanted


def test_a_shell_with_an_older_catalog_fails_loudly(home: Path) -> None:
    """It would count the raw rows of a day that is gone, and the rollups of those before: too little, in silence."""
    import duckdb

    layout = retired(home)
    with duckdb.connect(str(layout.catalog), read_only=True) as old:
        old.execute("SELECT count(*) FROM sessions").fetchone()
        retention.give_up(layout, DISK, retention.due(layout, TODAY, limits(2)), 1.0)
        publish(layout, DISK, FIRST)
        retention.remove(layout, DISK, 4e9, {})
        with pytest.raises(duckdb.Error):
            old.execute("SELECT sum(prompts) FROM usage_facts").fetchone()


def test_numbers_are_not_given_twice(home: Path) -> None:
    """Also when everything there was has gone."""
    layout = retired(home)
    before = recover(layout, LOGS, DISK, 0).next_segment
    for number in range(before):
        layout.segment(LOGS, number).unlink(missing_ok=True)
    retention.give_up(layout, DISK, retention.due(layout, "2027-01-01", limits(1)), 1.0)
    retention.remove(layout, DISK, 2.0, {})
    assert kept(layout) == []
    assert recover(layout, LOGS, DISK, 0).next_segment >= before - 1
    retire(layout, LOGS, 4e9 + GRACE_S, DISK)
    assert recover(layout, LOGS, DISK, 0).next_segment >= before - 1


@pytest.mark.parametrize("step", ["write", "move"])
def test_a_disk_that_fails_at_any_step_leaves_right_totals(home: Path, step: str) -> None:
    """And the next run finishes what is due."""
    layout = retired(home)
    wanted = answers(layout)

    class Failing(Disk):
        def write(self, path: Path, data: bytes, mode: int = 0o600) -> None:
            if step == "write":
                raise OSError(errno.EIO, "told to fail")
            super().write(path, data, mode)

        def move(self, path: Path, target: Path) -> None:
            if step == "move":
                raise OSError(errno.EIO, "told to fail")
            super().move(path, target)

    doomed = retention.due(layout, TODAY, limits(2))
    retention.give_up(layout, DISK, doomed, 1.0)
    publish(layout, DISK, FIRST)
    with pytest.raises(OSError, match="told to fail"):
        retention.remove(layout, Failing(), 2.0, {})
    assert answers(layout) == wanted
    retention.remove(layout, DISK, 3.0, {})
    assert kept(layout) == [THIRD]
    assert answers(layout) == wanted
    assert len(retention.removals(layout)) == len(doomed)
