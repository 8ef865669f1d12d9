"""`telem-agent identity`: the owner's own stand-ins, so that she finds herself in the tables; and a new key.

Only the key of the data folder is read, and what git and the clients know of their user. Nothing is stored.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from telem.sanitize.pseudonym import KINDS, Pseudonyms
from telem.storage import origin, tombstones
from telem.storage.disk import Disk
from telem.storage.keys import KeyFileError, read_key, rotate_key

from . import control
from .errors import AgentError

if TYPE_CHECKING:
    from .config import Config

    Account = dict[str, Any]

CLAUDE_FILE = ".claude.json"
_ACCOUNT = {"emailAddress": "email", "accountUuid": "account", "organizationUuid": "org", "displayName": "user"}
"""Members of `oauthAccount` in Claude Code's own file -> the kind of stand-in its attributes get."""

GIT_TIMEOUT_S = 5

CONSEQUENCES = """\
From now on every person, account, host and organization gets another stand-in than before: whoever was there looks new,
and rows from before and after do not join. A request from before that is sent again now is stored a second time."""


class Known(NamedTuple):
    """Something that names the owner."""

    source: str
    kind: str
    value: str


def show(config: Config, value: str | None, kind: str | None) -> None:
    """Print the stand-ins of a value, or of what is known of the owner.

    Raises:
        AgentError: the data folder has no key yet, or nothing is known of the owner.
    """
    key = read_key(config.layout)
    if key is None:
        raise AgentError(
            f"{config.home} has no key yet, so there are no stand-ins", "It gets one at: telem-agent start"
        )
    if value is None:
        found = [known for known in (*_from_git(), *_from_claude(Path.home())) if kind in (None, known.kind)]
        if not found:
            raise AgentError("neither git nor Claude Code knows you here", "Give a value: telem-agent identity VALUE")
    else:
        kinds = [kind] if kind else ["email"] if "@" in value else [name for name in KINDS if name != "email"]
        found = [Known("", name, value) for name in kinds]
    pseudonyms = Pseudonyms(key)
    width = max(len(known.source) for known in found)
    for known in found:
        stand_in = pseudonyms.of(known.kind, known.value)
        click.echo(stand_in if value else f"{known.source:{width}}  {known.value}  {stand_in}")


def _from_git() -> list[Known]:
    git = shutil.which("git")
    found = []
    for name, kind in (("user.email", "email"), ("user.name", "user")) if git else ():
        done = subprocess.run(
            [git or "", "config", "--get", name], capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=False
        )
        if text := done.stdout.strip():
            found.append(Known(f"git {name}", kind, text))
    return found


def _from_claude(user_home: Path) -> list[Known]:
    """What Claude Code sends as `user.*` and `organization.id`."""
    try:
        file: Account = json.loads((user_home / CLAUDE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    if not isinstance(file, dict):
        return []
    account = file.get("oauthAccount")
    members = account if isinstance(account, dict) else {}
    found = [
        Known(f"Claude Code {name}", kind, members[name])
        for name, kind in _ACCOUNT.items()
        if isinstance(members.get(name), str) and members[name]
    ]
    if isinstance(file.get("userID"), str) and file["userID"]:
        found.append(Known("Claude Code userID", "user", file["userID"]))
    return found


def rotate(config: Config, *, keep_old: bool) -> None:
    """Make a new key.

    Raises:
        AgentError: a daemon is running, which would go on with the old one; or there is no key.
    """
    if running := control.find(config.layout):
        raise AgentError(
            f"process {running.pid} is running with the key", "Stop it first: telem-agent stop; then rotate, then start"
        )
    if not config.layout.key.exists():
        raise AgentError(f"{config.home} has no key yet", "It gets one at: telem-agent start")
    retired = config.layout.retired_key(datetime.now(UTC).strftime("%Y-%m-%d")) if keep_old else None
    if retired is not None and retired.exists():
        raise AgentError(f"{retired} is there already, from an earlier rotation today", "Move it to where you keep it")
    with contextlib.suppress(KeyFileError):
        if key := read_key(config.layout):
            tombstones.keep(config.layout, Disk(), key)  # what was purged stays so under another key
            origin.keep(config.layout, Disk())
    rotate_key(config.layout, Disk(), retired)
    click.echo("A new key is in place.", err=True)
    click.echo(CONSEQUENCES, err=True)
    if retired is None:
        click.echo("The old key is gone: nobody can tell any more whose the old stand-ins were.", err=True)
    else:
        click.echo(f"The old key is in {retired}; who has it can still test names against old rows.", err=True)
