"""What was reported before: a digest of each closed period's figures, so that a changed past is noticed.

`reports/digests.ndjson` below the data folder has a line for each time a closed period was reported with figures that
were not the last ones. It holds totals and digests only.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from telem.storage.disk import Disk

from . import words

if TYPE_CHECKING:
    from telem.storage.layout import Layout

    from .figures import Figures

SCHEMA = 1
"""Raised whenever a report says more or other things: digests of different schemas are not compared."""

_NOT_FIGURES = ("made_at", "digest", "changed", "notes", "closed", "people_hidden")


def digest(figures: Figures) -> str:
    """Of all figures, and of nothing that the day of asking or the reader decides."""
    content = {name: value for name, value in asdict(figures).items() if name not in _NOT_FIGURES}
    content["groups"] = {name: groups for name, groups in content["groups"].items() if name != "person"}
    text = json.dumps(content, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def remember(layout: Layout, figures: Figures, disk: Disk | None = None) -> tuple[Figures, bool]:
    """The figures with their digest, and whether they are news to this folder: other than they were the last time.

    Figures of a period that is not closed yet are not remembered.
    """
    found = replace(figures, digest=digest(figures))
    if not figures.closed:
        return found, False
    earlier = [line for line in _read(layout) if line["key"] == _key(figures) and line["schema"] == SCHEMA]
    others = [line for line in earlier if line["digest"] != found.digest]
    if others:
        found = replace(found, changed=_told(others[-1], figures))
    if earlier and earlier[-1]["digest"] == found.digest:
        return found, False
    _append(layout, _line(found), disk or Disk())
    return found, bool(earlier)


def _key(figures: Figures) -> str:
    return f"{figures.period.name} {figures.team}".strip()


def _line(figures: Figures) -> dict[str, Any]:
    cost = figures.now["cost_usd"]
    return {
        "schema": SCHEMA,
        "key": _key(figures),
        "digest": figures.digest,
        "made_at": figures.made_at.isoformat(timespec="seconds"),
        "cost_usd": None if cost is None else str(cost),
        "requests": figures.now["requests"],
        "events": figures.now["events"],
    }


def _told(line: dict[str, Any], figures: Figures) -> str:
    then = (
        f"{words.usd(line['cost_usd'])}, {words.exact(line['requests'])} requests, {words.exact(line['events'])} events"
    )
    now = figures.now
    today = (
        f"{words.usd(now['cost_usd'])}, {words.exact(now['requests'])} requests, {words.exact(now['events'])} events"
    )
    day = line["made_at"][:10]
    if then == today:
        return f"This period was reported with other figures on {day}. The totals agree; something below does not."
    return f"This period was reported with other figures on {day}: {then} then, {today} now."


def _read(layout: Layout) -> list[dict[str, Any]]:
    """The lines there are; one that cannot be read is as good as none."""
    try:
        text = layout.report_digests.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    found = []
    for line in text.splitlines():
        try:
            read = json.loads(line)
        except ValueError:
            continue
        if isinstance(read, dict) and {"key", "schema", "digest", "made_at"} <= set(read):
            found.append(read)
    return found


def _append(layout: Layout, line: dict[str, Any], disk: Disk) -> None:
    disk.directory(layout.reports)
    try:
        before = layout.report_digests.read_bytes()
    except FileNotFoundError:
        before = b""
    disk.write(layout.report_digests, before + json.dumps(line).encode() + b"\n")
