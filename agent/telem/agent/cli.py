"""The command line: parse, call, print. Data goes to standard output, talk to standard error.

Exit status: 0 fine, 1 failed, 2 usage.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from telem.sanitize.pseudonym import KINDS

from . import asking_cli, asks, care, daily, forward_cli, keep_cli, life_cli, past, sections
from .config import SETTINGS
from .flags import SERVING, WithDefault, with_settings

if TYPE_CHECKING:
    from .config import Config

EXIT_FAILED = 1


class Group(click.Group):
    """Commands in the order they are written, errors as one line with what to try next."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        """Return them in the order they are written."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 (as above)
        """Write them by what they are for."""
        sections.write(self.commands, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what is expected to go wrong ends as a line on standard error."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            from . import errors

            if not isinstance(error, errors.EXPECTED):
                raise
            _fail(error, errors.hint(error), errors.exit_status(error))


def _fail(error: Exception, hint: str, status: int) -> None:
    click.echo(f"telem-agent: {error}", err=True)
    if hint:
        click.echo(f"  {hint}", err=True)
    sys.exit(status)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="telem-agent", prog_name="telem-agent")
def cli() -> None:
    """What your coding agents cost, where they fail and what they do: kept on this machine, asked in SQL."""


@cli.command()
@with_settings(*SERVING)
def start(config: Config, **_: Any) -> None:
    """Start the daemon in the background; returns when it accepts data."""
    from . import daemon_commands

    daemon_commands.start(config)


@cli.command()
@with_settings(*SERVING)
@click.option("--ready-fd", type=int, hidden=True, help="Descriptor to write to once it accepts data.")
@click.option("--parent-fd", type=int, hidden=True, help="Descriptor at whose end it stops: who started it is gone.")
@click.option("--take-over", hidden=True, default="", help="Socket of the running daemon that is to hand over.")
def run(config: Config, ready_fd: int | None, parent_fd: int | None, take_over: str) -> None:
    """Run the daemon in the foreground, for service managers."""
    from . import daemon_commands

    daemon_commands.run(config, ready_fd, take_over, parent_fd)


@cli.command()
@with_settings()
def stop(config: Config) -> None:
    """Stop the daemon; what is under way is written first."""
    from . import daemon_commands

    daemon_commands.stop(config)


@cli.command()
@with_settings(*SERVING)
def restart(config: Config) -> None:
    """Let a new daemon take over from the running one: nothing is lost, and if it cannot start, the old one goes on."""
    from . import daemon_commands

    daemon_commands.restart(config)


@cli.command()
@with_settings()
@click.option("--json", "as_json", is_flag=True, help="As JSON, with a schema version.")
def status(config: Config, as_json: bool) -> None:
    """Say whether the daemon runs, since when, and what it holds. Exit status 1 when it does not run."""
    from . import daemon_commands

    if not daemon_commands.status(config, as_json):
        sys.exit(EXIT_FAILED)


@cli.command()
@with_settings()
@click.option("-n", "--lines", default=50, show_default=True, help="How many lines.")
@click.option("-f", "--follow", is_flag=True, help="Go on as lines are added.")
def logs(config: Config, lines: int, follow: bool) -> None:
    """Show the daemon's own log."""
    from . import daemon_commands

    daemon_commands.logs(config, lines, follow)


@cli.command()
@with_settings()
def compact(config: Config) -> None:
    """Make the journal into Parquet now; it happens by itself every hour."""
    from . import daemon_commands

    daemon_commands.compact(config)


@cli.command()
@with_settings()
@click.option("--deep", is_flag=True, help="Read every page, and compare the rows with what was acknowledged.")
@click.option("--put-aside", "aside", is_flag=True, help="Move damaged Parquet files to quarantine/.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with a schema version.")
def verify(config: Config, deep: bool, aside: bool, as_json: bool) -> None:
    """Check that every stored file is as it was written. Exit status 1 when one is not."""
    from . import verify_commands

    if not verify_commands.run(config, deep=deep, as_json=as_json, aside=aside):
        sys.exit(EXIT_FAILED)


asking_cli.add_commands(cli)


@cli.command()
@with_settings()
@click.option("--report/--no-report", default=True, help="Print a first report.")
def demo(config: Config, report: bool) -> None:
    """Replay a recorded Claude Code session into a data folder of its own, and show a first report."""
    from . import demo_commands, program, query_commands

    home = demo_commands.demo(config)
    if report:
        query_commands.report(config, home)
    click.echo(f"\nDEMO: more questions about it: {program.typed()} query cost-analysis --home {home}", err=True)


