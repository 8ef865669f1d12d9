"""Two laptops with real daemons, a real hub or ClickHouse's engine, and a bad network between them, by script.

The network is the kernel's: cables are pulled, routers drop, lines are narrow, a box on the way answers by itself. What
was acknowledged on the laptops and may leave is there in the end, once each, in the order in which it came about.

`TELEM_TEST_NIGHT_HOURS` says how long the other side is away, in hours of the laptops' clocks: half an hour without it,
24 in the long form. Needs root; skipped elsewhere.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import random
import re
import shutil
import ssl
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from tests.agent.forward.fronts import PASSWORD, Engine
from tests.agent.forward.hours import STEP_S, Hours
from tests.agent.forward.namespaces import ADDRESS, BEHIND, Namespace, Net, needed
from tests.agent.forward.network import BadNetwork, Passing
from tests.agent.forward.receiver import CUT, OK, PORTAL, STORED_AND_CUT, Reply, failure
from tests.agent.forward.test_bad_network import ANSWERS_400
from tests.agent.hub.test_certificate import certificate
from tests.daemons import CLI, LiveDaemon, clean_env, journal_rows, names, wait_for
from tests.faults.shim import Shim
from tests.faults.volume import Volume, mounted
from tests.otlp import logs, traces
from tests.storage.homes import asked

from telem.agent.forward import destinations
from telem.agent.forward.cursor import Cursor
from telem.agent.forward.destinations import Destination
from telem.agent.forward.dispatcher import CAP_S, FIRST_S, TICK_S
from telem.agent.hub.members import Members, Role
from telem.sanitize.records import Signal
from telem.storage.disk import Disk
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOGS, TRACES = Signal.LOGS, Signal.TRACES
HOURS = float(os.environ.get("TELEM_TEST_NIGHT_HOURS", "0.5"))
IS_LONG = HOURS > 1
PORT = 8443
BASE_NS = 1_790_000_000_000_000_000
SLACK_S = 2 * STEP_S + 2 * TICK_S + 60
NOTICED_S = 20.0
"""On a busy machine it may take a while until we see that a process has ended."""

SOON_S = 120.0
POISON = "ada-poison"


class There(Protocol):
    """The other side."""

    tls: ssl.SSLContext | None  # what a box on the way shows that is trusted by laptops, and trusts the other side
    trusted: ssl.SSLContext | None

    def join(self, name: str) -> dict[str, Any]:
        """What the destination of a new member needs."""

    def settle(self) -> None:
        """Called once something has arrived."""

    def crash(self) -> None:
        """Kill it without a word, and start it again."""

    def names(self, name: str, signal: Signal) -> list[str]:
        """Names of a member's records in the order in which they were stored, as often as they are."""

    def close(self) -> None:
        """End it."""


class AHub:
    """A real hub, with TLS of its own."""

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self._within = namespace.within
        self._folder = folder
        self._home = folder / "hub"
        self._home.mkdir(mode=0o700)
        self._chain, key = certificate(folder, "hub", ADDRESS, BEHIND)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(self._chain, key)
        self.trusted = ssl.create_default_context(cafile=str(self._chain))
        self._flags: tuple[str, ...] = ("--mode", "hub", "--hub-listen", f"0.0.0.0:{PORT}")
        self._flags += ("--hub-cert", str(self._chain), "--hub-cert-key", str(key))
        self._houses: dict[str, Path] = {}
        self._daemon = LiveDaemon(self._home, *self._flags, within=self._within)

    def join(self, name: str) -> dict[str, Any]:
        layout = Layout(self._home)
        member, token = Members(layout.hub_members, Disk()).add(name, Role.MEMBER, 0.0, 1 << 30, None)
        self._houses[name] = layout.hub_house(member.id)
        path = self._folder / f"{name}.token"
        path.write_text(token)
        url = f"https://{ADDRESS}:{PORT}"
        return {"kind": "hub", "url": url, "ca_file": str(self._chain), "token_file": str(path)}

    def settle(self) -> None:
        pass

    def crash(self) -> None:
        self._daemon.kill()
        self._daemon = LiveDaemon(self._home, *self._flags, within=self._within)

    def names(self, name: str, signal: Signal) -> list[str]:
        """From the journal, which has what became Parquet for a quarter of an hour more, and has kept the order."""
        return names(journal_rows(self._houses[name], signal))

    def rows(self, name: str, signal: Signal) -> list[tuple[object, ...]]:
        """Whole rows, as they are asked for."""
        return rows_in(Layout(self._houses[name]), signal)

    def close(self) -> None:
        self._daemon.stop()


