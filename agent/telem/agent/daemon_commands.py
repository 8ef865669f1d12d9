"""The commands around the daemon's life."""

from __future__ import annotations

import os
import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import orjson

from telem.sanitize.records import Profile

from . import control, program
from .config import SETTINGS
from .errors import AgentError
from .version import version

if TYPE_CHECKING:
    from .config import Config

LOG_LIMIT_BYTES = 1024 * 1024
"""Of each of the two files of the daemon's own log."""

FOLLOW_S = 0.5
CATALOG_WAIT_S = 1.0
KIB = 1024
RULES_SHOWN = 8


def start(config: Config) -> None:
    """Start in the background; a second start says that it runs already."""
    running = control.find(config.layout)
    if running:
        click.echo(f"telem-agent runs already (process {running.pid}).", err=True)
        _print_endpoints(running.endpoints, config)
        _warn_if_off(running.profile)
        return
    if _by_service(config, "start"):
        return
    began_s = time.monotonic()
    said = control.start(["run", *as_flags(config)], config.layout)
    click.echo(f"telem-agent started in {time.monotonic() - began_s:.2f} s (process {said['pid']}).", err=True)
    if config.mode == "hub":
        _print_endpoints(said["endpoints"], config)
        click.echo("\nLet somebody in: telem-agent hub member add NAME")
        return
    _await_catalog(config)
    _print_endpoints(said["endpoints"], config)
    _warn_if_off(said["profile"])
    name = program.typed()
    click.echo(f"\nConnect your coding agents:  {name} setup")
    click.echo(f'In one shell, to try it:     eval "$({name} setup --env)"')
    click.echo(f"Start it at every login:     {name} service install")
    click.echo(f"Then ask:                    {name} query cost-analysis")


def restart(config: Config) -> None:
    """Let a new daemon take over from the running one, without a moment in which nobody listens; or start one.

    Raises:
        AgentError: the new one cannot start. The old one goes on.
    """
    if _by_service(config, "restart"):
        return
    running = control.find(config.layout)
    if running is None or not running.handover:  # none, or one of a version that cannot hand over
        stop(config)
        start(config)
        return
    began_s = time.monotonic()
    try:
        said = control.start(["run", *as_flags(config), "--take-over", running.handover], config.layout)
    except AgentError as error:
        raise AgentError(f"{error}\nThe daemon before goes on (process {running.pid}).", error.hint) from error
    took_s = time.monotonic() - began_s
    click.echo(f"telem-agent restarted in {took_s:.2f} s (process {said['pid']} after {running.pid}).", err=True)
    _print_endpoints(said["endpoints"], config)
    _warn_if_off(said["profile"])


def _by_service(config: Config, verb: str) -> bool:
    """Leave it to the service manager that looks after the daemon, if one does."""
    if not config.layout.service.exists():
        return False
    from .service.commands import by_service

    return by_service(config, verb)


def _warn_if_off(profile: str) -> None:
    if profile == Profile.OFF:
        from .policies import OFF_WARNING

        click.secho(f"\n  {OFF_WARNING}", bold=True)


def _await_catalog(config: Config) -> None:
    """Give the first catalog a moment: it is written in the background, and the user's next word may be `duckdb`."""
    end_s = time.monotonic() + CATALOG_WAIT_S
    while not config.layout.script.exists() and time.monotonic() < end_s:
        time.sleep(0.02)


def as_flags(config: Config) -> list[str]:
    """The settings in force as flags, so that the child does not depend on this shell's environment."""
    flags = []
    for setting in SETTINGS:
        value = getattr(config, setting.name)
        flags += [setting.flag, ",".join(value) if isinstance(value, tuple) else str(value)]
    return flags


def _print_endpoints(endpoints: dict[str, str], config: Config) -> None:
    if "hub" in endpoints:
        click.echo(f"  hub        {endpoints['hub']}")
        click.echo(f"  data       {config.home}")
        return
    click.echo(f"  OTLP/HTTP  {endpoints.get('otlp_http', '?')}")
    click.echo(f"  OTLP/gRPC  {endpoints.get('otlp_grpc', '?')}")
    click.echo(f"  status     {endpoints.get('query', '?')}")
    click.echo(f"  data       {config.home}")


