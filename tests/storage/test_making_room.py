"""A purge on a disk without space: what frees most for least first, the rest later, or a clear word and no harm."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import pytest
from tests.faults.volume import Volume, mounted
from tests.otlp import logs, raw
from tests.storage.homes import asked, home_of, parquet

from telem.sanitize.decode import decode
from telem.sanitize.records import Signal
from telem.storage import intent, making_room, purge
from telem.storage.disk import Disk, DiskFullError
from telem.storage.intent import Done
from telem.storage.inventory import parquet_files
from telem.storage.rewrite import rewrite_day
from telem.storage.worker import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telem.sanitize.gate import Gate
    from telem.storage.layout import Layout

LOGS = Signal.LOGS
DISK = Disk()
TARGET = intent.target_of("session", "gone")


def rows(gate: Gate, number: int, **sessions: int) -> Any:
    """A batch of so many rows of each session, whose texts do not compress."""
    chance = __import__("random").Random(number)
    made = [
        {"event.name": "user_prompt", "session.id": name, "prompt": f"{number} {at} {chance.getrandbits(8000):x}"}
        for name, count in sessions.items()
        for at in range(count)
    ]
    request = raw(LOGS, logs(*made))
    return gate.sanitize(decode(request), gate.request_id(request))


def fill(layout: Layout, gate: Gate) -> None:
    """Four days: one with few of the rows that go, one with half of them, one with nothing else, one with two files."""
    parquet(layout, 1, rows(gate, 1, here=300, gone=2), day="2026-01-01")
    parquet(layout, 2, rows(gate, 2, here=150, gone=150), day="2026-01-02")
    parquet(layout, 3, rows(gate, 3, gone=300), day="2026-01-03")
    parquet(layout, 4, rows(gate, 4, here=100, gone=1), day="2026-01-04")
    parquet(layout, 5, rows(gate, 5, here=100, gone=1), day="2026-01-04")


def left(layout: Layout) -> list[Any]:
    return asked(layout, "SELECT session_id, count(*)::INT FROM raw_logs GROUP BY 1 ORDER BY 1")


def refusing(monkeypatch: pytest.MonkeyPatch, refuse: Any) -> list[tuple[str, int]]:
    """Have rewriting fail for want of space as `refuse(day, files, attempt)` says; what was attempted."""
    real = rewrite_day
    tried: list[tuple[str, int]] = []

    def rewrite(layout: Layout, signal: Signal, day: str, changes: Any, disk: Disk) -> None:
        tried.append((day, len(changes)))
        if refuse(day, len(changes), len(tried)):
            raise OSError(errno.ENOSPC, "told to fail")
        real(layout, signal, day, changes, disk)

    monkeypatch.setattr(making_room, "rewrite_day", rewrite)
    return tried


def test_days_of_which_least_stays_come_first(home: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what did not fit comes again when the others have made room, file by file."""
    layout = home_of(home / "one")
    fill(layout, gate)
    tried = refusing(monkeypatch, lambda day, files, _attempt: day == "2026-01-04" and files > 1)
    purge.purge(layout, DISK, TARGET, lambda _done, _total: None)
    days = [(int(day[-2:]), files) for day, files in tried]
    assert days == [(3, 1), (2, 1), (4, 2), (1, 1), (4, 1), (4, 1)]
    assert left(layout) == [("here", 650)]


def test_what_does_not_fit_is_said_and_goes_on_later(home: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """All others are done; the receipt counts both parts; segments that are in Parquet were given up for it."""
    layout = home_of(home / "one")
    fill(layout, gate)
    DISK.directory(layout.journal(LOGS))
    layout.segment(LOGS, 3).write_bytes(b'{"seg":3,"session_id":"other"}\n')
    intent.note(layout, DISK, TARGET)
    with monkeypatch.context() as patch:
        refusing(patch, lambda day, _files, _attempt: day == "2026-01-01")
        with pytest.raises(DiskFullError, match=r"what stays of logs of 2026-01-01: about .* purge --resume"):
            run({"job": "purge", "home": str(layout.home)})
    assert left(layout) == [("gone", 2), ("here", 650)]
    assert not layout.segment(LOGS, 3).exists()
    assert intent.done(layout).rows == {"logs": 454}
    said = run({"job": "purge", "home": str(layout.home)})
    assert (said["rows"], len(said["files"]), left(layout)) == ({"logs": 454}, 5, [("here", 650)])


def test_other_faults_are_not_taken_for_a_full_disk(home: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """They end the purge, which can be tried again."""
    layout = home_of(home / "one")
    fill(layout, gate)
    monkeypatch.setattr(making_room, "rewrite_day", _broken)
    with pytest.raises(OSError, match="broken"):
        purge.purge(layout, DISK, TARGET, lambda _done, _total: None)


def _broken(*_: object) -> None:
    raise OSError(errno.EIO, "broken")


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Volume]:
    with mounted(tmp_path, "64m") as made:
        yield made


def test_on_a_disk_that_is_really_full(volume: Volume, gate: Gate) -> None:
    """Space for the smallest rewriting is enough for all of those that free more than they take."""
    layout = home_of(volume.home)
    fill(layout, gate)
    sizes = {file.day: file.path.stat().st_size for file in parquet_files(layout, LOGS)}
    said = Done()
    volume.fill(leave_bytes=sizes["2026-01-01"] // 4)
    with pytest.raises(DiskFullError, match="purge --resume"):
        volume_purge(layout, said, lambda: volume.fill(sizes["2026-01-01"] // 4))
    volume.free()
    purge.purge(layout, DISK, TARGET, lambda _done, _total: None, so_far=said)
    assert left(layout) == [("here", 650)]
    assert said.rows == {"logs": 454}


def volume_purge(layout: Layout, said: Done, fill_again: Any) -> None:
    """A purge beside somebody who takes whatever it frees."""
    purge.purge(layout, DISK, TARGET, lambda _done, _total: fill_again(), so_far=said)
