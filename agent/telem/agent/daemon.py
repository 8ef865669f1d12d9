"""The daemon: an ordered list of starts and its mirror of stops.

lock → ports → policy → recover → gate → journals → gRPC door → doors → keeper        and back, from the right

Lock and ports outlive the rest when another daemon is to follow and fails: then there is a second life with them.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal as signals
import tempfile
import time
from collections import Counter
from importlib import metadata
from typing import TYPE_CHECKING, Any

import orjson

from telem.queries.sandbox.folders import make_folders
from telem.sanitize.admit import Admit, Dropped
from telem.sanitize.engines import HAS_RE2
from telem.sanitize.gate import Gate
from telem.sanitize.records import Profile, Signal
from telem.sanitize.redact import Redactor
from telem.sanitize.tombs import Tombs
from telem.storage import spare, tombstones
from telem.storage.disk import Disk
from telem.storage.formats import mark_format
from telem.storage.inventory import sizes
from telem.storage.journal import Journal
from telem.storage.keys import load_key
from telem.storage.ledger import REMEMBER_S, Ledger
from telem.storage.recovery import recover_all
from telem.storage.seen import Seen

from . import reserve
from .access_log import AccessLog
from .askers import Askers
from .audit import Audit
from .damage import DamageWatch
from .doors import Doors
from .everyday.summary import Summary
from .forward.dispatcher import Dispatcher
from .forwarded import Forwarded
from .grpc_door import GrpcDoor
from .guard import Guard
from .handover import HandoverDoor, Predecessor
from .http import OtlpHttp
from .ingest import Committer, Ingest
from .keeper import Keeper
from .local import HEADERS, Local
from .logins import Logins
from .metrics import Metrics
from .mounts import network_of
from .policies import OFF_WARNING, PolicyWatch, load_policy
from .purging import Purging
from .query_http import SqlDoor
from .retention import Retention, limits_of
from .scheduled import Reporter
from .sockets import listen, port
from .switchboard import Misdialled, Switchboard
from .tokens import Tokens
from .transcripts.watching import Watch

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from telem.sanitize.policy import Policy
    from telem.sanitize.records import Row
    from telem.storage.disk import Lock

    from .config import Config
    from .doors import Handed
    from .handover import Successor

STATUS_SCHEMA = 1
_PACKAGES = ("telem-agent", "aiohttp", "grpcio", "protobuf", "orjson", "duckdb", "pyarrow")

log = logging.getLogger(__name__)


class Daemon:
    """One running daemon; tests start and stop it in their own process.

    Args:
        on_ready: called once it accepts data, with what `daemon.json` says.
        take_over_from: where the running daemon hands over (see `handover`); without it there is none.
    """

    def __init__(
        self, config: Config, on_ready: Callable[[dict[str, Any]], None] | None = None, take_over_from: str = ""
    ) -> None:
        self.config = config
        self.layout = config.layout
        self.disk = Disk()
        self.misdialled = Misdialled()
        self.started_at_s = time.time()
        self.messages: list[str] = []
        self.ingest: Ingest
        self.keeper: Keeper
        self.damage: DamageWatch
        self.audit: Audit
        self.summary: Summary
        self.purging: Purging
        self.policy: PolicyWatch
        self._key = b""
        self._tombs = Tombs()
        self._seen: Seen | None = None
        self._dropped: Dropped = Counter()
        self._on_ready = on_ready
        self._take_over_from = take_over_from
        self._before: Predecessor | None = None
        self._successor: Successor | None = None
        self._doors: Doors
        self._askers: Askers
        self._access: AccessLog
        self._handover: HandoverDoor
        self._lock: Lock
        self._sockets: dict[str, socket.socket] = {}
        self._stop = asyncio.Event()
        self._ended = False

    async def run(self) -> None:
        """Start, serve until `stop` is called, a signal comes or another daemon takes over, stop.

        Raises:
            LockedError: another daemon has this directory.
            PortError: a port is taken.
            PolicyError: `sanitize.toml` cannot be used; it must not start less strict than it was asked to be.
            AgentError: the daemon to take over from does not hand over.
        """
        os.umask(0o077)
        self.disk.directory(self.layout.home)
        async with contextlib.AsyncExitStack() as kept:
            handed = await self._take_directory(kept)
            while True:
                async with contextlib.AsyncExitStack() as stack:
                    await self._live(stack, handed)
                    handed = await self._doors.drain(hand_on=self._successor is not None)
                successor, self._successor = self._successor, None
                if successor is None or await successor.take(handed):
                    break
                log.error("the daemon that was to take over has failed; this one goes on")
                if self._ended:
                    break
                self._stop.clear()
            await self._doors.linger()

    async def _live(self, stack: contextlib.AsyncExitStack, handed: list[Handed]) -> None:
        """One life, until it is time to leave. There is another when a successor fails."""
        spare.give(self.layout, spare.START_BYTES)
        self.disk.sign(self._lock)
        mark_format(self.layout, self.disk)
        waiting = self._open_journals(stack)
        make_folders(self.layout, self.disk)
        await self._open_doors(stack)
        retention = Retention(self.layout, self.disk, limits_of(self.config))
        self.keeper = Keeper(
            self.layout, self.ingest.committers, waiting, self.config.segment_age_s, self.disk, retention, self._seen
        )
        self.damage = DamageWatch(self.layout, self.disk, self.keeper)
        self.summary = Summary(self.layout, self.disk)
        self.ingest.on_stored = self.summary.stored
        after = self.summary.begin_anew
        self.purging = Purging(self.layout, self.disk, self._key, self._tombs, self.keeper, self.ingest, after)
        loops = (self.keeper, self.purging, self.damage, self.policy, self.audit, self.summary, self._askers)
        self.forwarding = Dispatcher(self.layout)
        for loop in (*loops, self._access, Watch(self.config), Reporter(self.config), self.forwarding):
            stack.push_async_callback(_cancel, asyncio.create_task(loop.run()))
        self._announce(stack)
        for one in handed:
            await self._doors.resume(one)
        gc.freeze()
        await self._stop.wait()
        log.info("stopping" if self._successor is None else "handing over")

    @property
    def endpoints(self) -> dict[str, str]:
        """Addresses by door."""
        return self._doors.endpoints

    def stop(self) -> None:
        """Ask it to stop; what is under way is written first."""
        self._ended = True
        self._stop.set()

    def _leave_to(self, successor: Successor) -> None:
        self._successor = successor
        self._stop.set()

    # -- starts, each with its stop on the stack -------------------------------------------------------------------

    async def _take_directory(self, kept: contextlib.AsyncExitStack) -> list[Handed]:
        """Take lock and ports, before anything else is done: from then on clients wait for us rather than be refused.

        From a daemon that is to be followed they are taken over, when all is known that keeps this one from starting.
        """
        if not self._take_over_from:
            self._lock = self.disk.lock(self.layout.lock)
            kept.callback(self._lock.release)
            self._sockets = listen(self.config, kept, {})
            return []
        before = await asyncio.to_thread(Predecessor, self._take_over_from)
        self._lock = self.disk.adopt_lock(before.lock)
        kept.callback(self._lock.release)
        self._sockets = listen(self.config, kept, before.sockets)
        load_policy(self.config)
        load_key(self.layout, self.disk)
        handed = await asyncio.to_thread(before.go)
        self._before = before
        return handed

    def _open_journals(self, stack: contextlib.AsyncExitStack) -> dict[Signal, list[int]]:
        loaded = load_policy(self.config)
        self._key = load_key(self.layout, self.disk)
        self._tombs.take(self._buried())
        ledger = Ledger()
        committers = {}
        waiting = {}
        since_us = int((time.time() - REMEMBER_S) * 1e6)
        for signal, found in recover_all(self.layout, self.disk, since_us).items():
            self.messages += found.messages
            ledger.doubted |= found.doubted
            ledger.doubted_rows |= found.doubted_rows
            for commit in found.commits:
                ledger.add(commit.request_id, time.monotonic())
            committers[signal] = Committer(Journal(self.layout, signal, self.disk, found.next_segment))
            waiting[signal] = found.waiting
        if kind := network_of(self.layout.home):
            self.messages.append(f"{self.layout.home} lies on {kind}, where locks and syncs need not hold: move it")
        for message in self.messages:
            log.warning("recovery: %s", message)
        self._seen = Seen.load(self.layout) if self.config.accept_row_ids else None
        gate, heavy_gate = self._gates(loaded.policy)
        self.ingest = Ingest(gate, heavy_gate, committers, ledger, self._seen)
        tallies = [gate.redactor.tally, heavy_gate.redactor.tally]
        self.audit = Audit(self.layout, self.disk, tallies, self._dropped, self._clean_name)
        stack.push_async_callback(self.audit.write)
        stack.push_async_callback(self.ingest.stop)
        self.policy = PolicyWatch(self.config, loaded, self._use)
        return waiting

    def _buried(self) -> Tombs:
        """What was purged. A file that cannot be read does not keep clients waiting; it is said instead."""
        try:
            return tombstones.read(self.layout, self._key)
        except tombstones.TombstoneError as error:
            self.messages.append(str(error))
            return Tombs()

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
        judged = Admit(policy.admission, self._key, self._tombs, self._dropped)
        admit: Callable[[Row, Signal], bool] = judged
        if self._seen is not None:
            admit = Forwarded(judged, self._seen, lambda: self.disk.directory(self.layout.transcripts))
        return Gate(Redactor(policy, self._key), self._key, admit), Gate(Redactor(policy, self._key), self._key, admit)

    def _clean_text(self, text: str) -> str:
        return self.ingest.gate.redactor.sanitized(text)

    def _clean_name(self, attribute: str) -> str:
        return self.ingest.gate.redactor.name(attribute)

    async def _open_doors(self, stack: contextlib.AsyncExitStack) -> None:
        config = self.config
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="telem-"))
        grpc = GrpcDoor(self.ingest, folder, config.body_limit_bytes)
        stack.push_async_callback(grpc.stop)
        self._askers = Askers(self.layout)
        stack.push_async_callback(self._askers.close)
        self._access = AccessLog(self.layout, self.disk, self._clean_text)
        stack.push_async_callback(self._access.close)  # after the doors: their last questions are noted too
        self._doors = Doors()
        stack.push_async_callback(self._doors.close)
        for name in ("HTTP", "gRPC"):
            setting = f"otlp_{name.lower()}_port"
            number = port(self._sockets[setting])
            door = OtlpHttp(self.ingest, Guard(number, config.allowed_hosts), config.body_limit_bytes)
            board = Switchboard(name, number, door.server, grpc, self.misdialled)
            await self._doors.open_board(setting, self._sockets[setting], board)
        listener = self._sockets["query_port"]
        actions = {
            ("GET", "/status"): self.status,
            ("GET", "/summary"): self._summary,
            ("POST", "/wake"): self._askers.wake,
            ("POST", "/compact"): self._compact,
            ("POST", "/purge"): self._purge,
            ("POST", "/sanitize"): self._sanitize_stored,
            **reserve.routes(self.ingest.committers),
        }
        guard = Guard(port(listener), config.allowed_hosts)
        sql = SqlDoor(self._askers, self._access.note, HEADERS)
        metrics = Metrics(self.status, self._askers.rows) if config.metrics else None
        wrong = Logins(self._access.note).failed
        local = Local(guard, Tokens(self.layout, self.disk), actions, sql, metrics, wrong).server()
        await self._doors.open("query_port", listener, local, local)
        self._handover = HandoverDoor(f"{folder}/handover", self._sockets, self._lock.fileno(), self._leave_to)
        self._handover.open()
        stack.push_async_callback(self._handover.close)

    async def _summary(self) -> dict[str, Any]:
        return self.summary.said()

    async def _purge(self) -> dict[str, Any]:
        return await self.purging.purge_folder()

    async def _sanitize_stored(self) -> dict[str, Any]:
        return await self.purging.sanitize(load_policy(self.config).job(self.config, dry=False))

    async def _compact(self) -> dict[str, Any]:
        return await self.keeper.compact_now()

    def _announce(self, stack: contextlib.AsyncExitStack) -> None:
        said = self._said()
        self.disk.write(self.layout.daemon, orjson.dumps(said))
        stack.callback(self._withdraw)
        for number in (signals.SIGTERM, signals.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.stop)
        log.info("ready: %s; profile %s", said["endpoints"], said["profile"])
        if said["profile"] == Profile.OFF:
            log.warning(OFF_WARNING)
        if self._before:
            self._before.serving()
            self._before = None
        if self._on_ready:
            self._on_ready(said)
            self._on_ready = None

    def _withdraw(self) -> None:
        if self._successor is None:  # else it says where it is
            self.layout.daemon.unlink(missing_ok=True)

    def _said(self) -> dict[str, Any]:
        """What `daemon.json` holds."""
        profile = self.ingest.gate.redactor.policy.profile
        return {
            "pid": os.getpid(),
            "started_at_s": self.started_at_s,
            "endpoints": self.endpoints,
            "profile": profile.value,
            "handover": self._handover.path,
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
            "quarantine": self.damage.status(),
            "sanitizer": self._sanitizer_status(),
            "forwarding": self.forwarding.status(),
            "dropped": self.audit.dropped(),
            "questions": self._askers.status(),
            "retention": self.keeper.retention.status(),
            "budgets": self.summary.budgets(),
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
