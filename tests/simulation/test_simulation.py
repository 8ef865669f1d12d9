"""Thousands of short lives: every disk call fails once, dies once, and loses what was not synced."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from tests.simulation import mutants
from tests.simulation.contract import MEMORY, keep_word
from tests.simulation.system import Plan
from tests.simulation.world import World, WrongError

from telem.storage import disk as disk_module
from telem.storage.disk import Disk

LIVES = int(os.environ.get("TELEM_TEST_LIVES", "5000"))
LIVES_A_WORLD = 4
SHARDS = 10
SEED = int(os.environ.get("TELEM_TEST_SEED", "0"))
FAULTS = ("kill", "cut", "cut", "EIO", "ENOSPC", "EMFILE", "short")


def live_through(
    seed: int, disk: Any = None, *, real: bool = False, faults: tuple[str, ...] = FAULTS, **more: Any
) -> World:
    """One machine from a seed, some lives with faults and a last one without.

    Raises:
        WrongError: a promise was broken; the message ends with what happened.
    """
    chance = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="telem-", dir=MEMORY))
    home = folder / "home"
    home.mkdir()
    world = World(home, chance, disk or Disk(), real, **more)
    try:
        for _ in range(LIVES_A_WORLD - 1):
            calls = int(chance.triangular(1, 260, 40))
            world.live(Plan(chance.choice(faults), calls, chance.choice((1, 1, 2, 40))))
        world.live(Plan())
    except WrongError as error:
        story = "\n  ".join(world.log)
        raise WrongError(f"seed {seed}: {error}\n  {story}") from None
    finally:
        shutil.rmtree(folder)
    return world


@pytest.mark.parametrize("shard", range(SHARDS))
def test_what_is_acknowledged_is_there_once_whatever_fails(shard: int) -> None:
    """A failure names its seed: `TELEM_TEST_SEED=<seed> TELEM_TEST_LIVES=4` lives through it again."""
    worlds = max(1, LIVES // LIVES_A_WORLD // SHARDS)
    acknowledged = 0
    for number in range(worlds):
        acknowledged += len(live_through(SEED + shard * worlds + number).acknowledged)
    assert acknowledged > worlds


REAL_LIVES = int(os.environ.get("TELEM_TEST_REAL_LIVES", "120"))


@pytest.mark.parametrize("shard", range(4))
def test_the_same_with_real_parquet_files(shard: int) -> None:
    """DuckDB reads the journal, pyarrow writes, DuckDB sorts and merges; the faults are the same."""
    worlds = max(1, REAL_LIVES // LIVES_A_WORLD // 4)
    for number in range(worlds):
        live_through(SEED + 1_000_000 + shard * worlds + number, real=True)


@pytest.mark.parametrize("seed", range(30))
def test_every_verb_of_the_disk_keeps_its_word(seed: int) -> None:
    """Power goes the moment it has returned."""
    keep_word(seed, Disk(), disk_module)


MUTANT_SEEDS = 400


def fails(disk: Any, module: Any, faults: tuple[str, ...] = FAULTS) -> bool:
    """Does the simulation notice?"""
    try:
        for seed in range(30):
            keep_word(seed, disk, module)
        for seed in range(MUTANT_SEEDS):
            live_through(seed, disk, disk_module=module, faults=faults)
    except WrongError:
        return True
    return False


@pytest.mark.parametrize("site", mutants.sites())
def test_without_any_one_sync_the_simulation_fails(site: str) -> None:
    """Each sync is there for a reason, and the simulation knows it."""
    module = mutants.without(site)
    assert fails(module.Disk(), module), f"nobody misses the sync at {site}"


@pytest.mark.parametrize("rule", mutants.RULES)
def test_without_any_one_rule_of_order_the_simulation_fails(rule: str) -> None:
    """Likewise."""
    with mutants.RULES[rule]():
        assert fails(Disk(), disk_module, ("EIO", "EIO", "cut")), f"nobody misses: {rule}"