class AClickHouse:
    """ClickHouse's engine behind plain HTTP; both members write into the same tables."""

    tls = trusted = None

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self._namespace = namespace
        self._folder = folder
        self._engine = Engine(folder, PORT, namespace.within)

    def join(self, name: str) -> dict[str, Any]:
        path = self._folder / "password"
        path.write_text(PASSWORD)
        url = f"http://{ADDRESS}:{PORT}"
        return {"kind": "clickhouse", "url": url, "insecure": True, "user": name, "password_file": str(path)}

    def settle(self) -> None:
        """From now on it remembers of each row by which insert it came; what came before is in one part by then."""
        for table in ("otel_logs", "otel_traces"):
            self._ask(f"ALTER TABLE {table} MODIFY SETTING enable_block_number_column = 1")

    def crash(self) -> None:
        self._engine.crash()

    def names(self, name: str, signal: Signal) -> list[str]:
        table, column = ("otel_logs", "LogAttributes") if signal is LOGS else ("otel_traces", "SpanAttributes")
        of = f"{column}['record.name']"
        try:
            found = self._ask(
                f"SELECT {of} AS n FROM {table} WHERE n LIKE '{name}-%' ORDER BY _block_number, Timestamp"
            )
        except AssertionError:
            return []  # no table yet
        return [str(one) for (one,) in found]

    def _ask(self, sql: str) -> list[list[Any]]:
        return self._namespace.run(self._engine.ask, sql)

    def close(self) -> None:
        self._engine.close()


class Laptop:
    """A daemon in a namespace, its owner's client, and its time, which passes quickly while it waits."""

    def __init__(self, name: str, namespace: Namespace, home: Path, folder: Path, given: dict[str, Any]) -> None:
        self.name = name
        self.layout = Layout(home)
        self.acknowledged: dict[Signal, list[str]] = {LOGS: [], TRACES: []}
        self._namespace = namespace
        self._numbers = itertools.count(1)
        Disk().directory(home)
        self.destination = Destination("team", **given)
        destinations.write(self.layout, Disk(), self.destination)
        folder.mkdir()
        shim = Shim(folder)
        self.daemon = LiveDaemon(home, env=shim.env, within=namespace.within)
        self.hours = Hours(shim, self.daemon.pid)

    def work(self, records: int = 10, *also: str) -> None:
        """Send some records, and again what is not acknowledged, as exporters do."""
        for signal in (LOGS, TRACES):
            made = self.next_names(records)
            if signal is LOGS:
                made[records // 2 : records // 2] = also
            wait_for(lambda made=made, signal=signal: self.is_acknowledged(signal, made))

    def next_names(self, records: int) -> list[str]:
        return [f"{self.name}-{next(self._numbers):05d}" for _ in range(records)]

    def is_acknowledged(self, signal: Signal, made: list[str]) -> bool:
        """Send records of these names; what is sent again is the same to the last byte."""
        first = int(made[0].rpartition("-")[2])
        status = self._namespace.run(post, self.daemon.port("otlp_http"), signal, request_of(signal, made, first))
        assert status in (200, 503)
        if status == 200:
            self.acknowledged[signal] += made
        return status == 200

    def wanted(self, signal: Signal) -> list[str]:
        """Names of what must arrive, in order; the poisoned one is never taken."""
        if signal.value not in self.destination.signals:
            return []
        return [one for one in self.acknowledged[signal] if one != POISON]

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.layout, Disk(), "team")

    def forward(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of the group, in this laptop's network."""
        command = [*self._namespace.within, *CLI, "forward", words[0], "--home", str(self.layout.home), *words[1:]]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=clean_env())

    def log(self) -> str:
        return (self.layout.logs / "daemon.log").read_text(encoding="utf-8")

    def close(self) -> None:
        self.hours.close()
        self.daemon.stop()


