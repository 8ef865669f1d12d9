"""The team's figures are kept for a while, and made anew while those that there are go on being told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from telem.agent.hub.members import Members, Role
from telem.agent.hub.team import KEEP_S, PAUSE_A_SECOND, Team
from telem.storage.disk import Disk
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path


class Clock:
    """Shows what it is told, and so much more each time it is looked at."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.step_s = 0.0

    def __call__(self) -> float:
        self.now_s += self.step_s
        return self.now_s


def team(home: Path, clock: Clock) -> Team:
    layout = Layout(home)
    members = Members(layout.hub_members, Disk())
    members.add("ada", Role.MEMBER, 0.0, 1, None)
    return Team(members, layout.hub_house, 3, lambda _asked: None, clock)


async def test_old_figures_are_told_while_new_ones_are_made(home: Path) -> None:
    """Prometheus asks every few seconds and waits for ten; a large team takes longer."""
    clock = Clock()
    asked = team(home, clock)
    first = await asked.gathered()
    clock.now_s += KEEP_S - 1
    assert await asked.gathered() is first
    clock.now_s += 2
    assert await asked.gathered() is first
    while await asked.gathered() is first:  # noqa: ASYNC110 (nothing tells of it)
        await asyncio.sleep(0.01)
    await asked.close()


async def test_nobody_is_told_of_what_was_long_ago(home: Path) -> None:
    """Who asks once a day waits for the figures of today; who asks at the same time is told the same."""
    clock = Clock()
    asked = team(home, clock)
    first = await asked.gathered()
    clock.now_s += 2 * KEEP_S
    second, third = await asyncio.gather(asked.gathered(), asked.gathered())
    assert second is third
    assert second is not first


async def test_what_takes_long_is_made_seldom(home: Path) -> None:
    """A twentieth of a core is spent on it, however large the team is."""
    clock = Clock()
    asked = team(home, clock)
    clock.step_s = 30.0  # at its beginning and its end, so it takes half a minute at least
    first = await asked.gathered()
    clock.step_s = 0.0
    clock.now_s += 30 * PAUSE_A_SECOND - 1
    assert await asked.gathered() is first
    await asyncio.sleep(0.1)
    assert await asked.gathered() is first
