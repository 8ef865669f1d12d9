"""The child: questions come in by one pipe, answers go out by another; started by `worker`, for one home.

    python -m telem.queries.sandbox.child HOME IN OUT MEMORY_MB THREADS

It ends when its parent does, whatever it is busy with: a thread waits for the end of the pipe.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from telem.queries.table import Problem, QueryError
from telem.storage.layout import Layout

from .frames import ROWS, Frame, Kind, Question, failure, head, read_frame
from .walls import raise_walls

if TYPE_CHECKING:
    from .database import Answer, Database

NICENESS = 10
"""Answering telemetry comes first."""

OVERHEAD_MB = 1024
"""Address space besides DuckDB's own memory: the interpreter, libraries and stacks reserve 0.8 GB of it."""

BATCH_ROWS = 2048
FRAME_BYTES = 1 << 20


def main(arguments: list[str]) -> None:
    """Answer until the pipe ends."""
    home, reading, writing, memory_mb, threads = (*arguments,)
    gc.disable()  # what starting makes, stays: looking through it while duckdb is imported takes 7 ms
    layout = Layout(Path(home))
    os.umask(0o077)
    os.nice(NICENESS)
    # DuckDB and its threads come after the walls, which do nothing for threads that run already.
    walls = raise_walls(_folders(layout), int(memory_mb) + OVERHEAD_MB)
    from .database import Database

    child = Child(Database(layout, int(memory_mb), int(threads)), int(reading), int(writing))
    child.send(Frame(Kind.READY, json.dumps(walls).encode()))
    gc.freeze()
    gc.enable()
    child.run()


def _folders(layout: Layout) -> list[str]:
    from .folders import folders_of

    return folders_of(layout)


class Child:
    """Takes questions one by one and answers them."""

    def __init__(self, database: Database, reading: int, writing: int) -> None:
        self._database = database
        self._reading = reading
        self._writing = writing
        self._questions: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._busy = threading.Event()

    def run(self) -> None:
        """Answer questions for ever; the thread that listens ends the process."""
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            payload = self._questions.get()
            self._busy.set()
            self._answer(payload)
            self._busy.clear()

    def send(self, frame: Frame) -> None:
        """Write a frame to the parent; waits while it does not read."""
        view = memoryview(frame.packed())
        while view:
            view = view[os.write(self._writing, view) :]

    def _listen(self) -> None:
        read = partial(os.read, self._reading)
        try:
            while frame := read_frame(read):
                if frame.kind is Kind.QUESTION:
                    self._questions.put(frame.payload)
                elif frame.kind is Kind.INTERRUPT and self._busy.is_set():
                    self._database.connection.interrupt()
        finally:
            os._exit(0)  # the parent is gone; what is under way is of no use to anybody

    def _answer(self, payload: bytes) -> None:
        try:
            question = Question.read(payload)
            answer = self._database.answer(question)
            self.send(head(answer.columns))
            self._write(question, answer)
            self.send(_end(answer))
        except QueryError as error:
            self.send(failure(error))
        except MemoryError:
            self.send(failure(QueryError("The question needs more memory than it may have.", "", Problem.MEMORY)))
        except Exception as error:  # noqa: BLE001 (told to the parent, which has a log)
            self.send(failure(QueryError(f"{type(error).__name__}: {error}", "", Problem.WORKER)))

    def _write(self, question: Question, answer: Answer) -> None:
        if question.form == ROWS:
            from telem.queries.values import rows_json

            types = [column.type for column in answer.columns]
            for batch in answer.batches(BATCH_ROWS):
                self.send(Frame(Kind.DATA, rows_json(batch, types)))
            return
        from telem.queries import formats

        if formats.is_binary(question.form):
            from telem.queries.formats.binary import write

            write(question.form, answer, self._send_data)
            return
        writer = formats.writer(question.form, answer.columns)
        if writer is None:
            for _ in answer.batches(BATCH_ROWS):
                continue
            return
        self._send_data(_bytes(writer.start()))
        for batch in answer.batches(BATCH_ROWS):
            self._send_data(_bytes(writer.rows(batch)))
        self._send_data(_bytes(writer.finish(answer.count, answer.elapsed_ms / 1000)))

    def _send_data(self, data: bytes) -> None:
        """Send a piece of the answer, in frames of a bounded size."""
        for start in range(0, len(data), FRAME_BYTES):
            self.send(Frame(Kind.DATA, data[start : start + FRAME_BYTES]))


def _bytes(text: str) -> bytes:
    """Text as UTF-8; bytes that were none (of a BLOB) as they were."""
    return text.encode("utf-8", "surrogateescape")


def _end(answer: Answer) -> Frame:
    said = {
        "rows": answer.count,
        "truncated": answer.truncated,
        "elapsed_ms": answer.elapsed_ms,
    }
    return Frame(Kind.END, json.dumps(said).encode())


if __name__ == "__main__":
    main(sys.argv[1:])
