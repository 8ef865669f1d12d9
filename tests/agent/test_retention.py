"""When the daemon closes, gives up and removes days; and the commands."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from tests.agent.test_keeper import store
from tests.conftest import config_for, running
from tests.daemons import CLI, clean_env
from tests.storage.test_closing import FIRST, FOURTH, SECOND, THIRD, answers
from tests.storage.test_retention import retired

from telem.agent.retention import ANNOUNCE_S, LOOK_EVERY_S, Retention
from telem.sanitize.records import Signal
from telem.storage import rollups
from telem.storage.disk import Disk
from telem.storage.inventory import parquet_files
from telem.storage.retention import Limits, days, size_bytes
from telem.storage.retire import GRACE_S
from telem.storage.sureclock import PATIENCE_S, SureClock
from telem.storage.worker import run

if TYPE_CHECKING:
    from pathlib import Path

LOGS = Signal.LOGS
NOON_S = 1_767_614_400.0  # 2026-01-05 12:00 UTC


class Clock(SureClock):
    """One that is sure of what it is told."""

    def __init__(self, layout: Any, day: str) -> None:
        super().__init__(layout, Disk())
        self.told = day

    def look(self, *, write: bool = True) -> str:
        return self.told

    @property
    def day(self) -> str:
        return self.told


def worked(retention: Retention, now_s: float) -> list[str]:
    """Do what is due, as the keeper does; the names of the jobs."""
    names = []
    for job in retention.jobs(now_s):
        names.append(job["job"])
        retention.note(job, run(job))
    found = retention.rollups()
    assert found
    retention.published(found.stamp, now_s)
    return names


def commanded(home: Path, word: str, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [*CLI, "retention", word, "--home", str(home), *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=clean_env())


def limits(days_: int, size: int = 0) -> Limits:
    return Limits(dict.fromkeys(Signal, days_), size)


def test_days_are_closed_given_up_and_removed_in_their_time(home: Path) -> None:
    """Closed as they end, given up when they are due, removed a grace after the catalog said so; asked in vain else."""
    layout = retired(home)
    wanted = answers(layout)
    clock = Clock(layout, "2026-01-05")
    retention = Retention(layout, Disk(), limits(2), clock)
    assert worked(retention, 0.0) == ["weekly", "give up"]
    assert worked(retention, 61.0) == []
    assert worked(retention, GRACE_S - 1) == []
    assert [file.day for file in parquet_files(layout, LOGS)] == [FIRST, SECOND, THIRD]
    assert worked(retention, GRACE_S + 62) == ["remove"]
    assert [file.day for file in parquet_files(layout, LOGS)] == [THIRD]
    assert worked(retention, LOOK_EVERY_S + 1) == []
    clock.told = "2026-01-06"
    assert worked(retention, LOOK_EVERY_S + 2) == ["close"]
    assert worked(retention, 2 * LOOK_EVERY_S + 3) == ["give up"]
    assert answers(layout) == wanted


@pytest.mark.parametrize("jump_days", [2, 3650, -400])
def test_a_clock_that_jumps_removes_nothing(home: Path, jump_days: float) -> None:
    """Whatever it says, for most of a waking day, with a restart in between."""
    layout = retired(home)
    state = {"wall": NOON_S - PATIENCE_S - 600, "elapsed": 0.0}

    def started() -> Retention:
        clock = SureClock(layout, Disk(), lambda: state["wall"], lambda: state["elapsed"], lambda: "boot")
        return Retention(layout, Disk(), limits(4), clock)

    def lived(retention: Retention, seconds: float) -> list[str]:
        names = []
        for _ in range(int(seconds // 120)):
            state["wall"] += 120
            state["elapsed"] += 120
            names += (
                worked(retention, state["elapsed"]) if state["elapsed"] % 1200 == 0 else [retention.clock.look()][1:]
            )
        return names

    retention = started()
    assert set(lived(retention, PATIENCE_S + 600)) <= {"weekly"}
    assert retention.clock.day == "2026-01-05"
    state["wall"] += jump_days * 86_400
    assert set(lived(retention, 5 * 3600)) <= {"weekly"}
    retention = started()
    assert set(lived(retention, 5 * 3600)) <= {"weekly"}
    state["wall"] -= jump_days * 86_400
    assert set(lived(retention, 3600)) <= {"weekly"}
    assert [file.day for file in parquet_files(layout, LOGS)] == [FIRST, SECOND, THIRD]


def test_what_goes_for_its_size_is_announced_an_hour_before(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In the log and in the status; and then it goes."""
    layout = retired(home)
    wanted = answers(layout)
    limit = size_bytes(layout) - 1
    retention = Retention(layout, Disk(), limits(0, limit), Clock(layout, "2026-01-05"))
    assert worked(retention, 0.0) == ["weekly"]
    assert "goes in an hour" in caplog.text
    (due,) = retention.status()["due"]
    assert (due["day"], due["reason"]) == (FIRST, "size")
    before = len(days(layout))
    assert worked(retention, ANNOUNCE_S + 1) == ["give up"]
    assert worked(retention, ANNOUNCE_S + GRACE_S + 100) == ["remove"]
    assert len(days(layout)) == before - 1
    assert answers(layout) == wanted


