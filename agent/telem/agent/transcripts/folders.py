"""Where Claude Code keeps its session logs, and who its user is.

Outside facts: `CLAUDE_CONFIG_DIR` moves the configuration folder (ccusage reads it as a list with commas, so a list is
understood here too); without it `~/.config/claude` (XDG) and `~/.claude` are both looked at, as versions differ. A
session's log is `projects/<folder>/<session>.jsonl`, its subagents' logs lie below a folder of the session's name.
Observed on 2.0.64 to 2.1.330.
"""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

PROJECTS = "projects"
SUFFIX = ".jsonl"

BEGINNING_BYTES = 4096
_TIMESTAMP = re.compile(rb'"timestamp": ?"([0-9TZ:.+-]{19,35})"')

_ACCOUNT = {"emailAddress": "user.email", "accountUuid": "user.account_uuid", "organizationUuid": "organization.id"}
"""Members of `oauthAccount` in `.claude.json` -> the attributes as which the client exports them."""


class Log(NamedTuple):
    """One file of session lines, as it was when it was listed."""

    path: Path
    size: int
    mtime_ns: int
    inode: int


def config_folders(environ: Mapping[str, str] | None = None) -> list[Path]:
    """Claude Code's configuration folders that have session logs; each once, whatever links lead to it."""
    environ = os.environ if environ is None else environ
    given = [part.strip() for part in environ.get("CLAUDE_CONFIG_DIR", "").split(",") if part.strip()]
    if given:
        wanted = [Path(part).expanduser() for part in given]
    else:
        user_home = Path(environ.get("HOME") or Path.home())
        xdg = environ.get("XDG_CONFIG_HOME")
        wanted = [(Path(xdg) if xdg else user_home / ".config") / "claude", user_home / ".claude"]
    found: dict[Path, None] = {}
    for folder in wanted:
        if (folder / PROJECTS).is_dir():
            found.setdefault(folder.resolve())
    return list(found)


def logs_below(paths: Sequence[Path]) -> list[Log]:
    """Every session log below these files and folders. Links are followed, but nothing is visited twice."""
    seen: set[tuple[int, int]] = set()
    return [log for path in paths for log in _below(path, seen)]


def in_order(logs: Iterable[Log]) -> list[Log]:
    """The log that was begun first, first.

    Forks and resumed sessions repeat lines of the log they came from, and what stands in several counts for the session
    that is read first. A fork begins with lines of its own; where it does not, the log written to last is the later.
    """
    return sorted(logs, key=lambda log: (_begun(log), log.mtime_ns, str(log.path)))


def _begun(log: Log) -> str:
    """The first time stamp in the log's beginning."""
    try:
        with log.path.open("rb") as file:
            found = _TIMESTAMP.search(file.read(BEGINNING_BYTES))
    except OSError:
        found = None
    return found[1].decode() if found else datetime.fromtimestamp(log.mtime_ns / 1e9, UTC).isoformat()


def _below(path: Path, seen: set[tuple[int, int]]) -> Iterator[Log]:
    try:
        about = path.stat()
        if (about.st_dev, about.st_ino) in seen:
            return
        if path.is_dir():
            seen.add((about.st_dev, about.st_ino))
            children = sorted(path.iterdir())
        elif path.is_file() and path.suffix == SUFFIX:
            seen.add((about.st_dev, about.st_ino))
            yield Log(path, about.st_size, about.st_mtime_ns, about.st_ino)
            return
        else:
            return
    except OSError:  # gone meanwhile, a loop of links, or not ours to read: as if it were not there
        return
    for child in children:
        yield from _below(child, seen)


def identity(folder: Path) -> dict[str, str]:
    """What the client would export of its user, from its own file: the installation's id and the account.

    It lies in the configuration folder if that was moved, else beside it. Session logs name nobody.
    """
    for path in (folder / ".claude.json", folder.parent / ".claude.json"):
        try:
            file = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(file, dict):
            return _identity(file)
    return {}


def _identity(file: dict[str, Any]) -> dict[str, str]:
    account = file.get("oauthAccount")
    members = account if isinstance(account, dict) else {}
    found = {"user.id": file.get("userID"), **{name: members.get(member) for member, name in _ACCOUNT.items()}}
    return {name: value for name, value in found.items() if isinstance(value, str) and value}
