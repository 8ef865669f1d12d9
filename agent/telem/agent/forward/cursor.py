"""How far a destination has got: durable, and true after any crash.

A position is the first segment that is not done. The ids of its rows that were delivered stand in a file beside it,
appended to after each answer; so what is sent again after a crash is what was under way, and no more. What was refused
is noted by id, never by content: a purge reaches it as it reaches the rows.
"""

from __future__ import annotations

import http.client
import os
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from telem.storage.disk import sync_descriptor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from telem.sanitize.records import Signal
    from telem.storage.disk import Disk
    from telem.storage.layout import Layout

SCHEMA = 1
ID_CHARS = 20
PENDING_MAX = 1_000
BY_ITS_OWNER = "paused by its owner"
"""Why a destination is paused that has no trouble."""

WANTED_S = 60.0


@dataclass(slots=True)
class State:
    """What `cursors/<name>.json` says.

    Args:
        segment: by signal, the first segment that is not done.
        pending: by signal, earlier numbers that an import has taken and that may still get rows.
        failures: attempts in a row that failed.
        faults: of these the last ones in a row that were answered with 500.
    """

    segment: dict[str, int] = field(default_factory=dict)
    pending: dict[str, list[int]] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)
    rejected: int = 0
    day: str = ""
    failures: int = 0
    faults: int = 0
    error: str = ""
    error_at: str = ""
    sent_at: str = ""


class Cursor:
    """The state of one destination on disk."""

    def __init__(self, layout: Layout, disk: Disk, name: str) -> None:
        self._folder = layout.cursors
        self._disk = disk
        self._name = name
        self._path = self._folder / f"{name}.json"
        self.lock_path = self._folder / f"{name}.lock"
        self._paused_path = paused_path(layout, name)
        self.series_path = self._folder / f"{name}.series.json"
        self.rejected_path = self._folder / f"{name}.rejected.ndjson"
        disk.directory(self._folder)
        self.state = self._load()

    def _load(self) -> State:
        try:
            said = orjson.loads(self._path.read_bytes())
        except FileNotFoundError:
            return State()
        except ValueError as error:
            raise ValueError(f"{self._path} is damaged: {error}; remove it to begin anew") from error
        if said.pop("schema", None) != SCHEMA:
            raise ValueError(f"{self._path} is of another version; use a newer telem-agent")
        return State(**said)

    def save(self) -> None:
        """Make the state durable."""
        self._disk.write(self._path, orjson.dumps({"schema": SCHEMA, **asdict(self.state)}, option=orjson.OPT_INDENT_2))

    def done(self, signal: Signal, first: int) -> Done:
        """The ids that were delivered of the rows from segment `first` on."""
        return Done(self._folder / f"{self._name}.{signal}.{first}.done", self._disk)

    @property
    def paused(self) -> str:
        """Why nothing is sent; empty when it is. It stands in a file of its own, which others write than the state."""
        return _text(self._paused_path)

    def under_way(self, signal: Signal) -> list[str]:
        """Ids of the rows of the last request that was begun."""
        try:
            return self._under_way(signal).read_text(encoding="ascii").split()
        except FileNotFoundError:
            return []

    def begin(self, signal: Signal, ids: list[str]) -> None:
        """Note what is about to be sent, so that the very same request can be sent again."""
        self._disk.write(self._under_way(signal), "".join(f"{one}\n" for one in ids).encode("ascii"))

    def _under_way(self, signal: Signal) -> Path:
        return self._folder / f"{self._name}.{signal}.sending"

    def pause(self, why: str) -> None:
        """Send nothing until somebody says so."""
        self._disk.write(self._paused_path, f"{why}\n".encode())

    def resume(self) -> None:
        """Send again, at once."""
        self._paused_path.unlink(missing_ok=True)

    def failed(self, message: str, status: int = 0) -> None:
        """Note a failure."""
        self.state.failures += 1
        self.state.faults = self.state.faults + 1 if status == http.client.INTERNAL_SERVER_ERROR else 0
        self.state.error, self.state.error_at = message, now()
        self.save()

    def reject(self, signal: Signal, row: dict[str, Any], status: int, message: str) -> None:
        """Note a row that the destination does not take, once however often it was tried."""
        if any(entry["id"] == row["id"] for entry in self.rejected()):
            return
        said = {"signal": signal.value, "segment": row["seg"], "id": row["id"], "status": status, "message": message}
        _append(self.rejected_path, orjson.dumps({**said, "at": now()}) + b"\n")
        self.state.rejected += 1

    def rejected(self) -> list[dict[str, Any]]:
        """What was noted as refused; a line that a crash has torn is none."""
        found = []
        with suppress(FileNotFoundError):
            for line in self.rejected_path.read_bytes().splitlines():
                with suppress(ValueError):
                    found.append(orjson.loads(line))
        return found

    def keep_rejected(self, entries: Iterable[dict[str, Any]]) -> None:
        """Replace the notes."""
        kept = list(entries)
        self._disk.write(self.rejected_path, b"".join(orjson.dumps(entry) + b"\n" for entry in kept))
        self.state.rejected = len(kept)
        self.save()

    def remove(self) -> None:
        """Forget all about the destination."""
        for path in self._folder.glob(f"{self._name}.*"):
            path.unlink(missing_ok=True)


def paused_path(layout: Layout, name: str) -> Path:
    """The file that is there while a destination is paused; it says why."""
    return layout.cursors / f"{name}.paused"


def paused(layout: Layout, name: str) -> str:
    """Why nothing is sent to a destination; empty when it is."""
    return _text(paused_path(layout, name))


def wanted_path(layout: Layout, name: str) -> Path:
    """The file that is there while a command wants to send by itself."""
    return layout.cursors / f"{name}.wanted"


@contextmanager
def taking_over(layout: Layout, disk: Disk, name: str) -> Iterator[None]:
    """Let the daemon's process leave that waits for more to send; the command that asks for it takes its place."""
    path = wanted_path(layout, name)
    disk.directory(layout.cursors)
    disk.write(path, b"")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def is_wanted(layout: Layout, name: str) -> bool:
    """Does a command want to send? One that was killed wants nothing any more."""
    try:
        return time.time() - wanted_path(layout, name).stat().st_mtime < WANTED_S
    except FileNotFoundError:
        return False


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip() or "paused"
    except FileNotFoundError:
        return ""


class Done:
    """Ids of one unit's rows that were delivered."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self._path = path
        self.ids: set[str] = set()
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return
        whole = len(data) - len(data) % (ID_CHARS + 1)
        if whole < len(data):
            disk.cut(path, whole)
        self.ids.update(data[:whole].decode("ascii").split())

    def add(self, ids: Iterable[str]) -> None:
        """Make further ids durable."""
        fresh = [one for one in ids if one not in self.ids]
        if fresh:
            _append(self._path, "".join(f"{one}\n" for one in fresh).encode("ascii"))
            self.ids.update(fresh)

    def remove(self) -> None:
        """The unit is done."""
        self._path.unlink(missing_ok=True)


def _append(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(descriptor, data)
        sync_descriptor(descriptor)
    finally:
        os.close(descriptor)


def now() -> str:
    """This moment, for people."""
    return datetime.now(UTC).isoformat(timespec="seconds")
