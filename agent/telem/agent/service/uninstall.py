"""`telem-agent uninstall`: take back what was set up outside of the data folder; the data only when told."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import click

from telem.agent import control
from telem.agent.errors import AgentError
from telem.agent.setup.commands import How, leftovers, take_back
from telem.agent.setup.record import records
from telem.sanitize.records import Signal
from telem.storage.inventory import sizes

from . import commands, managers
from .upgrade import removal

if TYPE_CHECKING:
    from telem.agent.config import Config
    from telem.storage.layout import Layout

MIB = 1 << 20


def uninstall(config: Config, *, data: bool, dry: bool, yes: bool) -> bool:
    """Undo the clients' settings and the service, stop the daemon, say where the data is; remove it if told.

    Returns whether all of it went.

    Raises:
        AgentError: there is nobody to ask, or the folder is not one of ours.
    """
    _check(config, data=data)
    _say(config, data=data)
    if dry:
        return True
    _ask(config, data=data, yes=yes)
    clean = take_back(config, [], How(yes=True))
    if managers.manager().is_installed():
        commands.uninstall(config)
    control.stop(config.layout)
    if data and clean:
        shutil.rmtree(config.home)
        click.echo(f"{config.home} is gone.", err=True)
    elif config.home.exists():
        click.echo(f"Your data is still in {config.home}; telem-agent uninstall --data removes it.", err=True)
    click.echo(f"The program itself: {removal()}", err=True)
    return clean


def _check(config: Config, *, data: bool) -> None:
    """Nothing is removed that does not look like a data folder."""
    ours = {"LOCK", "key", "journal", "parquet", "setup", "logs", "token"}
    if data and config.home.exists() and not ours & {path.name for path in config.home.iterdir()}:
        raise AgentError(f"{config.home} does not look like a data folder, so it is not removed", "Check --home.")


def _say(config: Config, *, data: bool) -> None:
    undone = records(config.layout) or leftovers(())
    steps = [f"take back: {one.path} ({one.client})" for one in undone]
    chosen = managers.manager()
    if chosen.is_installed():
        steps.append(f"remove the service: {chosen.path}")
    if running := control.find(config.layout):
        steps.append(f"stop the daemon: process {running.pid}")
    for step in steps or ["nothing to take back: no client's settings, no service, no daemon"]:
        click.echo(step, err=True)
    if data and config.home.exists():
        click.echo(
            f"REMOVE ALL DATA: {config.home} ({_size(config.layout) / MIB:.1f} MiB of telemetry, the key)", err=True
        )


def _size(layout: Layout) -> int:
    total = 0
    for signal in Signal:
        if layout.journal(signal).is_dir():
            found = sizes(layout, signal)
            total += found.journal_bytes + found.parquet_bytes
    return total


def _ask(config: Config, *, data: bool, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise AgentError("nobody is here to ask, so nothing was removed", "Say it with --yes, or look with --dry-run.")
    click.confirm("Do this?", abort=True, err=True)
    if data:
        click.confirm(f"Really remove {config.home} for good?", abort=True, err=True)
