"""Declarations of the commands about the life of the data: retention, purge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .flags import with_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from .config import Config

KEEPING = ("retention_logs_days", "retention_metrics_days", "retention_traces_days", "size_limit_gb")

_as_json = click.option("--json", "as_json", is_flag=True, help="As JSON, with a schema version.")
_yes = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group()
def retention() -> None:
    """How long raw rows are kept, what is due, and what was removed."""


@retention.command()
@with_settings(*KEEPING)
@_as_json
def status(config: Config, as_json: bool) -> None:
    """Say how long raw rows are kept, how much there is, and what goes next."""
    from . import retention_commands

    retention_commands.status(config, as_json=as_json)


@retention.command()
@with_settings(*KEEPING)
@click.option("--now", is_flag=True, help="Go by the clock as it is, also when it has jumped.")
@click.option("--dry-run", "dry", is_flag=True, help="Say what would go, and leave it.")
@_yes
@_as_json
def run(config: Config, **options: Any) -> None:
    """Remove at once what is due; it happens by itself every hour."""
    from . import retention_commands

    retention_commands.run(config, **options)


@retention.command()
@with_settings(*KEEPING)
@click.option("--week", metavar="WEEK", help="A week such as 2026-W47; without it, the week so far.")
@_as_json
def report(config: Config, week: str | None, as_json: bool) -> None:
    """Show the weekly report: what came in, what was deleted and why, what is due, sizes by signal and month."""
    from . import retention_commands

    retention_commands.report(config, week, as_json=as_json)


def stored_options(function: Callable[..., None]) -> Callable[..., None]:
    """The options of `sanitize` that are about what is stored."""
    stored = click.option("--stored", is_flag=True, help="Judge once more what is stored; counts alone with --dry-run.")
    return stored(_yes(_as_json(function)))


def sanitize_stored(config: Config, *, dry: bool, other: bool, yes: bool, as_json: bool) -> None:
    """Run `sanitize --stored`."""
    from . import stored_commands

    if other:
        raise click.UsageError("--stored takes no text, and of the other options --dry-run, --yes and --json")
    stored_commands.sanitize_stored(config, dry=dry, yes=yes, as_json=as_json)


@click.command()
@with_settings()
@click.option("--session", default="", metavar="ID", help="All that was stored of a session.")
@click.option("--user", default="", metavar="WHO", help="All of a person: an e-mail address, or a stand-in.")
@click.option("--before", default="", metavar="DAY", help="All that happened before a UTC day.")
@click.option("--all", "everything", is_flag=True, help="All that was stored so far.")
@click.option("--resume", is_flag=True, help="Finish a purge that was interrupted.")
@click.option(
    "--on", "hub", metavar="NAME", help="Take it out on a hub or ClickHouse this home forwards to, and not here."
)
@click.option("--delete-copies", "copies", flag_value="delete", help="Delete backups and exports that hold such rows.")
@click.option("--leave-copies", "copies", flag_value="leave", help="Leave backups and exports as they are.")
@click.option("--dry-run", "dry", is_flag=True, help="Say what would go, and leave it.")
@_yes
@_as_json
def purge(
    config: Config,
    session: str,
    user: str,
    before: str,
    everything: bool,
    resume: bool,
    hub: str | None,
    copies: str | None,
    **options: Any,
) -> None:
    """Take out what was stored of a session, a person or a time, for good, also while the daemon runs.

    It goes from the journal, Parquet, the rollups and the quarantine, and does not come back: what clients still send
    of that session or person is not stored, nor what an import or a backup brings. Backups and exports that were
    written, and archives that were imported, are written anew without it where they still are. A receipt says what was
    done, and names nobody.
    """
    from . import purge_commands

    if hub and (resume or copies):
        raise click.UsageError("--resume and those about copies are for this machine; a hub finishes by itself")
    meant = None if resume else purge_commands.target(config, session, user, before, everything=everything)
    if hub and meant:
        purge_commands.purge_on(config, hub, meant, dry=options["dry"], yes=options["yes"], as_json=options["as_json"])
        return
    purge_commands.purge(config, meant, copies=copies or "rewrite", **options)
