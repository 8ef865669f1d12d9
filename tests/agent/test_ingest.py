"""Ingest: durable before the answer, stored once however often it is sent, and alive when the disk is not."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.conftest import config_for, running
from tests.daemons import LiveDaemon, journal_rows, names, wait_for
from tests.fakes import FaultyDisk
from tests.otlp import logs, numbered, raw
from tests.wire import Line, ask, request

from telem.agent import ingest as ingest_module
from telem.agent.errors import BusyError
from telem.sanitize.decode import decode
from telem.sanitize.records import DecodeError, Signal
from telem.storage.disk import DiskFullError
from telem.storage.ledger import row_ids

if TYPE_CHECKING:
    from telem.agent.daemon import Daemon

LOGS = Signal.LOGS


def stored(home: Path) -> list[str]:
    return sorted(names(journal_rows(home)))


async def test_what_was_accepted_is_in_the_journal(daemon: Daemon) -> None:
    """When accept returns, the rows and their commit line are there."""
    await daemon.ingest.accept(raw(LOGS, numbered(LOGS, "a", "b")))
    assert stored(daemon.layout.home) == ["a", "b"]
    counts = daemon.ingest.counts[LOGS]
    assert (counts.requests, counts.records, counts.retried) == (1, 2, 0)
    assert counts.last_record_at_s > 0


async def test_identical_bytes_are_stored_once(daemon: Daemon) -> None:
    """A client that lost our answer sends the same request again."""
    body = numbered(LOGS, "a")
    for _ in range(3):
        await daemon.ingest.accept(raw(LOGS, body))
    assert stored(daemon.layout.home) == ["a"]
    assert daemon.ingest.counts[LOGS].retried == 2


async def test_identical_bytes_at_the_same_time_are_stored_once(daemon: Daemon) -> None:
    """The retry shares the answer of the first, which is still under way."""
    body = numbered(LOGS, "a")
    await asyncio.gather(*(daemon.ingest.accept(raw(LOGS, body)) for _ in range(20)))
    assert stored(daemon.layout.home) == ["a"]


async def test_identical_bytes_of_another_signal_are_another_request(daemon: Daemon) -> None:
    """An empty resource means the same bytes for all three."""
    for signal in Signal:
        await daemon.ingest.accept(raw(signal, b"\x0a\x00"))
    assert [daemon.ingest.counts[signal].retried for signal in Signal] == [0, 0, 0]


async def test_a_retry_after_a_restart_is_stored_once(home: Path) -> None:
    """The journal remembers, so the next life knows."""
    body = numbered(LOGS, "a")
    async with running(config_for(home)) as first:
        await first.ingest.accept(raw(LOGS, body, at_ns=time.time_ns()))
    async with running(config_for(home)) as second:
        await second.ingest.accept(raw(LOGS, body))
        assert second.ingest.counts[LOGS].retried == 1
    assert stored(home) == ["a"]


async def test_different_requests_at_once_are_all_stored_in_a_few_syncs(daemon: Daemon) -> None:
    """Group commit: many requests share a write."""
    await asyncio.gather(*(daemon.ingest.accept(raw(LOGS, numbered(LOGS, f"r{number:03d}"))) for number in range(200)))
    assert stored(daemon.layout.home) == [f"r{number:03d}" for number in range(200)]


async def test_a_client_that_hangs_up_does_not_take_its_batch_along(daemon: Daemon) -> None:
    """What is under way is stored, and its retry is answered from the ledger."""
    body = numbered(LOGS, "a")
    task = asyncio.create_task(daemon.ingest.accept(raw(LOGS, body)))
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await daemon.ingest.accept(raw(LOGS, body))
    assert stored(daemon.layout.home) == ["a"]


async def test_a_hung_up_client_among_waiting_retries_leaves_them_their_answer(daemon: Daemon) -> None:
    """Cancelling the first must not cancel the second."""
    body = numbered(LOGS, "a")
    first = asyncio.create_task(daemon.ingest.accept(raw(LOGS, body)))
    second = asyncio.create_task(daemon.ingest.accept(raw(LOGS, body)))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert stored(daemon.layout.home) == ["a"]


async def test_garbage_is_refused_counted_and_not_remembered(daemon: Daemon) -> None:
    """A DecodeError each time."""
    for _ in range(2):
        with pytest.raises(DecodeError):
            await daemon.ingest.accept(raw(LOGS, b"\xff\xff"))
    assert daemon.ingest.counts[LOGS].refused == 2
    await daemon.ingest.accept(raw(LOGS, numbered(LOGS, "a")))
    assert stored(daemon.layout.home) == ["a"]


@pytest.mark.parametrize("kind", ["create", "append", "torn"])
async def test_a_failing_disk_is_told_and_the_retry_is_stored_once(kind: str, daemon: Daemon) -> None:
    """The failed request is not in the ledger; when there is room again the same bytes are stored, once."""
    committer = daemon.ingest.committers[LOGS]
    committer.journal._disk = FaultyDisk(kind, 1, 2, 3)
    body = numbered(LOGS, "a")
    for _ in range(3):
        with pytest.raises(OSError, match="told to fail"):
            await daemon.ingest.accept(raw(LOGS, body))
    assert daemon.ingest.counts[LOGS].failed == 3
    await daemon.ingest.accept(raw(LOGS, body))
    assert daemon.ingest.counts[LOGS].records == 1
    await daemon.ingest.accept(raw(Signal.TRACES, numbered(Signal.TRACES, "other signals do not notice")))


async def test_a_request_of_which_nobody_knows_is_put_off(daemon: Daemon) -> None:
    """Its segment could not be made whole at the start: it may be there, and may not be."""
    doubted = raw(LOGS, numbered(LOGS, "a"))
    daemon.ingest.ledger.doubted.add(daemon.ingest.gate.request_id(doubted))
    with pytest.raises(OSError, match="could not be made whole"):
        await daemon.ingest.accept(doubted)
    ledger, gate = daemon.ingest.ledger, daemon.ingest.gate
    ledger.doubted.clear()
    ledger.doubted_rows |= set(row_ids(gate.sanitize(decode(doubted), "0" * 32).lines))
    with pytest.raises(OSError, match="could not be made whole"):
        await daemon.ingest.accept(doubted)
    await daemon.ingest.accept(raw(LOGS, numbered(LOGS, "b")))
    assert stored(daemon.layout.home) == ["b"]
    ledger.doubted_rows.clear()
    await daemon.ingest.accept(doubted)
    assert sorted(stored(daemon.layout.home)) == ["a", "b"]


async def test_everybody_in_a_failed_group_hears_of_it(daemon: Daemon) -> None:
    """A full disk fails the whole write; none of its requests is acknowledged."""
    committer = daemon.ingest.committers[LOGS]
    committer.journal._disk = FaultyDisk("create", 1, -1)
    bodies = [numbered(LOGS, f"r{number}") for number in range(10)]
    answers = await asyncio.gather(*(daemon.ingest.accept(raw(LOGS, body)) for body in bodies), return_exceptions=True)
    assert all(isinstance(answer, DiskFullError) for answer in answers)
    committer.journal._disk = daemon.disk
    await asyncio.gather(*(daemon.ingest.accept(raw(LOGS, body)) for body in bodies))
    assert stored(daemon.layout.home) == [f"r{number}" for number in range(10)]


async def test_more_than_fits_into_memory_is_put_off(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """BusyError, and as soon as the others are done there is room again."""
    monkeypatch.setattr(ingest_module, "PENDING_LIMIT_BYTES", 2_000)
    bodies = [logs({"record.name": f"r{number}", "x": "a" * 800}).SerializeToString() for number in range(5)]
    answers = await asyncio.gather(*(daemon.ingest.accept(raw(LOGS, body)) for body in bodies), return_exceptions=True)
    assert sum(isinstance(answer, BusyError) for answer in answers) == 4 - 1
    for body in bodies:
        await daemon.ingest.accept(raw(LOGS, body))
    assert stored(daemon.layout.home) == [f"r{number}" for number in range(5)]


async def test_a_heavy_request_does_not_hold_up_the_small_ones(daemon: Daemon) -> None:
    """It is judged in a thread; ids and rows are the same as for any other."""
    heavy = logs({"record.name": "heavy", "x": "word " * 400_000}).SerializeToString()
    assert len(heavy) > ingest_module.HEAVY_BYTES
    task = asyncio.create_task(daemon.ingest.accept(raw(LOGS, heavy)))
    await daemon.ingest.accept(raw(LOGS, numbered(LOGS, "small")))
    await task
    assert stored(daemon.layout.home) == ["heavy", "small"]


async def test_stopping_writes_what_is_under_way(home: Path) -> None:
    """No answered request is missing, and those under way are answered."""
    async with running(config_for(home)) as daemon:
        tasks = [asyncio.create_task(daemon.ingest.accept(raw(LOGS, numbered(LOGS, f"r{n}")))) for n in range(20)]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert len(stored(home)) == 20


# -- through the door, with a real limit ---------------------------------------------------------------------------


def test_a_full_disk_is_503_with_a_short_retry_after_and_recovers_by_itself(live: LiveDaemon) -> None:
    """Claude Code drops what comes with a longer wait; the same request succeeds once there is room."""
    port = live.port("otlp_http")
    body = logs({"record.name": "big", "x": "word " * 4_000}).SerializeToString()
    assert ask(port, numbered(LOGS, "before")).status == 200
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(live.pid, resource.RLIMIT_FSIZE, (3_000, resource.RLIM_INFINITY))
    answer = ask(port, body)
    assert answer.status == 503
    assert float(answer.headers["retry-after"]) <= 1
    assert "space" in answer.said()[1]
    resource.prlimit(live.pid, resource.RLIMIT_FSIZE, unlimited)
    assert ask(port, body).status == 200
    assert stored(live.home) == ["before", "big"]


def test_a_connection_cut_before_the_answer_still_stores_the_batch(live: LiveDaemon) -> None:
    """A whole request was received; who sent it need not wait for the answer."""
    port = live.port("otlp_http")
    with Line(port) as line:
        line.send(request(port, numbered(LOGS, "a")))
    wait_for(lambda: stored(live.home) == ["a"])


def test_the_daemon_survives_a_client_that_resets_all_its_connections(live: LiveDaemon) -> None:
    """Descriptors come back."""
    import socket
    import struct

    port = live.port("otlp_http")
    before = len(list(Path(f"/proc/{live.pid}/fd").iterdir())) if Path("/proc").exists() else 0
    for number in range(100):
        line = Line(port)
        line.send(request(port, numbered(LOGS, f"r{number}"))[: 20 if number % 2 else None])
        line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.file.close()
        line.socket.close()
    assert ask(port).status == 200
    if before:
        wait_for(lambda: len(list(Path(f"/proc/{live.pid}/fd").iterdir())) <= before + 5)
