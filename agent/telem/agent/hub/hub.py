"""The hub's own process: an ordered list of starts and its mirror of stops, as in the daemon of a laptop.

lock → port → members → houses → door → housekeeping        and back, from the right

It decodes nothing, judges nothing and stores nothing itself; the members' agents do.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal as signals
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from telem.agent.access_log import AccessLog
from telem.agent.errors import AgentError, PortError
from telem.agent.guard import Guard
from telem.agent.local import Local
from telem.agent.metrics import CONTENT_TYPE
from telem.agent.policies import load_policy
from telem.agent.tokens import Tokens
from telem.storage import access
from telem.storage.disk import Disk

from .certificate import context_for, keep_fresh
from .doorkeeper import Doorkeeper
from .houses import Houses, flags_of
from .limits import Limits, folder_bytes
from .members import Members, Role
from .metrics import hub_text
from .port import Port
from .purging import Purging
from .team import Team

if TYPE_CHECKING:
    from collections.abc import Callable

    from telem.agent.config import Config

    from .members import Member

STATUS_SCHEMA = 1
HOUSEKEEPING_S = 60.0
WAKE_EVERY_S = 24 * 3600.0
"""Each member's agent is awake at least once a day, so that compaction, retention and rollups happen."""

DOOR_GRACE_S = 3.0
ACCESS_SHOWN = 1000

log = logging.getLogger(__name__)


