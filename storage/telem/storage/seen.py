"""The row ids that came last, for a folder that receives what another agent forwards.

A forwarder that lost our answer sends the same rows again, perhaps hours later and cut into other requests; so requests
cannot be compared, rows can. Rows arrive in order, and only what was under way can come twice; the last ids are enough.

    seen = Seen.load(layout)        ids of the file, and of the rows still in the journal
    seen.claim(id)                  False for what was stored before, or is claimed already
    seen.settle() / .release()      what was claimed is on the medium / is not
    seen.save(disk)                 before a segment of the journal is emptied
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import TYPE_CHECKING

from telem.sanitize.records import Signal

from .journal import segments

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .disk import Disk
    from .layout import Layout

LIMIT = 100_000
"""Ids kept (10 MB). A forwarder has a few thousand rows under way at most."""

ID_BYTES = 10
_ID = re.compile(rb'"id":"([0-9a-f]{20})"')


class Seen:
    """The last row ids, oldest first.

    Args:
        path: where they are kept.
    """

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self._path = path
        self._limit = limit
        self._ids: OrderedDict[bytes, None] = OrderedDict()
        self._claimed: set[bytes] = set()
        self._is_saved = True

    @classmethod
    def load(cls, layout: Layout, limit: int = LIMIT) -> Seen:
        """What the file says, and the rows that are still in the journal."""
        seen = cls(layout.seen, limit)
        try:
            data = layout.seen.read_bytes()
        except FileNotFoundError:
            data = b""
        seen.add(data[at : at + ID_BYTES] for at in range(0, len(data) - len(data) % ID_BYTES, ID_BYTES))
        for signal in Signal:
            for _, path in segments(layout, signal):
                with path.open("rb") as file:
                    seen.add(bytes.fromhex(found[1].decode()) for line in file if (found := _ID.search(line[:64])))
        return seen

    def claim(self, row_id: str) -> bool:
        """May a row with this id (20 hex digits) be stored? Not if one was stored lately, or is about to be."""
        one = bytes.fromhex(row_id)
        if one in self._ids or one in self._claimed:
            return False
        self._claimed.add(one)
        return True

    def settle(self) -> None:
        """What was claimed is on the medium."""
        self.add(self._claimed)
        self._claimed = set()

    def release(self) -> None:
        """What was claimed is not; it may come again."""
        self._claimed = set()

    def add(self, ids: Iterable[bytes]) -> None:
        """Remember rows that are on the medium."""
        for one in ids:
            self._ids[one] = None
            self._is_saved = False
        while len(self._ids) > self._limit:
            self._ids.popitem(last=False)

    def save(self, disk: Disk) -> None:
        """Keep them beyond the journal, if any are new."""
        if not self._is_saved:
            disk.write(self._path, b"".join(self._ids))
            self._is_saved = True
