"""The process that forwards to one destination: it comes when there is something to send, and leaves when idle.

    python -m telem.agent.forward.worker HOME NAME [--retry]

It ends with a line of JSON: what came of it, and when to come again. It also ends when its standard input does, which
is when the daemon that started it is gone. It holds a lock, so there are never two for one destination.
"""

from __future__ import annotations

import json
import os
import select
import signal as signals
import sys
import time
from contextlib import closing
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telem.agent.config import ConfigError, load
from telem.storage.disk import Disk, LockedError
from telem.storage.keys import read_key
from telem.storage.layout import Layout
from telem.storage.sequence import stamp

from . import destinations
from .clickhouse import ClickHouseSender
from .cursor import Cursor, is_wanted, paused_path
from .follower import DeliveryError, Follower
from .outgoing import Outgoing
from .sender import Sender, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from .destinations import Destination

LINGER_S = 15.0
POLL_S = 1.0
NICENESS = 5


def follower_of(
    layout: Layout,
    destination: Destination,
    sender: Sender | ClickHouseSender | None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> Follower:
    """A follower as this machine is set up."""

    def nothing(*_: Any) -> Any:
        raise AssertionError("a preview sends nothing")

    content = _content(layout) if destination.content == "drop" else ()
    send = sender.send if sender else nothing
    outgoing = Outgoing(destination, content)
    return Follower(layout, Disk(), destination, outgoing, send, agent_id(layout), is_stopping)


def _content(layout: Layout) -> Collection[str]:
    """Names of the attributes that people and models wrote. Reading the policy takes a third of an attempt's CPU."""
    from telem.agent.policies import load_policy

    return load_policy(load({"home": str(layout.home)})).policy.content


def sender_of(layout: Layout, destination: Destination) -> Sender | ClickHouseSender:
    """What talks to a destination of this kind.

    Raises:
        DestinationError: its credentials cannot be read.
    """
    if destination.kind == "clickhouse":
        return ClickHouseSender(destination)
    return Sender(destination, agent_id(layout))


def agent_id(layout: Layout) -> str:
    """This installation's id for receivers: always the same, and nothing leads from it to the key."""
    key = read_key(layout) or b""
    return blake2b(key, digest_size=8, person=b"telem agent id").hexdigest()


def run(
    layout: Layout, name: str, *, retry: bool = False, linger_s: float = LINGER_S, parent: bool = True
) -> dict[str, Any]:
    """Forward until there is nothing more; says what came of it."""
    disk = Disk()
    disk.directory(layout.cursors)
    try:
        lock = disk.lock(layout.cursors / f"{name}.lock")
    except LockedError as error:
        return {"state": "busy", "error": str(error)}
    stopping = _Stopping(layout, name, parent=parent, yields=not retry)
    try:
        cursor = Cursor(layout, disk, name)
        if cursor.paused:
            return {"state": "paused", "error": cursor.paused}
        destination = destinations.read(layout, name)
        with closing(sender_of(layout, destination)) as sender:
            follower = follower_of(layout, destination, sender, stopping)
            if retry:
                return {"state": "idle", "sent": follower.retry()}
            return _follow(layout, follower, stopping, linger_s)
    except ConfigError as error:
        Cursor(layout, disk, name).failed(str(error))
        return {"state": "later", "error": str(error), "after_s": None}
    except DeliveryError as error:
        return _failed(layout, disk, name, error)
    finally:
        lock.release()


def _follow(layout: Layout, follower: Follower, stopping: _Stopping, linger_s: float) -> dict[str, Any]:
    sent = 0
    quiet_since_s = time.monotonic()
    seen: object = None
    while not stopping():
        seen = stamp(layout)
        if fresh := follower.run():
            sent += fresh
            quiet_since_s = time.monotonic()
        if time.monotonic() - quiet_since_s >= linger_s:
            break
        stopping.wait(POLL_S)
    return {"state": "idle", "sent": sent, "seen": None if stopping() else seen}


def _failed(layout: Layout, disk: Disk, name: str, error: DeliveryError) -> dict[str, Any]:
    cursor = Cursor(layout, disk, name)
    answer = error.answer
    cursor.failed(answer.message, answer.status)
    if answer.verdict is Verdict.STOP:
        cursor.pause(answer.message)
        return {"state": "paused", "error": answer.message}
    return {"state": "later", "error": answer.message, "after_s": answer.after_s, "failures": cursor.state.failures}


class _Stopping:
    """Has somebody asked us to end or to pause, changed what may leave, or has the daemon gone?"""

    def __init__(self, layout: Layout, name: str, *, parent: bool, yields: bool) -> None:
        self._paused = paused_path(layout, name)
        self._wanted_by_others = partial(is_wanted, layout, name) if yields else None
        self._rules = (layout.forward / f"{name}.toml", layout.policy)
        self._began_with = self._written()
        self._has_parent = parent
        self._asked = False
        if not parent:
            return
        for number in (signals.SIGTERM, signals.SIGINT):
            signals.signal(number, self._ask)

    def _ask(self, *_: object) -> None:
        self._asked = True

    def __call__(self) -> bool:
        return (
            self._asked
            or self._paused.exists()
            or (self._wanted_by_others is not None and self._wanted_by_others())
            or self._written() != self._began_with  # the next process goes by the new ones
            or self._parent_is_gone(0.0)
        )

    def _written(self) -> list[int]:
        found = []
        for path in self._rules:
            try:
                found.append(path.stat().st_mtime_ns)
            except FileNotFoundError:
                found.append(0)
        return found

    def wait(self, seconds: float) -> None:
        """Sleep, unless the end comes first."""
        if not self._asked and self._parent_is_gone(seconds):
            self._asked = True

    def _parent_is_gone(self, seconds: float) -> bool:
        if not self._has_parent:
            time.sleep(seconds)
            return False
        try:
            readable, _, _ = select.select([0], [], [], seconds)
            return bool(readable) and os.read(0, 1) == b""
        except (OSError, ValueError):
            return True


def main() -> None:
    """Entry point of the process."""
    os.umask(0o077)
    os.nice(NICENESS)
    home, name = sys.argv[1:3]
    try:
        said = run(Layout(Path(home)), name, retry="--retry" in sys.argv[3:])
    except Exception as error:  # noqa: BLE001 (told to the daemon, which tries again)
        said = {"state": "later", "error": f"{type(error).__name__}: {error}", "after_s": None}
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
