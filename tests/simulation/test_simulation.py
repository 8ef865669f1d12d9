"""Thousands of short lives: every disk call fails once, dies once, and loses what was not synced."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from tests.simulation import mutants, rules, scenes
from tests.simulation.contract import MEMORY, keep_word
from tests.simulation.promises import WrongError
from tests.simulation.system import CrashError, Plan, System
from tests.simulation.world import World

from telem.sanitize.records import SanitizedBatch, Signal
from telem.storage import disk as disk_module
from telem.storage import recovery, rollups, worker
from telem.storage.disk import Disk
from telem.storage.journal import Journal
from telem.storage.layout import Layout
from telem.storage.recovery import recover
from telem.storage.rollups import Rollups

LIVES = int(os.environ.get("TELEM_TEST_LIVES", "2000"))
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


REAL_LIVES = int(os.environ.get("TELEM_TEST_REAL_LIVES", "80"))


@pytest.mark.parametrize("shard", range(4))
def test_the_same_with_real_parquet_files(shard: int) -> None:
    """DuckDB reads the journal, pyarrow writes, DuckDB sorts and merges; the faults are the same.

    In every second world days are closed, given up, removed and purged by the real SQL as well.
    """
    worlds = max(1, REAL_LIVES // LIVES_A_WORLD // 4)
    for number in range(worlds):
        live_through(SEED + 1_000_000 + shard * worlds + number, real=True, retains=number % 2 == 0)


@pytest.mark.parametrize("seed", range(30))
def test_every_verb_of_the_disk_keeps_its_word(seed: int) -> None:
    """Power goes the moment it has returned."""
    keep_word(seed, Disk(), disk_module)


@pytest.mark.parametrize("forgets", [False, True])
def test_what_an_earlier_life_wrote_counts_only_once_it_is_synced(forgets: bool) -> None:
    """Killed before its sync a batch may be whole all the same, and its retry is answered: no power cut may take it."""
    disk = Disk()
    batch = SanitizedBatch(Signal.LOGS, (b'{"id":"1"}',), 1, "f" * 32)
    lost = 0
    for at in range(1, 12):
        folder = Path(tempfile.mkdtemp(prefix="telem-", dir=MEMORY))
        home = folder / "home"
        home.mkdir()
        layout, system = Layout(home), System(home, random.Random(0), lambda: 1.0)
        with system.running(disk_module):
            disk.directory(layout.journal(Signal.LOGS))
            journal = Journal(layout, Signal.LOGS, disk, 1)
            system.plan = Plan("kill", system.calls + at)
            with contextlib.suppress(CrashError):
                journal.append([batch], 0.0)
            system.revive(Plan())
            with mock.patch.object(recovery, "_make_sure") if forgets else contextlib.nullcontext():
                known = recover(layout, Signal.LOGS, disk, 0).commits
        system.plan, system.dead = Plan("cut"), True
        system._survived = lambda durable, now: durable or b""  # type: ignore[method-assign]
        system.revive(Plan())
        lost += len(known) > len(recover(layout, Signal.LOGS, Disk(), 0).commits)
        shutil.rmtree(folder)
    assert bool(lost) is forgets


@pytest.mark.parametrize("forgets", [False, True])
def test_totals_go_only_once_those_in_force_are_there_to_stay(forgets: bool) -> None:
    """A purge by a command is killed when new totals have their name, and ends when it is tried again."""
    disk = Disk()
    lost = 0
    for at in range(1, 8):
        folder = Path(tempfile.mkdtemp(prefix="telem-", dir=MEMORY))
        (home := folder / "home").mkdir()
        layout, system = Layout(home), System(home, random.Random(0), lambda: 1.0)
        with (
            system.running(disk_module),
            mutants.without_beside("rollups.sweep:1") if forgets else contextlib.nullcontext(),
        ):
            for version in (1, 2):
                disk.directory(layout.rollup(version))
                disk.write(rollups.files(layout, Rollups(version))[0], b"totals")
            rollups.write(layout, disk, Rollups(1))
            system.plan = Plan("kill", system.calls + at)
            with contextlib.suppress(CrashError):
                rollups.write(layout, disk, Rollups(2))
            system.revive(Plan())
            rollups.sweep(layout, disk, rollups.read(layout))
        system.plan, system.dead = Plan("cut"), True
        system.pending.clear()  # nothing that was not synced is left
        system.revive(Plan())
        lost += not rollups.files(layout, rollups.read(layout))[0].exists()
        shutil.rmtree(folder)
    assert bool(lost) is forgets


@pytest.mark.parametrize("forgets", [False, True])
def test_a_name_that_was_taken_back_stays_away_once_its_rows_are_written_elsewhere(forgets: bool) -> None:
    """The sync of a published file's folder fails, another file is written, and then the power goes."""
    disk = Disk()
    back = 0
    for seed in range(20):
        folder = Path(tempfile.mkdtemp(prefix="telem-", dir=MEMORY))
        (home := folder / "home").mkdir()
        layout, system = Layout(home), System(home, random.Random(seed), lambda: 1.0)
        day = layout.day(Signal.LOGS, "2026-11-24")
        with (
            system.running(disk_module),
            mutants.without_beside("worker._settle:1") if forgets else contextlib.nullcontext(),
        ):
            disk.directory(day)
            disk.write(temporary := day / ".tmp-x", b"rows")
            system.plan = Plan("EIO", system.calls + 3)
            with pytest.raises(OSError, match="a sync"):
                disk.publish(temporary, day / "x.parquet")
            assert list(day.iterdir()) == []
            system.plan = Plan()
            worker._settle(layout, Signal.LOGS, "2026-11-23", disk)
        system.plan, system.dead = Plan("cut"), True
        system.revive(Plan())
        back += any(day.iterdir())
        shutil.rmtree(folder)
    assert bool(back) is forgets


