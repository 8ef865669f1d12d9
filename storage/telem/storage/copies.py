"""Copies of rows that left the folder: backups and exports that were written, and archives that were imported.

A purge takes the rows out of those it knows of (`exports.json`): each is written anew beside its place, and renamed.
What is not there any more, is no file of ours, or cannot be written is said, and never guessed. Runs in a worker.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from . import exports, meant, tombstones
from .archive import ArchiveError
from .copied_backup import in_backup
from .copied_export import NotTellable, in_export
from .intent import DELETE, LEAVE
from .keys import read_key
from .tombstones import TombstoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .disk import Disk
    from .intent import Target
    from .layout import Layout
    from .meant import Meant

REWRITTEN, DELETED, MISSING, UNTOUCHED, LEFT = "rewritten", "deleted", "missing", "untouched", "left"
SUMS = "sums"
"""It holds sums in which such rows count, and none of the rows."""

AS_SAID = "as you said"


@dataclass(frozen=True, slots=True)
class Copy:
    """A file that was written or imported, and what became of it.

    Args:
        rows: that were meant and in it; None when nobody looked.
        done: rewritten, deleted, missing, untouched (it holds none), sums or left; empty before.
        why: why it was left.
    """

    id: str
    kind: str
    path: str
    at: str
    form: str = ""
    rows: int | None = None
    done: str = ""
    why: str = ""

    def said(self) -> dict[str, Any]:
        """For whoever asked."""
        return asdict(self)

    def noted(self) -> dict[str, Any]:
        """For the receipt: no path, which may name somebody; `exports.json` has it under this id."""
        return {"id": self.id, "kind": self.kind, "at": self.at, "rows": self.rows, "done": self.done}


def known(layout: Layout) -> list[Copy]:
    """All there may be, one a path, the latest entry of each."""
    found = {}
    for entry in exports.known(layout):
        path = str(entry.get("path", "-"))
        if Path(path).is_absolute() and not entry.get("deleted"):
            found[path] = Copy(
                str(entry.get("id", "")), str(entry.get("kind", "")), path, str(entry.get("at", "")),
                str(entry.get("format", "")),
            )  # fmt: skip
        else:
            found.pop(path, None)
    return list(found.values())


@contextmanager
def alone(layout: Layout, disk: Disk) -> Iterator[None]:
    """Only one at a time rewrites copies.

    Raises:
        LockedError: another one does.
    """
    lock = disk.lock(layout.copies_lock)
    try:
        yield
    finally:
        lock.release()


def look(layout: Layout, disk: Disk, target: Target) -> list[Copy]:
    """What `take_out` would do; changes nothing."""
    return [_handled(layout, disk, copy, target, dry=True) for copy in known(layout)]


def take_out(layout: Layout, disk: Disk, target: Target, progress: Callable[[int, int], None]) -> list[Copy]:
    """Take the target's rows out of every copy, as the target says; what became of each."""
    copies = known(layout)
    done = []
    for number, copy in enumerate(copies):
        progress(number, len(copies))
        done.append(_handled(layout, disk, copy, target, dry=False))
        if done[-1].done == DELETED:
            exports.complete(layout, disk, copy.id, deleted=True)
    return done


def _handled(layout: Layout, disk: Disk, copy: Copy, target: Target, *, dry: bool) -> Copy:
    path = Path(copy.path).resolve()
    if not path.is_file():
        return replace(copy, done=MISSING)
    if target.copies == LEAVE:
        return replace(copy, done=LEFT, why=AS_SAID)
    delete = target.copies == DELETE or (copy.kind == "export" and meant.of(target).everything)
    try:
        rows = _taken_out(layout, disk, copy, path, meant.of(target), dry=dry or delete)
    except NotTellable as error:
        if not delete:
            return replace(copy, done=SUMS, why=str(error))
        rows = None
    except (OSError, ArchiveError, TombstoneError, duckdb.Error, pa.ArrowException, ValueError) as error:
        if not delete:
            return replace(copy, done=LEFT, why=str(error) or type(error).__name__)
        rows = None
    if rows == 0:
        return replace(copy, rows=0, done=UNTOUCHED)
    if delete and not dry:
        disk.remove(path)
    return replace(copy, rows=rows, done=DELETED if delete else REWRITTEN)


def _taken_out(layout: Layout, disk: Disk, copy: Copy, path: Path, rows: Meant, *, dry: bool) -> int:
    if copy.kind == "export":
        return in_export(path, copy.form, rows, disk, dry=dry)
    purged = tombstones.said_by(layout.tombstones, read_key(layout))
    return in_backup(layout, disk, path, rows, purged, dry=dry)
