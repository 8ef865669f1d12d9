"""A progress bar on standard error, when that is a terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PERCENT = 100


@contextmanager
def bar(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield what hears of each further step of `total`. Without a terminal nothing is shown."""
    if not sys.stderr.isatty():
        yield lambda _steps: None
        return
    with click.progressbar(length=max(1, total), label=label, file=sys.stderr) as shown:
        yield shown.update


@contextmanager
def percentage(label: str) -> Iterator[Callable[[float], None]]:
    """Yield what hears how many percent are done by now."""
    with bar(label, PERCENT) as advance:
        reached = 0

        def show(percent: float) -> None:
            nonlocal reached
            step = int(min(percent, PERCENT)) - reached
            if step > 0:
                reached += step
                advance(step)

        yield show
        advance(PERCENT - reached)


class Counted:
    """A stream that says how much of it was read."""

    def __init__(self, stream: BinaryIO, advance: Callable[[int], None]) -> None:
        self._stream = stream
        self._advance = advance

    def read(self, size: int = -1) -> bytes:
        """Read, and tell."""
        data = self._stream.read(size)
        self._advance(len(data))
        return data
