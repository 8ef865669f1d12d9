"""What every published Parquet file looked like when it was published: its size, its SHA-256, the CRC of its footer.

One JSON file a signal and day, replaced whole. It is written after the files it speaks of, so a crash leaves files
without an entry, never entries without a file: such a file is read again and noted, and nothing is lost.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from .layout import parquet_span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telem.sanitize.records import Signal

    from .disk import Disk
    from .layout import Layout

SCHEMA = 1
_PIECE_BYTES = 1024 * 1024
_MAGIC = b"PAR1"
_TRAILER_BYTES = 8
"""At the end of a Parquet file: the length of its footer, and the magic."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file as it was published."""

    bytes: int
    sha256: str
    footer_crc: int


Entries = dict[str, tuple[Entry, ...]]


def days(layout: Layout, signal: Signal) -> list[str]:
    """Ingest days that have a folder, the seed's too, oldest first."""
    return sorted(
        {folder.name.removeprefix("ingest_day=") for folder in layout.parquet(signal).glob("v=*/ingest_day=*")}
    )


def files(layout: Layout, signal: Signal, day: str) -> dict[str, Path]:
    """Published files of a day in all schema versions, by the name they have in the manifest."""
    root = layout.parquet(signal)
    found = root.glob(f"v=*/ingest_day={day}/*.parquet")
    return {f"{path.parent.parent.name}/{path.name}": path for path in sorted(found) if parquet_span(path.name)}


def read(layout: Layout, signal: Signal, day: str) -> Entries:
    """Entries of a day by name; none when there is no manifest, or none that can be read.

    A name has two entries while a day is being rewritten: the file may be the old one or the new one.
    """
    try:
        said = json.loads(layout.manifest(signal, day).read_bytes())
        return {name: tuple(Entry(**entry) for entry in entries) for name, entries in said["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def note(layout: Layout, signal: Signal, day: str, disk: Disk) -> list[str]:
    """Bring a day's manifest up to what is published; returns the names that had no entry.

    An entry goes when its file is gone and the segments it held are in others (merged, rewritten), or when the whole
    day is gone. The entry of a file that is missing for another reason stays, for `verify` to name it.
    """
    there, before = files(layout, signal, day), read(layout, signal, day)
    entries = {name: _settled(path, before.get(name, ())) for name, path in there.items()}
    entries |= {name: found for name, found in before.items() if there and name not in there and _missed(name, there)}
    _write(layout, signal, day, disk, before, entries)
    return [name for name in there if name not in before]


def announce(layout: Layout, signal: Signal, day: str, folder: Path, disk: Disk) -> None:
    """Enter the files of a folder that is about to take the place of the day's, beside what is there now."""
    before = read(layout, signal, day)
    entries = dict(before)
    for path in folder.glob("*.parquet"):
        name = f"{layout.day(signal, day).parent.name}/{path.name}"
        entries[name] = (*before.get(name, ()), measure(path))
    _write(layout, signal, day, disk, before, entries)


def replace_day(layout: Layout, signal: Signal, day: str, folder: Path, disk: Disk) -> None:
    """Let a folder outside of every glob take the place of a day's, in one step; it then holds the old files.

    Raises:
        CannotExchangeError: the file system has no such step; the day is as it was.
    """
    announce(layout, signal, day, folder, disk)
    disk.exchange(folder, layout.day(signal, day))
    note(layout, signal, day, disk)


def _settled(path: Path, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    if len(entries) == 1:
        return entries
    found = measure(path)
    return (found,) if not entries or found in entries else entries


def _write(layout: Layout, signal: Signal, day: str, disk: Disk, before: Entries, entries: Entries) -> None:
    if entries == before:
        return
    disk.directory(layout.manifest(signal, day).parent)
    said = {name: [asdict(entry) for entry in found] for name, found in sorted(entries.items())}
    disk.write(layout.manifest(signal, day), json.dumps({"schema": SCHEMA, "files": said}, indent=1).encode() + b"\n")


def unnoted(layout: Layout, signal: Signal) -> Iterator[str]:
    """Days whose manifest does not name every file, as after a crash or an update from before there was one."""
    for day in days(layout, signal):
        if files(layout, signal, day).keys() - read(layout, signal, day).keys():
            yield day


def _missed(name: str, there: dict[str, Path]) -> bool:
    """Is there a segment of this file that no other file holds?"""
    first, last = parquet_span(name.rpartition("/")[2]) or (0, -1)
    held = {number for path in there.values() for number in _span(path)}
    return any(number not in held for number in range(first, last + 1))


def _span(path: Path) -> range:
    first, last = parquet_span(path.name) or (0, -1)
    return range(first, last + 1)


def measure(path: Path) -> Entry:
    """Read a file whole and say what it is."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
        size = file.tell()
    return Entry(size, digest.hexdigest(), footer_crc(path) or 0)


def footer_crc(path: Path) -> int | None:
    """CRC of the footer, which readers need first; None when there is no place for one between the two magics."""
    with path.open("rb") as file:
        begins = file.read(len(_MAGIC))
        size = file.seek(0, 2)
        if begins != _MAGIC or size < len(_MAGIC) + _TRAILER_BYTES:
            return None
        file.seek(size - _TRAILER_BYTES)
        trailer = file.read(_TRAILER_BYTES)
        length = int.from_bytes(trailer[:4], "little")
        if trailer[4:] != _MAGIC or length > size - len(_MAGIC) - _TRAILER_BYTES:
            return None
        file.seek(size - _TRAILER_BYTES - length)
        return zlib.crc32(file.read())
