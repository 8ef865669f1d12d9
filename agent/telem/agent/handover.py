"""A restart without a gap: the running daemon hands its ports, its lock and its idle connections to the next one.

    next -> running   {"hello": 1}
    running -> next   {"sockets": [...]}            and the descriptors: listening sockets, then the lock
    next -> running   {"go": true}                  once it knows that it can start
                                                    the running one stops accepting, answers, closes its segments;
                                                    new connections wait in the shared backlog, and are not refused
    running -> next   {"connections": [...]}        and the descriptors: idle connections; repeated
    running -> next   {"drained": true}             from here on the journal is the next one's
    next -> running   {"serving": true}             the running one ends

Wherever the next one falls silent, the running one goes on, with the sockets and the lock it never gave up. A lock
belongs to the open file, which both hold, so no third process can take it in between.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
from typing import TYPE_CHECKING, Any

from .doors import Handed
from .errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

VERSION = 1
AT_ONCE = 64
"""Descriptors in one message; systems allow 250 or so."""

ANSWER_S = 5.0
"""The running daemon answers its greeting at once, and drains within a few seconds."""

PREPARE_S = 60.0
"""Longest that a greeted successor may take to make up its mind."""

_LINE_BYTES = 65536

log = logging.getLogger(__name__)


class Line:
    """A private connection between the two: one JSON message at a time, descriptors beside it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def say(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Send a message.

        Raises:
            OSError: the other one is gone.
        """
        data = json.dumps(message).encode() + b"\n"
        if descriptors:
            sent = socket.send_fds(self._connection, [data], list(descriptors))
            data = data[sent:]
        self._connection.sendall(data)

    def hear(self, timeout_s: float | None = None) -> tuple[dict[str, Any], list[int]]:
        """Wait for a message; an empty one when the other one is gone, too slow, or talks nonsense."""
        self._connection.settimeout(timeout_s)
        data, descriptors = b"", []
        try:
            while not data.endswith(b"\n"):
                part, found, _, _ = socket.recv_fds(self._connection, _LINE_BYTES, AT_ONCE)
                descriptors += found
                if not part:
                    return {}, []
                data += part
            return dict(json.loads(data)), descriptors
        except (OSError, ValueError, TypeError):
            return {}, []
        finally:
            self._connection.settimeout(None)

    def cut(self) -> None:
        """End it for a thread that is waiting to hear something."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End it."""
        self._connection.close()


class Predecessor:
    """The running daemon, as the next one meets it. Its methods wait; call them in a thread.

    Raises:
        AgentError: it does not answer.
    """

    def __init__(self, path: str) -> None:
        connection = socket.socket(socket.AF_UNIX)
        self._line = Line(connection)
        try:
            connection.settimeout(ANSWER_S)
            connection.connect(path)
            self._line.say({"hello": VERSION})
            said, descriptors = self._line.hear(ANSWER_S)
        except OSError as error:
            raise AgentError(f"the running daemon cannot be reached to take over from it: {error}. {_STOP}") from error
        if "sockets" not in said:
            raise AgentError(f"the running daemon does not hand over: {said.get('error', 'no answer')}. {_STOP}")
        *listeners, self.lock = descriptors
        self.sockets = {
            name: socket.socket(fileno=number) for name, number in zip(said["sockets"], listeners, strict=True)
        }

    def go(self) -> list[Handed]:
        """Ask it to leave; returns its idle connections once the journal is ours."""
        self._line.say({"go": True})
        handed: list[Handed] = []
        while True:
            said, descriptors = self._line.hear()
            if "connections" not in said:  # drained; or dead, and then the journal is ours all the same
                return handed
            for about, number in zip(said["connections"], descriptors, strict=True):
                handed.append(Handed(about["setting"], socket.socket(fileno=number), bytes.fromhex(about["heard"])))
            self._line.say({"more": True})

    def serving(self) -> None:
        """Tell it that it may end."""
        try:
            self._line.say({"serving": True})
        except OSError:
            log.info("the daemon before has ended already")
        self._line.close()


_STOP = "Instead: telem-agent stop, then telem-agent start"


class Successor:
    """The next daemon, as the running one meets it."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def take(self, handed: Sequence[Handed]) -> bool:
        """Hand on connections and the journal; returns whether it serves now. If not, all is ours again."""
        return await asyncio.to_thread(self._take, handed)

    def _take(self, handed: Sequence[Handed]) -> bool:
        try:
            for at in range(0, len(handed), AT_ONCE):
                some = handed[at : at + AT_ONCE]
                about = [{"setting": one.setting, "heard": one.heard.hex()} for one in some]
                self._line.say({"connections": about}, [one.socket.fileno() for one in some])
                if not self._line.hear()[0]:
                    return False
            self._line.say({"drained": True})
        except OSError:
            return False
        said, _ = self._line.hear()
        self._line.close()
        if "serving" not in said:
            return False
        for one in handed:
            one.socket.close()
        return True


class HandoverDoor:
    """Where a running daemon can be asked to hand over: a Unix socket in a folder only we can enter.

    Args:
        lock: the descriptor of the data folder's lock.
        leave: called when a successor is ready to take over.
    """

    def __init__(
        self, path: str, sockets: dict[str, socket.socket], lock: int, leave: Callable[[Successor], None]
    ) -> None:
        self.path = path
        self._sockets = sockets
        self._lock = lock
        self._leave = leave
        self._line: Line | None = None
        self._task: asyncio.Task[None] | None = None
        self._listener = socket.socket(socket.AF_UNIX)

    def open(self) -> None:
        """Begin to listen."""
        self._listener.bind(self.path)
        self._listener.listen(4)
        self._listener.setblocking(False)
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Listen no more."""
        if self._line:
            self._line.cut()
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._listener.close()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self._listener)
            connection.setblocking(True)
            self._line = line = Line(connection)
            log.info("another daemon asks to take over")
            prepared = await asyncio.to_thread(self._prepared, line)
            self._line = None
            if prepared:
                self._leave(Successor(line))
                return
            log.warning("it cannot start, or went away; this one goes on")
            line.close()

    def _prepared(self, line: Line) -> bool:
        said, _ = line.hear(ANSWER_S)
        try:
            if said.get("hello") != VERSION:
                line.say({"error": f"it speaks version {said.get('hello')} of the handover, this one {VERSION}"})
                return False
            descriptors = [one.fileno() for one in self._sockets.values()]
            line.say({"sockets": list(self._sockets)}, [*descriptors, self._lock])
        except OSError:
            return False
        return "go" in line.hear(PREPARE_S)[0]
