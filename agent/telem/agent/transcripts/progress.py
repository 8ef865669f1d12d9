"""How far the import has come: for each log the place read up to, and by digest everything that was handed over.

    <home>/transcripts/
      LOCK           one import at a time
      logs.json      by path: offset, size, inode, head, and what the next lines need to know of earlier ones
      seen           8 bytes for each request, tool call and prompt, in the order in which they were handed over
      sending.json   there while something is on its way; what it says is asked of the store after a crash
      watch.json     there when the daemon is to go on importing by itself; with the choices made then

`seen` outlives the rows: what retention or a purge has removed does not come back with the next import.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import orjson

from telem.storage.disk import sync_descriptor

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from telem.storage.disk import Disk

DIGEST_BYTES = 8
"""With a million things known, the chance that a new one is taken for one of them is 5 in 10^14."""

SCHEMA = 1


@dataclass(slots=True)
class Place:
    """Where reading goes on in one log."""

    offset: int = 0
    size: int = 0
    mtime_ns: int = 0
    inode: int = 0
    head: str = ""  # digest of the log's beginning: another one, and it is read from there
    prompt_id: str = ""
    tools: dict[str, str] = field(default_factory=dict)


def digest(key: str) -> int:
    """The number a key is remembered by."""
    return int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest(), "little")


class Progress:
    """The import's own memory, on disk. Nothing in it can be torn: a piece at the end of `seen` is cut off."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder = folder
        self._disk = disk
        self.logs: dict[str, Place] = {}
        self.seen: set[int] = set()

    @property
    def watch(self) -> Path:
        """The file that says that the daemon goes on by itself."""
        return self._folder / "watch.json"

    @property
    def lock(self) -> Path:
        """Held while an import runs."""
        return self._folder / "LOCK"

    def load(self) -> None:
        """Read what earlier imports left. A file that is no use is as if it were not there: `seen` still holds."""
        self._disk.directory(self._folder)
        for path, place in self._read("logs.json").get("logs", {}).items():
            self.logs[path] = Place(**place)
        data = _bytes(self._folder / "seen")
        whole = len(data) // DIGEST_BYTES * DIGEST_BYTES
        if whole != len(data):
            self._disk.cut(self._folder / "seen", whole)
        self.seen = {int.from_bytes(data[at : at + DIGEST_BYTES], "little") for at in range(0, whole, DIGEST_BYTES)}

    def interrupted_at_us(self) -> int | None:
        """When the handing over began that was never finished; None when none was."""
        began = self._read("sending.json").get("began_us")
        return began if isinstance(began, int) else None

    def begin(self, now_us: int) -> None:
        """Say that something is on its way, durably; an earlier word stays."""
        path = self._folder / "sending.json"
        if not path.exists():
            self._disk.write(path, orjson.dumps({"schema": SCHEMA, "began_us": now_us}))

    def finish(self, keys: Iterable[int], *, last: bool) -> None:
        """Remember what was acknowledged, and how far each log was read; `last`: nothing is on its way any more."""
        new = list(dict.fromkeys(key for key in keys if key not in self.seen))
        if new:
            descriptor = os.open(self._folder / "seen", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "ab") as file:
                file.write(b"".join(key.to_bytes(DIGEST_BYTES, "little") for key in new))
                file.flush()
                sync_descriptor(file.fileno())
            self.seen.update(new)
        self._disk.write(self._folder / "logs.json", orjson.dumps({"schema": SCHEMA, "logs": self.logs}))
        if last:
            (self._folder / "sending.json").unlink(missing_ok=True)

    def forget_gone(self) -> None:
        """Leave out logs that were removed; should one come back, `seen` knows what was in it."""
        self.logs = {path: place for path, place in self.logs.items() if os.path.exists(path)}  # noqa: PTH110 (10,000 of them, quickly)
        self.finish((), last=True)

    def _read(self, name: str) -> dict[str, Any]:
        try:
            found = orjson.loads((self._folder / name).read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return found if isinstance(found, dict) and found.get("schema") == SCHEMA else {}


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
