"""The words of `telem-agent setup`, for the command line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from .setup.variables import Content

if TYPE_CHECKING:
    from collections.abc import Callable

    from .config import Config

CLIENT_NAMES = ("claude", "codex", "gemini")


def options(function: Callable[..., None]) -> Callable[..., None]:
    """The options of `setup` itself."""
    for option in reversed(
        (
            click.option(
                "--client",
                "clients",
                multiple=True,
                type=click.Choice(CLIENT_NAMES),
                help="Only this one; repeatable. Without it: all that are here.",
            ),
            click.option(
                "--content",
                type=click.Choice([level.value for level in Content]),
                help="What people and models write: none of it, prompts, or everything. Without it: as it is, which "
                "is none unless you set it yourself.",
            ),
            click.option(
                "--replace", is_flag=True, help="Take the place of another receiver, which then gets nothing."
            ),
            click.option("--dry-run", "dry", is_flag=True, help="Show what would change, and change nothing."),
            click.option("-y", "--yes", is_flag=True, help="Do not ask."),
            click.option("--undo", is_flag=True, help="Take back what was set up."),
            click.option("--print", "shown", is_flag=True, help="Print the settings, for putting them in by hand."),
            click.option("--env", "as_env", is_flag=True, help="Print them as lines for a shell (Claude Code)."),
            click.option("--json", "as_json", is_flag=True, help="As JSON, with a schema version."),
        )
    ):
        function = option(function)
    return function


def run(config: Config, *, undo: bool, shown: bool, as_env: bool, **options: Any) -> None:
    """Do what the options say.

    Raises:
        click.UsageError: they contradict each other.
    """
    from .setup import commands

    if undo + shown + as_env > 1:
        raise click.UsageError("--undo, --print and --env are three different things")
    names = options["clients"]
    content = Content(options["content"]) if options["content"] else None
    if shown:
        commands.print_settings(config, names, content)
    elif as_env:
        commands.print_env(config, content)
    else:
        how = commands.How(options["dry"], options["yes"], options["as_json"])
        well = (
            commands.take_back(config, names, how)
            if undo
            else commands.setup(config, names, content, how, replace=options["replace"])
        )
        if not well:
            sys.exit(1)
