"""The daemon's children that answer questions: how many at once, how long one waits for its turn, how long they stay.

Reading from a child blocks, so it is done in threads; the event loop only passes on what they read.
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from telem.queries.sandbox.frames import Kind, Question, columns_of
from telem.queries.sandbox.pool import IDLE_S, Pool
from telem.queries.table import Limits, Problem, QueryError
from telem.queries.values import rows_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator

    from telem.queries.sandbox.frames import Frame
    from telem.queries.sandbox.worker import Worker
    from telem.storage.layout import Layout

    Result = TypeVar("Result")

AT_ONCE = 2 if (os.cpu_count() or 1) > 1 else 1
"""Questions answered at the same time; each has two threads of low priority, and telemetry comes first."""

WAITING_MAX = 32
WAIT_S = 30.0
"""For a turn. Whoever comes when so many wait already, or waits as long, is told to come again."""

REAP_EVERY_S = 10.0


class Askers:
    """Answers questions of one home."""

    def __init__(self, layout: Layout) -> None:
        self._pool = Pool(layout)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._asked = 0
        self._answered = 0
        self._walls: dict[str, Any] = {}
        self._threads = ThreadPoolExecutor(AT_ONCE * 2, "asker")

    async def run(self) -> None:
        """End children that nobody has asked anything for a while, for ever."""
        while True:
            await asyncio.sleep(min(REAP_EVERY_S, IDLE_S))
            await self._in_thread(self._pool.reap)

    async def wake(self) -> dict[str, Any]:
        """Have a child ready: somebody is about to ask. Where some are at work already, one of them will do."""
        if not self._asked:
            await self._in_thread(self._pool.warm, Limits())
        return {"awake": True}

    def status(self) -> dict[str, Any]:
        """What is going on, and which walls the last child has raised: Landlock's version is 0 where there is none."""
        return {"answered": self._answered, "waiting": self._waiting, "walls": self._walls or None}

    async def close(self) -> None:
        """End all children."""
        await self._in_thread(self._pool.close)
        self._threads.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def answer(self, question: Question) -> AsyncIterator[Answering]:
        """An answer under way. Whoever leaves before its end, or is cancelled, ends its child.

        Raises:
            QueryError: no turn, no answer, or no more of it.
        """
        await self._turn()
        self._asked += 1
        try:
            worker = await self._worker(question.limits)
            answering = Answering(worker, question, self._threads)
            try:
                yield answering
            except QueryError:
                raise  # the child said so, and lives; or the answer is left, and closing it ends the child
            except BaseException:
                worker.abort()
                raise
            finally:
                await asyncio.shield(self._in_thread(self._finish, worker, answering))
        finally:
            self._asked -= 1
            self._turns.release()

    async def rows(self, sql: str) -> list[dict[str, object]]:
        """The rows of a question of our own.

        Raises:
            QueryError: no answer.
        """
        names: list[str] = []
        rows: list[dict[str, object]] = []
        async with self.answer(Question(sql, {}, Limits())) as answering:
            while frame := await answering.next():
                if frame.kind is Kind.HEAD:
                    names = [column.name for column in columns_of(frame)]
                elif frame.kind is Kind.DATA:
                    rows += (dict(zip(names, row, strict=True)) for row in rows_of(frame.payload))
        return rows

    async def _worker(self, limits: Limits) -> Worker:
        """A child; whoever is cancelled while it starts leaves it to the next question."""
        taking = asyncio.ensure_future(self._in_thread(self._pool.take, limits))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            taking.add_done_callback(self._leave)
            raise

    def _leave(self, taking: asyncio.Future[Worker]) -> None:
        if not taking.cancelled() and taking.exception() is None:
            self._pool.give_back(taking.result())

    def _finish(self, worker: Worker, answering: Answering) -> None:
        answering.close()
        self._answered += 1
        self._walls = worker.walls or self._walls
        self._pool.give_back(worker)

    async def _turn(self) -> None:
        if self._waiting >= WAITING_MAX:
            raise _busy()
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_S):
                await self._turns.acquire()
        except TimeoutError:
            raise _busy() from None
        finally:
            self._waiting -= 1

    async def _in_thread(self, function: Callable[..., Result], *arguments: object) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)


class Answering:
    """Frames of an answer, one after another."""

    def __init__(self, worker: Worker, question: Question, threads: ThreadPoolExecutor) -> None:
        self._frames: Generator[Frame] = worker.ask(question)
        self._threads = threads
        self._lock = threading.Lock()

    async def next(self) -> Frame | None:
        """The next frame, None after the last.

        Raises:
            QueryError: there is none.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._next)

    def _next(self) -> Frame | None:
        with self._lock:
            return next(self._frames, None)

    def close(self) -> None:
        """Read no more; waits for a thread that still does."""
        with self._lock:
            self._frames.close()


def _busy() -> QueryError:
    message = f"{AT_ONCE} questions are being answered and others wait."
    return QueryError(message, "Ask again in a moment.", Problem.BUSY)