class Hub:
    """One running hub.

    Args:
        on_ready: called once it accepts data, with what `daemon.json` says.
    """

    def __init__(self, config: Config, on_ready: Callable[[dict[str, Any]], None] | None = None) -> None:
        self.config = config
        self.layout = config.layout
        self.disk = Disk()
        self.members = Members(self.layout.hub_members, self.disk)
        self.started_at_s = time.time()
        self.endpoints: dict[str, str] = {}
        self.houses: Houses
        self.limits: Limits
        self.door: Doorkeeper
        self._woken_at_s: dict[str, float] = {}
        self._on_ready = on_ready
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Start, serve until `stop` is called or a signal comes, stop.

        Raises:
            LockedError: another daemon has this directory.
            PortError: the address cannot be listened on.
            AgentError: it would listen beyond this machine without TLS.
            PolicyError: `sanitize.toml` cannot be used, by which its members' agents go.
        """
        async with contextlib.AsyncExitStack() as stack:
            self._take_directory(stack)
            await asyncio.to_thread(load_policy, self.config)
            await self._open(stack)
            for loop in (self._keep_house(), self.access.run()):
                stack.push_async_callback(_cancel, asyncio.create_task(loop))
            self._announce(stack)
            await self._stop.wait()
            log.info("stopping")

    def stop(self) -> None:
        """Ask it to stop; what is under way is answered first."""
        self._stop.set()

    def _take_directory(self, stack: contextlib.AsyncExitStack) -> None:
        os.umask(0o077)
        self.disk.directory(self.layout.home)
        stack.callback(self.disk.lock(self.layout.lock).release)
        for path in self.disk.sweep_temporary(self.layout.hub):
            log.info("removed what a crash left: %s", path)

    async def _open(self, stack: contextlib.AsyncExitStack) -> None:
        host, port = address_of(self.config.hub_listen)
        tls = context_for(self.config, host)
        sockets = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="telem-")))
        self.houses = Houses(self.layout.hub_houses, sockets, flags_of(self.config), self.layout.policy)
        stack.push_async_callback(self.houses.close)
        self.limits = Limits(self.layout.hub_house, self.layout.hub_visits, self.disk)
        stack.callback(self.limits.write_visits)
        await self._open_local(stack, f"{sockets}/query")
        self.access = AccessLog(self.layout, self.disk, lambda text: text)  # no words of members are in it
        stack.push_async_callback(self.access.close)
        self._team = Team(self.members, self.layout.hub_house, self.config.hub_group_size, self.access.note)
        stack.push_async_callback(self._team.close)
        actions = {
            "GET /me": _me,
            "GET /team": self._team.answer,
            "GET /team/access": self._team_access,
            "GET /metrics": self._metrics,
            "POST /purge": Purging(self.layout.hub_house).answer,
        }
        self.door = Doorkeeper(self.members, self.houses, self.limits, actions)
        factory = self.door.server()
        listening = Port(factory)
        try:
            await listening.open(host, port, tls)
        except OSError as error:
            raise PortError(
                f"{self.config.hub_listen} (hub_listen) cannot be listened on: {error.strerror or error}",
                f"Stop what holds it (lsof -i :{port}), or choose another: --hub-listen HOST:PORT",
            ) from error
        stack.push_async_callback(factory.shutdown, DOOR_GRACE_S)
        stack.callback(listening.close)
        if tls:
            keeping = asyncio.create_task(keep_fresh(self.config, host, listening.replace))
            stack.push_async_callback(_cancel, keeping)
        name = f"[{host}]" if ":" in host else host
        self.endpoints["hub"] = f"{'https' if tls else 'http'}://{name}:{listening.number}"

    async def _open_local(self, stack: contextlib.AsyncExitStack, path: str) -> None:
        """The door for `telem-agent status` on this machine."""
        local = Local(Guard(0), Tokens(self.layout, self.disk), {("GET", "/status"): self.status}).server()
        server = await asyncio.get_running_loop().create_unix_server(local, path)
        stack.push_async_callback(local.shutdown, DOOR_GRACE_S)
        stack.callback(server.close)
        self.endpoints["query"] = f"unix:{path}"

    async def _team_access(self, _member: Member, _request: web.BaseRequest) -> web.StreamResponse:
        """Tell any member who asked about the team: the last questions, as JSON lines."""
        await asyncio.to_thread(self.access.write)
        noted = await asyncio.to_thread(lambda: [said for _, _, said in access.lines(self.layout) if said])
        text = b"".join(orjson.dumps(said) + b"\n" for said in noted[-ACCESS_SHOWN:])
        return web.Response(body=text, content_type="application/x-ndjson", headers={"Cache-Control": "no-store"})

    async def _metrics(self, member: Member, _request: web.BaseRequest) -> web.StreamResponse:
        """Answer Prometheus, with a token of a coordinator or an admin."""
        if member.role is Role.MEMBER:
            return web.Response(status=403, text="the hub's metrics are for coordinators and admins\n")
        said = {
            "started_at_s": self.started_at_s,
            "members": sum(1 for _ in self.members),
            "awake": self.houses.open_count,
            "requests": self.door.requests,
            "failed": self.door.failed,
            "refused": self.door.refused,
        }
        text = hub_text(said, await self._team.gathered())
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})

    async def _keep_house(self) -> None:
        """End idle agents, wake the sleeping once a day, note who came."""
        while True:
            try:
                await asyncio.to_thread(self.limits.write_visits)  # a slow disk takes its time to sync
                self.houses.share_policy()
                await self.houses.close_idle(time.monotonic())
                await self._wake_one()
            except (OSError, AgentError) as error:
                log.warning("housekeeping failed; it goes on in a minute: %s", error)
            await asyncio.sleep(HOUSEKEEPING_S)

    async def _wake_one(self) -> None:
        """Open the house that has been closed for longest, if for more than a day; one at a time."""
        now_s = time.monotonic()
        for member in self.members:
            house = self.houses.of(member.id)
            if house.is_open:
                self._woken_at_s[member.id] = now_s
            elif house.home.exists() and now_s - self._woken_at_s.get(member.id, -WAKE_EVERY_S) >= WAKE_EVERY_S:
                self._woken_at_s[member.id] = now_s
                async with self.houses.visit(member.id):
                    return

    def _announce(self, stack: contextlib.AsyncExitStack) -> None:
        said = {
            "pid": os.getpid(),
            "started_at_s": self.started_at_s,
            "endpoints": self.endpoints,
            "profile": "",
        }
        self.disk.write(self.layout.daemon, orjson.dumps(said))
        stack.callback(self.layout.daemon.unlink, missing_ok=True)
        for number in (signals.SIGTERM, signals.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.stop)
        log.info("ready: %s", self.endpoints)
        if self._on_ready:
            self._on_ready(said)

    async def status(self) -> dict[str, Any]:
        """What `telem-agent status` shows of a hub."""
        return {
            "schema": STATUS_SCHEMA,
            "hub": True,
            "pid": os.getpid(),
            "started_at_s": self.started_at_s,
            "home": str(self.layout.home),
            "endpoints": self.endpoints,
            "members": [
                {
                    "id": member.id,
                    "name": member.name,
                    "role": member.role.value,
                    "open": self.houses.of(member.id).is_open,
                    "bytes": await asyncio.to_thread(folder_bytes, self.layout.hub_house(member.id)),
                }
                for member in self.members
            ],
            "refused": self.door.refused,
            "versions": {"telem-agent": metadata.version("telem-agent")},
        }


async def _me(member: Member, _request: web.BaseRequest) -> web.StreamResponse:
    """Tell a member who she is here."""
    said = orjson.dumps({"schema": STATUS_SCHEMA, "name": member.name, "role": member.role.value})
    return web.Response(body=said, content_type="application/json", headers={"Cache-Control": "no-store"})


def address_of(text: str) -> tuple[str, int]:
    """Host and port of `host:port`.

    Raises:
        AgentError: it is something else.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004 (the largest port)
        raise AgentError(f"hub_listen is {text!r}", "Give a host and a port: --hub-listen 0.0.0.0:8443")
    return host.strip("[]"), int(port)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
