"""`telem-agent top`: what is going on, drawn anew every two seconds in the terminal's own letters and colours."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from typing import TYPE_CHECKING, Any

import click
import orjson

from telem.agent.errors import AgentError

from .budget_commands import text_of
from .picture import current

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telem.agent.config import Config

SCHEMA = 1
ONCE_SIZE = (100, 40)
_ENTER, _LEAVE, _HOME, _REST, _CLEAR_LINE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l", "\x1b[H", "\x1b[J", "\x1b[K"
_COLUMNS = (
    ("ago", 5),
    ("session", 8),
    ("cost", 9),
    ("tokens", 7),
    ("cached", 6),
    ("reqs", 5),
    ("errors", 6),
    ("project", 14),
    ("branch", 14),
    ("model", 16),
)
"""With their widths; what a narrow terminal cuts off stands last."""

_RIGHT = {"ago", "reqs", "tokens", "cached", "errors", "cost"}


def top(config: Config, *, once: bool, interval_s: float, as_json: bool) -> None:
    """Show it, once or until somebody presses q.

    Raises:
        AgentError: it is to be live, and there is no terminal.
    """
    if once:
        picture = current(config)
        if as_json:
            click.echo(orjson.dumps({**picture, "schema": SCHEMA}).decode())
        else:
            click.echo("\n".join(lines(picture, {}, 0.0, ONCE_SIZE)))
        return
    if not sys.stdout.isatty() or not sys.stdin.isatty():
        raise AgentError("top draws on a terminal, and this is none", "For scripts: telem-agent top --once, or --json")
    with _screen():
        _live(config, interval_s)


def _live(config: Config, interval_s: float) -> None:
    before: dict[str, Any] = {}
    before_s = time.monotonic()
    while True:
        try:
            picture, now_s = current(config), time.monotonic()
        except AgentError:  # it was just stopped or restarted
            picture, now_s = {**before, "status": None}, time.monotonic()
        size = os.get_terminal_size(sys.stdout.fileno())  # not COLUMNS, which is not told of a resize
        drawn = lines(picture, before, now_s - before_s, (size.columns, size.lines))
        drawn = [_bold(line) if number == 0 else line for number, line in enumerate(drawn[: size.lines - 1])]
        sys.stdout.write(_HOME + "".join(f"{line}{_CLEAR_LINE}\r\n" for line in drawn) + _REST)
        sys.stdout.flush()
        before, before_s = picture, now_s
        if _pressed_q(interval_s):
            return


@contextlib.contextmanager
def _screen() -> Iterator[None]:
    """The terminal's other screen, with single keys; both go back to what they were, however it ends."""
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    modes = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    sys.stdout.write(_ENTER)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()
        termios.tcsetattr(descriptor, termios.TCSADRAIN, modes)


def _pressed_q(seconds: float) -> bool:
    end_s = time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0:
        if select.select([sys.stdin], [], [], left_s)[0] and os.read(sys.stdin.fileno(), 64)[:1] in (
            b"q",
            b"Q",
            b"\x1b",
            b"",
        ):
            return True
    return False


def _bold(text: str) -> str:
    return text if os.environ.get("NO_COLOR") else f"\x1b[1m{text}\x1b[0m"


def lines(picture: dict[str, Any], before: dict[str, Any], passed_s: float, size: tuple[int, int]) -> list[str]:
    """The whole picture, cut to the size; `before` and `passed_s` tell how fast records arrive."""
    width, height = size
    found = [_head(picture), "", *_totals(picture), *_arriving(picture, before, passed_s)]
    found += [f"budget  {text_of(each)}" for each in picture.get("budgets", [])]
    sessions = picture.get("sessions", [])
    found += ["", _row({name: name for name, _ in _COLUMNS}, width)]
    found += [_row(_cells(each), width) for each in sessions[: max(0, height - len(found) - 1)]]
    if not sessions:
        found.append("no session in the last 24 hours")
    return [line[:width] for line in found]


def _head(picture: dict[str, Any]) -> str:
    status = picture.get("status")
    at = time.strftime("%H:%M:%S", time.localtime(picture.get("at_s", 0)))
    if status is None:
        return f"telem-agent  {at}  the daemon does not run: telem-agent start"
    up_min = int((time.time() - status["started_at_s"]) / 60)
    return f"telem-agent  {at}  up {up_min // 60}:{up_min % 60:02d} h  process {status['pid']}"


def _totals(picture: dict[str, Any]) -> list[str]:
    today = picture.get("today", {})
    cost = f"${today.get('cost_usd', 0):,.2f}"
    if today.get("computed_usd"):
        cost += f" + ${today['computed_usd']:,.2f} at list prices"
    elif today.get("unpriced"):
        cost += f" ({today['unpriced']:,} requests without a price)"
    tokens = ", ".join(f"{_count(today.get(name, 0))} {name}" for name in ("input", "cached", "written", "output"))
    counts = (
        f"        {today.get('requests', 0):,} requests   {today.get('errors', 0):,} errors   "
        f"{today.get('tool_calls', 0):,} tool calls   {today.get('prompts', 0):,} prompts"
    )
    burn = f"{picture.get('burn_usd_per_h', 0):,.2f} $/h"
    return [f"today   {cost}   {burn}   {_share(today)} of the input from the cache", counts, f"tokens  {tokens}"]


def _arriving(picture: dict[str, Any], before: dict[str, Any], passed_s: float) -> list[str]:
    if not picture.get("status"):
        return []
    parts = []
    for name, signal in picture["status"]["signals"].items():
        known = (before.get("status") or {}).get("signals", {}).get(name)
        rate = f" ({(signal['records'] - known['records']) / passed_s:.1f}/s)" if known and passed_s else ""
        failed = f", {signal['failed']:,} failed" if signal["failed"] else ""
        parts.append(f"{signal['records']:,} {name}{rate}{failed}")
    return [f"records {', '.join(parts)}"]


def _cells(session: dict[str, Any]) -> dict[str, str]:
    used = sum(session.get(name, 0) for name in ("input", "cached", "written", "output"))
    cost = session["cost_usd"] + session["computed_usd"]
    return {
        "ago": _ago(time.time() - session["last_s"]),
        "session": session["session_id"][:8],
        "project": session["project"],
        "branch": session["branch"],
        "model": session["model"].removeprefix("claude-"),
        "reqs": f"{session['requests']:,}",
        "tokens": _count(used),
        "cached": _share(session),
        "errors": f"{session['errors']:,}" if session["errors"] else "",
        "cost": f"${cost:,.2f}" if cost or not session["unpriced"] else "?",
    }


def _row(cells: dict[str, str], width: int) -> str:
    spare = max(0, width - sum(size + 1 for _, size in _COLUMNS))
    parts = []
    for name, size in _COLUMNS:
        wide = size + spare if name == "project" else size
        text = _printable(cells[name])
        text = text if len(text) <= wide else text[: wide - 1] + "…"
        parts.append(text.rjust(wide) if name in _RIGHT else text.ljust(wide))
    return " ".join(parts).rstrip()


def _printable(text: str) -> str:
    """Without control characters: names of branches come from outside, and a terminal obeys what it is sent."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _share(used: dict[str, Any]) -> str:
    whole = sum(used.get(name, 0) for name in ("input", "cached", "written"))
    return f"{100 * used.get('cached', 0) / whole:.0f} %" if whole else "-"


def _count(number: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.1f}{unit}"
    return f"{number:.0f}"


def _ago(seconds: float) -> str:
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"
