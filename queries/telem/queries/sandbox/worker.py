"""A child as its parent sees it: start it, ask it, wait so long and no longer, kill it.

Reading blocks; an event loop calls it from a thread.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from telem.queries.table import Limits, Problem, QueryError

from .folders import fingerprint
from .frames import Frame, FrameError, Kind, Question, error_of, read_frame

if TYPE_CHECKING:
    from collections.abc import Generator

    from telem.storage.layout import Layout

START_S = 20.0
"""For a child to be ready, on a machine that is busy with other things."""

INTERRUPT_GRACE_S = 1.0
"""Between asking a child to stop and killing it: plain queries stop within milliseconds, some functions never."""

LOOK_EVERY_S = 0.05
"""Between two looks at its memory: where the system does not bound it, a child gains a gigabyte in half a second."""

RESIDENT_EXTRA_MB = 512
"""Resident memory beyond DuckDB's own limit at which a child is killed."""

TIRED_MB = 400.0
TIRED_QUESTIONS = 1000
"""A child that is as large after a question, or answered as many, is replaced: only that gives all memory back."""

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH")
"""Of the environment; nothing that could hold a secret."""


class Worker:
    """One child process, for one home."""

    def __init__(self, layout: Layout, limits: Limits) -> None:
        self.layout = layout
        self.limits = limits
        self.fingerprint = fingerprint(layout)
        self.walls: dict[str, Any] = {}
        self.used_at_s = time.monotonic()
        self.size_mb = 0.0
        self._questions = 0
        self._fit = True
        self._closed = False
        self._start()

    def _start(self) -> None:
        child_in, self._writing = os.pipe()
        self._reading, child_out = os.pipe()
        numbers = (child_in, child_out, self.limits.memory_mb, self.limits.threads)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", f"{__package__}.child", str(self.layout.home), *map(str, numbers)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd="/",
            env={name: os.environ[name] for name in _KEPT if name in os.environ} | {"MALLOC_ARENA_MAX": "2"},
            pass_fds=(child_in, child_out),
        )
        os.close(child_in)
        os.close(child_out)
        os.set_blocking(self._reading, False)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def fits(self, limits: Limits) -> bool:
        """Whether it can take another question under these limits."""
        same = (limits.memory_mb, limits.threads) == (self.limits.memory_mb, self.limits.threads)
        fresh = self.size_mb < TIRED_MB and self._questions < TIRED_QUESTIONS
        return self._fit and same and fresh and self._process.poll() is None

    def ask(self, question: Question) -> Generator[Frame]:
        """The answer: a head, data, an end. If the iteration is left before the end, the child is killed.

        Raises:
            QueryError: there is no answer, or no more of it; the question ran too long or grew too large.
        """
        fit, self._fit = self._fit, False
        if not fit:
            raise QueryError("This worker is busy or gone.", "", Problem.WORKER)
        try:
            self._questions += 1
            self._send(question.frame())
            waited_s = 0.0
            while True:
                frame, waited_s = self._next(question.limits, waited_s)
                if frame.kind is Kind.READY:
                    self.walls, waited_s = frame.said(), 0.0  # its start is none of the question's time
                    continue
                if frame.kind in (Kind.END, Kind.ERROR):
                    self._fit = True
                if frame.kind is Kind.END:
                    self.size_mb = self.resident_mb()
                if frame.kind is Kind.ERROR:
                    error = error_of(frame)
                    if error.problem in (Problem.MEMORY, Problem.TIMEOUT):
                        self._fit = False
                    raise error
                yield frame
                if frame.kind is Kind.END:
                    return
        finally:
            self.used_at_s = time.monotonic()
            if not self._fit:
                self.kill()

    def _send(self, frame: Frame) -> None:
        view = memoryview(frame.packed())
        with contextlib.suppress(BrokenPipeError):  # it is gone; the reading says why
            while view:
                view = view[os.write(self._writing, view) :]

    def _next(self, limits: Limits, waited_s: float) -> tuple[Frame, float]:
        """The next frame, and how long the question has been waited for in all."""
        clock = _Clock(self, limits, waited_s)
        try:
            frame = read_frame(clock.read)
        except FrameError as error:
            raise QueryError(f"The worker said something unexpected: {error}.", "", Problem.WORKER) from error
        if frame is None:
            raise self._death(limits)
        return frame, clock.waited_s

    def read_when_ready(self, size: int, timeout_s: float) -> bytes | None:
        """What it wrote, or None when it wrote nothing in that time; nothing at all is its end."""
        readable, _, _ = select.select([self._reading], [], [], timeout_s)
        return os.read(self._reading, size) if readable else None

    def interrupt(self) -> None:
        """Ask it to give up what it is busy with."""
        self._send(Frame(Kind.INTERRUPT))

    def resident_mb(self) -> float:
        """Its memory at this moment, in MiB; 0 when the system does not say."""
        return resident_mb(self.pid)

    def abort(self) -> None:
        """End it from another thread than the one that waits for its answer, which then hears of it."""
        self._process.kill()

    def kill(self) -> None:
        """End it at once, if it has not ended yet."""
        self._fit = False
        if self._closed:
            return
        self._closed = True
        self._process.kill()
        self._process.wait()
        for descriptor in (self._reading, self._writing):
            os.close(descriptor)
        if self._process.stderr:
            self._process.stderr.close()

    def _death(self, limits: Limits) -> QueryError:
        """Why it ended by itself."""
        status = self._process.wait()
        said = b""
        if self._process.stderr:
            os.set_blocking(self._process.stderr.fileno(), False)
            said = self._process.stderr.read() or b""
        words = said.decode("utf-8", "replace").strip().splitlines()
        last = words[-1] if words else f"exit status {status}"
        if "memory" in last.lower() or "bad_alloc" in last:
            return too_large(limits)
        hint = "Nothing is lost by that; the next question is answered. Ask in smaller steps."
        return QueryError(f"The worker that answers questions ended: {last}.", hint, Problem.WORKER)


