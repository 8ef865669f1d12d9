"""The commands around asking: tokens for programs, and the log of who asked what."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from telem.storage import access
from telem.storage.disk import Disk

from . import control, tokens

if TYPE_CHECKING:
    from .config import Config

AUDIT_SCHEMA = 1
_SHOWN = ("time", "caller", "via", "outcome", "rows", "elapsed_ms", "statement")
_STATEMENT_CHARS = 80


def show_token(config: Config, as_json: bool) -> None:
    """Say where the owner's token is and how to use it; print it, and it alone, on standard output."""
    from telem.storage.keys import load_token

    disk = Disk()
    disk.directory(config.layout.home)
    token = load_token(config.layout, disk)
    if as_json:
        click.echo(json.dumps({"schema": 1, "token": token, "file": str(config.layout.token)}))
        return
    running = control.find(config.layout)
    endpoint = (running.endpoints if running else {}).get("query", f"http://127.0.0.1:{config.query_port}")
    click.echo(token)
    click.echo(
        f"\nIt stands in {config.layout.token}; whoever knows it can read all telemetry. In a script:\n\n"
        f'  curl -H "Authorization: Bearer $(telem-agent token)" "{endpoint}/?query=SELECT+1"\n\n'
        "Programs get a token of their own: telem-agent token create NAME",
        err=True,
    )


def create_token(config: Config, name: str) -> None:
    """Print a new token for a program."""
    disk = Disk()
    disk.directory(config.layout.home)
    click.echo(tokens.create(config.layout, disk, name))
    click.echo(f"{name} may ask questions with it, and no more. It is not shown again.", err=True)


def list_tokens(config: Config, as_json: bool) -> None:
    """Print the names of the tokens of programs."""
    found = {name: entry["made"] for name, entry in tokens.read(config.layout).items()}
    if as_json:
        click.echo(json.dumps({"schema": 1, "tokens": [{"name": name, "made": day} for name, day in found.items()]}))
        return
    for name, day in found.items():
        click.echo(f"{name}  made {day}")
    if not found:
        click.echo("There are none; telem-agent token create NAME makes one.", err=True)


def revoke_token(config: Config, name: str) -> None:
    """Forget a program's token."""
    tokens.revoke(config.layout, Disk(), name)
    click.echo(f"{name} can no longer ask.", err=True)


def rotate_token(config: Config) -> None:
    """Make another owner's token."""
    tokens.rotate(config.layout, Disk())
    click.echo("There is a new token: telem-agent token", err=True)


def show(config: Config, count: int, as_json: bool) -> None:
    """Print the last questions."""
    entries = [said for _, _, said in access.lines(config.layout) if said is not None][-count:]
    if as_json:
        click.echo(json.dumps({"schema": AUDIT_SCHEMA, "entries": entries}, ensure_ascii=False))
        return
    from telem.queries.render import render
    from telem.queries.table import ColumnInfo, Table

    kinds = {"rows": "BIGINT", "elapsed_ms": "DOUBLE"}
    columns = tuple(ColumnInfo(name, kinds.get(name, "VARCHAR")) for name in _SHOWN)
    rows = tuple(tuple(entry.get(name) for name in _SHOWN) for entry in entries)
    click.echo(render(Table(columns, rows)), nl=False)
    if not rows:
        click.echo("Nobody has asked anything yet.", err=True)


def verify(config: Config, as_json: bool) -> None:
    """Walk through the log's chain; exit status 1 when it is broken."""
    report = access.verify(config.layout)
    if as_json:
        said = {"schema": AUDIT_SCHEMA, "lines": report.lines, "first": report.first, "last": report.last}
        click.echo(json.dumps(said | {"problems": report.problems}))
    else:
        for problem in report.problems:
            click.echo(f"telem-agent: {problem}", err=True)
        state = "is broken" if report.problems else "is whole"
        click.echo(f"{report.lines} lines, {report.first} to {report.last}; the chain {state}.")
    if report.problems:
        sys.exit(1)
