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

SCHEMA = 2
"""Raised whenever a report says more or other things: digests of different schemas are not compared."""

_NOT_FIGURES = ("made_at", "digest", "changed", "budgets", "closed", "people_hidden", "raw_since")
_DETAILS = ("failures", "tools", "redactions")
_SUMS = (
    "sessions", "people", "active_days", "prompts", "requests", "errors", "tool_calls", "failed_tool_calls",
    "rejections", "cost_usd", "unreported_requests", "total_input_tokens", "cache_read_tokens", "output_tokens",
    "lines_added", "lines_removed", "commits", "pull_requests", "active_hours",
)  # fmt: skip
"""What is kept when events expire; all else in a report needs them."""


def digest(figures: Figures) -> str:
    """Of all figures, and of nothing that the day of asking or the reader decides."""
    return _digest(_content(figures))


def digest_of_sums(figures: Figures) -> str:
    """Of those figures that stay when events expire."""
    content = {name: value for name, value in _content(figures).items() if name not in _DETAILS}
    for name in ("now", "before"):
        content[name] = {figure: content[name].get(figure) for figure in _SUMS}
    return _digest(content)


def _content(figures: Figures) -> dict[str, Any]:
    content = {name: value for name, value in asdict(figures).items() if name not in _NOT_FIGURES}
    content["groups"] = {name: groups for name, groups in content["groups"].items() if name != "person"}
    return content


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def remember(layout: Layout, figures: Figures, disk: Disk | None = None) -> tuple[Figures, bool]:
    """The figures with their digest, and whether they are news to this folder: other than they were the last time.

    Figures of a period that is not closed yet are not remembered. Once events have expired, only what is kept of them
    is compared.
    """
    found = replace(figures, digest=digest(figures))
    if not figures.closed:
        return found, False
    line = _line(found)
    earlier = [each for each in _read(layout) if each["key"] == line["key"] and each["schema"] == SCHEMA]
    others = [each for each in earlier if not _agree(each, line)]
    if others:
        found = replace(found, changed=_told(others[-1], figures))
    if earlier and _agree(earlier[-1], line):
        return found, False
    _append(layout, line, disk or Disk())
    return found, bool(earlier)


def _agree(one: dict[str, Any], other: dict[str, Any]) -> bool:
    whole = not one.get("expired") and not other.get("expired")
    return bool(one.get("digest") == other["digest"] if whole else one.get("sums") == other["sums"])


def _key(figures: Figures) -> str:
    return f"{figures.period.name} {figures.team}".strip()


def _line(figures: Figures) -> dict[str, Any]:
    cost = figures.now["cost_usd"]
    return {
        "schema": SCHEMA,
        "key": _key(figures),
        "digest": figures.digest,
        "sums": digest_of_sums(figures),
        "expired": figures.raw_since is not None,
        "made_at": figures.made_at.isoformat(timespec="seconds"),
        "cost_usd": None if cost is None else str(cost),
        "requests": figures.now["requests"],
        "sessions": figures.now["sessions"],
    }


def _told(line: dict[str, Any], figures: Figures) -> str:
    then, now = _totals(line), _totals(figures.now)
    day = line["made_at"][:10]
    if then == now:
        return f"This period was reported with other figures on {day}. The totals agree; something below does not."
    return f"This period was reported with other figures on {day}: {then} then, {now} now."


def _totals(row: dict[str, Any]) -> str:
    requests, sessions = words.exact(row["requests"]), words.exact(row["sessions"])
    return f"{words.usd(row['cost_usd'])}, {requests} requests, {sessions} sessions"


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
