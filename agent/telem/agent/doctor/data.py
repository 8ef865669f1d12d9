"""The data folder: whose it is, who can read it, where it lies, whether there is room."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from telem.agent.mounts import network_of
from telem.sanitize.records import Signal
from telem.storage.disk import DIRECTORY_MODE, FILE_MODE
from telem.storage.journal import segments

from .finding import Finding, Level, Trouble, Troubles, well

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .situation import Situation

GIB = 1 << 30
ROOM_BYTES = GIB
NO_ROOM_BYTES = 100 << 20
STUCK_S = 3 * 3600
"""A closed segment is Parquet within an hour, or a failed attempt is repeated every hour."""


TROUBLES = Troubles(
    "data",
    Trouble(
        "data-open",
        Level.WARNING,
        "Other users of this machine can read the data folder.",
        "Its rights, or those of its key or token, were widened; who has key and data can test guesses of names.",
        "`chmod -R go=` on the folder named, or `telem-agent doctor --fix`",
    ),
    Trouble(
        "data-foreign",
        Level.PROBLEM,
        "The daemon does not start, or answers 503: permission denied.",
        "The data folder, or something in it, belongs to somebody else; often a command was once run with sudo.",
        "`sudo chown -R` to yourself the folder named",
    ),
    Trouble(
        "disk-full",
        Level.PROBLEM,
        "Clients' requests are answered with 503.",
        "The disk has no room left. What clients send meanwhile is lost after their few retries.",
        "free some space; the daemon goes on by itself",
    ),
    Trouble(
        "disk-nearly-full",
        Level.WARNING,
        "There is little room left for telemetry.",
        "Less than 1 GiB is free where the data folder lies.",
        "free some space, or move the folder with TELEM_AGENT_HOME",
    ),
    Trouble(
        "network-file-system",
        Level.WARNING,
        "Answers are slow, or the daemon cannot lock its folder.",
        "The data folder lies on a network file system (or, in WSL, on a Windows drive), where locks and syncing do "
        "not promise what the journal needs.",
        "move it to a local disk: TELEM_AGENT_HOME, or --home",
    ),
    Trouble(
        "key-gone",
        Level.WARNING,
        "The same person has another stand-in than before.",
        "There is data but no key. A new one is made at the next start, and old and new stand-ins do not join.",
        "put the key back from a backup before the next `telem-agent start`",
    ),
    Trouble(
        "journal-stuck",
        Level.WARNING,
        "The journal grows, and questions get slower.",
        "Closed segments have not become Parquet for hours. They are read as they are; no rows are missing.",
        "`telem-agent compact`; `telem-agent logs` says why it failed",
    ),
    Trouble(
        "quarantine",
        Level.NOTE,
        "`quarantine/` in the data folder is not empty.",
        "Damaged pieces of the journal were cut out at a start, so that the rest stays readable.",
        "look at them, then remove them",
    ),
    Trouble(
        "catalog-gone",
        Level.WARNING,
        "A `duckdb` shell finds no telemetry.duckdb.",
        "The catalog is derived and was removed, or could not be written.",
        "`telem-agent compact` writes it again",
    ),
)


def check(situation: Situation) -> Iterator[Finding]:
    """Is the folder ours, closed, local, with room, and tidy?"""
    home = situation.config.home
    if not home.exists():
        yield well("data", f"{home} is made at the first start")
        return
    found = [*_rights(home), *_room(home), *_file_system(home), *_content(situation)]
    yield from found
    if not found:
        free = shutil.disk_usage(home).free / GIB
        yield well("data", f"{home} is yours alone, with {free:.0f} GiB free")


def _rights(home: Path) -> Iterator[Finding]:
    mine = os.getuid()
    foreign = [path for path in (home, *_some(home)) if path.lstat().st_uid != mine]
    if foreign:
        owner = foreign[0].lstat().st_uid
        text = f"{foreign[0]} belongs to user {owner}, you are {mine}"
        yield TROUBLES.found("data-foreign", text, f"`sudo chown -R {mine} {home}`")
        return
    if not os.access(home, os.W_OK | os.X_OK) or not home.stat().st_mode & stat.S_IWUSR:
        yield TROUBLES.found("data-foreign", f"{home} may not be written", f"`chmod u+rwx {home}`")
    secret = [home / name for name in ("key", "token") if (home / name).exists()]
    if any(path.stat().st_mode & 0o077 for path in (home, *secret)):
        mode = stat.S_IMODE(home.stat().st_mode)
        yield TROUBLES.found(
            "data-open", f"{home} has the rights {mode:04o}", f"`chmod -R go= {home}`", lambda: _close(home, secret)
        )


def _some(home: Path) -> list[Path]:
    with suppress(OSError):
        return list(home.iterdir())
    return []


def _close(home: Path, secret: list[Path]) -> str:
    home.chmod(DIRECTORY_MODE)
    for path in secret:
        path.chmod(FILE_MODE)
    return f"{home} is yours alone now"


def _room(home: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(home).free
    if free < NO_ROOM_BYTES:
        yield TROUBLES.found("disk-full", f"{free >> 20} MiB are free at {home}")
    elif free < ROOM_BYTES:
        yield TROUBLES.found("disk-nearly-full", f"{free >> 20} MiB are free at {home}")


def _file_system(home: Path) -> Iterator[Finding]:
    if kind := network_of(home):
        yield TROUBLES.found("network-file-system", f"{home} lies on {kind}")


def _content(situation: Situation) -> Iterator[Finding]:
    layout = situation.config.layout
    if layout.quarantine.exists() and (count := len(_some(layout.quarantine))):
        yield TROUBLES.found("quarantine", f"{count} files in {layout.quarantine}")
    holds = any((layout.home / "parquet").glob("*/v=*/ingest_day=2*")) or _stuck(situation, 0)
    if holds and not layout.key.exists():
        yield TROUBLES.found("key-gone", f"{layout.key} is not there")
    if holds and situation.status and not layout.catalog.exists():
        yield TROUBLES.found("catalog-gone", f"{layout.catalog} is not there")
    since_s = situation.running.started_at_s if situation.running else situation.now_s
    if since_s < situation.now_s - STUCK_S and (stuck := _stuck(situation, STUCK_S)):
        yield TROUBLES.found("journal-stuck", f"{stuck} segments wait since hours")


def _stuck(situation: Situation, older_s: float) -> int:
    """Segments that hold rows, are closed, and have not been written for so long."""
    count = 0
    for signal in Signal:
        with suppress(OSError):
            found = segments(situation.config.layout, signal)[:-1]
            times = [path.stat() for _, path in found]
            count += sum(1 for state in times if state.st_size and state.st_mtime < situation.now_s - older_s)
    return count
