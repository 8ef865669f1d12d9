"""`telem-agent retention`: what is kept how long, what is due, and doing it now."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
import orjson

from telem.sanitize.records import Signal
from telem.storage import retention, rollups
from telem.storage.disk import Disk
from telem.storage.inventory import days_in_journal

from . import control
from .errors import AgentError
from .retention import Retention, jobs_now, limits_of, weekly_job
from .workers import run_jobs

if TYPE_CHECKING:
    from .config import Config

SCHEMA = 1
GB = 10**9
MB = 10**6


def status(config: Config, *, as_json: bool) -> None:
    """Print what is kept how long, what is held, and what goes next."""
    said = _status(config)
    if as_json:
        click.echo(orjson.dumps({"schema": SCHEMA, **said}, option=orjson.OPT_INDENT_2).decode())
        return
    limit = f" of at most {said['size_limit_bytes'] / GB:.0f} GB" if said["size_limit_bytes"] else ""
    click.echo(f"Raw rows: {said['size_bytes'] / MB:,.1f} MB{limit}; totals of closed days are kept for good.")
    for signal, days in said["days"].items():
        since = said["raw_since"][signal] if said["raw_since"] else "?"
        kept = f"{days} days" if days else "kept for ever"
        click.echo(
            f"  {signal:8} {kept:14} " + ("nothing removed yet" if since == rollups.FIRST_DAY else f"since {since}")
        )
    closed = said["closed"]
    click.echo(f"  closed   {'no day yet' if closed == rollups.FIRST_DAY else f'all days before {closed}'}")
    if said["error"]:
        click.secho(f"\n  {said['error']}", bold=True)
    if said["waits_for_clock"]:
        click.echo(f"\n  The clock has jumped, or this is new; nothing goes by it yet. Sure of: {said['sure_of_day']}.")
    for title, listed in (("Due now", said["due"]), ("Next", said["next"])):
        if listed:
            click.echo(f"\n  {title}: {_sum(listed)}")
            for day in listed:
                click.echo(f"    {day['day']}  {day['signal']:8} {day['bytes'] / MB:10,.1f} MB  by {day['reason']}")


def _sum(listed: list[dict[str, Any]]) -> str:
    return f"{len(listed)} days of a signal, {sum(day['bytes'] for day in listed) / MB:,.1f} MB"


def _status(config: Config) -> dict[str, Any]:
    running = control.find(config.layout)
    if running is not None:
        said: dict[str, Any] = control.ask(running, config.layout.token, "GET", "/status")["retention"]
        return said
    stopped = Retention(config.layout, Disk(), limits_of(config))
    stopped.clock.look(write=False)
    return stopped.status()


def run(config: Config, *, now: bool, dry: bool, yes: bool, as_json: bool) -> None:
    """Remove what is due, at once: by the day retention is sure of, or with `now` by the clock as it is.

    Raises:
        AgentError: a step failed.
    """
    said = _status(config)
    today = datetime.now(UTC).date().isoformat() if now else str(said["sure_of_day"])
    doomed = retention.due(config.layout, today, limits_of(config))
    result: dict[str, Any] = {"schema": SCHEMA, "day": today, "dry_run": dry, "due": [_day(day) for day in doomed]}
    if not as_json:
        what = ", ".join(f"{day.signal} of {day.day}" for day in doomed[:8]) + (", …" if len(doomed) > 8 else "")  # noqa: PLR2004
        total = sum(day.bytes for day in doomed) / MB
        click.echo(f"As of {today}: {len(doomed)} to go, {total:,.1f} MB{': ' + what if doomed else ''}", err=True)
        if not now and said["waits_for_clock"] and not dry:
            click.echo("The clock is not believed yet; --now goes by it all the same.", err=True)
    if not dry and doomed:
        if not yes:
            click.confirm("Remove these raw rows? Their totals stay.", abort=True, err=True)
        result["removed"] = _removed(config, today)
        if not as_json:
            click.echo(f"removed {_sum(result['removed'])}", err=True)
    if as_json:
        click.echo(orjson.dumps(result, option=orjson.OPT_INDENT_2).decode())


def _day(day: retention.Day) -> dict[str, Any]:
    return {"signal": day.signal.value, "day": day.day, "files": day.files, "bytes": day.bytes, "reason": day.reason}


def _removed(config: Config, today: str) -> list[dict[str, Any]]:
    """Workers take turns, so a running daemon's do no harm; it publishes what it finds changed with its next tick."""
    held = (day for signal in Signal for day in days_in_journal(config.layout, signal))
    cutoff = min([retention.closable(today), *held])
    results = asyncio.run(run_jobs(jobs_now(config.layout, today, limits_of(config), cutoff)))
    if failed := [result["error"] for result in results if not result["ok"]]:
        raise AgentError(f"retention did not finish: {failed[0]}", "It goes on where it stopped: try again")
    removed: list[dict[str, Any]] = results[-1]["removed"]
    return removed


def report(config: Config, week: str | None, *, as_json: bool) -> None:
    """Print the report of a week; without one, of the week so far.

    Raises:
        AgentError: there is none of that week, or it could not be made.
    """
    if week:
        path = config.layout.weekly(week)
        if not path.exists():
            there = ", ".join(sorted(found.stem for found in path.parent.glob("*.json"))) or "none yet"
            raise AgentError(f"there is no report of {week}", f"There are: {there}")
        click.echo((path if as_json else path.with_suffix(".md")).read_text(encoding="utf-8").rstrip())
        return
    later = (datetime.now(UTC) + timedelta(days=7)).date().isoformat()
    job = weekly_job(config.layout, retention.week_before(later), limits_of(config), keep=False)
    (said,) = asyncio.run(run_jobs([job]))
    if not said["ok"]:
        raise AgentError(f"the report could not be made: {said['error']}", "Look at: telem-agent verify")
    if as_json:
        click.echo(orjson.dumps(said["report"], option=orjson.OPT_INDENT_2).decode())
    else:
        click.echo(said["markdown"].rstrip())