def request_of(signal: Signal, made: list[str], first: int) -> bytes:
    """A request whose records happened one after the other."""
    attributes = [{"record.name": name, "session.id": name.partition("-")[0]} for name in made]
    message: Any = (logs if signal is LOGS else traces)(*attributes)
    if signal is LOGS:
        records = message.resource_logs[0].scope_logs[0].log_records
    else:
        records = message.resource_spans[0].scope_spans[0].spans
    for index, record in enumerate(records):
        at_ns = BASE_NS + first * 1_000_000_000 + index * 1_000_000
        if signal is LOGS:
            record.time_unix_nano = record.observed_time_unix_nano = at_ns
        else:
            record.start_time_unix_nano, record.end_time_unix_nano = at_ns, at_ns + 1_000_000
            record.span_id = (first * 1000 + index).to_bytes(8, "big")
    return bytes(message.SerializeToString())


def post(port: int, signal: Signal, body: bytes) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", f"/v1/{signal}", body, {"Content-Type": "application/x-protobuf"})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def rows_in(layout: Layout, signal: Signal) -> list[tuple[object, ...]]:
    return asked(layout, f"SELECT * EXCLUDE (seg, ingest_day, received_at) FROM raw_{signal} ORDER BY id")


class World:
    """Everything on both sides, and what happens to it."""

    def __init__(self, net: Net, there: There, box: BadNetwork, laptops: dict[str, Laptop], volume: Volume) -> None:
        self.net, self.there, self.box, self.laptops, self.volume = net, there, box, laptops, volume

    def work(self) -> None:
        for laptop in self.laptops.values():
            laptop.work()

    def has_arrived(self) -> bool:
        """Is as much there as was acknowledged and may leave?"""
        try:
            return all(
                len(self.there.names(name, signal)) >= len(laptop.wanted(signal))
                for name, laptop in self.laptops.items()
                for signal in (LOGS, TRACES)
            )
        except (ValueError, OSError, http.client.HTTPException):
            return False  # a line that is just being written; an engine that was just killed

    def all_arrives(self) -> None:
        wait_for(self.has_arrived, SOON_S)

    @contextlib.contextmanager
    def boxed(self) -> Iterator[None]:
        """With a box on the way. When it goes, in the long form, who was connected to it waits for it in vain."""
        with self.net.boxed():
            yield
            if not IS_LONG:
                self.box.hang_up()

    def meets(self, reply: Reply, weather: Callable[[Passing], Reply], times: int = 4) -> None:
        """Let the box on the way do so, with work to be sent, until this reply was given so often."""
        before = self.box.met[reply.status, reply.cut, reply.stores]
        self.box.weather = lambda passing: refused_if_poisoned(passing, weather(passing))
        self.work()
        wait_for(lambda: self.box.met[reply.status, reply.cut, reply.stores] >= before + times, SOON_S)


def refused_if_poisoned(passing: Passing, reply: Reply) -> Reply:
    return ANSWERS_400 if reply.stores and POISON in passing.names else reply


@pytest.fixture(params=[AHub, AClickHouse])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param is AClickHouse:
        pytest.importorskip("chdb")
    needed()
    with contextlib.ExitStack() as stack:
        net = closed(stack, Net("ada", "ben"))
        there = closed(stack, request.param(net.there, tmp_path))
        homes = {name: Path(tempfile.mkdtemp(prefix="telem-")) for name in net.laptops}
        for path in homes.values():
            stack.callback(shutil.rmtree, path, ignore_errors=True)
        volume = stack.enter_context(mounted(homes["ada"], "64m"))
        laptops = {}
        for name, namespace in net.laptops.items():
            given = there.join(name) | ({"signals": ("logs",)} if name == "ben" else {})
            home = homes[name] / "home"
            laptops[name] = closed(stack, Laptop(name, namespace, home, tmp_path / name, given))
        box = net.router.run(BadNetwork, PORT, BEHIND, ("0.0.0.0", PORT), there.tls, there.trusted)
        net.router.run(box.__enter__)
        stack.callback(box.__exit__)
        yield World(net, there, box, laptops, volume)


