"""The words of the command line around answers for others: `report`, `mcp`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .flags import with_settings

if TYPE_CHECKING:
    from .config import Config

FORMS = ("html", "markdown", "json", "csv")


def add_commands(cli: click.Group) -> None:
    """Put them into the command line."""
    for command in (report, mcp):
        cli.add_command(command)


@click.command()
@with_settings("report_min_people", "report_command", "report_webhook")
@click.argument("kind", type=click.Choice(["month", "week", "day"]), default="month")
@click.argument("when", required=False)
@click.option("--since", help="First day of a period of your own: 2026-10-01.")
@click.option("--until", help="Its last day; today without it.")
@click.option("--team", default="", help="Only what carries this team's tag; people are named in groups only.")
@click.option("--shared", is_flag=True, help="For others to read: people are named in groups of a minimum size only.")
@click.option("--format", "form", type=click.Choice(FORMS), default="html", show_default=True, help="How to write it.")
@click.option("-o", "--out", help="File to write, - for standard output. HTML has a place in the data folder.")
@click.option("--tell", is_flag=True, help="Tell report_command and report_webhook about it.")
def report(config: Config, kind: str, when: str | None, **options: Any) -> None:
    """Write a report on a month, a week or a day: the last one that has ended, or WHEN (2026-10, 2026-W43, current)."""
    from . import report_commands

    if when and (options["since"] or options["until"]):
        raise click.UsageError("give WHEN, or --since and --until, not both")
    if options["until"] and not options["since"]:
        raise click.UsageError("--until needs --since")
    report_commands.report(config, kind, when, **options)


@click.command()
@with_settings()
def mcp(config: Config) -> None:
    """Serve the telemetry, read-only, to a coding agent: the Model Context Protocol on standard input and output."""
    from . import mcp_server as server

    server.serve(config)
