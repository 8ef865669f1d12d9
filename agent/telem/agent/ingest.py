"""The one path of telemetry: decode, sanitize, append, and only then the answer.

Whatever door a request came through, `Ingest.accept` returns when its rows are on the medium. Requests that arrive
while a sync is under way are written and synced together (group commit): under load one sync carries several of them.
"""

from __future__ import annotations

import asyncio
import errno
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telem.sanitize.decode import decode
from telem.sanitize.records import DecodeError, Signal

from .errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from telem.sanitize.gate import Gate
    from telem.sanitize.records import RawRequest, SanitizedBatch
    from telem.storage.journal import Journal
    from telem.storage.ledger import Ledger
    from telem.storage.seen import Seen

PENDING_LIMIT_BYTES = 256 * 1024 * 1024
"""Request bytes that may be under way at once; beyond it clients are told to come again (503)."""

COMMIT_LIMIT_BYTES = 8 * 1024 * 1024
"""At most this much is written between two syncs, so that one huge request does not keep others waiting."""

GATHER_S = 0.005
"""Longest that a commit waits for requests that are being judged."""

IN_DOUBT = "stored once in a segment that could not be made whole at the start"

HEAVY_BYTES = 1024 * 1024
"""Bodies above this are decoded in a thread: the loop goes on answering small ones meanwhile."""


@dataclass(slots=True)
class Counts:
    """What has come in since the daemon started, by signal."""

    requests: int = 0
    records: int = 0
    retried: int = 0  # requests that had been stored before
    refused: int = 0  # undecodable
    failed: int = 0  # not stored, the client was told to retry
    last_record_at_s: float = 0.0


class Committer:
    """Group commit for one signal: a queue, and one write and sync at a time, in a thread of its own."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.expected = 0  # requests that will be here within this turn of the loop or the next
        self._queue: deque[tuple[SanitizedBatch, asyncio.Future[None]]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"commit-{journal.signal}")

    async def store(self, batch: SanitizedBatch) -> None:
        """Return when the batch is on the medium.

        Raises:
            OSError: it is not, and no part of it will be found there.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((batch, future))
        if self._task is None:
            self._task = asyncio.create_task(self._drain())
        await future

    async def close_segment(self) -> None:
        """Finish the segment being written, after what is under way."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self.journal.close)

    async def reserve(self) -> int:
        """Give a segment number away, see `Journal.reserve`."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.journal.reserve)

    async def stop(self) -> None:
        """Write what is queued, then close."""
        while self._task is not None:
            await asyncio.wait([self._task])
        await self.close_segment()
        self._thread.shutdown()

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._queue:
                await self._gather()
                taken = self._take()
                batches = [batch for batch, _ in taken]
                try:
                    await loop.run_in_executor(self._thread, self.journal.append, batches, time.monotonic())
                except Exception as error:  # noqa: BLE001 (whatever it was, the clients must hear of it)
                    _finish(taken, error)
                else:
                    _finish(taken, None)
        finally:
            self._task = None

    async def _gather(self) -> None:
        """Wait for the requests that are just being judged, so that one sync carries them too.

        Without it each request got a sync of its own: judging one takes longer than a sync, so no second one was ever
        waiting. With it 800 requests over 8 connections took 187 syncs. A lone request expects nobody and is not held
        up.
        """
        end_s = time.monotonic() + GATHER_S
        while self.expected and time.monotonic() < end_s:  # noqa: ASYNC110 (the loop's next turn is awaited)
            await asyncio.sleep(0)

    def _take(self) -> list[tuple[SanitizedBatch, asyncio.Future[None]]]:
        taken = []
        size = 0
        while self._queue and size < COMMIT_LIMIT_BYTES:
            taken.append(self._queue.popleft())
            size += sum(map(len, taken[-1][0].lines))
        return taken


def _finish(taken: list[tuple[SanitizedBatch, asyncio.Future[None]]], error: Exception | None) -> None:
    for _, future in taken:
        if future.done():  # the client hung up; its rows are stored all the same
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