def closed(stack: contextlib.ExitStack, made: Any) -> Any:
    stack.callback(made.close)
    return made


def test_what_may_leave_arrives_once_each_and_in_order(world: World, tmp_path: Path) -> None:
    """A working day, a night without the other side, and every fault there is."""
    world.work()
    world.all_arrives()
    world.there.settle()
    flap(world)
    spend_the_night(world)
    with world.net.slowly("256kbit", 600):
        world.work()
        world.all_arrives()
    with world.boxed():
        meet_a_box(world)
        crash_in_the_middle(world)
    world.work()
    world.all_arrives()
    meet_a_stranger(world, tmp_path)
    fill_the_disk(world)
    world.work()
    world.all_arrives()
    check_all_is_there(world)


def flap(world: World) -> None:
    """Cables come and go, with requests on the way."""
    chance = random.Random(24)
    for _ in range(20 if IS_LONG else 4):
        for name, laptop in world.laptops.items():
            laptop.work(2)
            world.net.pull(name)
            time.sleep(chance.uniform(0.0, 0.3))
            world.net.plug(name)
        time.sleep(chance.uniform(0.0, 0.4))
    world.all_arrives()


def spend_the_night(world: World) -> None:
    """The other side is away for hours. They ask more and more seldom; then all arrives."""
    began = {name: len(laptop.log()) for name, laptop in world.laptops.items()}
    with world.boxed():
        world.box.weather = lambda _passing: CUT
        world.work()  # who is connected now ends up with somebody who does not know the connection
        wait_for(lambda: all(laptop.cursor.state.failures for laptop in world.laptops.values()), SOON_S)
        world.net.lose("unreachable")
        world.net.pull()
    began_s = {name: laptop.hours.now_s() for name, laptop in world.laptops.items()}
    for part in (1, 2):
        world.work()
        for name, laptop in world.laptops.items():
            laptop.hours.until(began_s[name] + part * HOURS * 3600 / 2)
        world.net.plug()
    for name, laptop in world.laptops.items():
        tries = zip(laptop.hours.tries_s, laptop.hours.ended_s, strict=False)  # of one destination: one at a time
        check_gaps([(at_s, end_s) for at_s, end_s in tries if 0 <= at_s - began_s[name] <= HOURS * 3600])
        check_waits(laptop.log()[began[name] :])
    if IS_LONG:
        lose_without_a_word(world)
    world.net.reach()
    world.all_arrives()


def lose_without_a_word(world: World) -> None:
    """Nobody answers at all: an attempt takes as long as we wait for an answer, in real time."""
    world.net.lose("blackhole")
    before = {name: len(laptop.hours.tries_s) for name, laptop in world.laptops.items()}
    tried = lambda: all(len(one.hours.tries_s) > before[name] + 1 for name, one in world.laptops.items())  # noqa: E731
    wait_for(tried, 180)


def check_gaps(tries: list[tuple[float, float]]) -> None:
    """From the end of an attempt to the beginning of the next, by the laptop's clock."""
    gaps = [after - before for (_, before), (after, _) in itertools.pairwise(tries)]
    late = [gap for gap in gaps[12:] if gap < CAP_S / 2 - NOTICED_S]
    assert not late, gaps
    assert max(gaps) <= CAP_S + SLACK_S, gaps
    took_s = sum(end - start for start, end in tries)
    assert (HOURS * 3600 - took_s) / (CAP_S + SLACK_S) <= len(tries) <= HOURS * 3600 / (CAP_S / 2) + 20


