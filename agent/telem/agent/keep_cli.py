"""Declarations of the commands that take data out of the folder and into it: backup, restore, import, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .flags import with_settings

if TYPE_CHECKING:
    from .config import Config

FORMATS = ("parquet", "csv", "jsonl")
SIGNALS = ("logs", "metrics", "traces")

_as_json = click.option("--json", "as_json", is_flag=True, help="As JSON, with a schema version.")


@click.command()
@with_settings()
@click.argument("file")
@click.option("--with-key", is_flag=True, help="With the key: who has the backup can then test names against it.")
@_as_json
def backup(config: Config, file: str, with_key: bool, as_json: bool) -> None:
    """Write everything into FILE (- is standard output), while the daemon runs: a tar, compressed with zstd.

    Left out are the key, unless asked for, and what is made anew: the token, the catalog, the daemon's own log.
    Without the key it is of no use for testing whether a known person's rows are in it; but a folder restored from it
    gets a new key, and then everybody has another stand-in than before.
    """
    from . import backup_commands

    backup_commands.backup(config, file, with_key=with_key, as_json=as_json)


@click.command()
@with_settings()
@click.argument("file")
@click.option("--key", type=click.Path(path_type=Path), help="Use this key file, for a backup made without the key.")
@click.option(
    "--purged-in",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="HOME",
    help="Leave out what was purged in this data folder too; the usual one, and those beside the new one, are known.",
)
@click.option("--dry-run", "dry", is_flag=True, help="Read and check all of it, list what it holds, write nothing.")
@_as_json
def restore(config: Config, file: str, key: Path | None, purged_in: tuple[Path, ...], dry: bool, as_json: bool) -> None:
    """Make a data folder from a backup (- is standard input). The folder must not exist or be empty.

    What was purged since the backup was made stays out, as far as the folders are known in which it was.
    """
    from . import backup_commands

    if dry:
        backup_commands.list_backup(file, as_json=as_json)
    else:
        backup_commands.restore(config, file, key, purged_in, as_json=as_json)


@click.command("import-archive")
@with_settings()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--map-user",
    "users",
    multiple=True,
    metavar="THEIRS=OURS",
    help="Write our stand-in where theirs was, as in email:…=email:…; repeatable.",
)
@click.option("--dry-run", "dry", is_flag=True, help="Say how many rows would be added, and add none.")
@_as_json
def import_archive(config: Config, file: Path, users: tuple[str, ...], dry: bool, as_json: bool) -> None:
    """Add the rows of another machine's backup to this folder. Rows that are here already are skipped.

    The other machine has a key of its own, so the same person has another stand-in there: people, hosts and
    organizations of both do not join, unless --map-user says who is who. Of days whose rows that machine has given up,
    the sums are added, each day once. Settings, rules and counts of the sanitizer are not imported.
    """
    from .workers import give_memory_back

    give_memory_back()
    from . import backup_commands

    backup_commands.import_archive(config, file, users, dry=dry, as_json=as_json)


@click.command()
@with_settings()
@click.argument("file", default="-")
@click.option("--since", help="Only what happened since then: 7d, 12h, 2026-01-31.")
@click.option("--until", help="Only what happened before then.")
@click.option("--signal", type=click.Choice(SIGNALS), help="Its table: events, metrics or spans.  [default: logs]")
@click.option("--table", help="Any other table, such as api_requests, daily_metrics or otel_logs.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="How; a guess from FILE's name without it.")
@click.option("--ddl", is_flag=True, help="Print the table that a CSV export fits into, for PostgreSQL, and no rows.")
@_as_json
def export(config: Config, file: str, ddl: bool, as_json: bool, **chosen: str | None) -> None:
    """Write rows of a table into FILE (- is standard output) for other programs. `.gz` and `.zst` compress text."""
    from . import export_commands

    if chosen["signal"] and chosen["table"]:
        raise click.UsageError("give --signal or --table, not both")
    if ddl:
        export_commands.ddl(chosen)
    else:
        export_commands.export(config, file, chosen, as_json=as_json)
