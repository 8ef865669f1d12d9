"""SQL -> Table. The statement runs in a child process that can read the telemetry files and do nothing else.

Children are started where they are asked for, and kept warm as long as this process lives; `use` puts something else in
their place, such as the running daemon's.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from .sandbox.frames import Kind, Question, columns_of
from .table import Limits, Table
from .values import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from telem.storage.layout import Layout

    from .sandbox.frames import Frame
    from .sandbox.pool import Pool
    from .table import ColumnInfo

    Asker = Callable[[Layout, Question], Generator[Frame]]

__all__ = ["answer", "run", "use"]


def run(layout: Layout, sql: str, params: Mapping[str, object] | None = None, limits: Limits | None = None) -> Table:
    """Answer one question. `params` are values for `$name` in it: always bound, never put into its text.

    Raises:
        QueryError: no answer; the error says why and what to try.
    """
    columns: tuple[ColumnInfo, ...] = ()
    rows: list[tuple[object, ...]] = []
    truncated, elapsed_ms = False, 0.0
    for frame in answer(layout, Question(sql, params or {}, limits or Limits())):
        match frame.kind:
            case Kind.HEAD:
                columns = columns_of(frame)
            case Kind.DATA:
                rows += rows_of(frame.payload)
            case Kind.END:
                said = frame.said()
                truncated, elapsed_ms = bool(said["truncated"]), float(said["elapsed_ms"])
    return Table(columns, tuple(rows), truncated, elapsed_ms)


def answer(layout: Layout, question: Question) -> Generator[Frame]:
    """The answer as it comes from the child: a head, data in the form asked for, an end.

    Raises:
        QueryError: no answer, or no more of it.
    """
    return _ask(layout, question)


def use(asker: Asker) -> None:
    """Answer all questions of this process by something else than children of its own."""
    global _ask  # noqa: PLW0603 (who answers is one decision for the whole process, made by its entry point)
    _ask = asker


def by_own_children(layout: Layout, question: Question) -> Generator[Frame]:
    """Answer by a child of this process."""
    return _pool(layout).ask(question)


@cache
def _pool(layout: Layout) -> Pool:
    from .sandbox.pool import Pool

    return Pool(layout)


_ask: Asker = by_own_children
