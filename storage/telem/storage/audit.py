"""Counts on disk, by UTC day: how often which rule fired, and which records were not stored. Never a value or a digest.

A month is one file of JSON lines, one line a day and kind of thing, that is replaced whole when counts are added: there
is nothing that a crash could leave torn, and it stays as small as what it says. Lines appended every minute would be
2 MB a day under ordinary use.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .disk import Disk
    from .layout import Layout

SEED = "0000-00"
"""A month without rows: DuckDB 1.x refuses a glob that matches nothing."""

ROWS_A_DAY = 1_000
"""Further attributes of a day are counted together; a sender can invent names without end."""

OTHERS = "(other attributes)"

Counts = Counter[tuple[str, ...]]
"""(day, …what a table counts by) -> how often."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A table of counts.

    Args:
        folder: below the data folder, and the name of its view.
        by: what it counts by, beside the day.
        open: the place among them that a sender can fill with names without end, and what gathers those in excess.
    """

    folder: str
    by: tuple[str, ...]
    open: int
    others: str

    def path(self, layout: Layout) -> Path:
        """Its folder."""
        return layout.home / self.folder


SANITIZER = Counted("sanitizer_audit", ("rule", "attribute"), 1, OTHERS)
DROPPED = Counted("dropped_records", ("client", "event", "rule"), 1, "(other events)")
TABLES = (SANITIZER, DROPPED)

log = logging.getLogger(__name__)


def add(
    layout: Layout, disk: Disk, day: str, counts: Mapping[tuple[str, ...], int], table: Counted = SANITIZER
) -> None:
    """Add counts to those of `day` (YYYY-MM-DD); they are on the medium when this returns.

    Raises:
        OSError: they are not, and what was there before is untouched.
    """
    disk.directory(table.path(layout))
    path = table.path(layout) / f"{day[:7]}.ndjson"
    found = _read(path, layout, disk, table)
    names = {key[1:] for key in found if key[0] == day}
    for key, count in counts.items():
        if key not in names and len(names) >= ROWS_A_DAY:
            key = (*key[: table.open], table.others, *key[table.open + 1 :])  # noqa: PLW2901 (what it is counted under)
        names.add(key)
        found[(day, *key)] += count
    disk.write(path, "".join(_line(item, table) for item in sorted(found.items())).encode())


def _line(item: tuple[tuple[str, ...], int], table: Counted) -> str:
    key, count = item
    return json.dumps({**dict(zip(("day", *table.by), key, strict=True)), "count": count}) + "\n"


def _read(path: Path, layout: Layout, disk: Disk, table: Counted) -> Counts:
    """What a month's file says. One that does not read as ours is put aside, and counting starts anew."""
    counts: Counts = Counter()
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            counts[tuple(str(row[name]) for name in ("day", *table.by))] += int(row["count"])
    except FileNotFoundError:
        return counts
    except (ValueError, TypeError, KeyError):
        disk.directory(layout.quarantine)
        path.replace(layout.quarantine / f"{table.folder}-{path.name}")
        log.exception("%s could not be read and was moved to quarantine; its month is counted anew", path)
        return Counter()
    return counts


def months(layout: Layout, table: Counted = SANITIZER) -> list[Path]:
    """The files there are, oldest first."""
    return sorted(table.path(layout).glob("*-*.ndjson"))


def write_seed(layout: Layout, disk: Disk) -> None:
    """Make the folders and the files without rows."""
    for table in TABLES:
        disk.directory(table.path(layout))
        seed = table.path(layout) / f"{SEED}.ndjson"
        if not seed.exists():
            disk.write(seed, b"")
