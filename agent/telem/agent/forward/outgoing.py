"""What of a row may leave for one destination, on top of what the sanitizer left of it (pure)."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Any

from telem.sanitize.columns import BIT, PROMOTED
from telem.sanitize.records import Signal

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from telem.storage.sequence import Row

    from .destinations import Destination

_COLUMNS = {column.name: column.attributes[0] for column in PROMOTED}
"""Column -> the attribute it stands for."""

_ENVELOPES = ("resource", "attributes")
_PARTS = ("events", "links", "exemplars")
_CONTENT_COLUMNS = ("status_message",)


class Outgoing:
    """Judges rows.

    Args:
        content: names of the attributes that hold what people and models wrote.
    """

    def __init__(self, destination: Destination, content: Collection[str]) -> None:
        self._since_us = destination.since_us
        self._types = set(destination.event_types)
        self._allow = destination.attributes_allow
        self._deny = destination.attributes_deny
        self._content = frozenset(content) if destination.content == "drop" else frozenset()
        self._passes = cache(self._judge)
        self._left_out = [column for column, name in _COLUMNS.items() if not self._passes(name)]
        self._is_open = not (self._allow or self._deny or self._content)

    def rows(self, signal: Signal, rows: Sequence[Row]) -> list[Row]:
        """The rows that leave, each with what may leave of it. Rows are not changed but copied."""
        chosen = [row for row in rows if row["time"] >= self._since_us]
        if signal is Signal.LOGS and self._types:
            chosen = [row for row in chosen if self._types & {row.get("event_type"), row.get("event_name")}]
        return chosen if self._is_open else [self._reduced(row) for row in chosen]

    def _judge(self, name: str) -> bool:
        """May an attribute of this name leave?"""
        if name in self._content or any(fnmatchcase(name, pattern) for pattern in self._deny):
            return False
        return not self._allow or any(fnmatchcase(name, pattern) for pattern in self._allow)

    def _reduced(self, row: Row) -> Row:
        found = dict(row)
        for column in self._left_out:
            if column in found:
                del found[column]
                for bits in ("promoted", "promoted_as_text"):
                    if bits in found:
                        found[bits] &= ~BIT[column]
        if not self._passes("prompt") and found.get("promoted", 0) & BIT["prompt_text"] and "prompt_text" not in found:
            found["promoted"] &= ~BIT["prompt_text"]
        for member in _ENVELOPES:
            if member in found:
                found[member] = self._attributes(found[member])
        for member in ("scope_meta", "metric_meta"):
            if isinstance(found.get(member), dict):
                found[member] = self._part(found[member])
        for member in _PARTS:
            if member in found:
                found[member] = [self._part(part) for part in found[member]]
        if self._content:
            self._without_content(found)
        return found

    def _without_content(self, row: Row) -> None:
        for column in _CONTENT_COLUMNS:
            row.pop(column, None)
        if "body" in row and (row.get("body_type") == "json" or not _is_name(row["body"], row)):
            row.pop("body")
            row.pop("body_type", None)

    def _part(self, part: dict[str, Any]) -> dict[str, Any]:
        return {
            name: self._attributes(value) if name == "attributes" and isinstance(value, dict) else value
            for name, value in part.items()
        }

    def _attributes(self, attributes: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in attributes.items() if self._passes(name)}


def _is_name(body: str, row: Row) -> bool:
    """Is a log's body the name of its event, and no sentence?"""
    name = row.get("event_name")
    return bool(name) and body.endswith(str(name)) and " " not in body