class _Clock:
    """Reads from a worker and counts the time that it waits; interrupts, then kills, when that is too long."""

    def __init__(self, worker: Worker, limits: Limits, waited_s: float) -> None:
        self._worker = worker
        self._limits = limits
        self.waited_s = waited_s
        self._interrupted = waited_s >= self._allowed_s

    @property
    def _allowed_s(self) -> float:
        return self._limits.seconds + (0.0 if self._worker.walls else START_S)

    def read(self, size: int) -> bytes:
        """As `os.read` of its pipe."""
        while True:
            before_s = time.monotonic()
            data = self._worker.read_when_ready(size, LOOK_EVERY_S)
            self.waited_s += time.monotonic() - before_s
            if data is not None:
                return data
            self._look()

    def _look(self) -> None:
        if self._worker.resident_mb() > self._limits.memory_mb + RESIDENT_EXTRA_MB:
            raise too_large(self._limits)
        if self.waited_s > self._allowed_s + INTERRUPT_GRACE_S:
            raise too_long(self._limits)
        if self.waited_s > self._allowed_s and not self._interrupted:
            self._interrupted = True
            self._worker.interrupt()


def too_large(limits: Limits) -> QueryError:
    """A question was stopped for its memory."""
    message = f"The question needs more than {limits.memory_mb} MB of memory."
    return QueryError(message, "Ask about less time, or aggregate before sorting.", Problem.MEMORY)


def too_long(limits: Limits) -> QueryError:
    """A question was stopped for its time."""
    message = f"The question took longer than {limits.seconds:g} s and was stopped."
    return QueryError(message, "Ask about less time, or raise the limit.", Problem.TIMEOUT)


_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / (1 << 20)
_TASK_INFO, _TASK_INFO_BYTES = 4, 96  # PROC_PIDTASKINFO and the size of its struct, whose second number is resident


def resident_mb(pid: int) -> float:
    """Resident memory of a process in MiB, 0 when the system does not say."""
    try:
        if sys.platform == "darwin":
            buffer = (ctypes.c_uint64 * (_TASK_INFO_BYTES // 8))()
            library = ctypes.CDLL("/usr/lib/libproc.dylib")
            library.proc_pidinfo(pid, _TASK_INFO, ctypes.c_uint64(0), buffer, _TASK_INFO_BYTES)
            return buffer[1] / (1 << 20)
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:  # noqa: PTH123 (twenty times a second)
            return int(file.read().split()[1]) * _PAGE_MB
    except (OSError, ValueError, IndexError):
        return 0.0
