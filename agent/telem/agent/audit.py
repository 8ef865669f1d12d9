"""Counts what the sanitizer did and what it left out: all of it for `status`, what is new for the tables of counts.

Written once a minute and at the end, so a crash loses the counts of a minute at most. There is no value in them, and no
digest of one: a rule's id, an attribute's name (itself sanitized), a number.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from telem.storage.audit import DROPPED, SANITIZER, add

if TYPE_CHECKING:
    from collections.abc import Callable

    from telem.sanitize.admit import Dropped
    from telem.sanitize.redact import Tally
    from telem.storage.audit import Counted
    from telem.storage.disk import Disk
    from telem.storage.layout import Layout

EVERY_S = 60.0
FAILED_RULE = "sanitizer-error"

SHOWN_MAX = 1_000
"""Pairs of rule and attribute that `status` shows, the most frequent ones; a sender can invent names without end."""

log = logging.getLogger(__name__)


class Audit:
    """Reads the tallies of all gates; never changes them, as one of them is counted up in another thread.

    Args:
        dropped: what was not stored, counted up by whoever decides that.
        clean_name: sanitizes the name of an attribute.
    """

    def __init__(
        self, layout: Layout, disk: Disk, tallies: list[Tally], dropped: Dropped, clean_name: Callable[[str], str]
    ) -> None:
        self._layout = layout
        self._disk = disk
        self._tallies = tallies
        self._dropped = dropped
        self._clean_name = clean_name
        self._written: dict[str, Counter[tuple[str, ...]]] = {SANITIZER.folder: Counter(), DROPPED.folder: Counter()}

    def total(self) -> Counter[tuple[str, str]]:
        """What was counted since the daemon started, by rule and attribute."""
        total: Counter[tuple[str, str]] = Counter()
        for tally in self._tallies:
            for (rule, attribute), count in dict(tally.redactions).items():
                total[rule, self._clean_name(attribute)] += count
            for attribute, count in dict(tally.errors).items():
                total[FAILED_RULE, self._clean_name(attribute)] += count
        return total

    def dropped(self) -> dict[str, dict[str, int]]:
        """What was not stored since the daemon started: rule -> client and event -> records."""
        found: dict[str, dict[str, int]] = {}
        for (client, event, rule), count in Counter(dict(self._dropped)).most_common(SHOWN_MAX):
            name = self._clean_name(f"{client} {event}".strip())
            found.setdefault(rule, {})[name] = found.get(rule, {}).get(name, 0) + count
        return found

    def status(self) -> dict[str, Any]:
        """The same for `status`."""
        total = self.total()
        rules: Counter[str] = Counter()
        by_attribute: dict[str, dict[str, int]] = {}
        for (rule, _), count in total.items():
            rules[rule] += count
        for (rule, attribute), count in total.most_common(SHOWN_MAX):
            by_attribute.setdefault(rule, {})[attribute] = count
        errors_by_attribute = by_attribute.pop(FAILED_RULE, {})
        return {
            "errors": rules.pop(FAILED_RULE, 0),
            "redactions": dict(rules),
            "redactions_by_attribute": by_attribute,
            "errors_by_attribute": errors_by_attribute,
        }

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.write()

    async def write(self) -> None:
        """Put on the medium what was counted since the last time; what cannot be written now is written next time."""
        totals: dict[Counted, Counter[tuple[str, ...]]] = {
            SANITIZER: Counter({key: count for key, count in self.total().items()}),  # noqa: C416 (a wider key's type)
            DROPPED: Counter({key: count for key, count in dict(self._dropped).items()}),  # noqa: C416
        }
        for table, total in totals.items():
            new = total - self._written[table.folder]
            if not new:
                continue
            try:
                await asyncio.to_thread(add, self._layout, self._disk, _today(), new, table)
            except OSError as error:
                log.warning("counts (%s) could not be written, and will be with the next: %s", table.folder, error)
                continue
            self._written[table.folder] = total


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
