"""What is noted of a question while it is answered: never anything of its answer."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telem.queries.sandbox.frames import Kind

if TYPE_CHECKING:
    from telem.queries.sandbox.frames import Frame


@dataclass(slots=True)
class Asked:
    """One question: who asked it, by what, and what came of it."""

    caller: str
    via: str
    statement: str
    form: str = ""
    query_id: str = ""
    address: str = ""
    rows: int = 0
    bytes: int = 0
    problem: str = ""
    started_s: float = field(default_factory=time.time)
    elapsed_ms: float = 0.0

    def count(self, frame: Frame) -> None:
        """Take note of a piece of the answer: how much it is."""
        if frame.kind is Kind.DATA:
            self.bytes += len(frame.payload)
        elif frame.kind is Kind.END:
            said = frame.said()
            self.rows, self.elapsed_ms = int(said["rows"]), float(said["elapsed_ms"])
