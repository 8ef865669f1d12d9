"""Where rows may go: one file a destination, `forward/<name>.toml`, written by `forward add` and yours to edit."""

from __future__ import annotations

import ipaddress
import json
import re
import tomllib
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from telem.agent.config import ConfigError
from telem.sanitize.records import Signal

if TYPE_CHECKING:
    from telem.storage.disk import Disk
    from telem.storage.layout import Layout

KINDS = ("hub", "otlp", "clickhouse")
CONTENT = ("keep", "drop")
TEMPORALITIES = ("stored", "cumulative")
NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
FILES = ("token_file", "header_file", "ca_file", "cert_file", "cert_key_file", "password_file")
"""Settings that name a file. A relative one in a destination's own file counts from the data folder."""

_WORDS = {"kind": KINDS, "content": CONTENT, "temporality": TEMPORALITIES}


class DestinationError(ConfigError):
    """There is no such destination, or it cannot be used as it is described."""


@dataclass(frozen=True, slots=True)
class Destination:
    """One destination and what may leave for it.

    Args:
        kind: `hub` is another telem-agent, told each row's id; `otlp` is anything that takes OTLP/HTTP; `clickhouse` is
            a ClickHouse, in the tables of the OpenTelemetry Collector's exporter.
        since: rows from before are not sent; empty means everything that is stored.
        token_file, token_env: where the bearer token stands; never the token itself.
        header_file: further headers, `Name: value` a line, for backends that want keys of their own.
        insecure: allow plain http to another machine.
        temporality: `cumulative` turns increments of metrics into running totals.
        content: `drop` leaves out what people and models wrote.
        attributes_allow: if any, only these attributes leave; `*` stands for anything.
        attributes_deny: these do not.
        event_types: if any, only log records of these types or names.
        database, user, password_file: where in ClickHouse, and as whom.
        create: make database, tables and views there if they are missing.
        aggregates_only: only the totals of finished days leave, never a row.
    """

    name: str
    kind: str = "hub"
    url: str = ""
    signals: tuple[str, ...] = tuple(signal.value for signal in Signal)
    since: str = ""
    token_file: str = ""
    token_env: str = ""
    header_file: str = ""
    ca_file: str = ""
    cert_file: str = ""
    cert_key_file: str = ""
    insecure: bool = False
    temporality: str = "stored"
    content: str = "keep"
    attributes_allow: tuple[str, ...] = ()
    attributes_deny: tuple[str, ...] = ()
    event_types: tuple[str, ...] = ()
    aggregates_only: bool = False
    database: str = "telemetry"
    user: str = ""
    password_file: str = ""
    create: bool = True

    @property
    def since_us(self) -> int:
        """Start in microseconds since 1970; 0 for everything."""
        return int(_moment(self.since).timestamp() * 1_000_000) if self.since else 0

    def with_row_ids(self, signal: Signal) -> bool:
        """Whether records say their row's id. In a metrics backend each id would make a series of its own."""
        return self.kind == "hub" or signal is not Signal.METRICS


_MEANT = {field.name: field for field in fields(Destination)}


def check(destination: Destination) -> Destination:
    """Return it if it can be used.

    Raises:
        DestinationError: with what is wrong and what it may be.
    """
    where = f"destination {destination.name}"
    if not NAME.fullmatch(destination.name):
        raise DestinationError(
            f"{destination.name!r} is no name: small letters, digits, - and _, at most 32, a letter first"
        )
    for name, words in _WORDS.items():
        if getattr(destination, name) not in words:
            raise DestinationError(
                f"{where}: {name} is one of {', '.join(words)}; this is {getattr(destination, name)!r}"
            )
    if unknown := set(destination.signals) - set(Signal):
        raise DestinationError(f"{where}: there is no signal {min(unknown)!r}; there are {', '.join(Signal)}")
    if not destination.signals:
        raise DestinationError(f"{where}: no signal is left to send")
    if destination.token_file and destination.token_env:
        raise DestinationError(f"{where}: give token_file or token_env, not both")
    if destination.cert_key_file and not destination.cert_file:
        raise DestinationError(f"{where}: cert_key_file without cert_file")
    _check_url(destination, where)
    if destination.since:
        _moment(destination.since)
    if not re.fullmatch(r"[A-Za-z_]\w*", destination.database, re.ASCII):
        raise DestinationError(
            f"{where}: database is a name of letters, digits and _; this is {destination.database!r}"
        )
    if destination.kind == "clickhouse" and (destination.aggregates_only or destination.temporality == "cumulative"):
        raise DestinationError(f"{where}: aggregates_only and cumulative are for OTLP; ClickHouse adds up by itself")
    return destination


