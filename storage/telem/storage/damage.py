"""Published files that no reader can open: found by their ends, and put aside so that all others answer.

One file that is cut, emptied or has a damaged footer fails every question over its folder. It is moved to
`quarantine/`; while its segments still hold their rows they are made into Parquet again, and nothing is lost. What is
damaged further inside is found by `verify`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telem.sanitize.records import Signal

from . import manifest

if TYPE_CHECKING:
    from pathlib import Path

    from .disk import Disk
    from .layout import Layout
    from .manifest import Entry


@dataclass(frozen=True, slots=True)
class Damaged:
    """A file that cannot be read, and why."""

    signal: Signal
    day: str
    path: Path
    why: str


def examine(path: Path, entries: tuple[Entry, ...]) -> str:
    """What is wrong with the ends of a file, in words; empty when nothing is. Reads its footer only."""
    size = path.stat().st_size
    fitting = [entry for entry in entries if entry.bytes == size]
    if entries and not fitting:
        return f"it has {size} bytes instead of {entries[-1].bytes}"
    found = manifest.footer_crc(path)
    if found is None:
        return "it is no whole Parquet file"
    if fitting and all(entry.footer_crc != found for entry in fitting):
        return "its footer was changed"
    return ""


class Watch:
    """Examines every file once, and again when it looks different. Cheap: it asks for times and sizes only."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._seen: dict[Path, tuple[int, int, int]] = {}

    def look(self, *, anew: bool = False) -> list[Damaged]:
        """Damaged files among those not examined yet; among all of them when `anew`."""
        found, seen = [], {} if anew else self._seen
        now: dict[Path, tuple[int, int, int]] = {}
        for signal in Signal:
            for day in manifest.days(self._layout, signal):
                entries = None
                for name, path in manifest.files(self._layout, signal, day).items():
                    try:
                        state = _state(path)
                        if seen.get(path) != state:
                            entries = manifest.read(self._layout, signal, day) if entries is None else entries
                            if why := examine(path, entries.get(name, ())):
                                found.append(Damaged(signal, day, path, why))
                                continue
                        now[path] = state
                    except FileNotFoundError:  # merged or deleted meanwhile
                        continue
        self._seen = now
        return found


def _state(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


def put_aside(layout: Layout, damaged: Damaged, disk: Disk) -> Path:
    """Move a file to quarantine, under a name that says where it was."""
    disk.directory(layout.quarantine)
    folder = damaged.path.parent
    target = layout.quarantine / f"{damaged.signal}-{folder.parent.name}-{folder.name}-{damaged.path.name}"
    disk.move(damaged.path, target)
    return target
