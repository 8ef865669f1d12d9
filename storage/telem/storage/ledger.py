"""The ledger of requests: which ones were stored in the last ten minutes.

A client that lost our answer sends the same bytes again. The ledger knows the request by its digest and lets the
second one wait for, or share, the answer of the first.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REMEMBER_S = 600.0
"""Longer than any client's retrying: Claude Code's stops after 10 s, the SDKs' within 5 minutes."""

REQUESTS_LIMIT = 100_000
"""At most this many are remembered (7 MB); 160 requests a second for ten minutes."""


class Ledger:
    """Request ids with the monotonic time they were stored at.

    `doubted` are those of which it is not known: they are neither stored again nor answered as stored. Nor are those
    with a row in `doubted_rows`: it stands in a piece that does not say of which request it is.
    """

    def __init__(self) -> None:
        self.doubted: set[str] = set()
        self.doubted_rows: set[str] = set()
        self._stored: OrderedDict[str, float] = OrderedDict()

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._stored

    def doubts(self, lines: Iterable[bytes]) -> bool:
        """Is one of these rows there already, perhaps? There is hardly ever one of which that is to be asked."""
        return bool(self.doubted_rows) and not self.doubted_rows.isdisjoint(row_ids(lines))

    def __len__(self) -> int:
        return len(self._stored)

    def add(self, request_id: str, now_s: float) -> None:
        """Remember a stored request, and forget the old ones."""
        stored = self._stored
        stored[request_id] = now_s
        while stored:
            oldest = next(iter(stored.values()))
            if now_s - oldest <= REMEMBER_S and len(stored) <= REQUESTS_LIMIT:
                break
            stored.popitem(last=False)


def row_ids(lines: Iterable[bytes]) -> Iterator[str]:
    """Ids of the lines that read as rows."""
    for line in lines:
        try:
            yield str(orjson.loads(line)["id"])
        except (ValueError, KeyError, TypeError):
            continue