def check_waits(log: str) -> None:
    """What it said itself after each failure in a row: twice as long each time, from the upper half, up to the cap."""
    waits = [float(found) for found in re.findall(r"forwarding to team: .*; again in (\d+) s", log)]
    first = next(at for at, wait in enumerate(waits) if wait >= CAP_S / 2)
    assert first <= 12
    for before, after in itertools.pairwise(waits[:first]):
        assert after <= 4 * max(before, FIRST_S) + 1, waits
    assert all(CAP_S / 2 <= wait <= CAP_S for wait in waits[first:]), waits


def meet_a_box(world: World) -> None:
    """Somebody on the way answers in the other side's name, with a certificate that is trusted."""
    chance = random.Random(7)

    def sometimes(reply: Reply, share: float = 0.5) -> Callable[[Passing], Reply]:
        return lambda _passing: reply if chance.random() < share else OK

    world.meets(failure(503), lambda _passing: failure(503))
    world.meets(failure(429), lambda _passing: failure(429, Retry_After="200"), 2)
    wait_for(lambda: all("again in 200 s" in laptop.log() for laptop in world.laptops.values()), SOON_S)
    world.meets(PORTAL, sometimes(PORTAL))
    world.meets(failure(302), lambda _passing: failure(302, Location="http://portal.example/"), 2)
    world.meets(failure(500), sometimes(failure(500), 0.3), 2)
    world.laptops["ada"].work(10, POISON)
    world.meets(ANSWERS_400, lambda _passing: OK, 2)
    world.meets(STORED_AND_CUT, sometimes(STORED_AND_CUT))
    world.box.weather = lambda passing: refused_if_poisoned(passing, OK)
    world.all_arrives()


def meet_a_stranger(world: World, folder: Path) -> None:
    """A hotel's network has a certificate of its own for every name. Nothing is told to it, and later all goes on."""
    if world.there.tls is None:
        return
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    stranger.load_cert_chain(*certificate(folder, "stranger", ADDRESS))
    world.box.show(stranger)
    met = world.box.met.copy()
    with world.boxed():
        world.work()
        doubting = lambda: all("not trusted" in one.cursor.state.error for one in world.laptops.values())  # noqa: E731
        wait_for(doubting, SOON_S)
    world.box.show(world.there.tls)
    assert world.box.met == met
    world.all_arrives()


def crash_in_the_middle(world: World) -> None:
    """The other side is killed with a request on its way, twice."""
    counted = itertools.count(1)

    def script(passing: Passing) -> Reply:
        if next(counted) in (2, 5):
            world.there.crash()
        return refused_if_poisoned(passing, OK)

    world.box.weather = script
    while next(counted) <= 6:
        world.work()
        world.all_arrives()


def fill_the_disk(world: World) -> None:
    """Ada's disk is full while she has something to send. It is said; when there is space, all of it arrives."""
    ada = world.laptops["ada"]
    with world.boxed():
        world.box.weather = lambda _passing: CUT
        ada.work(200)
        world.volume.fill()
        while ada.is_acknowledged(LOGS, refused := ada.next_names(100)):
            pass
    wait_for(lambda: "no space" in ada.forward("status", "team").stdout, SOON_S)
    world.volume.free()
    wait_for(lambda: ada.is_acknowledged(LOGS, refused), SOON_S)


def check_all_is_there(world: World) -> None:
    """Row by row: exactly what was acknowledged and may leave, once each, in order. The poisoned one when told to."""
    for name, laptop in world.laptops.items():
        for signal in (LOGS, TRACES):
            assert world.there.names(name, signal) == laptop.wanted(signal)
    ada = world.laptops["ada"]
    assert [entry["signal"] for entry in ada.cursor.rejected()] == ["logs"]
    retried = ada.forward("retry", "team")
    assert retried.returncode == 0, retried
    wait_for(lambda: POISON in world.there.names("ada", LOGS))
    assert world.there.names("ada", LOGS) == [*ada.wanted(LOGS), POISON]
    if isinstance(world.there, AHub):
        for signal in (LOGS, TRACES):
            assert world.there.rows("ada", signal) == rows_in(ada.layout, signal)
