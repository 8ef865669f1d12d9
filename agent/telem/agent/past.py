"""The words of the command line around what was before: `import`. What they do is in `import_commands`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .flags import with_settings

if TYPE_CHECKING:
    from .config import Config


def add_commands(cli: click.Group) -> None:
    """Put them into the command line."""
    cli.add_command(import_)


@click.group(name="import")
def import_() -> None:
    """Bring in what was recorded elsewhere."""


@import_.command()
@with_settings()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--content",
    type=click.Choice(["none", "prompts"]),
    default="none",
    show_default=True,
    help="Import the text of prompts too, sanitized; else their length only.",
)
@click.option("--watch/--no-watch", default=None, help="From now on let the daemon import what it missed, by itself.")
@click.option("--background", is_flag=True, hidden=True, help="At low priority, and leave what is younger than 60 s.")
@click.option("--dry-run", "dry", is_flag=True, help="Only count what would be imported; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with a schema version.")
def claude(
    config: Config,
    paths: tuple[Path, ...],
    content: str,
    watch: bool | None,
    background: bool,
    dry: bool,
    as_json: bool,
) -> None:
    """Import Claude Code's own session logs: requests, tokens, tools and prompts of the time before.

    PATHS are logs, folders of them or configuration folders; without any, Claude Code's own configuration folders.
    It can be repeated and interrupted at any time: nothing is counted twice.
    """
    from . import import_commands

    wish = import_commands.Options(paths, content == "prompts", watch, background, dry, as_json)
    if not import_commands.claude(config, wish):
        sys.exit(1)
