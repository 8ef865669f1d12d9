"""`telem-agent statusline`: one line for Claude Code's status line. Light: json is all it imports.

Claude Code runs it at most every 300 ms with a JSON object on standard input, and shows the first line it prints. It
never fails loudly: what it does not know is left out. The session's cost is the client's own; the day's, the burn and
the share of the cache come from `statusline.json`, which the daemon keeps current, and which is there without it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

FORMAT = "{session} · {today} · {burn} · {cached} · {budget}"
WORDS = ("model", "session", "today", "burn", "cached", "tokens", "context", "project", "branch", "budget")
SEPARATOR = " · "
STDIN_LIMIT_BYTES = 1 << 20
WARN_PERCENT = 80
FULL_PERCENT = 100
_YELLOW, _RED, _PLAIN = "\x1b[33m", "\x1b[31m", "\x1b[0m"


def main(arguments: list[str]) -> None:
    """Print the line; whatever goes wrong, print nothing and end well."""
    try:
        home, form = _options(arguments)
        text = line(_stdin(), _summary(home), form, time.time(), colours=not os.environ.get("NO_COLOR"))
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except Exception:  # noqa: BLE001 (a status line that fails is worse than one that is empty)
        os._exit(0)


def line(told: dict[str, Any], summary: dict[str, Any], form: str, now_s: float, *, colours: bool = False) -> str:
    """The line: each part between two separators that knows nothing is left out, with its separator."""
    words = _words(told, summary, now_s, colours=colours)
    parts = []
    for part in form.split(SEPARATOR):
        text = part
        known = True
        for word in WORDS:
            if "{" + word + "}" in text:
                known = known and bool(words.get(word))
                text = text.replace("{" + word + "}", words.get(word, ""))
        if known and text.strip():
            parts.append(text)
    return SEPARATOR.join(parts).replace("\n", " ")


def _options(arguments: list[str]) -> tuple[str, str]:
    given = {"--home": "", "--format": ""}
    for number, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in given:
            given[name] = value if equals else "".join(arguments[number + 1 : number + 2])
    home = given["--home"] or os.environ.get("TELEM_AGENT_HOME", "")
    if not home:
        from .homes import default_home

        home = str(default_home())
    return os.path.expanduser(home), given["--format"] or os.environ.get("TELEM_AGENT_STATUSLINE", "") or FORMAT


def _stdin() -> dict[str, Any]:
    """What the client says; nothing at a terminal, where nobody would end the input."""
    if sys.stdin is None or sys.stdin.isatty():
        return {}
    return _object(sys.stdin.buffer.read(STDIN_LIMIT_BYTES))


def _summary(home: str) -> dict[str, Any]:
    try:
        with open(os.path.join(home, "statusline.json"), "rb") as file:
            return _object(file.read())
    except OSError:
        return {}


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _words(told: dict[str, Any], summary: dict[str, Any], now_s: float, *, colours: bool) -> dict[str, str]:
    cost, workspace, model = (_member(told, name) for name in ("cost", "workspace", "model"))
    session_id = told.get("session_id")
    known = next((each for each in _list(summary, "sessions") if each.get("session_id") == session_id), {})
    own_usd = _number(cost.get("total_cost_usd"))
    session_usd = max(own_usd or 0.0, _number(known.get("cost_usd")) or 0.0)
    today = _member(summary, "today") if summary.get("day") == time.strftime("%Y-%m-%d", time.localtime(now_s)) else {}
    words = {
        "model": str(model.get("display_name") or model.get("id") or known.get("model") or ""),
        "session": f"{_usd(session_usd)} session" if own_usd is not None or known else "",
        "burn": _burn(cost, summary, now_s),
        "cached": _cached(known or today),
        "tokens": _tokens(known),
        "context": _context(told),
        "project": str(known.get("project") or os.path.basename(str(workspace.get("project_dir") or ""))),
        "branch": str(known.get("branch") or ""),
        "budget": _budget(_list(summary, "budgets"), now_s, summary, colours=colours),
    }
    if today:
        words["today"] = (
            f"{_usd((_number(today.get('cost_usd')) or 0) + (_number(today.get('computed_usd')) or 0))} today"
        )
    return words


def _burn(cost: dict[str, Any], summary: dict[str, Any], now_s: float) -> str:
    """Dollars an hour: of the last hour as the daemon saw it, else of this session."""
    burn = _number(summary.get("burn_usd_per_h")) if now_s - (_number(summary.get("at_s")) or 0) < 600 else None  # noqa: PLR2004 (ten minutes)
    if not burn:
        spent, took_ms = _number(cost.get("total_cost_usd")), _number(cost.get("total_duration_ms"))
        burn = spent * 3_600_000 / took_ms if spent and took_ms and took_ms > 60_000 else None  # noqa: PLR2004 (a minute)
    return f"{_usd(burn)}/h" if burn else ""


def _cached(used: dict[str, Any]) -> str:
    """Share of the input that came from the cache."""
    read = _number(used.get("cached")) or 0
    whole = read + (_number(used.get("input")) or 0) + (_number(used.get("written")) or 0)
    return f"{100 * read / whole:.0f} % cached" if whole else ""


def _tokens(used: dict[str, Any]) -> str:
    count = sum(_number(used.get(name)) or 0 for name in ("input", "cached", "written", "output"))
    if not count:
        return ""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.1f}{unit} tokens"
    return f"{count:.0f} tokens"


def _context(told: dict[str, Any]) -> str:
    used = _number(_member(told, "context_window").get("used_percentage"))
    return f"{used:.0f} % context" if used is not None else ""


def _budget(budgets: list[dict[str, Any]], now_s: float, summary: dict[str, Any], *, colours: bool) -> str:
    """The budget that is used up most."""
    today = time.strftime("%Y-%m-%d", time.localtime(now_s))
    day = str(summary.get("day"))
    if day != today:  # the daemon is down since: a month's budget is still worth a word within that month
        budgets = [each for each in budgets if each.get("period") == "month" and day[:7] == today[:7]]
    if not budgets:
        return ""
    most = max(budgets, key=lambda each: _number(each.get("percent")) or 0)
    percent = _number(most.get("percent")) or 0
    text = f"{percent:.0f} % of {most.get('name')}"
    colour = _RED if percent >= FULL_PERCENT else _YELLOW if percent >= WARN_PERCENT else ""
    return f"{colour}{text}{_PLAIN}" if colours and colour else text


def _usd(amount: float) -> str:
    return f"${amount:,.2f}"


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) > 1e15:  # noqa: PLR0124, PLR2004 (not a number, no sum)
        return None
    return float(value)


def _member(holder: dict[str, Any], name: str) -> dict[str, Any]:
    found = holder.get(name)
    return found if isinstance(found, dict) else {}


def _list(holder: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = holder.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
