"""The daemon's part: gaps that grow to a cap, no hammering, no waiting."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.storage.homes import home_of, segment

from telem.agent.forward import destinations
from telem.agent.forward.cursor import Cursor
from telem.agent.forward.destinations import Destination
from telem.agent.forward.dispatcher import CAP_S, Dispatcher, gap_s
from telem.storage.disk import Disk
from telem.storage.sequence import stamp

if TYPE_CHECKING:
    from pathlib import Path

    from tests.storage.conftest import MakeBatch

    from telem.storage.layout import Layout


def test_gaps_grow_to_a_cap_with_jitter() -> None:
    """Doubling, from the upper half at random, never less than asked for."""
    assert [gap_s(failures, None, lambda: 1.0) for failures in range(1, 6)] == [1, 2, 4, 8, 16]
    assert gap_s(40, None, lambda: 1.0) == CAP_S
    assert gap_s(40, None, lambda: 0.0) == CAP_S / 2
    assert gap_s(1, 77.0) == 77.0
    assert gap_s(40, 1.0, lambda: 1.0) == CAP_S


class Scripted(Dispatcher):
    """A dispatcher on a clock of our own, whose processes answer as they are told."""

    def __init__(self, layout: Layout) -> None:
        self.clock_s = 1000.0
        super().__init__(layout, lambda: self.clock_s)
        self.answer: dict[str, Any] = {"state": "later", "error": "down", "after_s": None}
        self.starts: list[float] = []

    async def _process(self, name: str) -> dict[str, Any]:
        self.starts.append(self.clock_s)
        return self.answer

    async def tick(self, seconds: float = 2.0) -> None:
        self.clock_s += seconds
        self.look()
        for _ in range(3):
            await asyncio.sleep(0)


@pytest.fixture
def layout(home: Path, batch: MakeBatch) -> Layout:
    layout = home_of(home)
    segment(layout, 1, batch("a"))
    destinations.write(layout, Disk(), Destination("there", url="http://127.0.0.1:1"))
    return layout


async def test_a_day_of_a_dead_destination_is_some_hundred_attempts(layout: Layout) -> None:
    """Gaps grow to five minutes and stay there; the first come quickly."""
    dispatcher = Scripted(layout)
    for _ in range(24 * 3600 // 2):
        await dispatcher.tick()
    gaps = [after - before for before, after in zip(dispatcher.starts, dispatcher.starts[1:], strict=False)]
    assert gaps[0] <= 4
    assert max(gaps) <= CAP_S + 2
    assert min(gaps[15:]) >= CAP_S / 2
    assert len(dispatcher.starts) < 24 * 3600 / (CAP_S / 2) + 20


async def test_what_is_new_is_sent_at_once_and_quiet_costs_nothing(layout: Layout, batch: MakeBatch) -> None:
    """One start for what there is, none while nothing changes, one more for what comes."""
    dispatcher = Scripted(layout)
    dispatcher.answer = {"state": "idle", "seen": stamp(layout)}
    for _ in range(20):
        await dispatcher.tick()
    assert len(dispatcher.starts) == 1
    segment(layout, 2, batch("b"))
    dispatcher.answer = {"state": "idle", "seen": stamp(layout)}
    for _ in range(20):
        await dispatcher.tick()
    assert len(dispatcher.starts) == 2


async def test_whoever_mended_something_need_not_wait(layout: Layout) -> None:
    """Resuming and editing reset the gaps."""
    dispatcher = Scripted(layout)
    for _ in range(1000):
        await dispatcher.tick()
    before = len(dispatcher.starts)
    Cursor(layout, Disk(), "there").pause("why")
    await dispatcher.tick()
    Cursor(layout, Disk(), "there").resume()
    await dispatcher.tick()
    await dispatcher.tick()
    assert len(dispatcher.starts) >= before + 1
    assert dispatcher.status()["there"]["error"] == "down"


@pytest.mark.parametrize("answer", [{"state": "paused", "error": "401"}, {"state": "idle", "seen": None}])
async def test_nothing_stands_still_after_a_pause_that_nobody_saw(layout: Layout, answer: dict[str, Any]) -> None:
    """A process ended because of a pause, and the owner was quicker to resume than we are to look."""
    dispatcher = Scripted(layout)
    dispatcher.answer = answer
    await dispatcher.tick()
    dispatcher.answer = {"state": "idle", "seen": stamp(layout)}
    await dispatcher.tick()
    await dispatcher.tick()
    assert len(dispatcher.starts) == 2
    assert dispatcher.status()["there"]["state"] == "idle"


async def test_a_paused_destination_costs_no_process_and_says_why(layout: Layout) -> None:
    """From the first look on; what is resumed is no longer shown as stopped, even before it has answered."""
    dispatcher = Scripted(layout)
    Disk().directory(layout.cursors)
    Cursor(layout, Disk(), "there").pause("wrong token")
    for _ in range(5):
        await dispatcher.tick()
    assert dispatcher.starts == []
    assert dispatcher.status()["there"]["error"] == "wrong token"
    Cursor(layout, Disk(), "there").resume()
    dispatcher.clock_s += 2
    dispatcher.look()
    assert dispatcher.status()["there"]["state"] is None
    assert dispatcher.status()["there"]["running"]


async def test_a_removed_destination_is_forgotten(layout: Layout) -> None:
    """Its process too."""
    dispatcher = Scripted(layout)
    await dispatcher.tick()
    (layout.forward / "there.toml").unlink()
    await dispatcher.tick()
    assert dispatcher.status() == {}
