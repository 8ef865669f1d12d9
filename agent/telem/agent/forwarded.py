"""Rows that another agent forwards keep the id they had there, and are stored once.

For a folder that receives from a forwarder (`accept_row_ids`), as on a hub. Whoever may send there could
choose ids that keep rows of her own from being stored, and nobody else's: the folder is hers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from telem.sanitize.admit import Admit
    from telem.sanitize.records import Row, Signal
    from telem.storage.seen import Seen

ROW_ID = "telem.row_id"
"""The attribute a forwarder puts a row's id into."""

_ID = re.compile(r"[0-9a-f]{20}")


class Forwarded:
    """Stands before the other judgements of a finished row.

    A row with an id has passed the rules against noise, and the sampling, where it comes from. Judged again here,
    where other rows of its session came first, some would be left out that are kept there.

    Args:
        admit: the judgements.
        seen: the ids that came last.
        on_imported: called once a row was read from a session log: from then on views must compare it with what the
            client exported, as they do where it was imported.
    """

    def __init__(self, admit: Admit, seen: Seen, on_imported: Callable[[], None]) -> None:
        self._admit = admit
        self._seen = seen
        self._on_imported: Callable[[], None] | None = on_imported
        self.repeated = 0

    def __call__(self, row: Row, signal: Signal) -> bool:
        """Tell whether the row is stored; one with an id of its own gets it back."""
        attributes = row.get("attributes")
        given = attributes.pop(ROW_ID, None) if isinstance(attributes, dict) else None
        if isinstance(given, str) and _ID.fullmatch(given):
            if not self._seen.claim(given):
                self.repeated += 1
                return False
            row["id"] = given
            if self._on_imported and row.get("source") == "transcript":
                self._on_imported()
                self._on_imported = None
            return self._admit.survives(row, signal)
        return self._admit(row, signal)
