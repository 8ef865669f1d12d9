"""Which format a data folder has, and which versions of the Parquet files it may hold.

The file `format` names the newest format that was written into the folder. A program that does not know it leaves the
folder alone: it could misread what it finds, and would write what the newer one does not expect.

A new column is a new schema version: raise `SCHEMA_VERSION` in `telem.sanitize.columns`, and add an entry to
`MISSING_IN` for the version before. Its files stay as they are, and the views fill what they lack with NULL.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from telem.sanitize.columns import COLUMNS, SCHEMA_VERSION

if TYPE_CHECKING:
    from telem.sanitize.records import Signal

    from .disk import Disk
    from .layout import Layout

FORMAT = 1
"""Raised when an older program could not read, or would damage, what this one writes."""

MISSING_IN: dict[int, dict[Signal, frozenset[str]]] = {SCHEMA_VERSION: {}}
"""By schema version, the columns of today that its files do not have."""

_VERSION = re.compile(r"/v=(\d+)/")


class FormatError(RuntimeError):
    """The folder was written by a newer program; nothing in it is touched."""


def check_format(layout: Layout) -> None:
    """Refuse a folder of a newer format.

    Raises:
        FormatError: it is one, or the file does not say.
    """
    try:
        text = layout.format.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return
    if not text.isdigit() or int(text) > FORMAT:
        raise FormatError(
            f"{layout.home} has format {text[:20] or '(empty)'}, this telem-agent knows formats up to {FORMAT}: "
            "it was written by a newer version. Upgrade telem-agent, or choose another folder with --home"
        )


def mark_format(layout: Layout, disk: Disk) -> None:
    """Say which format the folder has, once. Whoever calls it has the lock.

    Raises:
        FormatError: it is of a newer one.
    """
    check_format(layout)
    if not layout.format.exists() or layout.format.read_text(encoding="ascii").strip() != str(FORMAT):
        disk.write(layout.format, f"{FORMAT}\n".encode())


def version_of(path: str) -> int:
    """Schema version of a Parquet file, by the folder it lies in."""
    found = _VERSION.search(path)
    return int(found[1]) if found else SCHEMA_VERSION


def versions() -> list[int]:
    """All schema versions that are read, the oldest first."""
    return sorted(MISSING_IN)


def missing_in(version: int, signal: Signal) -> frozenset[str]:
    """Columns that files of a version lack."""
    return MISSING_IN.get(version, {}).get(signal, frozenset())


def columns_in(version: int, signal: Signal) -> list[str]:
    """Names of the columns that files of a version have."""
    return [column.name for column in COLUMNS[signal] if column.name not in missing_in(version, signal)]
