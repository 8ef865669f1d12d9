"""A store filled with captured payloads through the real decoder, gate, journal and compaction."""

from __future__ import annotations

import datetime as dt
import shutil
import sys
from functools import cache
from pathlib import Path

from telem.sanitize.decode import decode
from telem.sanitize.gate import Gate
from telem.sanitize.policy import shipped_policy
from telem.sanitize.records import Batch, Encoding, RawRequest, SanitizedBatch, Signal
from telem.sanitize.redact import Redactor
from telem.storage import audit
from telem.storage.catalog import publish
from telem.storage.compact import compact
from telem.storage.disk import Disk
from telem.storage.journal import Journal
from telem.storage.layout import Layout

KEY = bytes(range(32))
FOLDER = Path(__file__).parent.parent / "golden" / "store"
SEGMENTS = 4
"""The first half of them becomes Parquet, the second stays in the journal."""


def requests() -> list[RawRequest]:
    """All captured requests, in order."""
    now_ns = int(dt.datetime.now(dt.UTC).timestamp() * 1e9)
    found = []
    for path in sorted(FOLDER.iterdir()):
        signal = Signal(path.stem.rsplit("-", 1)[1])
        encoding = Encoding.JSON if path.suffix == ".json" else Encoding.PROTOBUF
        found.append(RawRequest(signal, encoding, path.read_bytes(), now_ns))
    return found


def redactor() -> Redactor:
    """The judge that the golden store's gate has."""
    return Redactor(shipped_policy(), KEY)


@cache
def batches() -> list[tuple[Batch, SanitizedBatch]]:
    """Each request as it was decoded, and as it is kept: records and lines in the same order."""
    gate = Gate(redactor(), KEY)
    return [(decode(raw), gate.sanitize(decode(raw), gate.request_id(raw))) for raw in requests()]


def empty(home: Path) -> Layout:
    """A published home in which nothing has arrived yet."""
    layout = Layout(home)
    disk = Disk()
    disk.directory(home)
    publish(layout, disk, _today())
    return layout


def build(home: Path) -> Layout:
    """A published home with all of it: half in Parquet, half in the journal, as in a running daemon."""
    return build_only(home, *Signal)


def build_only(home: Path, *signals: str) -> Layout:
    """The same with some of the signals only."""
    layout, disk = Layout(home), Disk()
    for signal in map(Signal, signals):
        disk.directory(layout.journal(signal))
        journal = Journal(layout, signal, disk, 1)
        mine = [kept for _, kept in batches() if kept.signal is signal]
        for number in range(SEGMENTS):
            for batch in mine[number::SEGMENTS]:
                journal.append([batch], 0.0)
            journal.close()
        half = journal.closed[: len(journal.closed) // 2]
        compact(layout, signal, half, _today(), disk)
    audit.add(layout, disk, "2026-11-23", {("email", "prompt"): 3, ("email", "text"): 1, ("url-login", "error"): 2})
    publish(layout, disk, _today())
    return layout


def keep(home: Path, *raw: RawRequest) -> Layout:
    """A home that holds these requests, all of them in the journal."""
    layout, disk = Layout(home), Disk()
    gate = Gate(redactor(), KEY)
    for signal in Signal:
        disk.directory(layout.journal(signal))
        journal = Journal(layout, signal, disk, 1)
        for request in raw:
            if request.signal is signal:
                journal.append([gate.sanitize(decode(request), gate.request_id(request))], 0.0)
        journal.close()
    return layout


def shell() -> str:
    """The duckdb command that was installed with the tests."""
    beside = Path(sys.executable).with_name("duckdb")
    found = str(beside) if beside.exists() else shutil.which("duckdb")
    assert found, "pip install duckdb-cli (the test group has it)"
    return found


def _today() -> str:
    return dt.datetime.now(dt.UTC).date().isoformat()