class Ingest:
    """Accepts requests from the doors."""

    def __init__(
        self,
        gate: Gate,
        heavy_gate: Gate,
        committers: dict[Signal, Committer],
        ledger: Ledger,
        seen: Seen | None = None,
    ) -> None:
        self.seen = seen
        self.counts = {signal: Counts() for signal in Signal}
        self.committers = committers
        self.gate = gate
        self.heavy_gate = heavy_gate
        self.ledger = ledger
        self.on_stored: Callable[[SanitizedBatch], None] = lambda _batch: None  # hears of what is on the medium
        self._heavy = asyncio.Lock()
        self._one_by_one = asyncio.Lock()
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._pending_bytes = 0

    async def accept(self, request: RawRequest) -> None:
        """Store a request durably. A request that was stored in the last ten minutes is not stored again.

        Raises:
            DecodeError: it is not OTLP; sending it again is useless.
            BusyError: too much under way.
            OSError: the medium refuses; try again later.
        """
        counts = self.counts[request.signal]
        counts.requests += 1
        request_id = self.gate.request_id(request)
        if request_id in self.ledger:
            counts.retried += 1
            return
        if request_id in self.ledger.doubted:
            counts.failed += 1
            raise OSError(errno.EIO, IN_DOUBT)
        task = self._under_way.get(request_id)
        if task is None:
            if self._pending_bytes + len(request.body) > PENDING_LIMIT_BYTES:
                counts.failed += 1
                raise BusyError(f"{self._pending_bytes} bytes are under way already")
            self._pending_bytes += len(request.body)
            task = asyncio.create_task(self._store(request, request_id))
            self._under_way[request_id] = task
            if len(request.body) <= HEAVY_BYTES:
                self.committers[request.signal].expected += 1
        else:
            counts.retried += 1
        await asyncio.shield(task)  # a client that hangs up must not take the request of its own retry with it

    async def _store(self, request: RawRequest, request_id: str) -> None:
        counts = self.counts[request.signal]
        try:
            if self.seen is None:
                await self._judge_and_store(request, request_id)
            else:
                await self._store_unseen(request, request_id, self.seen)
            self.ledger.add(request_id, time.monotonic())
        except DecodeError:
            counts.refused += 1
            raise
        except Exception:
            counts.failed += 1
            raise
        finally:
            self._pending_bytes -= len(request.body)
            del self._under_way[request_id]

    async def _judge_and_store(self, request: RawRequest, request_id: str) -> None:
        batch = await self._judge(request, request_id)
        if self.ledger.doubts(batch.lines):
            raise OSError(errno.EIO, IN_DOUBT)
        if batch.lines:
            await self.committers[request.signal].store(batch)
            counts = self.counts[request.signal]
            counts.records += len(batch.lines)
            counts.last_record_at_s = time.time()
            self.on_stored(batch)

    async def _store_unseen(self, request: RawRequest, request_id: str, seen: Seen) -> None:
        """One request after another: a row that is still on its way must not come a second time beside itself."""
        async with self._one_by_one:
            try:
                await self._judge_and_store(request, request_id)
            except BaseException:
                seen.release()
                raise
            seen.settle()

    async def _judge(self, request: RawRequest, request_id: str) -> SanitizedBatch:
        if len(request.body) <= HEAVY_BYTES:
            self.committers[request.signal].expected -= 1
            return self.gate.sanitize(decode(request), request_id)
        async with self._heavy:
            return await asyncio.to_thread(lambda: self.heavy_gate.sanitize(decode(request), request_id))

    async def settled(self) -> None:
        """Return when every request that is under way now has been judged and stored, or has failed."""
        if under_way := list(self._under_way.values()):
            await asyncio.wait(under_way)

    async def stop(self) -> None:
        """Write what is under way, then close the journals."""
        while self._under_way:
            await asyncio.wait(list(self._under_way.values()))
        for committer in self.committers.values():
            await committer.stop()
