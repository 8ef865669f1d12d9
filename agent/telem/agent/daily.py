"""The words of the command line for every day: `top`, `statusline`, `budget`, `feedback`, `completion`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from .flags import with_settings

if TYPE_CHECKING:
    from .config import Config

SHELLS = ("bash", "zsh", "fish")


def add_commands(cli: click.Group) -> None:
    """Put them into the command line."""
    for command in (top, statusline, budget, feedback, completion):
        cli.add_command(command)


@click.command()
@with_settings()
@click.option("--once", is_flag=True, help="Print it once and end, without colours.")
@click.option("--interval", "interval_s", type=click.FloatRange(0.2), default=2.0, show_default=True, help="Seconds.")
@click.option("--json", "as_json", is_flag=True, help="Once, as JSON, with a schema version.")
def top(config: Config, once: bool, interval_s: float, as_json: bool) -> None:
    """Watch sessions, cost, tokens, errors and arriving records as they come; q or Ctrl-C ends it."""
    from .everyday import top as view

    view.top(config, once=once or as_json, interval_s=interval_s, as_json=as_json)


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--home", help="Folder that holds the data. [TELEM_AGENT_HOME]")
@click.option(
    "--format", "form", help="The line; {session}, {today}, {burn}, {cached}, {budget} and others are filled in."
)
def statusline(home: str | None, form: str | None) -> None:
    """Print one line for Claude Code's status line, from what it gives on standard input and the day's totals.

    In the client's settings: "statusLine": {"type": "command", "command": "telem-agent statusline"}
    """
    from . import statusline as light

    arguments = [*(["--home", home] if home else []), *(["--format", form] if form else [])]
    light.main(arguments)


@click.group()
def budget() -> None:
    """Set amounts for a day, a week or a month, and be told when they are used up."""


@budget.command("set")
@with_settings()
@click.argument("amount", metavar="DOLLARS/PERIOD")
@click.option("--project", default="", help="Of one project instead of everything.")
@click.option("--threshold", "thresholds", type=click.IntRange(1, 1000), multiple=True, help="Percent; repeatable.")
@click.option("--command", help="Run this when a threshold is crossed, without a shell; {text} is filled in.")
@click.option("--webhook", help="Post JSON to this address when a threshold is crossed.")
def budget_set(
    config: Config, amount: str, project: str, thresholds: tuple[int, ...], command: str | None, webhook: str | None
) -> None:
    """Set a budget: 200/month, 50/week, 10/day. It takes the place of another one for the same period and project.

    Thresholds (50, 80 and 100 %), command and webhook hold for all budgets; empty texts take the latter back.
    """
    from .everyday import budget_commands

    budget_commands.set_budget(config, amount, project, thresholds, command, webhook)


@budget.command("show")
@with_settings()
@click.option("--json", "as_json", is_flag=True, help="As JSON, with a schema version.")
def budget_show(config: Config, as_json: bool) -> None:
    """Show every budget and how much of it is used."""
    from .everyday import budget_commands

    budget_commands.show(config, as_json=as_json)


@budget.command("remove")
@with_settings()
@click.argument("period", type=click.Choice(["day", "week", "month", "all"]))
@click.option("--project", default="", help="The budget of one project.")
def budget_remove(config: Config, period: str, project: str) -> None:
    """Remove a budget, or all of them."""
    from .everyday import budget_commands

    budget_commands.remove(config, period, project)


@click.command()
@with_settings()
@click.argument("decision", type=click.Choice(["approve", "reject", "modify"]))
@click.argument("text", nargs=-1)
@click.option("--session", "session_id", help="The session meant; the latest one without it.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with a schema version.")
def feedback(config: Config, decision: str, text: tuple[str, ...], session_id: str | None, as_json: bool) -> None:
    """Record by hand what you think of a session's work; TEXT is sanitized like everything."""
    from .everyday import feedback as hand

    hand.feedback(config, decision, " ".join(text), session_id, as_json=as_json)


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what makes the shell complete commands and options; docs/EVERYDAY.md says where to put it."""
    from click.shell_completion import get_completion_class

    from .cli import cli

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"there is no completion for {shell}")
    if shell == "bash":
        found._check_version = lambda _self: None  # type: ignore[attr-defined]  # noqa: SLF001 (asks a bash that need not be here)
    click.echo(found(cli, {}, "telem-agent", "_TELEM_AGENT_COMPLETE").source())
    sys.stdout.flush()
