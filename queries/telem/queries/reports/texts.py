"""Figures -> Markdown, JSON, CSV (pure)."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from telem.queries.render import plain

from . import budgets, words
from .figures import DIMENSIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .figures import Figures

SCHEMA = 1
_TOTALS = (
    ("cost_usd", "Reported cost", words.usd),
    ("computed_cost_usd", "Computed cost, beside it", words.usd),
    ("requests", "Requests", words.exact),
    ("sessions", "Sessions", words.exact),
    ("people", "People", words.exact),
    ("prompts", "Prompts", words.exact),
    ("total_input_tokens", "Input tokens", words.exact),
    ("cache_read_tokens", "of these from the cache", words.exact),
    ("output_tokens", "Output tokens", words.exact),
    ("lines_added", "Lines added", words.exact),
    ("lines_removed", "Lines removed", words.exact),
    ("commits", "Commits", words.exact),
    ("active_hours", "Active time", words.hours),
    ("errors", "Requests given up", words.exact),
    ("tool_calls", "Tool calls", words.exact),
    ("failed_tool_calls", "of these failed", words.exact),
    ("rejections", "Tool calls rejected", words.exact),
    ("median_ms", "Request, median", words.milliseconds),
    ("p95_ms", "Request, 95th percentile", words.milliseconds),
)


def markdown(figures: Figures) -> str:
    """For a chat or a wiki."""
    period, before = figures.period, figures.period.previous()
    scope = f", team {figures.team}" if figures.team else ""
    parts = [f"# {period.title}{scope}\n"]
    if figures.changed:
        parts.append(f"> **The past has changed.** {figures.changed}\n")
    if figures.is_empty:
        return "\n".join([*parts, "Nothing was recorded in this time.\n"])
    parts.append(f"**{words.usd(figures.now['cost_usd'])}**: {words.provenance(figures.now)}.\n")
    rows = [
        (
            label,
            write(figures.now[name]),
            write(figures.before[name]),
            figures.moved(figures.now[name], figures.before[name]),
        )
        for name, label, write in _TOTALS
        if figures.now[name] is not None or figures.before[name] is not None
    ]
    parts.append(_table(("", period.name, before.name, "Moved"), rows))
    if figures.expired:
        parts.append(f"\n{figures.expired}")
    if figures.budgets:
        listed = [(str(row["name"]), budgets.said(row), f"{row['percent']:.0f} %") for row in figures.budgets]
        parts += ["\n## Budgets\n", _table(("", "Used", "Share"), listed)]
    for dimension in DIMENSIONS:
        groups = figures.groups[dimension]
        if any(group.name for group in groups):
            named = [
                (
                    words.name(group.name, group.others),
                    words.usd(group.now["cost_usd"]),
                    words.percent(group.now["cost_usd"], figures.now["cost_usd"], 0),
                    figures.moved(group.now["cost_usd"], group.before.get("cost_usd")),
                    words.exact(group.now["requests"]),
                )
                for group in groups
            ]
            parts += [f"\n## By {dimension}\n", _table(("", "Cost", "Share", "Moved", "Requests"), named)]
    if figures.people_hidden:
        parts.append(f"\n{figures.people_hidden}")
    if figures.failures:
        failed = [(str(row["text"]), str(row["part"]), words.exact(row["failures"])) for row in figures.failures]
        parts += ["\n## Commonest errors\n", _table(("", "In", "Times"), failed)]
    now = figures.now
    parts.append(
        f"\nOf {words.exact(now['events'])} events, {words.exact(now['sessionless_events'])} without a session, "
        f"{words.exact(now['nameless_events'])} without a person. Costs are the clients' own estimates. Days are UTC."
    )
    parts.append(f"\nMade {figures.made_at:%Y-%m-%d %H:%M} UTC, digest `{figures.digest[:16]}`.\n")
    return "\n".join(parts)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"| --- |{' ---: |' * (len(heads) - 1)}"]
    lines += [
        f"| {' | '.join(cell.replace('|', chr(92) + '|').replace(chr(10), ' ') for cell in row)} |" for row in rows
    ]
    return "\n".join(lines)


def as_json(figures: Figures) -> str:
    """For programs; amounts are texts with all their digits."""
    period = figures.period
    content = {
        "schema": SCHEMA,
        "period": {"kind": period.kind, "name": period.name, "first_day": period.start, "last_day": period.last_day},
        "previous": period.previous().name,
        "team": figures.team or None,
        "made_at": figures.made_at,
        "closed": figures.closed,
        "digest": figures.digest,
        "changed": figures.changed or None,
        "expired": figures.expired or None,
        "totals": figures.now,
        "totals_before": figures.before,
        "days": [{name: value for name, value in row.items() if name != "period"} for row in figures.days],
        "groups": {
            dimension: [{"name": group.name, "others": group.others, "now": _figures(group.now),
                         "before": _figures(group.before)} for group in groups]
            for dimension, groups in figures.groups.items()
        },
        "people_hidden": figures.people_hidden or None,
        "budgets": figures.budgets,
        "failures": figures.failures,
        "tools": figures.tools,
        "redactions": figures.redactions,
    }  # fmt: skip
    return json.dumps(content, default=_plain, ensure_ascii=False, indent=2) + "\n"


def _figures(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("period", "dimension", "name")}


def _plain(value: Any) -> str:
    return format(value, "f") if isinstance(value, Decimal) else value.isoformat()


def as_csv(figures: Figures) -> str:
    """For spreadsheets: one figure a line, as section, name, figure, value, and the value before."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["section", "name", "figure", figures.period.name, figures.period.previous().name])
    for name, value in figures.now.items():
        writer.writerow(["total", "", name, _cell(value), _cell(figures.before.get(name))])
    for row in figures.days:
        for name in ("cost_usd", "requests", "errors", "sessions"):
            writer.writerow(["day", row["day"], name, _cell(row[name]), ""])
    for row in figures.budgets:
        for name in ("usd", "spent_usd", "percent"):
            writer.writerow(["budget", _safe(row["name"]), name, _cell(row[name]), ""])
    for dimension, groups in figures.groups.items():
        for group in groups:
            label = words.name(group.name, group.others)
            for name in ("cost_usd", "requests", "output_tokens"):
                writer.writerow(
                    [dimension, _safe(label), name, _cell(group.now.get(name)), _cell(group.before.get(name))]
                )
    return out.getvalue()


def _safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _cell(value: Any) -> str:
    return "" if value is None else plain(value)
