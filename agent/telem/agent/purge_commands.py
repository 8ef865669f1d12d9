"""`telem-agent purge`: take out what was stored of a session, a person or a time, for good."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date
from http.client import OK
from typing import TYPE_CHECKING, Any

import click
import orjson

from telem.queries.commands import ask
from telem.sanitize.pseudonym import Pseudonyms, is_stand_in
from telem.sanitize.records import Signal
from telem.sanitize.tombs import SESSION, USER
from telem.storage import copies as copied
from telem.storage import intent, spare
from telem.storage.disk import Disk
from telem.storage.intent import ALL, BEFORE, REWRITE, Target, target_of
from telem.storage.keys import load_key, read_key

from . import control, copy_words
from .bar import with_bar
from .errors import AgentError
from .purging import finished, purge_without_daemon
from .workers import WorkerError

if TYPE_CHECKING:
    from telem.storage.layout import Layout

    from .config import Config
    from .forward.destinations import Destination

SCHEMA = 1
PURGE_TIMEOUT_S = 700.0
"""A hub gives its command ten minutes."""

DONE = ("rows", "rollup_rows", "files", "segments", "quarantined", "copies", "receipt")


def target(config: Config, session: str, user: str, before: str, *, everything: bool) -> Target:
    """What is meant. An e-mail address becomes its stand-in here, and is kept nowhere.

    Raises:
        UsageError: none or several of them, or a value that cannot be one.
    """
    session, user, before = session.strip(), user.strip(), before.strip()
    given = [kind for kind, value in ((SESSION, session), (USER, user), (BEFORE, before), (ALL, everything)) if value]
    if len(given) != 1:
        raise click.UsageError("give one of --session, --user, --before and --all")
    if user:
        return target_of(USER, _stand_in(config, user))
    if before:
        try:
            return target_of(BEFORE, date.fromisoformat(before).isoformat())
        except ValueError as error:
            raise click.UsageError(f"--before takes a day such as 2026-01-31, not {before!r}") from error
    return target_of(given[0], session)


def _stand_in(config: Config, user: str) -> str:
    if is_stand_in(user):
        return user
    key = read_key(config.layout)
    if key is None:
        raise AgentError(f"{config.home} has no key, so nobody's stand-in is known", "Give the stand-in itself")
    if "@" not in user:
        raise click.UsageError("--user takes an e-mail address or a stand-in; telem-agent identity shows yours")
    return Pseudonyms(key).of("email", user)


def purge(config: Config, meant: Target | None, *, dry: bool, yes: bool, as_json: bool, copies: str = REWRITE) -> None:
    """Say what would go, ask, and take it out. Without a target, finish what was interrupted.

    Args:
        copies: what becomes of backups and exports: `rewrite`, `delete` or `leave`.

    Raises:
        AgentError: it did not finish; it goes on at the next start, or when asked to.
    """
    layout = config.layout
    resuming = meant is None
    meant = replace(meant, copies=copies) if meant else intent.noted(layout)
    if meant is None:
        click.echo("no purge is unfinished", err=True)
        return
    found = _count(config, meant)
    there = copied.look(layout, Disk(), meant) if dry else copied.known(layout)
    said: dict[str, Any] = {"schema": SCHEMA, "kind": meant.kind, "dry_run": dry, **found}
    said["copies"] = [copy.said() for copy in there]
    if not as_json:
        _tell(found)
        copy_words.tell(there, meant.copies, before=not dry)
    if not dry:
        if not yes and not resuming:
            click.confirm("Take this out for good?", abort=True, err=True)
        spare.give(layout)
        intent.note(layout, Disk(), meant)
        done = _do(config, show=not as_json)
        said |= {name: done.get(name) for name in DONE}
        if not as_json:
            _tell_done(layout, done)
    if as_json:
        click.echo(orjson.dumps(said, option=orjson.OPT_INDENT_2).decode())
    if left := [
        copy for copy in said["copies"] if not dry and copy["done"] == copied.LEFT and copy["why"] != copied.AS_SAID
    ]:
        raise AgentError(
            f"copies that may still hold such rows, as said above: {len(left)}",
            "Mend what kept them from being rewritten, or delete them (--delete-copies), and purge the same once more",
        )


def _tell_done(layout: Layout, done: dict[str, Any]) -> None:
    total = sum(done["rows"].values()) if done.get("rows") else 0
    click.echo(f"{total} rows and {done.get('rollup_rows', 0)} sums taken out; receipt: {done['receipt']}", err=True)
    copy_words.tell_done(done.get("copies") or [])
    _tell_of_others(layout)


def _tell_of_others(layout: Layout) -> None:
    """What left this machine before is still where it went."""
    from .forward import destinations

    for name in destinations.names(layout):
        click.echo(f"{name} may hold such rows too; the same purge with --on {name} takes them out there.", err=True)


def purge_on(config: Config, name: str, meant: Target, *, dry: bool, yes: bool, as_json: bool) -> None:
    """Have a hub or a ClickHouse take it out of what it holds of this member. What is stored here stays.

    Raises:
        AgentError: it cannot be asked, or did not finish.
    """
    from . import remote
    from .forward import destinations

    if name in destinations.names(config.layout):
        destination = destinations.read(config.layout, name)
        if destination.kind == "clickhouse":
            _purge_in_clickhouse(config, destination, meant, dry=dry, yes=yes, as_json=as_json)
            return
    destination = remote.hub(config.layout, name)
    found = _asked_to_purge(destination, meant, dry=True)
    rows = ", ".join(f"{count} of {signal}" for signal, count in found["found"].items())
    if not as_json:
        click.echo(f"On {destination.url}: {rows}; {found['sessions']} sessions in the totals.", err=True)
    if not dry:
        if not yes:
            click.confirm("Take this out there for good?", abort=True, err=True)
        found = _asked_to_purge(destination, meant, dry=False)
        if not as_json:
            total = sum((found.get("rows") or {}).values())
            click.echo(f"{total} rows taken out there; here nothing was changed.", err=True)
    if as_json:
        click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())


def _purge_in_clickhouse(
    config: Config, destination: Destination, meant: Target, *, dry: bool, yes: bool, as_json: bool
) -> None:
    from telem.storage.purge import receipt

    from .forward import clickhouse_purge

    rows = clickhouse_purge.purge(destination, meant, dry=True)
    said: dict[str, Any] = {"schema": SCHEMA, "kind": meant.kind, "on": destination.name, "dry_run": dry, "rows": rows}
    if not as_json:
        words = ", ".join(f"{count} of {table}" for table, count in rows.items()) or "none of our tables"
        click.echo(f"On {destination.url}: {words}.", err=True)
    if not dry:
        if not yes:
            click.confirm("Take this out there for good?", abort=True, err=True)
        said["rows"] = clickhouse_purge.purge(destination, meant, dry=False)
        noted = {"on": destination.name, "rows": said["rows"]}
        said["receipt"] = str(receipt(config.layout, Disk(), meant, noted, "", here=False))
        if not as_json:
            click.echo(f"{sum(said['rows'].values())} rows taken out there; here nothing was changed.", err=True)
    if as_json:
        click.echo(orjson.dumps(said, option=orjson.OPT_INDENT_2).decode())


def _asked_to_purge(destination: Destination, meant: Target, *, dry: bool) -> dict[str, Any]:
    from . import remote

    wanted = orjson.dumps({"kind": meant.kind, "value": meant.value, "dry_run": dry})
    with remote.asked(destination, "POST", "/purge", wanted, PURGE_TIMEOUT_S) as response:
        said = response.read()
        if response.status != OK:
            text = said.decode("utf-8", "replace").strip()
            raise AgentError(f"{destination.url} answered {response.status}: {text}")
    return dict(orjson.loads(said))


def _count(config: Config, meant: Target) -> dict[str, Any]:
    """Rows by signal, other stand-ins that stand beside a user's, and what goes of damaged pieces."""
    from telem.storage import quarantine
    from telem.storage.meant import of
    from telem.storage.purge import neighbours, where, where_summed

    rows: dict[str, int] = {}
    for signal in Signal:
        ((count,),) = ask(config.layout, f"SELECT count(*) FROM raw_{signal} WHERE {where(meant)}").rows  # noqa: S608 (quoted)
        rows[signal.value] = int(str(count))
    summed = f"SELECT count(DISTINCT session_id) FROM usage_days WHERE {where_summed(meant)}"  # noqa: S608 (quoted)
    ((sessions,),) = ask(config.layout, summed).rows
    return {
        "found": rows,
        "sessions": int(str(sessions)),
        "beside": neighbours(config.layout, meant),
        "quarantined": quarantine.count(config.layout, of(meant)),
    }