def _check_url(destination: Destination, where: str) -> None:
    url = urlsplit(destination.url)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise DestinationError(f"{where}: url begins with https:// and names a host; this is {destination.url!r}")
    if url.username or url.password or url.query or url.fragment:
        raise DestinationError(
            f"{where}: url holds no user, password or query; credentials go into a file: --token-file"
        )
    if url.scheme == "http" and not destination.insecure and not is_loopback(url.hostname):
        raise DestinationError(
            f"{where}: plain http to {url.hostname} is read by everybody on the way; use https, or --insecure"
        )


def is_loopback(host: str) -> bool:
    """Is it this machine, by its spelling alone?"""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise DestinationError(f"since is a day or time such as 2026-01-31; this is {text!r}") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def read(layout: Layout, name: str) -> Destination:
    """One destination.

    Raises:
        DestinationError: there is none of this name, or its file cannot be used.
    """
    path = layout.forward / f"{name}.toml"
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        there = ", ".join(names(layout)) or "none yet"
        raise DestinationError(f"there is no destination {name!r}; there are: {there}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DestinationError(f"{path} is not valid TOML: {error}") from error
    return located(_parsed(name, found, path), layout.home)


def _parsed(name: str, found: dict[str, Any], path: Path) -> Destination:
    values: dict[str, Any] = {}
    for key, value in found.items():
        field = _MEANT.get(key)
        if field is None or key == "name":
            raise DestinationError(f"{path}: there is no {key!r}; there are {', '.join(list(_MEANT)[1:])}")
        if isinstance(field.default, tuple):
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise DestinationError(f"{path}: {key} is a list of texts, this is {value!r}")
            values[key] = tuple(value)
        elif type(value) is not type(field.default):
            raise DestinationError(
                f"{path}: {key} is {'true or false' if field.default is False else 'a text'}, this is {value!r}"
            )
        else:
            values[key] = value
    return check(Destination(name, **values))


def located(destination: Destination, folder: Path) -> Destination:
    """With whole paths: what is relative counts from a folder."""
    given = {name: path for name in FILES if (path := getattr(destination, name))}
    whole: dict[str, Any] = {name: str(folder / Path(path).expanduser()) for name, path in given.items()}
    return replace(destination, **whole)


def check_files(destination: Destination) -> None:
    """See that its files are there.

    Raises:
        DestinationError: one cannot be read.
    """
    for name in FILES:
        if path := getattr(destination, name):
            try:
                Path(path).open("rb").close()
            except OSError as error:
                raise DestinationError(
                    f"destination {destination.name}: {name} {path} cannot be read: {error.strerror}"
                ) from error


def names(layout: Layout) -> list[str]:
    """Names of all destinations."""
    return sorted(path.stem for path in layout.forward.glob("*.toml")) if layout.forward.is_dir() else []


def write(layout: Layout, disk: Disk, destination: Destination) -> Path:
    """Write its file; what has its default is left out.

    Raises:
        DestinationError: it cannot be used.
    """
    check(destination)
    lines = ["# A destination of telem-agent; see docs/FORWARDING.md. A change counts from the next request on.\n"]
    for name, field in _MEANT.items():
        value = getattr(destination, name)
        if name != "name" and (value != field.default or name in ("kind", "url")):
            lines.append(f"{name} = {_toml(value)}\n")
    disk.directory(layout.forward)
    path = layout.forward / f"{destination.name}.toml"
    disk.write(path, "".join(lines).encode())
    return path


def _toml(value: Any) -> str:
    """Texts, truths and lists of texts look alike in TOML and JSON."""
    return json.dumps(list(value) if isinstance(value, tuple) else value)
