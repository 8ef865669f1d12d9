"""`telem-agent service`, and what `start`, `stop` and `restart` do when there is one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
import orjson

from telem.agent import control, program
from telem.agent.config import SETTINGS, load
from telem.agent.errors import AgentError
from telem.storage.disk import Disk

from . import managers

if TYPE_CHECKING:
    from telem.agent.config import Config

SCHEMA = 1


def install(config: Config, *, dry: bool) -> None:
    """Start the daemon at every login from now on, and now.

    Raises:
        AgentError: there is a service for another data folder, or the manager refuses.
    """
    chosen = managers.manager()
    what = chosen.text(program.path(), config.home)
    if dry:
        click.echo(what.decode(), nl=False)
        click.echo(f"{chosen.name} would read this from {chosen.path}", err=True)
        return
    other = _other_home(chosen, config)
    if other:
        raise AgentError(
            f"{chosen.path} is for the data folder {other}", "Remove it first: telem-agent service uninstall"
        )
    for name in _only_here(config):
        text = f"{name} is set by this shell only; the service reads {config.layout.config}, so put it there"
        click.secho(text, bold=True, err=True)
    if chosen.supervises:
        control.stop(config.layout)  # one that was started by hand; the manager starts its own
    chosen.install(program.path(), config.home)
    Disk().directory(config.home)
    said = {"manager": chosen.name, "file": str(chosen.path), "program": program.path()}
    Disk().write(config.layout.service, json.dumps(said).encode())
    if not chosen.supervises and control.find(config.layout) is None:
        from telem.agent.daemon_commands import start

        start(config)
    click.echo(f"{chosen.name} starts telem-agent at login from now on: {chosen.path}", err=True)
    for hint in chosen.hints():
        click.echo(f"  {hint}", err=True)


def _only_here(config: Config) -> list[str]:
    """Settings that come from this shell's environment, which a service does not have."""
    plain = load({"home": str(config.home)}, {})
    return [setting.name for setting in SETTINGS if getattr(plain, setting.name) != getattr(config, setting.name)]


def _other_home(chosen: managers.Manager, config: Config) -> str:
    """The data folder of a service that is there already, if it is another one."""
    if not chosen.is_installed() or config.layout.service.exists():
        return ""
    text = chosen.path.read_text(encoding="utf-8", errors="replace")
    return "" if str(config.home) in text else "of another installation"


def uninstall(config: Config) -> bool:
    """Do not start it at login any more; returns whether there was a service. The daemon ends with it."""
    chosen = managers.manager()
    there = chosen.is_installed()
    if there:
        chosen.uninstall()
        click.echo(f"{chosen.path}: {chosen.name} does not start telem-agent any more", err=True)
    else:
        click.echo("There is no service.", err=True)
    config.layout.service.unlink(missing_ok=True)
    return there


def status(config: Config, *, as_json: bool) -> bool:
    """Say what the manager says; returns whether the service is installed."""
    chosen = managers.manager()
    there = chosen.is_installed()
    running = control.find(config.layout)
    said: dict[str, Any] = {
        "schema": SCHEMA,
        "manager": chosen.name,
        "installed": there,
        "state": chosen.state() if there else "not installed",
        "file": str(chosen.path),
        "restarts": chosen.supervises,
        "pid": running.pid if running else None,
    }
    if as_json:
        click.echo(orjson.dumps(said, option=orjson.OPT_INDENT_2).decode())
        return there
    click.echo(f"{chosen.name}: {said['state']} ({chosen.path})")
    click.echo(f"daemon: {'process ' + str(running.pid) if running else 'does not run'}")
    for hint in chosen.hints() if there else ["Install it: telem-agent service install"]:
        click.echo(f"  {hint}", err=True)
    return there


def by_service(config: Config, verb: str) -> bool:
    """Let the manager start, stop or restart the daemon if it looks after it; returns whether it does.

    A daemon that was started beside its service would not be looked after, and one that was handed over to would be
    ended with the service.
    """
    if not config.layout.service.exists():
        return False
    chosen = managers.manager()
    if not chosen.supervises or not chosen.is_installed():
        return False
    chosen.act(verb)
    click.echo(f"{chosen.name}: {verb} of telem-agent", err=True)
    return True