def run(config: Config, ready_fd: int | None, take_over_from: str = "", parent_fd: int | None = None) -> None:
    """Run in the foreground until a signal comes, or another daemon takes over."""
    import asyncio

    def on_ready(said: dict[str, Any]) -> None:
        if ready_fd is None:
            _print_endpoints(said["endpoints"], config)
            _warn_if_off(said["profile"])
            return
        os.write(ready_fd, orjson.dumps(said) + b"\n")
        os.close(ready_fd)

    os.umask(0o077)
    _log_to(config, to_stderr=ready_fd is None)
    if config.mode == "hub":
        from .hub.hub import Hub

        asyncio.run(_run_daemon(Hub(config, on_ready), parent_fd))
    else:
        from .daemon import Daemon

        asyncio.run(_run_daemon(Daemon(config, on_ready, take_over_from), parent_fd))


async def _run_daemon(daemon: Any, parent_fd: int | None) -> None:
    if parent_fd is not None:
        import asyncio

        loop = asyncio.get_running_loop()

        def look() -> None:
            if os.read(parent_fd, 64) == b"":
                loop.remove_reader(parent_fd)
                daemon.stop()

        loop.add_reader(parent_fd, look)
    await daemon.run()


def _log_to(config: Config, *, to_stderr: bool) -> None:
    import logging
    from logging.handlers import RotatingFileHandler

    config.layout.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    handlers: list[logging.Handler] = [
        RotatingFileHandler(
            config.layout.logs / "daemon.log", maxBytes=LOG_LIMIT_BYTES, backupCount=1, encoding="utf-8"
        )
    ]
    if to_stderr:
        handlers.append(logging.StreamHandler())
    logging.Formatter.converter = time.gmtime
    logging.raiseExceptions = False  # a full disk's errors would go to standard error, and wait there for a reader
    logging.basicConfig(
        level=config.log_level.upper(),
        handlers=handlers,
        format="%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )


def stop(config: Config) -> None:
    """Stop; that none runs is no failure."""
    if control.find(config.layout) and _by_service(config, "stop"):
        return
    pid = control.stop(config.layout)
    click.echo(f"telem-agent stopped (process {pid})." if pid else "telem-agent does not run.", err=True)


def status(config: Config, as_json: bool) -> bool:
    """Print what the daemon says of itself; returns whether one runs."""
    running = control.find(config.layout)
    if running is None:
        if as_json:
            click.echo(orjson.dumps({"schema": 1, "running": False, "home": str(config.home)}).decode())
        else:
            click.echo(f"telem-agent does not run (data: {config.home}). Start it: telem-agent start")
        return False
    said = {"running": True, **control.ask(running, config.layout.token, "GET", "/status")}
    if as_json:
        click.echo(orjson.dumps(said, option=orjson.OPT_INDENT_2).decode())
    elif said.get("hub"):
        from . import hub_commands

        hub_commands.print_status(said)
    else:
        _print_status(said, config)
    return True


def _print_status(said: dict[str, Any], config: Config) -> None:
    up = datetime.fromtimestamp(said["started_at_s"], UTC)
    click.echo(f"telem-agent {version()} runs (process {said['pid']}), up since {up:%Y-%m-%d %H:%M:%S} UTC")
    _print_endpoints(said["endpoints"], config)
    click.echo(
        f"\n  {'signal':8} {'records':>10} {'requests':>9} {'retried':>8} {'refused':>8} "
        f"{'journal':>10} {'Parquet':>10}  last record"
    )
    for name, signal in said["signals"].items():
        last = signal["last_record_at_s"]
        when = f"{datetime.fromtimestamp(last, UTC):%H:%M:%S} UTC" if last else "-"
        click.echo(
            f"  {name:8} {signal['records']:10} {signal['requests']:9} {signal['retried']:8} {signal['refused']:8} "
            f"{_bytes(signal['journal_bytes']):>10} {_bytes(signal['parquet_bytes']):>10}  {when}"
        )
    for what, count in said["misdialled"].items():
        click.echo(f"\n  {count} connections spoke {what}; they are served, but give that client the other port")
    for message in said["recovery"]:
        click.echo(f"\n  recovery: {message}")
    for message in said["quarantine"]["messages"]:
        click.echo(f"\n  DAMAGED: {message}")
    if said["quarantine"]["files"]:
        click.echo(
            f"\n  quarantine: {said['quarantine']['files']} files, {_bytes(said['quarantine']['bytes'])}; "
            "what could not be read was put there"
        )
    for standing in said.get("budgets", []):
        click.echo(
            f"\n  budget:    {standing['percent']:.0f} % of {standing['name']} used, "
            f"${standing['spent_usd']:,.2f} since {standing['period_start']}"
        )
    _print_sanitizer(said["sanitizer"])
    _print_forwarding(said.get("forwarding", {}))
    _print_retention(said["retention"])
    if dropped := {rule: sum(events.values()) for rule, events in said["dropped"].items()}:
        shown = ", ".join(f"{rule} {count}" for rule, count in dropped.items())
        click.echo(f"  left out:  {sum(dropped.values())} records on purpose: {shown}")
    click.echo(f"  versions:  {', '.join(f'{name} {version}' for name, version in said['versions'].items())}")


def _print_forwarding(said: dict[str, Any]) -> None:
    for name, found in said.items():
        if found["state"] == "paused":
            click.secho(f"\n  FORWARDING TO {name} HAS STOPPED: {found['error']}", bold=True)
            click.echo(f"  mend it, then: telem-agent forward resume {name}")
        elif found["state"] in ("later", "busy"):
            click.echo(f"\n  forwarding to {name}: {found['error']}; again in {found['next_in_s']:.0f} s")


def _print_sanitizer(said: dict[str, Any]) -> None:
    _warn_if_off(said["profile"])
    if said["policy_error"]:
        click.secho("\n  THE POLICY WAS CHANGED AND CANNOT BE USED; the one before stays in force:", bold=True)
        click.echo(f"  {said['policy_error']}")
    where = f" with {said['policy_file']}" if said["policy_file"] else ""
    click.echo(f"\n  sanitizer: profile {said['profile']}{where}, engine {said['engine']}")
    if said["engine_is_fallback"]:
        click.echo("             google-re2 is not here: the same answers, several times slower")
    counts = Counter(said["redactions"])
    shown = ", ".join(f"{rule} {count}" for rule, count in counts.most_common(RULES_SHOWN))
    more = f" and {len(counts) - RULES_SHOWN} rules more" if len(counts) > RULES_SHOWN else ""
    click.echo(f"             {counts.total()} redactions{f': {shown}{more}' if counts else ''}")
    if said["errors"]:
        where = ", ".join(f"{name} {count}" for name, count in said["errors_by_attribute"].items())
        click.echo(f"             {said['errors']} values replaced because of an error: {where}")


def _print_retention(said: dict[str, Any]) -> None:
    limit = f" of {said['size_limit_bytes'] / 1e9:.0f} GB" if said["size_limit_bytes"] else ""
    listed = said["due"] or said["next"]
    what = "due now" if said["due"] else "within a week, or next"
    goes = f"; {what}: {', '.join(sorted({day['day'] for day in listed})[:3])}" if listed else ""
    click.echo(f"  retention: {_bytes(said['size_bytes'])}{limit}{goes}")
    if said["error"]:
        click.secho(f"             {said['error']}", bold=True)


def _bytes(number: int) -> str:
    size = float(number)
    for unit in ("B", "KiB", "MiB"):
        if size < KIB:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= KIB
    return f"{size:.1f} GiB"


def logs(config: Config, lines: int, follow: bool) -> None:
    """Print the end of the daemon's log, and what is added to it."""
    path = config.layout.logs / "daemon.log"
    if not path.exists():
        click.echo(f"there is no log yet at {path}", err=True)
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        found = file.readlines()
        for line in found[max(0, len(found) - lines) :]:
            click.echo(line, nl=False)
        while follow:
            if line := file.readline():
                click.echo(line, nl=False)
            else:
                time.sleep(FOLLOW_S)


def compact(config: Config) -> None:
    """Ask the daemon to make its journal into Parquet."""
    running = control.find(config.layout)
    if running is None:
        click.echo(
            "telem-agent does not run; the journal becomes Parquet when it does, and is read as it is until then.",
            err=True,
        )
        return
    said = control.ask(running, config.layout.token, "POST", "/compact")
    left = sum(said["waiting"].values())
    click.echo(
        "done" if not left else f"{left} segments could not be made into Parquet; see telem-agent logs", err=True
    )
