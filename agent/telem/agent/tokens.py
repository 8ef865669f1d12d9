"""Who may ask on the query port: whoever knows the owner's token, or one of those given to programs by name.

The owner's token stands in the file `token`, readable by the owner alone. Of the others only digests are kept, in
`tokens.json`; a token is shown once, when it is made.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telem.storage.keys import load_token

from .errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from telem.storage.disk import Disk
    from telem.storage.layout import Layout

OWNER = "owner"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
TOKEN_BYTES = 32
HOW = (
    "This needs a token: `Authorization: Bearer TOKEN`, or X-ClickHouse-Key, or the password of a basic login. "
    "`telem-agent token` shows it."
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody whose token is right. The owner may do everything, others may only ask."""

    name: str

    @property
    def owner(self) -> bool:
        """Whether it is the owner's token."""
        return self.name == OWNER


class Tokens:
    """The tokens of one home."""

    def __init__(self, layout: Layout, disk: Disk) -> None:
        self._layout = layout
        self._disk = disk
        self._owner = load_token(layout, disk)
        self._named: dict[str, str] = {}
        self._seen: dict[Path, tuple[int, int]] = {}

    def caller(self, headers: Mapping[str, str], arguments: Mapping[str, str]) -> Caller | None:
        """Who asks, or None: no token, or a wrong one."""
        token = given(headers, arguments)
        if not token:
            return None
        if self._changed(self._layout.token):
            self._owner = load_token(self._layout, self._disk)
        if hmac.compare_digest(token.encode("utf-8", "replace"), self._owner.encode()):
            return Caller(OWNER)
        digest = _digest(token)
        return next((Caller(name) for name, known in self.named().items() if hmac.compare_digest(known, digest)), None)

    def named(self) -> dict[str, str]:
        """Digests of the tokens made for programs, by name; read anew when the file has changed."""
        if self._changed(self._layout.tokens):
            self._named = {name: entry["sha256"] for name, entry in read(self._layout).items()}
        return self._named

    def _changed(self, path: Path) -> bool:
        """Whether a file is another one than when this was last asked."""
        try:
            found = path.stat()
            now = (found.st_mtime_ns, found.st_ino)
        except FileNotFoundError:
            now = (0, 0)
        before = self._seen.get(path)
        self._seen[path] = now
        return before != now


def given(headers: Mapping[str, str], arguments: Mapping[str, str]) -> str:
    """What was given for a token, wherever it stands; empty if nothing was."""
    kind, _, value = headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return headers.get("X-ClickHouse-Key") or arguments.get("password") or ""


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def read(layout: Layout) -> dict[str, dict[str, Any]]:
    """What is kept of the named tokens: digest and day.

    Raises:
        AgentError: the file cannot be read as ours.
    """
    try:
        found = json.loads(layout.tokens.read_text(encoding="utf-8"))
        return {
            str(name): {"sha256": str(entry["sha256"]), "made": str(entry["made"])} for name, entry in found.items()
        }
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AgentError(
            f"{layout.tokens} cannot be read: {error!r}", "Remove it, and make the tokens anew."
        ) from error


def create(layout: Layout, disk: Disk, name: str) -> str:
    """Make a token for a program and return it; it cannot be shown again.

    Raises:
        AgentError: the name cannot be one, or is taken.
    """
    known = read(layout)
    if not NAME.fullmatch(name) or name == OWNER:
        raise AgentError(f"{name!r} cannot be the name of a token", "Letters, digits, dot, dash and underscore.")
    if name in known:
        raise AgentError(f"there is a token {name} already", f"telem-agent token revoke {name}")
    token = secrets.token_hex(TOKEN_BYTES)
    known[name] = {"sha256": _digest(token), "made": time.strftime("%Y-%m-%d", time.gmtime())}
    disk.write(layout.tokens, json.dumps(known, indent=1).encode())
    return token


def revoke(layout: Layout, disk: Disk, name: str) -> None:
    """Forget a program's token; a running daemon refuses it from then on.

    Raises:
        AgentError: there is none of that name.
    """
    known = read(layout)
    if known.pop(name, None) is None:
        raise AgentError(f"there is no token {name}", f"There are: {', '.join(known) or 'none'}.")
    disk.write(layout.tokens, json.dumps(known, indent=1).encode())


def rotate(layout: Layout, disk: Disk) -> str:
    """Make another owner's token and return it. A running daemon goes by it at once."""
    token = secrets.token_hex(TOKEN_BYTES)
    disk.write(layout.token, f"{token}\n".encode())
    return token
