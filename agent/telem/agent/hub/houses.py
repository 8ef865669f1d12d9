"""The members' own agents: a process each, started when somebody comes, ended when nobody has come for a while.

A member's agent is the ordinary one over the member's folder, listening on Unix sockets that only the hub may open. Its
life, its crash and its questions touch no other member. It ends when the hub does, however: its input ends.

It goes by the hub's settings and the hub's `sanitize.toml`, and by no environment variable: what makes the hub a hub
would make another of each of its members' agents.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telem.agent.config import SETTINGS, without_settings
from telem.agent.errors import AgentError
from telem.agent.interpreter import PYTHON
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from telem.agent.config import Config

IDLE_S = 900.0
"""A member's agent (about 50 MB) is ended when nobody has come for so long and its journal has become Parquet."""

READY_S = 60.0
OPENING_MAX = 2 * (os.cpu_count() or 2)
"""Agents that start at the same time; the others wait in line. After a hub's restart everybody's laptop comes within
seconds, and a start is half a second of CPU: a hundred at once would all take longer than `READY_S`, and be given up.
"""

GONE_S = 2.0
"""An agent that refuses connections has ended, or is about to."""

STOP_S = 15.0

SHARED = (
    "body_limit_bytes", "profile", "segment_age_s", "retention_logs_days", "retention_metrics_days",
    "retention_traces_days", "size_limit_gb", "log_level",
)  # fmt: skip
"""Settings of the hub that hold for each member's folder."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class House:
    """One member's folder and, while it lives, the agent in it."""

    home: Path
    sockets: Path
    process: asyncio.subprocess.Process | None = None
    used_at_s: float = 0.0
    guests: int = 0  # requests under way
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def is_open(self) -> bool:
        """Is its agent alive?"""
        return self.process is not None and self.process.returncode is None

    def socket(self, name: str) -> str:
        """Path of one of its agent's sockets: `otlp_http` or `query`."""
        return str(self.sockets / name)


class Houses:
    """All members' agents.

    Args:
        folder: where the members' folders lie, one a member, named by id.
        sockets: a private folder with a short name; the path of a socket has room for 100 bytes.
        flags: settings that every member's agent gets.
        policy: the hub's `sanitize.toml`, which need not exist; a member's folder may have one of its own.
    """

    def __init__(self, folder: Path, sockets: Path, flags: tuple[str, ...], policy: Path) -> None:
        self._folder = folder
        self._sockets = sockets
        self._flags = flags
        self._policy = policy
        self._houses: dict[str, House] = {}
        self._opening = asyncio.Semaphore(OPENING_MAX)

    def of(self, member_id: str) -> House:
        """The house of a member; its agent need not be alive."""
        house = self._houses.get(member_id)
        if house is None:
            house = self._houses[member_id] = House(self._folder / member_id, self._sockets / member_id)
        return house

    @contextlib.asynccontextmanager
    async def visit(self, member_id: str) -> AsyncIterator[House]:
        """The house of a member with its agent alive, for the length of a request.

        Raises:
            AgentError: its agent did not start; what it said is in the hub's log.
        """
        house = self.of(member_id)
        house.guests += 1
        try:
            async with house.opening:
                if not house.is_open:
                    await self._open(house)
            yield house
        finally:
            house.guests -= 1
            house.used_at_s = time.monotonic()

    async def reopen(self, house: House, silent: asyncio.subprocess.Process | None) -> None:
        """Start an agent anew that refuses connections, unless somebody else has done so meanwhile.

        Raises:
            AgentError: it did not start.
        """
        async with house.opening:
            if house.process is not silent:
                return
            if silent is not None:
                try:
                    async with asyncio.timeout(GONE_S):
                        await silent.wait()
                except TimeoutError:
                    await self._end(house)
            await self._open(house)

    async def _open(self, house: House) -> None:
        async with self._opening:
            await self._start(house)

    async def _start(self, house: House) -> None:
        house.sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
        for leftover in house.sockets.iterdir():
            leftover.unlink()
        said_path = house.home / "logs" / "start.log"
        said_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._share_policy(house)
        reading, writing = os.pipe()
        output = os.open(said_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            house.process = await asyncio.create_subprocess_exec(
                *PYTHON, "telem", "run", "--home", str(house.home), "--sockets", str(house.sockets),
                "--accept-row-ids", "1", "--ready-fd", str(writing), "--parent-fd", "0", *self._flags,
                stdin=asyncio.subprocess.PIPE, stdout=output, stderr=output,
                pass_fds=(writing,), env=without_settings(os.environ),
            )  # fmt: skip
        finally:
            os.close(writing)
            os.close(output)
        with os.fdopen(reading, "rb") as ready:
            said = await _read_line(ready.fileno())
        if said:
            house.used_at_s = time.monotonic()
            log.info("opened %s (process %d)", house.home.name, house.process.pid)
            return
        with contextlib.suppress(ProcessLookupError):
            house.process.kill()
        await house.process.wait()
        text = said_path.read_text(encoding="utf-8", errors="replace").strip()
        log.error("the agent of %s did not start: %s", house.home.name, text or "no message")
        raise AgentError(f"the agent of {house.home.name} did not start")

    def _share_policy(self, house: House) -> None:
        """Let the hub's policy, if there is one, be that of a folder without one."""
        own = Layout(house.home).policy
        if self._policy.exists():
            if not own.exists():
                own.unlink(missing_ok=True)
                own.symlink_to(os.path.relpath(self._policy, own.parent))
        elif own.is_symlink():
            own.unlink()

    def share_policy(self) -> None:
        """Do so for all whose agents are awake: the hub's policy may have come, or gone, since they began."""
        for house in self._houses.values():
            if house.is_open:
                self._share_policy(house)

    async def close_idle(self, now_s: float) -> None:
        """End the agents that nobody has visited for a while."""
        for house in list(self._houses.values()):
            if house.is_open and not house.guests and now_s - house.used_at_s >= IDLE_S:
                async with house.opening:
                    await self._end(house)

    async def close(self) -> None:
        """End all of them; each writes what is under way first."""
        await asyncio.gather(*(self._end(house) for house in self._houses.values() if house.is_open))
        shutil.rmtree(self._sockets, ignore_errors=True)

    async def _end(self, house: House) -> None:
        process = house.process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            log.warning("the agent of %s did not stop in %.0f s and is ended", house.home.name, STOP_S)
            process.kill()
            await process.wait()
        log.info("closed %s", house.home.name)

    @property
    def open_count(self) -> int:
        """How many agents are alive."""
        return sum(house.is_open for house in self._houses.values())


def flags_of(config: Config) -> tuple[str, ...]:
    """What members' agents are told of the hub's settings: those that are not as they are by themselves."""
    flags: list[str] = []
    for setting in SETTINGS:
        value = getattr(config, setting.name)
        if setting.name in SHARED and value != setting.default:
            flags += [setting.flag, str(value)]
    return tuple(flags)


async def _read_line(descriptor: int) -> bytes:
    """What an agent writes when it is ready; empty when it ends first or takes too long."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[bytes] = loop.create_future()
    parts: list[bytes] = []

    def read() -> None:
        part = os.read(descriptor, 65536)
        parts.append(part)
        if (not part or part.endswith(b"\n")) and not found.done():
            found.set_result(b"".join(parts))

    loop.add_reader(descriptor, read)
    try:
        async with asyncio.timeout(READY_S):
            return await found
    except TimeoutError:
        return b""
    finally:
        loop.remove_reader(descriptor)
