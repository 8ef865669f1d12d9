"""`telem-agent budget`: set, show, remove."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
import orjson

from telem.storage.disk import Disk

from . import budget
from .alert import filled
from .picture import current

if TYPE_CHECKING:
    from telem.agent.config import Config


def set_budget(
    config: Config, amount: str, project: str, thresholds: tuple[int, ...], command: str | None, webhook: str | None
) -> None:
    """Set one.

    Raises:
        BudgetError: it cannot be understood.
    """
    wanted = budget.parse(amount, project)
    known = budget.load(config.layout.budgets)
    changed = replace(known, budgets=known.with_budget(wanted))
    if thresholds:
        changed = replace(changed, thresholds=tuple(sorted(set(thresholds))))
    if command is not None:
        changed = replace(changed, command=_command(command))
    if webhook is not None:
        changed = replace(changed, webhook=_webhook(webhook))
    _write(config, changed)
    told = ", ".join(f"{each} %" for each in changed.thresholds)
    click.echo(f"budget {wanted.name}, told at {told}", err=True)
    if changed.command:
        click.echo(f"  runs: {shlex.join(filled(list(changed.command), {'text': '…'}))}", err=True)
    if changed.webhook:
        click.echo(f"  posts to: {urlsplit(changed.webhook).netloc}", err=True)


def remove(config: Config, period: str, project: str) -> None:
    """Remove one, or all.

    Raises:
        BudgetError: there is none.
    """
    known = budget.load(config.layout.budgets)
    kept = tuple(each for each in known.budgets if period != "all" and (each.period, each.project) != (period, project))
    if len(kept) == len(known.budgets):
        raise budget.BudgetError("there is no such budget; `telem-agent budget show` lists them")
    _write(config, replace(known, budgets=kept))
    click.echo(f"{len(known.budgets) - len(kept)} removed", err=True)


def show(config: Config, *, as_json: bool) -> None:
    """Print all of them with what is used."""
    found = current(config)["budgets"]
    if as_json:
        click.echo(orjson.dumps({"schema": budget.SCHEMA, "budgets": found}).decode())
        return
    if not found:
        click.echo("there is no budget; set one: telem-agent budget set 200/month", err=True)
    for each in found:
        click.echo(text_of(each))


def text_of(standing: dict[str, Any]) -> str:
    """A line about one."""
    spent = f"${standing['spent_usd']:,.2f} since {standing['period_start']}"
    return f"{standing['percent']:5.1f} % of {standing['name']}: {spent}"


def _command(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise budget.BudgetError(f"the command cannot be understood: {error}; quote it as for a shell") from error


def _webhook(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = not text or (parts.scheme in ("http", "https") and parts.hostname)
    except ValueError:
        good = False
    if not good:
        raise budget.BudgetError(f"{text!r} is no address to post to; it begins with https:// or http://")
    return text


def _write(config: Config, budgets: budget.Budgets) -> None:
    disk = Disk()
    disk.directory(config.layout.home)
    disk.write(config.layout.budgets, budget.dump(budgets))
