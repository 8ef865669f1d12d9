"""The keeper: closed segments become Parquet, whatever fails on the way is tried again."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import config_for, running
from tests.otlp import numbered, raw

from telem.agent import keeper as keeper_module
from telem.agent import workers
from telem.agent.keeper import BACKOFF_S, COMPACT_AFTER_S, SEGMENTS_A_FILE, consecutive
from telem.agent.workers import WorkerError, run_jobs
from telem.sanitize.records import Signal
from telem.storage.inventory import parquet_files
from telem.storage.retire import GRACE_S

if TYPE_CHECKING:
    from pathlib import Path

    from telem.agent.daemon import Daemon

LOGS = Signal.LOGS


async def store(daemon: Daemon, name: str, signal: Signal = LOGS) -> None:
    await daemon.ingest.accept(raw(signal, numbered(signal, name)))


async def failing(_jobs: Any) -> Any:
    raise WorkerError("told to fail")


@pytest.mark.parametrize(
    ("numbers", "runs"),
    [
        ([], []),
        ([5], [[5]]),
        ([1, 2, 3], [[1, 2, 3]]),
        ([3, 1, 7, 2], [[1, 2, 3], [7]]),
        ([1, 2, 3, 4, 5], [[1, 2, 3, 4], [5]]),
    ],
)
def test_runs_are_consecutive_and_short(numbers: list[int], runs: list[list[int]]) -> None:
    """A Parquet file is named by its first and last segment, so there must be no gap between them."""
    assert consecutive(numbers, 4) == runs


@given(st.sets(st.integers(1, 60)), st.integers(1, 5))
def test_runs_hold_every_number_once(numbers: set[int], limit: int) -> None:
    """None is lost, none twice, none out of order."""
    runs = consecutive(list(numbers), limit)
    assert [number for run in runs for number in run] == sorted(numbers)
    assert all(run == list(range(run[0], run[0] + len(run))) and len(run) <= limit for run in runs)


async def test_an_old_segment_is_closed_and_becomes_parquet(home: Path) -> None:
    """By itself, once it is as old as the setting says."""
    async with running(config_for(home, segment_age_s=1)) as daemon:
        await store(daemon, "a")
        await daemon.keeper.tick()
        assert daemon.ingest.committers[LOGS].journal.is_open
        daemon.ingest.committers[LOGS].journal.opened_at_s -= 5
        await daemon.keeper.tick()
        assert not daemon.ingest.committers[LOGS].journal.is_open
        assert parquet_files(daemon.layout, LOGS) == []  # it waits a minute for company
        daemon.keeper._waiting_since_s[LOGS] -= COMPACT_AFTER_S
        await daemon.keeper.tick()
        assert [(file.first, file.last) for file in parquet_files(daemon.layout, LOGS)] == [(1, 1)]
        assert daemon.layout.catalog.exists()


async def test_compaction_on_request_leaves_nothing_waiting(daemon: Daemon) -> None:
    """All signals, with at most so many segments a file."""
    for number in range(SEGMENTS_A_FILE + 1):
        await store(daemon, f"r{number}")
        await daemon.ingest.committers[LOGS].close_segment()
    await store(daemon, "span", Signal.TRACES)
    said = await daemon.keeper.compact_now()
    assert said["waiting"] == dict.fromkeys(Signal, 0)
    assert [(file.first, file.last) for file in parquet_files(daemon.layout, LOGS)] == [
        (1, SEGMENTS_A_FILE),
        (SEGMENTS_A_FILE + 1, SEGMENTS_A_FILE + 1),
    ]
    assert [(file.first, file.last) for file in parquet_files(daemon.layout, Signal.TRACES)] == [(1, 1)]


async def test_segments_of_an_earlier_life_become_parquet_too(home: Path) -> None:
    """Also when the daemon was killed before it could."""
    async with running(config_for(home)) as first:
        await store(first, "a")
    async with running(config_for(home)) as second:
        assert (await second.keeper.compact_now())["waiting"] == dict.fromkeys(Signal, 0)
        assert len(parquet_files(second.layout, LOGS)) == 1


async def test_a_failing_worker_is_tried_again_later_and_later(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Backoff grows to an hour; the segments wait; ingest goes on; the first success resets it."""
    await store(daemon, "a")
    await daemon.ingest.committers[LOGS].close_segment()
    keeper = daemon.keeper
    await keeper.work(everything=True)  # what the start had to do is done
    await store(daemon, "b")
    await daemon.ingest.committers[LOGS].close_segment()
    monkeypatch.setattr(keeper_module, "run_jobs", failing)
    waits = []
    for _ in range(len(BACKOFF_S) + 2):
        await keeper.work(everything=True)
        waits.append(round(keeper._retry_at_s - time.monotonic()))
        await store(daemon, f"c{len(waits)}")
    assert waits == [*map(round, BACKOFF_S), 3600, 3600]
    assert keeper._waiting[LOGS] == [2]
    calls: list[Any] = []

    async def noting(jobs: Any) -> Any:
        calls.append(jobs)

    monkeypatch.setattr(keeper_module, "run_jobs", noting)
    await keeper.tick()
    assert calls == []  # it is not time yet
    monkeypatch.setattr(keeper_module, "run_jobs", run_jobs)
    await keeper.work(everything=True)
    assert keeper._waiting[LOGS] == []
    assert keeper._failures == 0


async def test_one_bad_job_does_not_hold_up_the_others(daemon: Daemon) -> None:
    """A segment that cannot be read leaves the other signals alone, and is said to wait."""
    for signal in Signal:
        await store(daemon, "a", signal)
    await daemon.ingest.committers[LOGS].close_segment()
    daemon.layout.segment(LOGS, 1).unlink()
    said = await daemon.keeper.compact_now()
    assert said["waiting"] == {"logs": 1, "metrics": 0, "traces": 0}
    assert parquet_files(daemon.layout, Signal.TRACES)


async def test_retiring_waits_for_the_grace(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries under way may still want the segment; after it, it is emptied. A clock that jumps is no grace."""
    await store(daemon, "a")
    await daemon.keeper.compact_now()
    segment = daemon.layout.segment(LOGS, 1)
    daemon.keeper._retire()
    assert segment.stat().st_size > 0
    jumped_s = time.time() + 1e9
    monkeypatch.setattr(time, "time", lambda: jumped_s)
    daemon.keeper._retire()
    assert segment.stat().st_size > 0
    later_s = time.monotonic() + GRACE_S + 1
    monkeypatch.setattr(time, "monotonic", lambda: later_s)
    daemon.keeper._retire()
    assert segment.stat().st_size == 0


async def test_a_worker_that_dies_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a hang, and not a crash of the daemon."""
    monkeypatch.setattr(workers, "PYTHON", (shutil.which("false"),))
    with pytest.raises(WorkerError, match="status 1"):
        await run_jobs([{"job": "publish"}])


async def test_jobs_are_answered_in_order() -> None:
    """Each with its own result."""
    results = await run_jobs([{"job": "x", "home": "/"}, {"job": "y", "home": "/"}])
    assert ["'x'" in results[0]["error"], "'y'" in results[1]["error"]] == [True, True]
