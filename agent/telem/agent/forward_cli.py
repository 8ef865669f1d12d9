"""Declarations of `forward`: where rows may go, and what of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from .flags import with_settings

if TYPE_CHECKING:
    from .config import Config

_as_json = click.option("--json", "as_json", is_flag=True, help="As JSON, with a schema version.")


@click.group()
def forward() -> None:
    """Send stored rows on: to a hub, or to any backend that takes OTLP. Nothing leaves without a destination."""


@forward.command()
@with_settings()
@click.argument("name")
@click.option("--url", required=True, help="Where to; https, or http on this machine. /v1/logs and so on is added.")
@click.option(
    "--kind",
    type=click.Choice(["hub", "otlp", "clickhouse"]),
    default="hub",
    show_default=True,
    help="hub is another telem-agent; otlp any other receiver of OTLP; clickhouse a ClickHouse over HTTP.",
)
@click.option("--signals", help="Which, with commas: logs,metrics,traces.  [default: all]")
@click.option("--since", help="Only what happened since then: 2026-01-31, or now.  [default: all that is stored]")
@click.option("--token-file", help="File that holds the bearer token.")
@click.option("--token-env", help="Environment variable of the daemon that holds it.")
@click.option("--header-file", help="File with further headers, `Name: value` a line.")
@click.option("--ca-file", help="PEM file of the authority to trust instead of the system's.")
@click.option("--cert-file", help="PEM file of a client certificate.")
@click.option("--cert-key-file", help="PEM file of its key, if it stands apart.")
@click.option("--insecure", is_flag=True, help="Allow plain http to another machine.")
@click.option(
    "--temporality",
    type=click.Choice(["stored", "cumulative"]),
    default="stored",
    help="cumulative makes running totals of metrics' increments, as Prometheus wants them.",
)
@click.option(
    "--content", type=click.Choice(["keep", "drop"]), default="keep", help="drop leaves out prompts and such."
)
@click.option(
    "--allow", "attributes_allow", multiple=True, help="Only this attribute leaves (* is anything); repeatable."
)
@click.option("--deny", "attributes_deny", multiple=True, help="This attribute does not leave; repeatable.")
@click.option("--event-type", "event_types", multiple=True, help="Only log records of this type or name; repeatable.")
@click.option("--database", help="ClickHouse: the database.  [default: telemetry]")
@click.option("--user", help="ClickHouse: the user.  [default: default]")
@click.option("--password-file", help="ClickHouse: file that holds the user's password.")
@click.option("--no-create", is_flag=True, help="ClickHouse: do not make tables that are missing.")
@click.option("--aggregates-only", is_flag=True, help="Only totals of finished days leave, never a row.")
@click.option("--paused", is_flag=True, help="Nothing leaves before `resume`, so that `preview` can be read first.")
@_as_json
def add(config: Config, name: str, as_json: bool, **chosen: Any) -> None:
    """Add a destination. It begins with what is stored, unless --since says otherwise; `preview` shows it first."""
    from . import forward_commands

    forward_commands.add(config, name, chosen, as_json=as_json)


@forward.command("list")
@with_settings()
@_as_json
def list_(config: Config, as_json: bool) -> None:
    """List the destinations and what may leave for each."""
    from . import forward_commands

    forward_commands.show(config, as_json=as_json)


@forward.command()
@with_settings()
@click.argument("name", required=False)
@_as_json
def status(config: Config, name: str | None, as_json: bool) -> None:
    """Say how far each destination has got. Exit status 1 when one has stopped."""
    from . import forward_commands

    if not forward_commands.status(config, name, as_json=as_json):
        sys.exit(1)


@forward.command()
@with_settings()
@click.argument("name")
@click.option("-n", "--rows", default=3, show_default=True, help="How many rows of each signal.")
def preview(config: Config, name: str, rows: int) -> None:
    """Print the next requests as they would leave, as JSON; nothing is sent."""
    from . import forward_commands

    forward_commands.preview(config, name, rows)


@forward.command()
@with_settings()
@click.argument("name")
def pause(config: Config, name: str) -> None:
    """Send nothing more, until `resume`."""
    from . import forward_commands

    forward_commands.pause(config, name)


@forward.command()
@with_settings()
@click.argument("name")
def resume(config: Config, name: str) -> None:
    """Go on where it stopped, at once."""
    from . import forward_commands

    forward_commands.resume(config, name)


@forward.command()
@with_settings()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(config: Config, name: str, yes: bool) -> None:
    """Forget a destination and how far it got. What it has received stays there."""
    from . import forward_commands

    forward_commands.remove(config, name, yes=yes)


@forward.command()
@with_settings()
@click.argument("name")
@_as_json
def test(config: Config, name: str, as_json: bool) -> None:
    """Send a request without records, and say what the destination answers."""
    from . import forward_commands

    if not forward_commands.test(config, name, as_json=as_json):
        sys.exit(1)


@forward.command()
@with_settings()
@click.argument("name")
@_as_json
def retry(config: Config, name: str, as_json: bool) -> None:
    """Send once more the rows that the destination refused."""
    from . import forward_commands

    if not forward_commands.retry(config, name, as_json=as_json):
        sys.exit(1)
