"""What `forward` does: destinations are files, their state too; the daemon notices."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from telem.sanitize.records import Signal
from telem.storage.disk import Disk, LockedError
from telem.storage.inventory import parquet_files
from telem.storage.journal import segments

from . import control
from .errors import AgentError
from .forward import destinations
from .forward.cursor import BY_ITS_OWNER, Cursor, taking_over
from .forward.destinations import Destination

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telem.storage.layout import Layout

    from .config import Config

SCHEMA = 1
RETRY_WAIT_S = 25.0
"""Longer than a forwarding process stays without work: it must be gone before its destination can be taken over."""


def add(config: Config, name: str, chosen: Mapping[str, Any], *, as_json: bool) -> None:
    """Write a destination's file. With `paused` nothing leaves before `resume`.

    Raises:
        AgentError: there is one of this name.
        DestinationError: it cannot be used, or a file that it names cannot be read.
    """
    layout = config.layout
    if name in destinations.names(layout):
        raise AgentError(
            f"there is a destination {name!r} already", f"Edit {layout.forward / name}.toml, or remove it."
        )
    values = {key: value for key, value in chosen.items() if value not in (None, "", (), False)}
    paused = values.pop("paused", False)
    if values.pop("no_create", False):
        values["create"] = False
    if "signals" in values:
        values["signals"] = tuple(word.strip() for word in values["signals"].split(","))
    if values.get("since") == "now":
        values["since"] = datetime.now(UTC).isoformat(timespec="seconds")
    destination = destinations.check(destinations.located(Destination(name, **values), Path.cwd()))
    destinations.check_files(destination)
    if paused:
        Cursor(layout, Disk(), name).pause(BY_ITS_OWNER)
    path = destinations.write(layout, Disk(), destination)
    if as_json:
        _print({"name": name, "file": str(path)})
        return
    click.echo(f"{name} is a destination now, described in {path}", err=True)
    _say_what_is_missing(layout, destination, paused=paused)


def _say_what_is_missing(layout: Layout, one: Destination, *, paused: bool) -> None:
    if one.kind == "hub" and not (one.token_file or one.token_env or one.header_file):
        click.echo("It has no token, and a hub lets nobody in without: --token-file", err=True)
    if paused:
        click.echo(
            f"Nothing leaves before: telem-agent forward resume {one.name}\n"
            f"What would leave:      telem-agent forward preview {one.name}",
            err=True,
        )
    if control.find(layout) is None:
        click.echo("Nothing is sent until the daemon runs: telem-agent start", err=True)


def show(config: Config, *, as_json: bool) -> None:
    """List the destinations."""
    found = [destinations.read(config.layout, name) for name in destinations.names(config.layout)]
    if as_json:
        _print({"destinations": [asdict(one) for one in found]})
        return
    for one in found:
        click.echo(f"{one.name:16} {one.kind:5} {one.url}  {', '.join(one.signals)}{_limits(one)}")
    if not found:
        click.echo("There is no destination: nothing leaves this machine.", err=True)


def _limits(one: Destination) -> str:
    words = [
        f"since {one.since}" if one.since else "",
        "without content" if one.content == "drop" else "",
        f"only {', '.join(one.attributes_allow)}" if one.attributes_allow else "",
        f"without {', '.join(one.attributes_deny)}" if one.attributes_deny else "",
        f"only {', '.join(one.event_types)}" if one.event_types else "",
        "totals of days only" if one.aggregates_only else "",
    ]
    found = "; ".join(filter(None, words))
    return f"; {found}" if found else ""


def status(config: Config, name: str | None, *, as_json: bool) -> bool:
    """Say how the destinations are; False when one has stopped."""
    layout = config.layout
    chosen = [destinations.read(layout, name).name] if name else destinations.names(layout)
    running = control.find(layout)
    dispatched: dict[str, Any] = {}
    if running:
        dispatched = control.ask(running, layout.token, "GET", "/status").get("forwarding", {})
    found = {one: _state(layout, one) | {"process": dispatched.get(one)} for one in chosen}
    if as_json:
        _print({"running": running is not None, "destinations": found})
    else:
        for one, said in found.items():
            _print_state(one, said)
        if not found:
            click.echo("There is no destination: nothing leaves this machine.", err=True)
        elif running is None:
            click.echo("The daemon does not run, so nothing is sent.", err=True)
    return not any(said["paused"] for said in found.values())


def _state(layout: Layout, name: str) -> dict[str, Any]:
    destination = destinations.read(layout, name)
    cursor = Cursor(layout, Disk(), name)
    state = cursor.state
    behind = sum(_bytes_behind(layout, Signal(one), state.segment.get(one, 1)) for one in destination.signals)
    return {**asdict(state), "paused": cursor.paused, "bytes_behind": behind}


def _bytes_behind(layout: Layout, signal: Signal, segment: int) -> int:
    """Bytes on this disk that hold rows it does not have yet, about: of the last segment some may be there."""
    files = [file for file in parquet_files(layout, signal) if file.last >= segment]
    size = sum(file.path.stat().st_size for file in files)
    for number, path in segments(layout, signal):
        if number > segment and not any(file.first <= number <= file.last for file in files):
            size += path.stat().st_size
    return size


def _print_state(name: str, said: dict[str, Any]) -> None:
    sent = ", ".join(f"{count} {signal}" for signal, count in said["sent"].items()) or "nothing"
    last = f", last at {said['sent_at']}" if said["sent_at"] else ""
    click.echo(f"{name}: {sent} sent{last}")
    if said["paused"]:
        click.secho(f"  STOPPED: {said['paused']}", bold=True)
        click.echo(f"  telem-agent forward resume {name}")
    elif said["error"]:
        click.echo(f"  last failure at {said['error_at']}, the {said['failures']}. in a row: {said['error']}")
    elif (process := said["process"] or {}).get("error"):  # it could not even be noted: a full disk
        click.echo(f"  {process['error']}; again in {process['next_in_s']:.0f} s")
    if said["bytes_behind"]:
        click.echo(f"  about {said['bytes_behind']} bytes to go")
    if said["rejected"]:
        click.echo(f"  {said['rejected']} rows refused; telem-agent forward retry {name}")


def preview(config: Config, name: str, limit: int) -> None:
    """Print requests as they would leave."""
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    from .forward.worker import follower_of

    requests: dict[Signal, Any] = {
        Signal.LOGS: ExportLogsServiceRequest,
        Signal.METRICS: ExportMetricsServiceRequest,
        Signal.TRACES: ExportTraceServiceRequest,
    }
    destination = destinations.read(config.layout, name)
    follower = follower_of(config.layout, destination, None)
    shown = False
    for signal, rows in follower.preview(limit):
        if destination.kind == "clickhouse":
            click.echo(orjson.dumps({"signal": signal.value, "rows": _inserted(follower, signal, rows)}).decode())
            shown = True
            continue
        request = requests[signal].FromString(follower.body(signal, rows))
        click.echo(
            orjson.dumps({"signal": signal.value, "request": MessageToDict(request)}, option=orjson.OPT_INDENT_2)
        )
        shown = True
    if not shown:
        click.echo("There is nothing to send at the moment.", err=True)


def _inserted(follower: Any, signal: Signal, rows: list[Any]) -> list[Any]:
    """What the Parquet files of the inserts hold, by table."""
    import io

    import pyarrow.parquet as pq

    found = []
    for row in rows:
        insert = follower.body(signal, [row])
        (one,) = pq.read_table(io.BytesIO(insert.data)).to_pylist()
        found.append({"table": insert.table, "row": orjson.loads(orjson.dumps(one, default=str))})
    return found


def pause(config: Config, name: str) -> None:
    """Pause a destination."""
    destinations.read(config.layout, name)
    Cursor(config.layout, Disk(), name).pause(BY_ITS_OWNER)
    click.echo(f"{name} is paused; telem-agent forward resume {name}", err=True)


def resume(config: Config, name: str) -> None:
    """Let it go on, at once also if it waits after a failure."""
    destinations.read(config.layout, name)
    Cursor(config.layout, Disk(), name).resume()
    (config.layout.forward / f"{name}.toml").touch()  # as if it had been edited
    click.echo(f"{name} goes on.", err=True)


def remove(config: Config, name: str, *, yes: bool) -> None:
    """Forget a destination."""
    path = config.layout.forward / f"{name}.toml"
    if not path.exists():
        destinations.read(config.layout, name)
    if not yes:
        click.confirm(f"Forget {name} and how far it got? Added again, it begins with all that is stored", abort=True)
    path.unlink()
    _when_nobody_sends(config.layout, name)
    Cursor(config.layout, Disk(), name).remove()
    click.echo(f"{name} is gone; what it has received stays there.", err=True)


def _when_nobody_sends(layout: Layout, name: str) -> None:
    """Its process ends after the request under way, and would note what came of that."""
    end_s = time.monotonic() + RETRY_WAIT_S
    while time.monotonic() < end_s:
        try:
            Disk().lock(layout.cursors / f"{name}.lock").release()
        except LockedError:
            time.sleep(0.1)
        except FileNotFoundError:
            return
        else:
            return


def test(config: Config, name: str, *, as_json: bool) -> bool:
    """Send an empty request for each signal; True when all are taken."""
    from .forward.sender import Verdict
    from .forward.worker import sender_of

    destination = destinations.read(config.layout, name)
    sender = sender_of(config.layout, destination)
    found = {signal: sender.send(Signal(signal), b"") for signal in destination.signals}
    sender.close()
    if as_json:
        answers = {signal: {"verdict": one.verdict.value, "message": one.message} for signal, one in found.items()}
        _print({"name": name, "answers": answers})
    else:
        for signal, one in found.items():
            click.echo(f"{signal:8} {'taken' if one.verdict is Verdict.DELIVERED else one.message}")
    return all(one.verdict is Verdict.DELIVERED for one in found.values())


def retry(config: Config, name: str, *, as_json: bool) -> bool:
    """Send again what was refused; True when nothing is left of it."""
    from .forward.worker import run

    end_s = time.monotonic() + RETRY_WAIT_S
    with taking_over(config.layout, Disk(), name):
        while (said := run(config.layout, name, retry=True, parent=False))["state"] == "busy":
            if time.monotonic() >= end_s:
                break
            time.sleep(0.1)
    left = len(Cursor(config.layout, Disk(), name).rejected())
    if as_json:
        _print({"name": name, "taken": said.get("sent", 0), "left": left, "error": said.get("error")})
    else:
        why = f": {said['error']}" if said.get("error") else ""
        click.echo(f"{said.get('sent', 0)} rows taken, {left} left{why}")
    return left == 0


def _print(said: dict[str, Any]) -> None:
    click.echo(orjson.dumps({"schema": SCHEMA, **said}, option=orjson.OPT_INDENT_2).decode())
