"""Kills and power cuts at every moment of a real daemon's days: nothing acknowledged is lost, nothing purged returns.

`TELEM_TEST_KILLS` and `TELEM_TEST_CUTS` set how often it dies, `TELEM_TEST_SEED` the moments; `-rA` shows counts.
"""

from __future__ import annotations

import logging
import os
import random
import time
from typing import TYPE_CHECKING

import pytest
from tests.faults.storm import MOMENTS, Storm

if TYPE_CHECKING:
    from pathlib import Path

KILLS = int(os.environ.get("TELEM_TEST_KILLS", "5"))
CUTS = int(os.environ.get("TELEM_TEST_CUTS", "4"))
SEED = int(os.environ.get("TELEM_TEST_SEED", str(time.time_ns() % 1_000_000)))
DEATHS_A_HOME = 25

log = logging.getLogger(__name__)


def homes(deaths: int) -> list[tuple[int, int]]:
    """(number of the home, deaths of its daemon)."""
    return [(at // DEATHS_A_HOME, min(DEATHS_A_HOME, deaths - at)) for at in range(0, deaths, DEATHS_A_HOME)]


@pytest.mark.parametrize(("number", "deaths"), homes(KILLS))
def test_whenever_it_is_killed_nothing_is_lost_doubled_or_back(home: Path, number: int, deaths: int) -> None:
    """The daemon and its worker, or one of them: under load, in compaction, purge, the turn of a day, retention."""
    live_through(home, SEED + number, deaths, cuts=False)


@pytest.mark.parametrize(("number", "deaths"), homes(CUTS))
def test_whenever_the_power_goes_nothing_is_lost_doubled_or_back(home: Path, number: int, deaths: int) -> None:
    """What was not synced is gone, or a part of it."""
    live_through(home, SEED + number, deaths, cuts=True)


def live_through(home: Path, seed: int, deaths: int, *, cuts: bool) -> None:
    """Die so often, first of all at the first start, and judge each time."""
    log.info("seed %d", seed)
    with Storm(home, seed, cuts=cuts) as storm:
        moments = random.Random(seed).sample(list(MOMENTS), len(MOMENTS))
        storm.begin()
        for at in range(deaths - storm.deaths.total()):
            storm.die_at(moments[at % len(moments)])
        storm.end_well()
        said = {"deaths": dict(storm.deaths), "records": storm.records, "purged": len(storm.purged)}
        undone = f", {storm.power.undone} of them undid something" if storm.power else ""
        log.info("%d %s%s, 0 lost, 0 doubled, 0 back: %s", deaths, "power cuts" if cuts else "kills", undone, said)


def test_without_syncs_a_power_cut_loses_something(home: Path) -> None:
    """So the test above would notice."""
    with Storm(home, SEED, cuts=True) as storm:
        storm.shim.lying()
        with pytest.raises(AssertionError, match="lost"):
            storm.die_at("load")
