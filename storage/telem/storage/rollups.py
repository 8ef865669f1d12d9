"""Which rollup is in force: a small file that is replaced whole, and the days it speaks of. Imports no DuckDB.

What a closed ingest day adds to the totals is kept in the rollups, for good; its raw rows go when retention says so.
Readers take totals of days before `closed` from the rollups alone and of later ones from raw rows alone, so neither a
row that moves nor one that expires can count twice or be missing.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from telem.sanitize.records import Signal

from .layout import SEED_DAY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .disk import Disk
    from .layout import Layout

SCHEMA = 1
USAGE, SERIES = "usage.parquet", "series.parquet"
IMPORTED = "imported.parquet"
"""What was imported as sums, because its rows had expired where they were stored; there only if something was."""
FIRST_DAY = SEED_DAY
"""No row is older than the day of the seeds."""


_TEXTS = ("client", "session_id", "user", "user_id", "account_id", "team", "chapter", "project", "repository", "branch",
          "app_version", "model", "query_source")  # fmt: skip
_COUNTS = ("prompts", "requests", "errors", "tool_calls", "failed_tool_calls", "rejected_tool_calls", "input_tokens",
           "cache_read_tokens", "cache_creation_tokens", "output_tokens")  # fmt: skip
_TIMES = ("time", "first_time", "event_time", "first_event_time")
_AMOUNTS = ("active_seconds", "lines_added", "lines_removed", "commits", "pull_requests")
_INSTANT = "TIMESTAMP WITH TIME ZONE"

USAGE_COLUMNS: dict[str, str] = {
    **dict.fromkeys(_TIMES, _INSTANT),
    "day": "DATE",
    "ingest_day": "DATE",
    **dict.fromkeys(_TEXTS, "VARCHAR"),
    "sample_ratio": "DOUBLE",
    **dict.fromkeys(_COUNTS, "BIGINT"),
    "cost_usd": "DECIMAL(38,9)",
    "unpriced_requests": "BIGINT",
    **dict.fromkeys(_AMOUNTS, "DOUBLE"),
}
"""Columns of `usage.parquet`: those of the view usage_facts, in its order."""

SERIES_COLUMNS: dict[str, str] = {
    "ingest_day": "DATE",
    "series": "VARCHAR",
    "high": "DOUBLE",
    **dict.fromkeys(("session_id", "user", "user_id", "account_id"), "VARCHAR"),
}
"""Columns of `series.parquet`: what a running total had reached by the end of an ingest day."""


class RollupError(RuntimeError):
    """The rollups cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Ingest days of another folder that were imported.

    Args:
        origin: the folder's id, see `origin`.
        kind: `rows` or `sums`.
        first, last: days (YYYY-MM-DD), both included.
        at: the ingest day here, when it began; rows are of this day or a later one.
    """

    origin: str
    signal: str
    kind: str
    first: str
    last: str
    at: str


@dataclass(frozen=True, slots=True)
class Rollups:
    """What readers need to know.

    Args:
        version: the folder that holds the files; 0 when nothing has been closed yet.
        closed: totals of ingest days before this one are in the rollups, and no row joins those days any more.
        raw_since: by signal, the first ingest day whose raw rows are promised; earlier ones are gone or going.
        raw_since_at_s: when `raw_since` was last moved; what it gives up is removed a grace later.
        taken: which days of other folders have been imported, as rows or as sums.
    """

    version: int = 0
    closed: str = FIRST_DAY
    raw_since: dict[Signal, str] = field(default_factory=lambda: dict.fromkeys(Signal, FIRST_DAY))
    raw_since_at_s: float = 0.0
    taken: tuple[Taken, ...] = ()

    @property
    def stamp(self) -> tuple[object, ...]:
        """What the views depend on."""
        return (self.version, self.closed, *sorted(self.raw_since.items()))


def read(layout: Layout) -> Rollups:
    """The rollups in force; those of nothing when there are none.

    Raises:
        RollupError: they are of a later program, or the file does not read as one of ours.
    """
    return read_from(layout.rollups_manifest)


def read_from(path: Path) -> Rollups:
    """The same, of a manifest that may lie elsewhere.

    Raises:
        RollupError: as above.
    """
    if not path.exists():  # a child's walls forbid to read what was not there when it was started, not to look for it
        return Rollups()
    try:
        said = json.loads(path.read_bytes())
    except FileNotFoundError:
        return Rollups()
    except ValueError as error:
        raise RollupError(
            f"{path} is damaged: {error}. Restore it, and the folders beside it, from a backup."
        ) from error
    return _parsed(said, path)


def _parsed(said: Any, path: Path) -> Rollups:
    if not isinstance(said, dict) or said.get("schema") != SCHEMA:
        found = said.get("schema") if isinstance(said, dict) else said
        raise RollupError(f"{path} has schema {found!r}, this program knows {SCHEMA}. Use a newer telem-agent.")
    try:
        since = {signal: str(said["raw_since"][signal.value]) for signal in Signal}
        taken = tuple(Taken(**one) for one in said.get("taken", ()))
        return Rollups(int(said["version"]), str(said["closed"]), since, float(said["raw_since_at_s"]), taken)
    except (KeyError, TypeError, ValueError) as error:
        raise RollupError(f"{path} is damaged: {error!r}. Restore it from a backup.") from error


def write(layout: Layout, disk: Disk, rollups: Rollups) -> None:
    """Put rollups in force; their files must be durable already."""
    disk.directory(layout.rollups)
    said = {
        "schema": SCHEMA,
        "version": rollups.version,
        "closed": rollups.closed,
        "raw_since": {signal.value: day for signal, day in rollups.raw_since.items()},
        "raw_since_at_s": rollups.raw_since_at_s,
        "taken": [asdict(one) for one in rollups.taken],
    }
    disk.write(layout.rollups_manifest, json.dumps(said).encode() + b"\n")


def give_up(rollups: Rollups, signal: Signal, since: str, now_s: float) -> Rollups:
    """The same rollups, with raw rows of the signal promised from `since` on only; never moved back."""
    since = max(since, rollups.raw_since[signal])
    if since > rollups.closed:
        raise RollupError(f"{signal}: the days before {since} are not all closed yet (closed: {rollups.closed})")
    return replace(rollups, raw_since={**rollups.raw_since, signal: since}, raw_since_at_s=now_s)


def renew(layout: Layout, disk: Disk, rollups: Rollups) -> Rollups:
    """The same files under the name of a new version: who still goes by the old one will find it gone, and say so."""
    if not rollups.version:
        return rollups
    after = replace(rollups, version=next_version(layout, rollups))
    for old in (*files(layout, rollups), imported(layout, rollups)):
        if old.exists():
            disk.directory(layout.rollup(after.version))
            disk.link(old, layout.rollup(after.version) / old.name)
    return after


def next_version(layout: Layout, in_force: Rollups) -> int:
    """A number no version had: a folder that a crash left is not written into again."""
    return max([in_force.version, *(version for version, _ in folders(layout))]) + 1


def files(layout: Layout, rollups: Rollups) -> tuple[Path, Path]:
    """The files of totals and of series."""
    folder = layout.rollup(rollups.version)
    return folder / USAGE, folder / SERIES


def imported(layout: Layout, rollups: Rollups) -> Path:
    """The file of what was imported as sums; it is there only if something was."""
    return layout.rollup(rollups.version) / IMPORTED


def folders(layout: Layout) -> Iterator[tuple[int, Path]]:
    """Folders of all versions that are there, in force or not."""
    for path in sorted(layout.rollup(0).parent.glob("*")):
        if path.name.isdigit():
            yield int(path.name), path


def sweep(layout: Layout, disk: Disk, in_force: Rollups) -> list[int]:
    """Remove all versions that are not in force, durably; a shell that still reads one fails loudly.

    How old one is does not matter, and what a clock says of it least of all: what its readers miss may go next.
    """
    removed = []
    if layout.rollups.is_dir():
        disk.sync_directory(
            layout.rollups
        )  # what names the version in force may not be durable: its sync may have failed
    for version, path in folders(layout):
        if version != in_force.version:
            shutil.rmtree(path)
            disk.sync_directory(path.parent)
            removed.append(version)
    return removed
