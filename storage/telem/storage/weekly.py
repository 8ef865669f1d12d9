"""The weekly retention report: what came in, what was deleted and why, what is due, sizes by signal and month.

One JSON file a week, and the same as Markdown. Runs in a worker: it reads the footers of the Parquet files.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from telem.sanitize.records import Signal

from . import retention, rollups
from .inventory import parquet_files

if TYPE_CHECKING:
    from pathlib import Path

    from .disk import Disk
    from .layout import Layout
    from .retention import Limits

SCHEMA = 1
MB = 1e6


def bounds(week: str) -> tuple[str, str]:
    """First day of an ISO week and of the next one."""
    first = date.fromisocalendar(int(week[:4]), int(week[6:]), 1)
    return first.isoformat(), (first + timedelta(days=7)).isoformat()


def write(layout: Layout, disk: Disk, week: str, limits: Limits) -> dict[str, Any]:
    """Make the report of a week and put it into `reports/retention/`; returns what it says."""
    said = report(layout, week, limits)
    path = layout.weekly(week)
    disk.directory(path.parent)
    disk.write(path.with_suffix(".md"), markdown(said).encode())
    disk.write(path, json.dumps(said, indent=2).encode() + b"\n")  # last: whoever looks for it finds both
    return said


def report(layout: Layout, week: str, limits: Limits) -> dict[str, Any]:
    """What the report of a week says."""
    first, end = bounds(week)
    came: dict[str, Counter[str]] = {signal.value: Counter() for signal in Signal}
    held: dict[str, Counter[str]] = {}
    for signal in Signal:
        for file in parquet_files(layout, signal):
            size, rows = _measure(file.path)
            month = held.setdefault(file.day[:7], Counter())
            month[f"{signal}_bytes"] += size
            month[f"{signal}_rows"] += rows
            if first <= file.day < end:
                came[signal.value] += Counter({"rows": rows, "bytes": size})
    went = [line for line in retention.removals(layout) if first <= _day(line["at_s"]) < end]
    next_end = (date.fromisoformat(end) + timedelta(days=7)).isoformat()
    in_force = rollups.read(layout)
    return {
        "schema": SCHEMA,
        "week": week,
        "from": first,
        "until": end,
        "came_in": {signal: {"rows": counts["rows"], "bytes": counts["bytes"]} for signal, counts in came.items()},
        "deleted": went,
        "purged": list(_receipts(layout, first, end)),
        "due_next_week": [_said(day) for day in retention.due(layout, next_end, limits)],
        "held": {month: dict(counts) for month, counts in sorted(held.items())},
        "size_bytes": retention.size_bytes(layout),
        "size_limit_bytes": limits.size_bytes,
        "days": {signal.value: limits.days.get(signal, 0) for signal in Signal},
        "closed": in_force.closed,
        "raw_since": {signal.value: day for signal, day in in_force.raw_since.items()},
    }


def _said(day: retention.Day) -> dict[str, Any]:
    return {**asdict(day), "signal": day.signal.value}


def _measure(path: Path) -> tuple[int, int]:
    try:
        return path.stat().st_size, int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowException):
        return 0, 0


def _day(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).date().isoformat()


def _receipts(layout: Layout, first: str, end: str) -> list[dict[str, Any]]:
    found = []
    for path in sorted(layout.receipts.glob("*.json")):
        try:
            said = json.loads(path.read_bytes())
            if first <= _day(float(said["finished_at_s"])) < end:
                found.append({"receipt": path.name, "kind": said["kind"], "rows": said["rows"]})
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def markdown(said: dict[str, Any]) -> str:
    """The report for people."""
    last = (date.fromisoformat(said["until"]) - timedelta(days=1)).isoformat()
    lines = [f"# Retention, {said['week']} ({said['from']} to {last}, UTC)", ""]
    limit = f" of {said['size_limit_bytes'] / 1e9:.0f} GB" if said["size_limit_bytes"] else ""
    lines += [f"Held: {said['size_bytes'] / MB:,.1f} MB{limit}.", "", "## What came in", ""]
    lines += ["| Signal | Rows | MB | Kept for |", "| --- | ---: | ---: | --- |"]
    for signal, counts in said["came_in"].items():
        kept = f"{said['days'][signal]} days" if said["days"][signal] else "ever"
        lines.append(f"| {signal} | {counts['rows']:,} | {counts['bytes'] / MB:,.1f} | {kept} |")
    lines += ["", "## What was deleted", ""]
    lines += _days_table(said["deleted"], "Nothing by retention.")
    lines += [f"- Purged: {entry['kind']}, {sum(entry['rows'].values()):,} rows ({entry['receipt']})"
              for entry in said["purged"]]  # fmt: skip
    lines += ["", "## What is due next week", "", *_days_table(said["due_next_week"], "Nothing.")]
    lines += ["", "The totals of what is deleted stay (daily_metrics, sessions, users).", "", "## What is held", ""]
    lines += ["| Month | Logs MB | Metrics MB | Traces MB | Rows |", "| --- | ---: | ---: | ---: | ---: |"]
    for month, counts in said["held"].items():
        sizes = " | ".join(f"{counts.get(f'{signal}_bytes', 0) / MB:,.1f}" for signal in Signal)
        rows = sum(count for name, count in counts.items() if name.endswith("_rows"))
        lines.append(f"| {month} | {sizes} | {rows:,} |")
    return "\n".join(lines) + "\n"


def _days_table(days: list[dict[str, Any]], nothing: str) -> list[str]:
    if not days:
        return [nothing]
    lines = ["| Day | Signal | Rows | MB | Why |", "| --- | --- | ---: | ---: | --- |"]
    for day in days:
        rows = f"{day['rows']:,}" if day.get("rows") is not None else ""
        lines.append(f"| {day['day']} | {day['signal']} | {rows} | {day['bytes'] / MB:,.1f} | {day['reason']} |")
    return lines
