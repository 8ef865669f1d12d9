"""Sections of the page on how well it went: efficiency, errors, and how far the figures can be trusted (pure)."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from . import charts, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .figures import Figures, Row


def efficiency(figures: Figures) -> str:
    """Tokens by class, what units cost, how fast answers came."""
    now, before = figures.now, figures.before
    parts = [
        ("Read from the cache", float(now["cache_read_tokens"] or 0)),
        ("Fresh input", float(now["input_tokens"] or 0)),
        ("Written to the cache", float(now["cache_creation_tokens"] or 0)),
        ("Output", float(now["output_tokens"] or 0)),
    ]
    named = [(label, value, f"{words.count(value)} tokens") for label, value in parts]
    key = "".join(
        f'<span><i class="p{number}"></i>{label} {words.count(value)}</span>'
        for number, (label, value, _) in enumerate(named)
    )
    rows = [
        ("Input read from the cache", _share(now, "cache_read_tokens", "total_input_tokens"),
         _share(before, "cache_read_tokens", "total_input_tokens")),
        ("Cost of a session", _usd_per(now, "sessions"), _usd_per(before, "sessions")),
        ("Cost of a prompt", _usd_per(now, "prompts"), _usd_per(before, "prompts")),
        ("Cost of a commit", _usd_per(now, "commits"), _usd_per(before, "commits")),
        ("Requests a prompt", _one(_per(now, "requests", "prompts")), _one(_per(before, "requests", "prompts"))),
        ("Request, median", words.milliseconds(now["median_ms"]), words.milliseconds(before["median_ms"])),
        ("Request, 95th percentile", words.milliseconds(now["p95_ms"]), words.milliseconds(before["p95_ms"])),
        ("First token, median", words.milliseconds(now["first_token_ms"]),
         words.milliseconds(before["first_token_ms"])),
    ]  # fmt: skip
    tokens = now["total_input_tokens"] is not None or now["output_tokens"] is not None
    drawn = f'{charts.stack(named, "Tokens by class")}<p class="key">{key}</p>' if tokens else ""
    missing = now["tokenless_requests"]
    from_ = (
        f"From the clients' request events{f'; {words.exact(missing)} requests told no tokens' if missing else ''}. "
    )
    said = f"{from_}Lines, commits and active time are from Claude Code's metrics and measure activity, not worth."
    return (
        f'<section><h2>Tokens and efficiency</h2><p class="from">{said}</p>{drawn}{_compared(rows, figures)}</section>'
    )


def _compared(rows: Sequence[tuple[str, str, str]], figures: Figures) -> str:
    body = "".join(f"<tr><td>{name}</td><td>{now}</td><td>{before}</td></tr>" for name, now, before in rows)
    head = f'<th></th><th scope="col">{figures.period.name}</th><th scope="col">{figures.period.previous().name}</th>'
    return f'<table class="narrow"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _per(row: Row, what: str, each: str) -> float | None:
    return float(row[what]) / float(row[each]) if row[what] is not None and row[each] else None


def _usd_per(row: Row, each: str) -> str:
    return words.usd(_per(row, "cost_usd", each))


def _one(value: float | None) -> str:
    return words.UNKNOWN if value is None else f"{value:,.1f}"


def _share(row: Row, part: str, whole: str) -> str:
    return words.percent(row[part], row[whole])


# -- what failed ---------------------------------------------------------------------------------------------------


def errors(figures: Figures) -> str:
    """Rates, the commonest errors, the tools."""
    now, before = figures.now, figures.before
    attempts, attempts_before = now["requests"] + now["errors"], before["requests"] + before["errors"]
    rows = [
        ("Requests given up", _of(now["errors"], attempts), _of(before["errors"], attempts_before)),
        ("Tools that failed", _of(now["failed_tool_calls"], now["tool_calls"]),
         _of(before["failed_tool_calls"], before["tool_calls"])),
        ("Tool calls rejected", _of(now["rejections"], now["decisions"]),
         _of(before["rejections"], before["decisions"])),
    ]  # fmt: skip
    failures = "".join(
        f'<tr><td class="text">{escape(str(row["text"]))}</td><td>{escape(str(row["part"]))}</td>'
        f"<td>{words.exact(row['failures'])}</td><td>{figures.moved(row['failures'], row['failures_before'])}</td></tr>"
        for row in figures.failures
    )
    tools = "".join(
        f"<tr><td>{escape(str(row['tool']))}</td><td>{words.exact(row['calls'])}</td>"
        f"<td>{words.percent(row['failures'], row['calls'])}</td><td>{words.exact(row['rejections'])}</td>"
        f"<td>{words.milliseconds(row['median_ms'])}</td></tr>"
        for row in figures.tools
    )
    left = _table("Commonest errors", ("", "In", "Times", "Moved"), failures, "Nothing failed.")
    right = _table("Tools", ("", "Calls", "Failed", "Rejected", "Median"), tools, "No tool ran.")
    said = "Requests that succeeded after a retry are not errors: clients report only those they gave up."
    return (
        f'<section><h2>Errors</h2><p class="from">{said}</p>{_compared(rows, figures)}'
        f'<div class="pair">{left}{right}</div></section>'
    )


def _of(part: Any, whole: Any) -> str:
    if whole:
        return f"{words.exact(part)} ({words.percent(part, whole)})"
    return words.exact(part) if part else words.UNKNOWN


def _table(caption: str, heads: Sequence[str], body: str, without: str) -> str:
    if not body:
        return f'<section><h3 style="margin-top:12px">{caption}</h3><p class="soft small">{without}</p></section>'
    head = "".join(f'<th scope="col">{name}</th>' if name else "<th></th>" for name in heads)
    return (
        f'<section class="scroll"><table><caption>{caption}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></section>"
    )


# -- how far to trust it -------------------------------------------------------------------------------------------


def health(figures: Figures) -> str:
    """What the figures leave out or have from elsewhere."""
    now = figures.now
    rows = [
        ("Requests with a reported cost", now["priced_requests"], now["requests"], "what every cost here adds up"),
        ("Requests with a computed cost", now["computed_requests"], now["requests"], "list prices, beside the former"),
        ("Requests without any price", now["unpriced_requests"], now["requests"], "left out: unknown, not 0"),
        ("Requests without tokens", now["tokenless_requests"], now["requests"], "left out of the sums of tokens"),
        ("Events without a session", now["sessionless_events"], now["events"], "counted, but in no session"),
        ("Events without a person", now["nameless_events"], now["events"], "counted, but nobody's"),
        ("Events without a time of their own", now["untimed_events"], now["events"], "the exporter's time stands in"),
        ("Events read from session logs", now["imported_events"], now["events"], "not exported by the client itself"),
        ("Events that were sampled", now["sampled_events"], now["events"], "they stand for more than themselves"),
    ]  # fmt: skip
    body = "".join(
        f"<tr><td>{name}</td><td>{words.exact(part)}</td><td>{words.percent(part, whole)}</td>"
        f'<td class="text soft wide">{meaning}</td></tr>'
        for name, part, whole, meaning in rows
        if part or name.startswith("Requests with a reported")
    )
    redacted = ", ".join(f"{escape(str(row['rule']))} {words.exact(row['replacements'])}" for row in figures.redactions)
    said = f"Of {words.exact(now['events'])} events. Replaced by the sanitizer: {redacted or 'nothing'}."
    head = '<th></th><th scope="col">Count</th><th scope="col">Share</th><th class="text wide"></th>'
    return (
        f'<section><h2>Data health</h2><p class="from">{said}</p>'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></section>"
    )
