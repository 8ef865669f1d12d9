"""Table -> one HTML file that needs nothing else (pure): for looking at an answer in a browser."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from .render import footer, is_number, plain, visible

if TYPE_CHECKING:
    from .table import Table

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; --line: #ddd; --head: #f4f4f4; --quiet: #767676 }
@media (prefers-color-scheme: dark) { :root { --line: #3a3a3a; --head: #222; --quiet: #9a9a9a } }
body { font: 14px/1.45 system-ui, sans-serif; margin: 1.5rem }
h1 { font-size: 1.15rem; overflow-wrap: anywhere; white-space: pre-wrap }
.all { overflow: auto; max-height: 85vh; border: 1px solid var(--line) }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top }
td { white-space: pre-wrap; overflow-wrap: anywhere; max-width: 60ch }
th { position: sticky; top: 0; background: var(--head) }
.n { text-align: right; white-space: nowrap }
.null, footer { color: var(--quiet) }
"""


def page(table: Table, title: str) -> str:
    """The whole document. Everything that comes from data is escaped, and nothing in it can run or load anything."""
    right = [is_number(column) for column in table.columns]
    heads = "".join(
        f"<th{_class(side)} title={_attribute(column.type)}>{escape(visible(column.name))}</th>"
        for column, side in zip(table.columns, right, strict=True)
    )
    rows = "".join(
        f"<tr>{''.join(_cell(value, side) for value, side in zip(row, right, strict=True))}</tr>\n"
        for row in table.rows
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(visible(title))}</title>\n<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>\n"
        f'<div class="all"><table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n'
        f"<footer><p>{escape(footer(table))}</p></footer>\n</html>\n"
    )


def _class(right: bool) -> str:
    return ' class="n"' if right else ""


def _attribute(text: str) -> str:
    return f'"{escape(text)}"'


def _cell(value: object, right: bool) -> str:
    if value is None:
        return '<td class="null">∅</td>'
    shown = "\n".join(map(visible, plain(value).split("\n")))
    return f"<td{_class(right)}>{escape(shown)}</td>"
