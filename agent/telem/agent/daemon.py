"""The daemon: an ordered list of starts and its mirror of stops.

lock → ports → policy → recover → gate → journals → gRPC door → sockets → keeper        and back, from the right
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import shutil
import signal as signals
import socket
import tempfile
import time
from importlib import metadata
from typing import TYPE_CHECKING, Any

import orjson

from telem.sanitize.engines import HAS_RE2
from telem.sanitize.gate import Gate
from telem.sanitize.policy import Profile
from telem.sanitize.records import Signal
from telem.sanitize.redact import Redactor
from telem.storage.disk import Disk
from telem.storage.inventory import sizes
from telem.storage.journal import Journal
from telem.storage.keys import load_key, load_token
from telem.storage.ledger import REMEMBER_S, Ledger
from telem.storage.recovery import recover

from .audit import Audit
from .errors import PortError
from .grpc_door import GrpcDoor
from .guard import Guard
from .http import OtlpHttp
from .ingest import Committer, Ingest
from .keeper import Keeper
from .local import Local
from .policies import OFF_WARNING, PolicyWatch, load_policy
from .switchboard import Misdialled, Switchboard

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from telem.sanitize.policy import Policy

    from .config import Config

STATUS_SCHEMA = 1
BACKLOG = 512
DOOR_GRACE_S = 1.0
_PACKAGES = ("telem-agent", "aiohttp", "grpcio", "protobuf", "orjson", "duckdb", "pyarrow")

log = logging.getLogger(__name__)


class Daemon:
    """One running daemon; tests start and stop it in their own process.

    Args:
        on_ready: called once it accepts data, with what `daemon.json` says.
    """

    def __init__(self, config: Config, on_ready: Callable[[dict[str, Any]], None] | None = None) -> None:
        self.config = config
        self.layout = config.layout
        self.disk = Disk()
        self.misdialled = Misdialled()
        self.started_at_s = time.time()
        self.messages: list[str] = []
        self.endpoints: dict[str, str] = {}
        self.ingest: Ingest
        self.keeper: Keeper
        self.audit: Audit
        self.policy: PolicyWatch
        self._key = b""
        self._on_ready = on_ready
        self._sockets: dict[str, socket.socket] = {}
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Start, serve until `stop` is called or a signal comes, stop.

        Raises:
            LockedError: another daemon has this directory.
            PortError: a port is taken.
            PolicyError: `sanitize.toml` cannot be used; it must not start less strict than it was asked to be.
        """
        async with contextlib.AsyncExitStack() as stack:
            self._take_directory(stack)
            self._bind_ports(stack)
            waiting = self._open_journals(stack)
            await self._open_doors(stack)
            self.keeper = Keeper(self.layout, self.ingest.committers, waiting, self.config.segment_age_s, self.disk)
            for loop in (self.keeper, self.policy, self.audit):
                stack.push_async_callback(_cancel, asyncio.create_task(loop.run()))
            self._announce(stack)
            gc.freeze()
            await self._stop.wait()
            log.info("stopping")

    def stop(self) -> None:
        """Ask it to stop; what is under way is written first."""
        self._stop.set()

    # -- starts, each with its stop on the stack -------------------------------------------------------------------

    def _take_directory(self, stack: contextlib.AsyncExitStack) -> None:
        os.umask(0o077)
        self.disk.directory(self.layout.home)
        stack.callback(self.disk.lock(self.layout.lock).release)
        for path in self.disk.sweep_temporary(self.layout.home):
            log.info("removed what a crash left: %s", path)

    def _bind_ports(self, stack: contextlib.AsyncExitStack) -> None:
        """Take all ports before anything else is done: from then on clients wait for us rather than be refused."""
        family = socket.AF_INET6 if ":" in self.config.bind else socket.AF_INET
        for setting in ("otlp_http_port", "otlp_grpc_port", "query_port"):
            port = getattr(self.config, setting)
            try:
                listener = socket.create_server((self.config.bind, port), family=family, backlog=BACKLOG)
            except OSError as error:
                raise PortError(
                    f"port {port} ({setting}) on {self.config.bind} cannot be used: {os.strerror(error.errno or 0)}",
                    f"Stop what holds it (lsof -i :{port}), or choose another: --{setting.replace('_', '-')} N",
                ) from error
            stack.callback(listener.close)
            self._sockets[setting] = listener

    def _open_journals(self, stack: contextlib.AsyncExitStack) -> dict[Signal, list[int]]:
        loaded = load_policy(self.config)
        self._key = load_key(self.layout, self.disk)
        ledger = Ledger()
        committers = {}
        waiting = {}
        since_us = int((time.time() - REMEMBER_S) * 1e6)
        for signal in Signal:
            self.disk.directory(self.layout.journal(signal))
            shutil.rmtree(self.layout.merging(signal), ignore_errors=True)  # a crash's: unfinished, or replaced already
            found = recover(self.layout, signal, self.disk, since_us)
            self.messages += found.messages
            for commit in found.commits:
                ledger.add(commit.request_id, time.monotonic())
            committers[signal] = Committer(Journal(self.layout, signal, self.disk, found.next_segment))
            waiting[signal] = found.waiting
        for message in self.messages:
            log.warning("recovery: %s", message)
        gate, heavy_gate = self._gates(loaded.policy)
        self.ingest = Ingest(gate, heavy_gate, committers, ledger)
        tallies = [gate.redactor.tally, heavy_gate.redactor.tally]
        self.audit = Audit(self.layout, self.disk, tallies, self._clean_name)
        stack.push_async_callback(self.audit.write)
        stack.push_async_callback(self.ingest.stop)
        self.policy = PolicyWatch(self.config, loaded, self._use)
        return waiting

    def _use(self, policy: Policy) -> None:
        """Put another policy in force, between two requests. Ids depend on the key alone, and stay what they were.

        It holds up the loop for 5 ms. The tallies go on, so that nothing counted is lost.
        """
        gate, heavy_gate = self._gates(policy)
        gate.redactor.tally = self.ingest.gate.redactor.tally
        heavy_gate.redactor.tally = self.ingest.heavy_gate.redactor.tally
        self.ingest.gate, self.ingest.heavy_gate = gate, heavy_gate
        self.disk.write(self.layout.daemon, orjson.dumps(self._said()))

    def _gates(self, policy: Policy) -> tuple[Gate, Gate]:
        return Gate(Redactor(policy, self._key), self._key), Gate(Redactor(policy, self._key), self._key)

    def _clean_name(self, attribute: str) -> str:
        return self.ingest.gate.redactor.name(attribute)

    async def _open_doors(self, stack: contextlib.AsyncExitStack) -> None:
        config = self.config
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="telem-"))
        grpc = GrpcDoor(self.ingest, folder, config.body_limit_bytes)
        stack.push_async_callback(grpc.stop)
        for name in ("HTTP", "gRPC"):
            listener = self._sockets[f"otlp_{name.lower()}_port"]
            port = listener.getsockname()[1]
            door = OtlpHttp(self.ingest, Guard(port, config.allowed_hosts), config.body_limit_bytes)
            board = Switchboard(name, port, door.server(), grpc, self.misdialled)
            await self._serve(stack, listener, board, board.http, f"otlp_{name.lower()}")
        listener = self._sockets["query_port"]
        actions = {("GET", "/status"): self.status, ("POST", "/compact"): self._compact}
        guard = Guard(listener.getsockname()[1], config.allowed_hosts)
        local = Local(guard, load_token(self.layout, self.disk), actions).server()
        await self._serve(stack, listener, local, local, "query")

    async def _serve(
        self,
        stack: contextlib.AsyncExitStack,
        listener: socket.socket,
        factory: Callable[[], asyncio.BaseProtocol],
        door: web.Server,
        name: str,
    ) -> None:
        server = await asyncio.get_running_loop().create_server(factory, sock=listener)
        stack.push_async_callback(door.shutdown, DOOR_GRACE_S)
        stack.callback(server.close)
        host, port = listener.getsockname()[:2]
        self.endpoints[name] = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def _compact(self) -> dict[str, Any]:
        return await self.keeper.compact_now()

    def _announce(self, stack: contextlib.AsyncExitStack) -> None:
        said = self._said()
        self.disk.write(self.layout.daemon, orjson.dumps(said))
        stack.callback(self.layout.daemon.unlink, missing_ok=True)
        for number in (signals.SIGTERM, signals.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.stop)
        log.info("ready: %s; profile %s", self.endpoints, said["profile"])
        if said["profile"] == Profile.OFF:
            log.warning(OFF_WARNING)
        if self._on_ready:
            self._on_ready(said)

    def _said(self) -> dict[str, Any]:
        """What `daemon.json` holds."""
        profile = self.ingest.gate.redactor.policy.profile
        return {
            "pid": os.getpid(),
            "started_at_s": self.started_at_s,
            "endpoints": self.endpoints,
            "profile": profile.value,
        }

    # -- what it says of itself ------------------------------------------------------------------------------------

    async def status(self) -> dict[str, Any]:
        """Everything `telem-agent status` shows."""
        return {
            "schema": STATUS_SCHEMA,
            "pid": os.getpid(),
            "started_at_s": self.started_at_s,
            "home": str(self.layout.home),
            "endpoints": self.endpoints,
            "signals": {signal.value: self._signal_status(signal) for signal in Signal},
            "misdialled": self.misdialled.counts,
            "recovery": self.messages,
            "sanitizer": self._sanitizer_status(),
            "versions": {name: metadata.version(name) for name in _PACKAGES},
        }

    def _signal_status(self, signal: Signal) -> dict[str, Any]:
        counts, found = self.ingest.counts[signal], sizes(self.layout, signal)
        return {
            "requests": counts.requests,
            "records": counts.records,
            "retried": counts.retried,
            "refused": counts.refused,
            "failed": counts.failed,
            "last_record_at_s": counts.last_record_at_s or None,
            "journal_bytes": found.journal_bytes,
            "parquet_bytes": found.parquet_bytes,
            "parquet_files": found.parquet_files,
        }

    def _sanitizer_status(self) -> dict[str, Any]:
        redactor = self.ingest.gate.redactor
        return {
            "profile": redactor.policy.profile.value,
            "engine": redactor.scanner.engine.name,
            "engine_is_fallback": not HAS_RE2,
            "policy_file": str(self.layout.policy) if self.layout.policy.exists() else None,
            "policy_loaded_at_s": self.policy.loaded_at_s,
            "policy_error": self.policy.error or None,
            **self.audit.status(),
        }


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
