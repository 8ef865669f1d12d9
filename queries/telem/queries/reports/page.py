"""Figures -> one HTML page (pure): no script, no network, no foreign font; light, dark, narrow and on paper."""

from __future__ import annotations

from datetime import timedelta
from html import escape
from importlib import resources
from typing import TYPE_CHECKING

from . import budgets, charts, sections, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .figures import Figures, Group, Row

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_TITLES = {
    "model": "Models",
    "person": "People",
    "chapter": "Chapters",
    "repository": "Repositories",
    "team": "Teams",
    "client": "Clients",
}


def page(figures: Figures) -> str:
    """The whole document."""
    title = f"{figures.period.title}: what coding agents cost and did"
    style = (resources.files(__package__) / "page.css").read_text(encoding="utf-8")
    body = _empty(figures) if figures.is_empty else "".join(_sections(figures))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{escape(title)}</title><style>\n{style}</style></head><body><main>\n"
        f"{_top(figures)}{body}{_foot(figures)}\n</main></body></html>\n"
    )


def _top(figures: Figures) -> str:
    period = figures.period
    scope = f"Team {escape(figures.team)}" if figures.team else "Coding agents"
    running = "" if figures.closed else " · not over yet, figures may grow"
    warning = f'<p class="warn" role="alert"><strong>The past has changed.</strong> {escape(figures.changed)}</p>'
    expired = f'<p class="from note">{escape(figures.expired)}</p>'
    return (
        f'<header><p class="over">{scope}{running}</p><h1>{escape(period.title)}</h1>'
        f"{warning if figures.changed else ''}{expired if figures.expired else ''}</header>"
    )


def _empty(figures: Figures) -> str:
    return (
        '<div class="empty"><h3>Nothing was recorded in this time.</h3>'
        f'<p class="soft">No event happened from {figures.period.start} to {figures.period.last_day} (UTC). '
        "<code>telem-agent doctor</code> says whether clients are connected, <code>telem-agent query last</code> shows "
        "what arrived last.</p></div>"
    )


def _sections(figures: Figures) -> Iterable[str]:
    yield _head(figures)
    if figures.period.days > 1:
        yield _daily(figures)
    if figures.budgets:
        yield _budgets(figures)
    yield _breakdown(figures)
    yield sections.efficiency(figures)
    yield sections.errors(figures)
    yield sections.health(figures)


# -- the head ------------------------------------------------------------------------------------------------------


def _head(figures: Figures) -> str:
    now, before = figures.now, figures.before
    facts = [
        ("Requests", words.count(now["requests"]), _moved(figures, "requests")),
        ("Sessions", words.count(now["sessions"]), _moved(figures, "sessions")),
        ("Prompts", words.count(now["prompts"]), _moved(figures, "prompts")),
        ("People", words.count(now["people"]), _moved(figures, "people")),
        ("Output tokens", words.count(now["output_tokens"]), _moved(figures, "output_tokens")),
        ("Lines changed", words.count(_lines(now)), figures.moved(_lines(now), _lines(before))),
        ("Commits", words.count(now["commits"]), _moved(figures, "commits")),
        ("Active time", words.hours(now["active_hours"]), _moved(figures, "active_hours")),
    ]
    moved = _moved(figures, "cost_usd")
    compared = f"{moved} against {words.usd(before['cost_usd'])} before ({escape(figures.period.previous().title)})"
    rows = "".join(
        f'<div><dt>{name}</dt><dd>{value}<span class="moved">{change}</span></dd></div>'
        for name, value, change in facts
    )
    return (
        '<section class="head"><div><p class="label">Reported cost</p>'
        f'<div class="cost">{words.usd(now["cost_usd"])}</div>'
        f'<p class="moved">{compared if moved else "nothing to compare with"}</p>'
        f'<p class="from">{escape(words.provenance(now).capitalize())}.</p></div>'
        f'<dl class="facts">{rows}</dl></section>'
    )


def _lines(row: Row) -> float | None:
    known = [float(row[name]) for name in ("lines_added", "lines_removed") if row[name] is not None]
    return sum(known) if known else None


def _moved(figures: Figures, name: str) -> str:
    return figures.moved(figures.now[name], figures.before[name])


# -- over time -----------------------------------------------------------------------------------------------------


