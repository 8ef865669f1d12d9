"""Batches for the journal, made by the gate as the daemon makes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from tests.otlp import NOW_NS, numbered, raw

from telem.sanitize.decode import decode
from telem.sanitize.records import SanitizedBatch, Signal
from telem.storage.disk import Disk
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

    from telem.sanitize.gate import Gate

MakeBatch = Callable[..., SanitizedBatch]


@pytest.fixture
def layout(home: Path) -> Layout:
    """A home with journal folders."""
    found = Layout(home)
    for signal in Signal:
        Disk().directory(found.journal(signal))
    return found


@pytest.fixture
def batch(gate: Gate) -> MakeBatch:
    """Makes a batch whose rows carry the given names."""

    def make(*names: str, signal: Signal = Signal.LOGS, at_ns: int = NOW_NS) -> SanitizedBatch:
        request = raw(signal, numbered(signal, *names), at_ns=at_ns)
        return gate.sanitize(decode(request), gate.request_id(request))

    return make
