"""What one member may send: bytes a minute, and bytes on the hub's disk. And when each came last.

Whoever is over a limit is told to come again later (429), never that the data is refused for good: a laptop keeps what
it could not forward, and goes on by itself.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from telem.storage.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from telem.storage.disk import Disk

    from .members import Member

BYTES_A_MINUTE = 256 * 1024 * 1024
"""More than a laptop that catches up after weeks can send in a minute; a loop gone wild is slowed to it."""

MEASURE_EVERY_S = 60.0
OVER_QUOTA_RETRY_S = 600


@dataclass(frozen=True, slots=True)
class Refusal:
    """Not now; when to come again."""

    message: str
    retry_after_s: str


class Limits:
    """Counts what members send, and measures what they keep.

    Args:
        folder_of: the folder of a member, by id.
        path: where the times of the last visits are kept.
    """

    def __init__(
        self,
        folder_of: Callable[[str], Path],
        path: Path,
        disk: Disk,
        bytes_a_minute: int = BYTES_A_MINUTE,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder_of = folder_of
        self._path = path
        self._disk = disk
        self._bytes_a_minute = bytes_a_minute
        self._now_s = now_s
        self._sent: dict[str, tuple[float, int]] = {}
        self._measured: dict[str, tuple[float, int]] = {}
        self._visits: dict[str, float] = dict(read_visits(path))
        self._written: dict[str, float] = dict(self._visits)

    def refusal(self, member: Member, size_bytes: int) -> Refusal | None:
        """Why a member may not send this now, or None; then it is counted."""
        now_s = self._now_s()
        held = self._held_bytes(member.id, now_s)
        if held >= member.quota_bytes:
            return Refusal(
                f"{member.name} holds {held} bytes on the hub, the quota is {member.quota_bytes}; purge something, or "
                "ask the hub's admin for more",
                str(OVER_QUOTA_RETRY_S),
            )
        began_s, sent = self._sent.get(member.id, (now_s, 0))
        if now_s - began_s >= 60:  # noqa: PLR2004 (a minute)
            began_s, sent = now_s, 0
        if sent and sent + size_bytes > self._bytes_a_minute:
            left_s = max(1, int(60 - (now_s - began_s)))
            return Refusal(f"{member.name} may send {self._bytes_a_minute} bytes a minute", str(left_s))
        self._sent[member.id] = (began_s, sent + size_bytes)
        return None

    def _held_bytes(self, member_id: str, now_s: float) -> int:
        measured_s, held = self._measured.get(member_id, (-MEASURE_EVERY_S, 0))
        if now_s - measured_s >= MEASURE_EVERY_S:
            held = folder_bytes(self._folder_of(member_id))
            self._measured[member_id] = (now_s, held)
        return held

    def note_visit(self, member: Member) -> None:
        """Somebody came in with this member's token."""
        self._visits[member.id] = time.time()

    def write_visits(self) -> None:
        """Keep the times of the last visits, if any changed."""
        visits = dict(self._visits)  # somebody may come while it is being written
        if visits != self._written:
            self._disk.write(self._path, orjson.dumps(visits))
            self._written = visits


def read_visits(path: Path) -> Mapping[str, float]:
    """When each member came last, by id, in seconds since 1970."""
    try:
        said = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(name): float(at_s) for name, at_s in said.items()} if isinstance(said, dict) else {}


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a data folder; the space that its daemon keeps back is nothing of the member's."""
    total = 0
    kept_back = str(Layout(folder).spare)
    for root, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(root, name)  # noqa: PTH118 (fast)
            if path == kept_back:
                continue
            try:
                total += os.stat(path, follow_symlinks=False).st_size  # noqa: PTH116
            except OSError:
                continue  # gone since it was listed
    return total
