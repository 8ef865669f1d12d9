"""`telem-agent hub member …`: who may come to a hub. Works on the hub's machine, whether the hub runs or not."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import orjson

from telem.storage.disk import Disk

from . import control
from .hub.limits import folder_bytes, read_visits
from .hub.members import Member, Members, Role

if TYPE_CHECKING:
    from .config import Config

SCHEMA = 1
GIB = 1 << 30


def add(config: Config, name: str, role: str, days: float | None, quota_gib: float) -> None:
    """Add a member and print the token, this once."""
    members = Members(config.layout.hub_members, Disk())
    member, token = members.add(name, Role(role), time.time(), int(quota_gib * GIB), days)
    _print_token(member, token, config)


def rotate(config: Config, name: str, days: float | None) -> None:
    """Give a member a new token and print it, this once."""
    member, token = Members(config.layout.hub_members, Disk()).rotate(name, time.time(), days)
    _print_token(member, token, config, instead=True)


def revoke(config: Config, name: str) -> None:
    """Let a member in no longer; what was received stays."""
    member = Members(config.layout.hub_members, Disk()).revoke(name, time.time())
    home = config.layout.hub_house(member.id)
    click.echo(f"{member.name} may come in no longer.", err=True)
    click.echo(f"The data stays; to remove it: telem-agent purge --all --home {home}", err=True)


def show(config: Config, as_json: bool) -> None:
    """List the members: role, since when, until when, last visit, bytes."""
    visits = read_visits(config.layout.hub_visits)
    said = [_about(member, config, visits.get(member.id)) for member in Members(config.layout.hub_members, Disk())]
    if as_json:
        click.echo(orjson.dumps({"schema": SCHEMA, "members": said}, option=orjson.OPT_INDENT_2).decode())
        return
    if not said:
        click.echo("Nobody yet. Add somebody: telem-agent hub member add NAME", err=True)
        return
    click.echo(f"{'name':20} {'role':12} {'id':11} {'state':20} {'last visit':17} {'bytes':>14}")
    for one in said:
        last = one["last_visit"] or "never"
        click.echo(f"{one['name']:20} {one['role']:12} {one['id']:11} {one['state']:20} {last:17} {one['bytes']:14}")


def print_status(said: dict[str, Any]) -> None:
    """Print what a running hub says of itself."""
    up = datetime.fromtimestamp(said["started_at_s"], UTC)
    click.echo(f"telem-agent hub runs (process {said['pid']}), up since {up:%Y-%m-%d %H:%M:%S} UTC")
    click.echo(f"  hub        {said['endpoints']['hub']}\n  data       {said['home']}")
    members = said["members"]
    awake = sum(member["open"] for member in members)
    click.echo(
        f"\n  {len(members)} members, {awake} of their agents awake; {said['refused']} requests without a valid token"
    )
    for member in members:
        state = "awake" if member["open"] else "asleep"
        click.echo(f"  {member['name']:20} {member['role']:12} {state:7} {member['bytes']:14} bytes")


def _about(member: Member, config: Config, visited_at_s: float | None) -> dict[str, Any]:
    if member.revoked_at_s is not None:
        state = "revoked"
    elif not member.is_valid(time.time()):
        state = "expired"
    else:
        state = f"until {_day(member.expires_at_s)}" if member.expires_at_s else "valid"
    return {
        "id": member.id,
        "name": member.name,
        "role": member.role.value,
        "state": state,
        "created": _day(member.created_at_s),
        "last_visit": f"{datetime.fromtimestamp(visited_at_s, UTC):%Y-%m-%d %H:%M}" if visited_at_s else None,
        "bytes": folder_bytes(config.layout.hub_house(member.id)),
        "quota_bytes": member.quota_bytes,
    }


def _day(at_s: float | None) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d}" if at_s else ""


def _address(config: Config) -> str:
    """Where the hub is, as far as it can know; a proxy in front of it has a name of its own."""
    running = control.find(config.layout)
    found = running.endpoints.get("hub") if running else None
    where = found or f"https://{config.hub_listen}"
    if config.hub_behind_proxy or any(every in where for every in ("//0.0.0.0", "//[::]")):
        return "https://NAME-OF-THE-HUB" + ("" if config.hub_behind_proxy else f":{where.rpartition(':')[2]}")
    return where


def _print_token(member: Member, token: str, config: Config, *, instead: bool = False) -> None:
    click.echo(token)
    until = f", until {_day(member.expires_at_s)}" if member.expires_at_s else ""
    click.echo(
        f"\nThis is the token of {member.name} ({member.role.value}, {member.id}{until}). It is shown this once: the "
        "hub keeps only a digest of it.\nGive it to its member by a way that others do not read.",
        err=True,
    )
    if instead:
        click.echo(
            "The old one counts no longer: put this into the file where that stood, and then, if it was refused "
            "meanwhile:\n\n  telem-agent forward resume team\n",
            err=True,
        )
        return
    click.echo(
        f"Then, there:\n\n  telem-agent forward add team --url {_address(config)} --token-file FILE-WITH-THE-TOKEN\n",
        err=True,
    )
