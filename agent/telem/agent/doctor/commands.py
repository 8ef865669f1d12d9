"""`telem-agent doctor`: look at everything, say what is wrong and what mends it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click
import orjson

from . import claude, daemon, data, forwarding, hub, live, machine, neighbours, records
from .finding import Finding, Level
from .situation import Situation, look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

SCHEMA = 1
CHECKS = (daemon, data, claude, neighbours, records, forwarding, machine)
HUB_CHECKS = (daemon, data, hub, machine)
PARTS = (daemon, data, claude, neighbours, records, forwarding, hub, machine, live)
TROUBLES = tuple(trouble for module in PARTS for trouble in module.TROUBLES.by_name.values())
"""Everything a doctor knows."""

_WHY = {trouble.name: trouble.why for trouble in TROUBLES}

_MARKS = {Level.WELL: "ok", Level.NOTE: "note", Level.WARNING: "WARNING", Level.PROBLEM: "PROBLEM"}
_COLORS = {Level.WELL: "green", Level.NOTE: None, Level.WARNING: "yellow", Level.PROBLEM: "red"}


def findings(situation: Situation, *, with_live: bool = False) -> list[Finding]:
    """Everything there is to say, part by part. Reads only, unless a live test is asked for."""
    modules = HUB_CHECKS if situation.is_hub else CHECKS
    checks: Iterable[Callable[[Situation], Iterator[Finding]]] = [module.check for module in modules]
    found = [finding for check in checks for finding in check(situation)]
    return [*found, *live.check(situation)] if with_live and not situation.is_hub else found


def doctor(flags: Mapping[str, Any], *, with_live: bool, fix: bool, explain: bool, as_json: bool) -> bool:
    """Say what was found; returns whether there is no problem (any more)."""
    began_s = time.monotonic()
    found = findings(look(flags), with_live=with_live)
    if fix and any(finding.fix for finding in found):
        _fix(found)
        found = findings(look(flags), with_live=with_live)
    took_ms = (time.monotonic() - began_s) * 1000
    if as_json:
        click.echo(orjson.dumps(spoken(found, took_ms), option=orjson.OPT_INDENT_2).decode())
    else:
        _print(found, fix=fix, explain=explain)
    return not any(finding.level is Level.PROBLEM for finding in found)


def _fix(found: list[Finding]) -> None:
    for finding in found:
        if finding.fix:
            try:
                click.echo(f"fixed: {finding.fix()}", err=True)
            except (OSError, RuntimeError) as error:
                click.echo(f"not fixed: {finding.text}: {error}", err=True)


def _print(found: list[Finding], *, fix: bool, explain: bool) -> None:
    for finding in found:
        mark = click.style(f"{_MARKS[finding.level]:8}", fg=_COLORS[finding.level])
        click.echo(f"{mark} {finding.part}: {finding.text}")
        if explain and finding.name:
            click.echo(f"         {_plain(_WHY[finding.name])}")
        if finding.mend:
            click.echo(f"         -> {_plain(finding.mend)}")
    bad = [finding for finding in found if finding.level in (Level.PROBLEM, Level.WARNING)]
    if not bad:
        click.echo("\nAll is well.", err=True)
        return
    more = "" if explain else "; what is behind each: telem-agent doctor --explain"
    click.echo(f"\n{len(bad)} to look at{more}", err=True)
    if not fix and any(finding.fix for finding in found):
        click.echo("What can be mended safely: telem-agent doctor --fix", err=True)


def _plain(text: str) -> str:
    """Without the marks that documents need around code."""
    return text.replace("`", "")


def spoken(found: list[Finding], took_ms: float) -> dict[str, Any]:
    """The findings as JSON."""
    return {
        "schema": SCHEMA,
        "well": not any(finding.level is Level.PROBLEM for finding in found),
        "took_ms": round(took_ms),
        "findings": [
            {
                "part": finding.part,
                "level": finding.level.value,
                "name": finding.name or None,
                "text": finding.text,
                "why": _plain(_WHY.get(finding.name, "")) or None,
                "mend": _plain(finding.mend) or None,
                "fixable": finding.fix is not None,
            }
            for finding in found
        ],
    }