def _tell(found: dict[str, Any]) -> None:
    rows = ", ".join(f"{count} of {signal}" for signal, count in found["found"].items())
    click.echo(f"Rows: {rows}; {found['sessions']} sessions in the totals.", err=True)
    if pieces := found["quarantined"]:
        click.echo(f"Quarantine: {pieces} damaged lines or files of it, or that do not say whose they are.", err=True)
    if found["beside"]:
        click.echo("Beside it stand, in the same rows (rows with only these stay; give them to --user too):", err=True)
        for name in found["beside"]:
            click.echo(f"  {name}", err=True)


def _do(config: Config, *, show: bool) -> dict[str, Any]:
    """The folder, by the daemon if there is one; then the copies, by ourselves."""
    with_bar(config, lambda: _do_folder(config), show=show)
    try:
        return with_bar(config, lambda: asyncio.run(finished(config.layout)), show=show, label="Rewriting copies")
    except WorkerError as error:
        raise AgentError(
            f"the folder is done, its copies are not: {error}",
            "It goes on by itself, or with: telem-agent purge --resume",
        ) from error


def _do_folder(config: Config) -> dict[str, Any]:
    layout = config.layout
    running = control.find(layout)
    if running is not None:
        return control.ask(running, layout.token, "POST", "/purge")
    disk = Disk()
    lock = disk.lock(layout.lock)
    try:
        return purge_without_daemon(layout, disk, load_key(layout, disk))
    finally:
        lock.release()
