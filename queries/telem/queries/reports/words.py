"""Figures in words for people (pure): short, aligned, and honest about what is unknown."""

from __future__ import annotations

from typing import Any

UNKNOWN = "–"  # noqa: RUF001 - a dash where a figure would stand
_SCALES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "k"))
_SMALL_USD = 0.995


def usd(value: Any) -> str:
    """Dollars: cents below a thousand, whole ones above, more places below one."""
    if value is None:
        return UNKNOWN
    amount = float(value)
    if amount == 0:
        return "$0"
    if abs(amount) < _SMALL_USD:
        return f"${amount:.4f}" if abs(amount) < 0.1 else f"${amount:.3f}"  # noqa: PLR2004
    return f"${amount:,.2f}" if abs(amount) < 1000 else f"${amount:,.0f}"  # noqa: PLR2004


def count(value: Any) -> str:
    """A count; from ten thousand on in thousands, millions, billions, three digits of them."""
    if value is None:
        return UNKNOWN
    number = float(value)
    for scale, letter in _SCALES:
        if abs(number) >= scale:
            scale_to = 1e3 if letter == "k" else scale
            scaled = number / scale_to
            return f"{scaled:.0f} {letter}" if abs(scaled) >= 100 else f"{scaled:.1f} {letter}"  # noqa: PLR2004
    return f"{number:,.0f}"


def exact(value: Any) -> str:
    """All digits of a count."""
    return UNKNOWN if value is None else f"{float(value):,.0f}"


def percent(part: Any, whole: Any, places: int = 1) -> str:
    """A share."""
    if part is None or not whole:
        return UNKNOWN
    return f"{100 * float(part) / float(whole):.{places}f} %"


def milliseconds(value: Any) -> str:
    """A duration."""
    if value is None:
        return UNKNOWN
    number = float(value)
    return f"{number:,.0f} ms" if number < 1000 else f"{number / 1000:,.1f} s"  # noqa: PLR2004


def hours(value: Any) -> str:
    """A long duration."""
    if value is None:
        return UNKNOWN
    return f"{float(value):,.1f} h" if float(value) >= 1 else f"{60 * float(value):.0f} min"


def change(now: Any, before: Any) -> str:
    """How a figure moved: `+12 %`, `−3 %`, `new`, or nothing when both are unknown."""  # noqa: RUF002
    if now is None or before is None or not float(before):
        return "new" if now and not before else ""
    moved = 100 * (float(now) - float(before)) / float(before)
    if abs(moved) < 0.5:  # noqa: PLR2004
        return "±0 %"
    sign = "+" if moved > 0 else "−"  # noqa: RUF001
    return f"{sign}{abs(moved):,.0f} %" if abs(moved) < 1000 else f"{sign}{abs(moved) / 100:,.0f}×"  # noqa: PLR2004, RUF001


def name(text: str | None, others: int = 0) -> str:
    """A group's name."""
    if others:
        return f"{others} others"
    return text or "not named"


def person(text: str) -> str:
    """A pseudonym without its kind: they are all told apart by what follows it."""
    return text.rpartition(":")[2]


def repository(text: str) -> str:
    """An address of a repository without what all of them have in common."""
    return text.removeprefix("https://").removeprefix("github.com/").removesuffix(".git")


def provenance(row: dict[str, Any]) -> str:
    """Where a cost comes from: how many requests reported it, were computed, or have no price."""
    requests = row["requests"]
    if not requests:
        return "no requests"
    priced = exact(row["priced_requests"])
    whole = f"all {priced}" if row["priced_requests"] == requests else f"{priced} of {exact(requests)}"
    parts = [f"reported by the clients for {whole} requests"]
    if row["computed_requests"]:
        computed = usd(row["computed_cost_usd"])
        parts.append(f"{computed} more computed from list prices for {exact(row['computed_requests'])}")
    if row["unpriced_requests"]:
        parts.append(f"{exact(row['unpriced_requests'])} without a price, left out")
    return "; ".join(parts)
