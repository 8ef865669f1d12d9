"""What a daemon leaves behind besides its data: a crash's torn journal, what was put aside, and a backup."""

from __future__ import annotations

import os
import signal
import tarfile
import time
from typing import TYPE_CHECKING

import zstandard

from telem.agent import control
from telem.agent.errors import AgentError
from telem.sanitize.records import Signal
from telem.storage.backup import write_backup
from telem.storage.disk import Disk
from telem.storage.journal import segments

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telem.storage.layout import Layout

BACKUP = "selftest-backup.tar.zst"
KILL_TIMEOUT_S = 60.0
POLL_S = 0.02
TIME, OTHER_TIME = b'"received_at":1', b'"received_at":2'
TORN_BYTES = 300


def kill(layout: Layout, pid: int) -> None:
    """End a daemon as a crash does, without a word.

    Raises:
        AgentError: it is still there.
    """
    os.kill(pid, signal.SIGKILL)
    end_s = time.monotonic() + KILL_TIMEOUT_S
    while control.find(layout) is not None:
        if time.monotonic() > end_s:
            raise AgentError(f"process {pid} was killed, and still holds {layout.lock}")
        time.sleep(POLL_S)


def damage(layout: Layout) -> None:
    """Spoil the first request of the youngest segment of logs, and tear another at its end."""
    *_, path = (path for _, path in segments(layout, Signal.LOGS) if path.stat().st_size)
    data = path.read_bytes()
    path.write_bytes(data.replace(TIME, OTHER_TIME, 1) + data[:TORN_BYTES])


def back_up(layout: Layout) -> None:
    """Write a backup with everything that one may hold."""
    with (layout.home / BACKUP).open("wb") as target:
        write_backup(layout, Disk(), target, with_key=True)


def unpacked(path: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files in a backup."""
    with (
        path.open("rb") as packed,
        zstandard.ZstdDecompressor().stream_reader(packed) as plain,
        tarfile.open(fileobj=plain, mode="r|") as archive,
    ):
        for member in archive:
            file = archive.extractfile(member)
            if file is not None:
                yield member.name, file.read()