@cli.command()
@with_settings("profile")
@click.argument("text", nargs=-1)
@click.option("--explain", is_flag=True, help="Say what would go and why, and not the text.")
@click.option("--attr", "attribute", metavar="NAME", help="Judge it as the value of this attribute.")
@click.option("--jsonl", metavar="FILE", help="Answer JSON strings with JSON strings, one a line; - is standard input.")
@click.option("--dry-run", "dry", is_flag=True, help="Count by rule and line what would go from files.")
@life_cli.stored_options
def sanitize(
    config: Config,
    text: tuple[str, ...],
    explain: bool,
    attribute: str | None,
    jsonl: str | None,
    dry: bool,
    **stored: bool,
) -> None:
    """Show a text as it would be stored. TEXT is the text, - or nothing for standard input, files with --dry-run.

    With --stored, judge once more what is stored, after the policy was changed.
    """
    from . import sanitize_commands

    if stored.pop("stored"):
        life_cli.sanitize_stored(config, dry=dry, other=bool(text or explain or attribute or jsonl), **stored)
        return
    if (explain + dry + (jsonl is not None)) > 1 or (jsonl and text):
        raise click.UsageError("--explain, --jsonl and --dry-run are three different things; --jsonl takes no text")
    as_json = stored["as_json"]
    if dry:
        sanitize_commands.dry_run(config, text, attribute, as_json=as_json)
    elif jsonl is None:
        sanitize_commands.sanitize(config, text, attribute, explain=explain, as_json=as_json)
    elif not sanitize_commands.sanitize_jsonl(config, jsonl, attribute):
        sys.exit(EXIT_FAILED)


@cli.group(cls=WithDefault)
def identity() -> None:
    """Find yourself in the tables; the word `show` may be left out."""


@identity.command()
@with_settings()
@click.argument("value", required=False)
@click.option("--kind", type=click.Choice(KINDS), help="What the value is; a guess without it.")
def show(config: Config, value: str | None, kind: str | None) -> None:
    """Print the stand-in of VALUE, or of what git and Claude Code know of you. Nothing is stored."""
    from . import identity_commands

    identity_commands.show(config, value, kind)


@identity.command()
@with_settings()
@click.option("--keep-old", is_flag=True, help="Keep the old key beside the new one, as key.DAY.retired.")
def rotate(config: Config, keep_old: bool) -> None:
    """Make a new key: from then on everybody gets another stand-in. The daemon must not run."""
    from . import identity_commands

    identity_commands.rotate(config, keep_old=keep_old)


@cli.group(cls=WithDefault)
def catalog() -> None:
    """Look after telemetry.duckdb and telemetry.sql, the views of any shell; the word `rebuild` may be left out."""


@catalog.command()
@with_settings()
@click.option("--json", "as_json", is_flag=True, help="As JSON, with a schema version.")
def rebuild(config: Config, as_json: bool) -> None:
    """Write them anew from the files that are there, as after a move of the folder; with or without a daemon."""
    from . import catalog_commands

    catalog_commands.rebuild(config, as_json=as_json)


@cli.group()
def selftest() -> None:
    """Try on this machine what is promised."""


@selftest.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--keep", type=click.Path(path_type=Path), help="Leave what the daemon wrote in this new folder.")
def privacy(as_json: bool, keep: Path | None) -> None:
    """Send fake secrets to a throw-away daemon by every way there is, and search every byte it wrote for them."""
    from .selftest import commands

    if not commands.privacy(as_json, keep):
        sys.exit(EXIT_FAILED)


@cli.group()
def hub() -> None:
    """The shared machine of a team: who may come to it. It is started with: telem-agent start --hub."""


@hub.group()
def member() -> None:
    """The members of a hub and their tokens. On the hub's own machine."""


@member.command("add")
@with_settings("hub_listen")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["member", "coordinator", "admin"]),
    default="member",
    show_default=True,
    help="What the token may do; see docs/GOVERNANCE.md.",
)
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="The token expires after so many days.")
@click.option(
    "--quota-gib",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="The most that the hub keeps of this member.",
)
def member_add(config: Config, name: str, role: str, days: float | None, quota_gib: float) -> None:
    """Add a member; the token is printed this once."""
    from . import hub_commands

    hub_commands.add(config, name, role, days, quota_gib)


@member.command("list")
@with_settings()
@click.option("--json", "as_json", is_flag=True, help="As JSON, with a schema version.")
def member_list(config: Config, as_json: bool) -> None:
    """List the members: role, state, last visit, bytes."""
    from . import hub_commands

    hub_commands.show(config, as_json)


@member.command("rotate")
@with_settings("hub_listen")
@click.argument("name")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="The token expires after so many days.")
def member_rotate(config: Config, name: str, days: float | None) -> None:
    """Give a member a new token; the old one counts no longer."""
    from . import hub_commands

    hub_commands.rotate(config, name, days)


@member.command("revoke")
@with_settings()
@click.argument("name")
def member_revoke(config: Config, name: str) -> None:
    """Let a member in no longer; what was received stays."""
    from . import hub_commands

    hub_commands.revoke(config, name)


for command in (
    keep_cli.backup,
    keep_cli.restore,
    keep_cli.import_archive,
    keep_cli.export,
    life_cli.retention,
    life_cli.purge,
    forward_cli.forward,
):
    cli.add_command(command)


@cli.command()
def settings() -> None:
    """List every setting: name, environment variable, default, meaning."""
    for setting in SETTINGS:
        default = ", ".join(setting.default) if isinstance(setting.default, tuple) else setting.default
        click.echo(f"{setting.name}  [{setting.env}]  default: {default if default != '' else '-'}")
        click.echo(f"    {setting.sentence}")


past.add_commands(cli)
daily.add_commands(cli)
care.add_commands(cli)
asks.add_commands(cli)


def main() -> None:
    """Entry point of the command."""
    try:
        cli(prog_name="telem-agent")
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(EXIT_FAILED)
