"""What is to be purged, noted before anything is removed, until it has been. Imports no DuckDB."""

from __future__ import annotations

import json
import secrets
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from telem.sanitize.tombs import SESSION, USER

if TYPE_CHECKING:
    from .disk import Disk
    from .layout import Layout

BEFORE, ALL = "before", "all"
KINDS = (SESSION, USER, BEFORE, ALL)

REWRITE, DELETE, LEAVE = "rewrite", "delete", "leave"
"""What becomes of backups and exports that hold such rows."""


class IntentError(RuntimeError):
    """Another purge is not finished, or what was noted of it cannot be read."""


@dataclass(frozen=True, slots=True)
class Target:
    """Whose rows are to go.

    Args:
        kind: session, user, before or all.
        value: the session's id, the user's stand-in, or a UTC day (YYYY-MM-DD).
        copies: what becomes of backups and exports.
    """

    kind: str
    value: str
    id: str
    noted_at_s: float
    copies: str = REWRITE

    @property
    def before_us(self) -> int:
        """Rows that happened earlier are meant; for all: those up to now."""
        if self.kind == BEFORE:
            return int(datetime.fromisoformat(self.value).replace(tzinfo=UTC).timestamp() * 1e6)
        return int(self.noted_at_s * 1e6) if self.kind == ALL else 0


@dataclass(slots=True)
class Done:
    """What a purge has done so far, so that one that was interrupted says all of it in the end.

    Args:
        home: nothing of it is left in the folder; backups and exports come next.
    """

    rows: dict[str, int] = field(default_factory=dict)  # by signal
    files: list[str] = field(default_factory=list)  # that were, or are about to be, rewritten
    segments: list[str] = field(default_factory=list)
    rollup_rows: int = 0
    quarantined: int = 0
    home: bool = False


def target_of(kind: str, value: str, copies: str = REWRITE) -> Target:
    """A new target."""
    return Target(kind, value, secrets.token_hex(4), time.time(), copies)


def note(layout: Layout, disk: Disk, target: Target) -> None:
    """Note it durably. The same one again goes on where it was.

    Raises:
        IntentError: another one is not finished.
    """
    other = noted(layout)
    if other is not None and (other.kind, other.value) != (target.kind, target.value):
        raise IntentError(
            f"another purge (of {other.kind}, {other.id}) is not finished; it goes on at: telem-agent purge --resume"
        )
    reached(layout, disk, target, Done() if other is None else replace(done(layout), home=False))


def reached(layout: Layout, disk: Disk, target: Target, so_far: Done) -> None:
    """Note how far it is."""
    disk.write(layout.intent, json.dumps({**asdict(target), "done": asdict(so_far)}).encode() + b"\n")


def noted(layout: Layout) -> Target | None:
    """What is still to be purged.

    Raises:
        IntentError: it cannot be read.
    """
    said = _read(layout)
    return said[0] if said else None


def done(layout: Layout) -> Done:
    """What was done of it so far.

    Raises:
        IntentError: it cannot be read.
    """
    said = _read(layout)
    return said[1] if said else Done()


def _read(layout: Layout) -> tuple[Target, Done] | None:
    try:
        said = json.loads(layout.intent.read_bytes())
        copies = str(said.get("copies", REWRITE))
        target = Target(str(said["kind"]), str(said["value"]), str(said["id"]), float(said["noted_at_s"]), copies)
        return target, Done(**said.get("done", {}))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise IntentError(f"{layout.intent} is damaged: {error!r}. Remove it and purge again.") from error


def show_progress(layout: Layout, done: int, total: int) -> None:
    """Say how far it is, for whoever waits; worth nothing after a crash, so it is not synced."""
    with suppress(OSError):
        layout.progress.write_text(f"{done} {total}\n", encoding="ascii")


def progress(layout: Layout) -> tuple[int, int]:
    """How far it is: done, of so many; 0 of 0 when nobody says."""
    try:
        done, total = layout.progress.read_text(encoding="ascii").split()
        return int(done), int(total)
    except (OSError, ValueError):
        return 0, 0
