"""The day retention is sure of: a clock that lies for a while moves nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes import FaultyDisk

from telem.storage.disk import Disk
from telem.storage.layout import Layout
from telem.storage.sureclock import PATIENCE_S, SureClock

if TYPE_CHECKING:
    from pathlib import Path

DAY_S = 86_400.0
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()
TODAY = "2026-11-23"


class Machine:
    """A machine whose clock can be set, that can sleep, be switched off and run a daemon."""

    def __init__(self, home: Path, start_s: float = NOON) -> None:
        self.layout, self.disk = Layout(home), Disk()
        self.disk.directory(home)
        self.true_s = start_s
        self.offset_s = 0.0
        self.booted_s = start_s - 1000
        self.boots = 1
        self.start()

    def start(self) -> None:
        self.clock = SureClock(
            self.layout,
            self.disk,
            lambda: self.true_s + self.offset_s,
            lambda: self.true_s - self.booted_s,
            lambda: str(self.boots),
        )
        self.clock.look()

    def live(self, seconds: float) -> str:
        """Be awake for so long, with a look every minute."""
        for _ in range(int(seconds // 60)):
            self.true_s += 60
            self.clock.look()
        return self.clock.day

    def sleep(self, seconds: float) -> str:
        self.true_s += seconds
        return self.clock.look()

    def off(self, seconds: float) -> str:
        self.true_s += seconds
        self.booted_s = self.true_s
        self.boots += 1
        self.start()
        return self.clock.day


@pytest.fixture
def machine(home: Path) -> Machine:
    """One that has been watched for long enough to be believed."""
    made = Machine(home, NOON - DAY_S)
    made.live(DAY_S)
    return made


def test_a_first_start_is_not_sure_of_anything(home: Path) -> None:
    """Its clock may be wrong; a day later it is believed."""
    made = Machine(home)
    assert made.clock.day == "1970-01-01"
    assert made.live(PATIENCE_S - 120) == "1970-01-01"
    assert made.live(180) == "2026-11-24"


@pytest.mark.parametrize("jump_days", [2, 3650, 0.2, -400])
@pytest.mark.parametrize("running", [True, False])
def test_a_jump_that_is_put_right_is_never_believed(machine: Machine, jump_days: float, *, running: bool) -> None:
    """Forward, the day stays what it was; backward it is less; after the correction it is right at once."""
    machine.offset_s = jump_days * DAY_S
    if not running:
        machine.off(60)
    machine.live(20 * 3600)
    assert machine.clock.day <= "2026-11-24"
    machine.offset_s = 0
    machine.live(120)
    if jump_days > 0:
        assert machine.clock.day == "2026-11-24"
    else:
        machine.live(PATIENCE_S)
        assert machine.clock.day == "2026-11-25"


def test_sleep_is_time_that_passed(machine: Machine) -> None:
    """A laptop that slept over the holidays knows it."""
    assert machine.sleep(10 * DAY_S) == "2026-12-03"


def test_a_time_switched_off_counts_after_a_day_awake(machine: Machine) -> None:
    """From outside it looks like a wrong clock."""
    assert machine.off(10 * DAY_S) == TODAY
    assert machine.live(PATIENCE_S + 60) == "2026-12-04"


def test_a_machine_that_is_switched_off_every_night_is_some_days_late(machine: Machine) -> None:
    """Eight hours a day: each night is believed when three more days have been lived through."""
    for _ in range(30):
        machine.live(8 * 3600)
        machine.off(16 * 3600)
    assert "2026-12-20" <= machine.clock.day <= "2026-12-22"


def test_a_restart_of_the_daemon_alone_is_no_gap(machine: Machine) -> None:
    """The machine has counted on."""
    machine.live(3600)
    machine.true_s += 5 * 3600
    machine.start()
    assert machine.clock.gaps == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"wall_s": "x"}', '{"wall_s": 1, "elapsed_s": 1, "gaps": [1]}'])
def test_a_damaged_file_makes_it_wait(machine: Machine, text: str) -> None:
    """Never sure by accident."""
    machine.layout.clock.write_text(text)
    machine.start()
    assert machine.clock.day == "1970-01-01"


def test_a_full_disk_does_not_stop_it(machine: Machine) -> None:
    """It goes on from memory."""
    machine.clock._disk = FaultyDisk("write", 1, -1)
    assert machine.live(DAY_S) == "2026-11-24"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["live", "sleep", "off", "jump", "right"]), st.integers(1, 4000)),
        max_size=25,
    )
)
def test_it_is_never_ahead_of_a_clock_that_was_put_right_within_a_day(steps: list[tuple[str, int]]) -> None:
    """Whatever happens: as long as no lie lasts for a waking day, what is believed never lies ahead of the truth."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        made = Machine(Path(folder))
        lying_s = 0.0
        for what, hours in steps:
            if what == "live":
                awake_s = min(hours, 6) * 3600.0
                if made.offset_s > 0 and lying_s + awake_s >= PATIENCE_S:
                    made.offset_s = lying_s = 0.0
                made.live(awake_s)
                lying_s += awake_s if made.offset_s > 0 else 0.0
            elif what == "sleep":
                made.sleep(hours * 600.0)
            elif what == "off":
                made.off(hours * 600.0)
            elif what == "jump":
                made.offset_s += hours * 3600.0
                lying_s = 0.0 if made.offset_s <= 0 else lying_s
            else:
                made.offset_s = lying_s = 0.0
            made.clock.look()
            truth = datetime.fromtimestamp(made.true_s, UTC).date().isoformat()
            assert made.clock.day <= truth
