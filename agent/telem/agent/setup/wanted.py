"""What a set-up is to be: where to send, how much, with which hook (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from .variables import Content

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Displaced:
    """A receiver that loses its place: base address, headers, and the protocol it is spoken to in."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    protocol: str = "http/protobuf"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a set-up is to be.

    `content` None leaves the switches as they are, which is off unless the user set them. `hook` is the shell line of
    the hook. `replace` says that another receiver may lose its place, `pass_on` that it is to be sent to from here
    instead. `earlier` are endpoints of earlier set-ups.
    """

    endpoint: str
    hook: str
    content: Content | None = None
    replace: bool = False
    pass_on: bool = False
    hint_when_taken: str = ""
    earlier: tuple[str, ...] = ()

    @property
    def may_displace(self) -> bool:
        """May another receiver lose its place?"""
        return self.replace or self.pass_on

    def is_ours(self, address: str) -> bool:
        """Is this an address of the daemon, now or at an earlier set-up, under one of the names of loopback?"""
        try:
            found = urlsplit(address)
            port, host = found.port, found.hostname
        except ValueError:
            return False
        return host in LOOPBACK and port in {urlsplit(known).port for known in (self.endpoint, *self.earlier)}


def is_loopback(address: str) -> bool:
    """Does this address lead to this machine?"""
    try:
        return urlsplit(address).hostname in LOOPBACK
    except ValueError:
        return False


def shown(address: str) -> str:
    """An address without credentials and query."""
    try:
        parts = urlsplit(address)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "something that is no address"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