def test_damaged_rollups_stop_retention_and_nothing_else(home: Path) -> None:
    """It is said; nothing is closed, given up or removed."""
    layout = retired(home)
    layout.rollups_manifest.write_text("{")
    retention = Retention(layout, Disk(), limits(1), Clock(layout, "2027-01-05"))
    assert retention.jobs(0.0) == []
    assert "damaged" in retention.status()["error"]


async def test_a_daemon_closes_days_by_itself(home: Path) -> None:
    """And its catalog speaks of it."""
    layout = retired(home)
    wanted = answers(layout)
    async with running(config_for(home)) as daemon:
        daemon.keeper.retention.clock = Clock(layout, "2026-02-01")
        await daemon.keeper.work(everything=True)
        assert rollups.read(layout).closed == "2026-01-31"
        await daemon.keeper.work(everything=True)
        assert "2026-01-31" in layout.script.read_text()
        assert answers(layout) == wanted
        said = (await daemon.status())["retention"]
        assert (said["closed"], said["sure_of_day"]) == ("2026-01-31", "2026-02-01")


async def test_a_day_far_ahead_does_not_keep_what_comes_after_the_clock_was_put_right(home: Path) -> None:
    """A file of 2036 is there; what is stored today belongs to today, once the catalog says so."""
    layout = retired(home)
    (source,) = (file.path for file in parquet_files(layout, LOGS) if file.day == THIRD)
    far = layout.day(LOGS, "2036-01-01")
    far.mkdir()
    source.rename(far / source.name)
    async with running(config_for(home)) as daemon:
        await daemon.keeper.work(everything=True)
        await store(daemon, "a")
        await daemon.keeper.compact_now()
        newest = max(parquet_files(layout, LOGS), key=lambda file: file.first)
        assert newest.day < "2036-01-01"


def test_the_commands_say_what_is_due_ask_and_remove(home: Path) -> None:
    """`status`, `run --dry-run`, `run` without an answer, `run --yes`."""
    layout = retired(home)
    wanted = answers(layout)
    days_ = ("--retention-logs-days", "1", "--retention-metrics-days", "0", "--retention-traces-days", "0")
    said = commanded(home, "status", *days_)
    assert (said.returncode, "all days before 2026-01-04" in said.stdout) == (0, True), said.stderr
    dry = commanded(home, "run", "--now", "--dry-run", "--json", *days_)
    assert [day["day"] for day in json.loads(dry.stdout)["due"]] == [FIRST, SECOND, THIRD], dry.stderr
    assert commanded(home, "run", "--now", *days_).returncode == 1
    assert commanded(home, "run", "--yes", *days_).returncode == 0  # its clock is not believed yet
    assert [file.day for file in parquet_files(layout, LOGS)] == [FIRST, SECOND, THIRD]
    done = commanded(home, "run", "--now", "--yes", "--json", *days_)
    assert [day["day"] for day in json.loads(done.stdout)["removed"]] == [FIRST, SECOND, THIRD], done.stderr
    assert parquet_files(layout, LOGS) == []
    assert answers(layout) == wanted
    assert rollups.read(layout).raw_since[LOGS] == FOURTH
