"""Charts as inline SVG (pure): drawn in the page's own colours, readable without colour, with a title for each mark."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 960, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 8, 12, 26
_STEPS = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
_LABELS_MAX = 10


def columns(
    labels: Sequence[str], values: Sequence[float], before: Sequence[float], written: Sequence[str], what: str
) -> str:
    """A column for each label; `before` is a line over them, for comparison. `written` are the values as texts."""
    top = _nice_top(max([*values, *before, 0.0]))
    slot = (WIDTH - _LEFT - _RIGHT) / max(1, len(values))
    bar = max(1.5, min(slot * 0.72, 46))
    parts = [_open(what), *_grid(top)]
    for index, (label, value) in enumerate(zip(labels, values, strict=True)):
        x, y = _LEFT + slot * index + (slot - bar) / 2, _y(value, top)
        height = max(0.0, HEIGHT - _BOTTOM - y)
        title = f"<title>{escape(label)}: {escape(written[index])}</title>"
        parts.append(
            f'<rect class="bar" x="{x:.1f}" y="{y:.1f}" width="{bar:.1f}" height="{height:.1f}" rx="2">{title}</rect>'
        )
    parts += _labels(labels, slot)
    if any(before):
        line = list(enumerate(before[: len(values)]))
        points = " ".join(f"{_LEFT + slot * (place + 0.5):.1f},{_y(value, top):.1f}" for place, value in line)
        parts.append(f'<polyline class="line" points="{points}"/>')
    return "".join([*parts, "</svg>"])


def stack(parts: Sequence[tuple[str, float, str]], what: str) -> str:
    """One bar in parts: label, value, the value as text."""
    total = sum(value for _, value, _ in parts) or 1.0
    x, drawn = 0.0, []
    for number, (label, value, written) in enumerate(parts):
        width = WIDTH * value / total
        title = f"<title>{escape(label)}: {escape(written)}</title>"
        drawn.append(f'<rect class="part p{number}" x="{x:.1f}" y="0" width="{width:.1f}" height="28">{title}</rect>')
        x += width
    view = f'viewBox="0 0 {WIDTH} 28" preserveAspectRatio="none"'
    return f'<svg class="stack" {view} role="img" aria-label="{escape(what)}">{"".join(drawn)}</svg>'


def share(part: float, *, over: bool = False) -> str:
    """A thin bar as long as a share of 1, for a table's cell; `over` marks what is beyond its limit."""
    width = 100 * max(0.0, min(1.0, part))
    return (
        '<svg class="share" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="bar{" over" if over else ""}" width="{width:.1f}" height="6" rx="2"/></svg>'
    )


def _open(what: str) -> str:
    return f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(what)}">'


def _y(value: float, top: float) -> float:
    return _TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - value / top)


def _grid(top: float) -> list[str]:
    lines = []
    for step in range(3):
        value = top * step / 2
        y = _y(value, top)
        text = f"{value:,g}"
        lines.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text class="axis" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
    return lines


def _labels(labels: Sequence[str], slot: float) -> list[str]:
    every = max(1, -(-len(labels) // _LABELS_MAX))
    return [
        f'<text class="axis" x="{_LEFT + slot * (index + 0.5):.1f}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"{escape(label)}</text>"
        for index, label in enumerate(labels)
        if index % every == 0
    ]


def _nice_top(value: float) -> float:
    """A round number at or above the largest value."""
    if value <= 0:
        return 1.0
    scale = 1.0
    while scale * 10 <= value:
        scale *= 10
    while scale > value:
        scale /= 10
    return next(scale * step for step in _STEPS if scale * step >= value * 0.999)