MUTANT_SEEDS = 400


def fails(disk: Any, module: Any, faults: tuple[str, ...] = FAULTS, **more: Any) -> bool:
    """Does the simulation notice?"""
    try:
        for seed in range(30):
            keep_word(seed, disk, module)
        for seed in range(MUTANT_SEEDS):
            live_through(seed, disk, disk_module=module, faults=faults, **more)
    except WrongError:
        return True
    return False


@pytest.mark.parametrize("site", mutants.sites())
def test_without_any_one_sync_the_simulation_fails(site: str) -> None:
    """Each sync is there for a reason, and the simulation knows it."""
    module = mutants.without(site)
    assert fails(module.Disk(), module), f"nobody misses the sync at {site}"


@pytest.mark.parametrize("site", scenes.BESIDE)
def test_without_one_sync_beside_the_disk_its_scene_fails(site: str) -> None:
    """Those by which a module makes good what an earlier attempt could not sync."""
    with mutants.without_beside(site), pytest.raises(WrongError):
        scenes.BESIDE[site].play()


def test_every_sync_is_tried_or_explained() -> None:
    """All of the storage room's: in the disk, in the modules beside it, and nowhere else."""
    synced = {
        module.name
        for module in (Path(disk_module.__file__).parent).glob("*.py")
        if any(f".{name}(" in module.read_text(encoding="utf-8") for name in mutants.SYNCS)
    }
    tried = {"disk.py", *(f"{module.__name__.rpartition('.')[2]}.py" for module in mutants.BESIDE)}
    assert synced == tried
    assert {*mutants.EXPLAINED, *scenes.BESIDE} == {*mutants.sites_beside()}


@pytest.mark.parametrize("rule", rules.RULES)
def test_without_any_one_rule_of_order_the_simulation_fails(rule: str) -> None:
    """Likewise."""
    with rules.RULES[rule]():
        if scene := rules.SCENES.get(rule):
            with pytest.raises(WrongError):
                scene.play()
            return
        purging = 0.1 if "purge" in rule else 0.0
        assert fails(Disk(), disk_module, ("EIO", "EIO", "cut"), purging=purging), f"nobody misses: {rule}"


@pytest.mark.parametrize("scene", [name for name, what in vars(scenes).items() if isinstance(what, scenes.Scene)])
def test_no_scene_breaks_a_promise(scene: str) -> None:
    """Whatever call the fault comes at."""
    getattr(scenes, scene).play()
