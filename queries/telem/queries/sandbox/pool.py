"""Children kept warm between questions: DuckDB's start, and what it knows of the files, is worth 0.15 s."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from telem.queries.table import Problem, QueryError

from .folders import fingerprint
from .worker import Worker

if TYPE_CHECKING:
    from collections.abc import Generator

    from telem.queries.table import Limits
    from telem.storage.layout import Layout

    from .frames import Frame, Question

IDLE_S = 60.0
"""A child without a question for so long is ended: it holds 60 MB or more."""

WARM_MAX = 2


class _OutdatedError(QueryError):
    """A folder of the home came or was replaced while the child was asked: a daemon's first minute, or a restore."""


class Pool:
    """Children for one home. Safe to use from several threads; does not bound how many ask at once."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._warm: list[Worker] = []
        self._lock = threading.Lock()

    def ask(self, question: Question) -> Generator[Frame]:
        """An answer from a warm child if there is one, else from a new one.

        Raises:
            QueryError: there is no answer, or no more of it.
        """
        try:
            yield from self._ask(question)
        except _OutdatedError:
            yield from self._ask(question)

    def _ask(self, question: Question) -> Generator[Frame]:
        """An answer; `_OutdatedError` if it failed before it began, and the child's walls keep out what is new."""
        worker = self.take(question.limits)
        begun = False
        try:
            for frame in worker.ask(question):
                begun = True
                yield frame
        except QueryError as error:
            if begun or worker.fingerprint == fingerprint(self._layout):
                raise
            raise _OutdatedError(error.message, error.hint, error.problem, error.position) from error
        finally:
            self.give_back(worker)

    def take(self, limits: Limits) -> Worker:
        """A child for a question under these limits; it goes back with `give_back`, whatever became of it."""
        now = fingerprint(self._layout)
        with self._lock:
            unfit = [worker for worker in self._warm if not worker.fits(limits) or worker.fingerprint != now]
            self._warm = [worker for worker in self._warm if worker not in unfit]
            found = self._warm.pop() if self._warm else None
        for worker in unfit:
            worker.kill()
        try:
            return found or Worker(self._layout, limits)
        except OSError as error:
            raise QueryError(f"No worker could be started: {error}.", "Ask again later.", Problem.WORKER) from error

    def warm(self, limits: Limits) -> None:
        """Have a child ready for a question that is about to come; does not wait until it is.

        Raises:
            QueryError: none could be started.
        """
        self.give_back(self.take(limits))

    def give_back(self, worker: Worker) -> None:
        """Keep a child for the next question, if it is fit for one."""
        with self._lock:
            if worker.fits(worker.limits) and len(self._warm) < WARM_MAX:
                self._warm.append(worker)
                return
        worker.kill()

    def reap(self, idle_s: float = IDLE_S) -> int:
        """End the children that have had no question for a while; how many are left."""
        oldest_s = time.monotonic() - idle_s
        with self._lock:
            idle = [worker for worker in self._warm if worker.used_at_s <= oldest_s]
            self._warm = [worker for worker in self._warm if worker not in idle]
            left = len(self._warm)
        for worker in idle:
            worker.kill()
        return left

    def close(self) -> None:
        """End all of them."""
        self.reap(idle_s=0.0)