def _daily(figures: Figures) -> str:
    period, previous = figures.period, figures.period.previous()
    days = [period.start + timedelta(days=number) for number in range(period.days)]
    costs = {row["day"]: float(row["cost_usd"] or 0) for row in figures.days}
    costs_before = {row["day"]: float(row["cost_usd"] or 0) for row in figures.days_before}
    values = [costs.get(day, 0.0) for day in days]
    known = min(period.days, previous.days) if costs_before else 0
    before = [costs_before.get(previous.start + timedelta(days=number), 0.0) for number in range(known)]
    chart = charts.columns(
        [f"{day.day} {day:%b}" for day in days], values, before, [words.usd(value) for value in values],
        f"Reported cost of each day, {period.title}",
    )  # fmt: skip
    highest = max(range(len(values)), key=values.__getitem__)
    peak = f"Most on {days[highest]:%A}, {days[highest].day} {days[highest]:%B}: {words.usd(values[highest])}."
    key = '<span><i></i>this period</span><span><i class="before"></i>the one before</span>'
    said = f"{peak} Active on {figures.now['active_days']} of {period.days} days. Days are UTC days."
    return f'<section><h2>Cost by day, USD</h2><p class="from">{said}</p>{chart}<p class="key">{key}</p></section>'


def _budgets(figures: Figures) -> str:
    rows = "".join(
        f'<tr><td>{escape(str(row["name"]))}</td><td class="text">{escape(budgets.said(row))}</td>'
        f'<td class="bars">{charts.share(float(row["percent"]) / 100, over=row["exceeded"] > 0)}</td>'
        f"<td>{row['percent']:.0f} %</td></tr>"
        for row in figures.budgets
    )
    said = "Reported costs, and computed ones where none was reported. Periods are those of UTC."
    head = '<th></th><th scope="col" class="text">Used</th><th></th><th scope="col">Share</th>'
    return (
        f'<section><h2>Budgets</h2><p class="from">{said}</p>'
        f'<table class="narrow"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></section>'
    )


# -- who and what --------------------------------------------------------------------------------------------------


def _breakdown(figures: Figures) -> str:
    shown = [name for name, groups in figures.groups.items() if _says_something(name, groups)]
    parts = "".join(_group_table(figures, name) for name in shown)
    hidden = f'<p class="from">{escape(figures.people_hidden)}</p>' if figures.people_hidden else ""
    said = "Reported cost, its share, and how it moved against the period before. People are pseudonyms."
    return f'<section><h2>Where it went</h2><p class="from">{said}</p><div class="flow">{parts}</div>{hidden}</section>'


def _says_something(dimension: str, groups: Sequence[Group]) -> bool:
    """A dimension with one value only, or without any name, divides nothing; models are always told."""
    named = [group for group in groups if group.name]
    return bool(named) and (dimension == "model" or len(groups) > 1)


def _group_table(figures: Figures, dimension: str) -> str:
    most = max((float(group.now["cost_usd"] or 0) for group in figures.groups[dimension]), default=0.0) or 1.0
    shorten = {"repository": words.repository, "person": words.person}.get(dimension, str)
    rows = []
    for group in figures.groups[dimension]:
        cost = group.now["cost_usd"]
        label = words.name(group.name, group.others)
        label = shorten(label)
        faint = "" if group.name else ' class="none"'
        rows.append(
            f"<tr><td{faint}>{escape(label)}</td><td>{words.usd(cost)}</td>"
            f'<td class="bars">{charts.share(float(cost or 0) / most)}</td>'
            f"<td>{words.percent(cost, figures.now['cost_usd'], 0)}</td>"
            f"<td>{figures.moved(cost, group.before.get('cost_usd'))}</td>"
            f'<td class="wide">{words.count(group.now["requests"])}</td></tr>'
        )
    head = '<th scope="col">Cost</th><th></th><th scope="col">Share</th><th scope="col">Moved</th>'
    return (
        f"<section><table><caption>{_TITLES[dimension]}</caption><thead><tr><th></th>{head}"
        f'<th scope="col" class="wide">Requests</th></tr></thead><tbody>{"".join(rows)}</tbody></table></section>'
    )


def _foot(figures: Figures) -> str:
    made = f"{figures.made_at:%Y-%m-%d %H:%M} UTC"
    digest = f" Digest of the figures: <code>{figures.digest}</code>." if figures.digest else ""
    state = "The period is closed." if figures.closed else "The period is not closed yet."
    return (
        f"<footer><p>Made by telem-agent on {made} from telemetry kept on this machine. {state}{digest} "
        "Costs are the clients' own estimates in USD, not an invoice.</p></footer>"
    )
