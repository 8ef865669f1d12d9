"""The sanitizer's counts on disk: how often which rule fired, by UTC day and attribute. Never a value, never a digest.

A month is one file of JSON lines, one line a day, rule and attribute, that is replaced whole when counts are added:
there is nothing that a crash could leave torn, and it stays as small as what it says. Lines appended every minute would
be 2 MB a day under ordinary use.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
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

Counts = Counter[tuple[str, str, str]]
"""(day, rule, attribute) -> how often."""

log = logging.getLogger(__name__)


def add(layout: Layout, disk: Disk, day: str, counts: Mapping[tuple[str, str], int]) -> None:
    """Add counts by rule and attribute to those of `day` (YYYY-MM-DD); they are on the medium when this returns.

    Raises:
        OSError: they are not, and what was there before is untouched.
    """
    disk.directory(layout.audit)
    path = layout.audit_month(day[:7])
    found = _read(path, layout, disk)
    names = {key[1:] for key in found if key[0] == day}
    for (rule, attribute), count in counts.items():
        if (rule, attribute) not in names and len(names) >= ROWS_A_DAY:
            attribute = OTHERS  # noqa: PLW2901 (the name it is counted under)
        names.add((rule, attribute))
        found[day, rule, attribute] += count
    disk.write(path, "".join(map(_line, sorted(found.items()))).encode())


def _line(item: tuple[tuple[str, str, str], int]) -> str:
    (day, rule, attribute), count = item
    return json.dumps({"day": day, "rule": rule, "attribute": attribute, "count": count}) + "\n"


def _read(path: Path, layout: Layout, disk: Disk) -> Counts:
    """What a month's file says. One that does not read as ours is put aside, and counting starts anew."""
    counts: Counts = Counter()
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            counts[str(row["day"]), str(row["rule"]), str(row["attribute"])] += int(row["count"])
    except FileNotFoundError:
        return counts
    except (ValueError, TypeError, KeyError):
        disk.directory(layout.quarantine)
        path.replace(layout.quarantine / f"sanitizer_audit-{path.name}")
        log.exception("%s could not be read and was moved to quarantine; its month is counted anew", path)
        return Counter()
    return counts


def months(layout: Layout) -> list[Path]:
    """The files there are, oldest first."""
    return sorted(layout.audit.glob("*-*.ndjson"))


def write_seed(layout: Layout, disk: Disk) -> None:
    """Make the folder and the file without rows."""
    disk.directory(layout.audit)
    if not layout.audit_month(SEED).exists():
        disk.write(layout.audit_month(SEED), b"")
