"""The words of the command line around a set-up and its health: its service and its end.

What they do is in `setup/`, `doctor/` and `service/`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .config import SETTINGS
from .flags import with_settings
from .setup.variables import Content

if TYPE_CHECKING:
    from collections.abc import Callable

    from .config import Config

CLIENT_NAMES = ("claude", "codex", "gemini")
EXIT_FAILED = 1

_DRY = click.option("--dry-run", "dry", is_flag=True, help="Show what would change, and change nothing.")
_YES = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
_JSON = click.option("--json", "as_json", is_flag=True, help="As JSON, with a schema version.")


def add_commands(cli: click.Group) -> None:
    """Put them into the command line."""
    for command in (setup, doctor, verify_setup, bundle, service, upgrade, uninstall, hook):
        cli.add_command(command)


@click.group(invoke_without_command=True)
@with_settings("otlp_http_port", "bind")
@click.option(
    "--client",
    "clients",
    multiple=True,
    type=click.Choice(CLIENT_NAMES),
    help="Only this one; repeatable. Without it: all that are here.",
)
@click.option(
    "--content",
    type=click.Choice([level.value for level in Content]),
    help="What people and models write: none of it, prompts, or everything. Without it: as it is, which is none unless "
    "you set it yourself.",
)
@click.option("--pass-on", is_flag=True, help="Take the place of another receiver, and send on to it from here.")
@click.option("--replace", is_flag=True, help="Take the place of another receiver, which then gets nothing.")
@_DRY
@_YES
@click.option("--undo", is_flag=True, help="Take back what was set up.")
@click.option("--print", "shown", is_flag=True, help="Print the settings, for putting them in by hand.")
@click.option("--env", "as_env", is_flag=True, help="Print them as lines for a shell (Claude Code).")
@_JSON
def setup(config: Config, *, undo: bool, shown: bool, as_env: bool, **options: Any) -> None:
    """Connect Claude Code, Codex CLI and Gemini CLI: show what would change in their settings, ask once, change it."""
    if click.get_current_context().invoked_subcommand is not None:
        return
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
            else commands.setup(config, names, content, how, replace=options["replace"], pass_on=options["pass_on"])
        )
        if not well:
            sys.exit(EXIT_FAILED)


@setup.command()
@with_settings()
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag; without VALUE it goes.")
@click.option("--local", is_flag=True, help="In settings.local.json, which is yours alone and not committed.")
@click.option("--undo", is_flag=True, help="Take back what was set for this project.")
@_DRY
@_YES
@_JSON
def project(config: Config, tags: tuple[str, ...], *, undo: bool, **options: Any) -> None:
    """Tag what Claude Code sends from this project: team, chapter, or a key of your own."""
    from .setup import commands
    from .setup.project import pairs

    if undo == bool(tags):
        raise click.UsageError("say either --tag KEY=VALUE or --undo")
    how = commands.How(options["dry"], options["yes"], options["as_json"])
    well = (
        commands.take_back_project(config, how)
        if undo
        else commands.setup_project(config, pairs(tags), how, local=options["local"])
    )
    if not well:
        sys.exit(EXIT_FAILED)


@click.command()
@with_settings()
def hook(config: Config) -> None:
    """Tell the daemon where a session works; Claude Code calls it (see setup). Prints nothing, always succeeds."""
    from . import hook as light

    light.main(["--home", str(config.home)])


def _looking(function: Callable[..., None]) -> Callable[..., None]:
    """The options of `doctor` and its alias."""
    for option in (
        _JSON,
        click.option("--explain", is_flag=True, help="Say what is behind each finding."),
        click.option("--fix", is_flag=True, help="Mend what can be mended safely: rights, a stopped daemon."),
        click.option("--live", "with_live", is_flag=True, help="Send a test event through and read it back."),
        _HOME,
    ):
        function = option(function)
    return function


_HOME = click.option("--home", help=f"{SETTINGS[0].sentence} [{SETTINGS[0].env}]")
"""The settings are read by the commands themselves: broken ones are a finding."""


@click.command()
@_looking
def doctor(home: str | None, **options: bool) -> None:
    """Find what is wrong with daemon, data, clients and machine, and say what mends it. Exit status 1 on a problem."""
    from .doctor import commands

    if not commands.doctor({"home": home}, **options):
        sys.exit(EXIT_FAILED)


@click.command("verify-setup")
@_looking
@click.pass_context
def verify_setup(context: click.Context, /, **options: Any) -> None:
    """Do the same as doctor."""
    context.invoke(doctor, **options)


@click.command()
@_HOME
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Where to; else in the current folder."
)
@_JSON
def bundle(home: str | None, output: Path | None, as_json: bool) -> None:
    """Put logs, settings and what doctor finds into an archive, sanitized, and list what is in it. Sends nothing."""
    from .doctor.bundle import write

    write({"home": home}, output, as_json=as_json)


@click.group()
def service() -> None:
    """Start the daemon at login and after a crash: by systemd, launchd, or the login shell where there is neither."""


@service.command()
@with_settings()
@click.option("--dry-run", "dry", is_flag=True, help="Print what the service manager would read, and change nothing.")
def install(config: Config, dry: bool) -> None:
    """Start the daemon at every login from now on, and now."""
    from .service import commands

    commands.install(config, dry=dry)


@service.command("uninstall")
@with_settings()
def remove(config: Config) -> None:
    """Do not start it at login any more, and end it. Data and settings of clients stay."""
    from .service import commands

    commands.uninstall(config)


@service.command("status")
@with_settings()
@_JSON
def service_status(config: Config, as_json: bool) -> None:
    """Say what the service manager says. Exit status 1 when there is no service."""
    from .service import commands

    if not commands.status(config, as_json=as_json):
        sys.exit(EXIT_FAILED)


@click.command()
@click.option("--check", is_flag=True, required=True, help="Ask the package index which versions there are.")
@click.option("--index-url", default="", help="Index to ask; else the one pip is configured with.")
@_JSON
def upgrade(check: bool, index_url: str, as_json: bool) -> None:  # noqa: ARG001 (there is nothing else it does)
    """Compare with the package index. It is asked now and at no other time. Exit status 1 when there is a newer one."""
    from .service.upgrade import check as compare

    if not compare(index_url, as_json=as_json):
        sys.exit(EXIT_FAILED)


@click.command()
@with_settings()
@click.option("--data", is_flag=True, help="Remove the data folder too, for good.")
@_DRY
@_YES
def uninstall(config: Config, **options: bool) -> None:
    """Take back the settings of clients and the service, stop the daemon, and say where the data is."""
    from .service.uninstall import uninstall as take_away

    if not take_away(config, **options):
        sys.exit(EXIT_FAILED)
