"""Two laptops, a bad network, and on its other side a hub or ClickHouse's engine: what may leave arrives, once each.

A day and some hours of simulated time by the script below; requests, processes of the other side and kills are real.
"""

from __future__ import annotations

import errno
import itertools
import os
import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from tests.agent.forward.fronts import PASSWORD, Engine
from tests.agent.forward.network import BadNetwork, Laptop, Passing, flapping
from tests.agent.forward.receiver import CUT, OK, PORTAL, STORED_AND_CUT, Reply, failure
from tests.daemons import LiveDaemon
from tests.storage.homes import DAY, asked, home_of, segment

from telem.agent.forward import cursor as cursors
from telem.agent.forward import destinations, follower
from telem.agent.forward.cursor import Cursor
from telem.agent.forward.destinations import Destination
from telem.agent.forward.dispatcher import CAP_S, TICK_S
from telem.agent.forward.worker import run
from telem.agent.hub.members import Members, Role
from telem.sanitize.records import Signal
from telem.storage.compact import compact
from telem.storage.disk import Disk
from telem.storage.layout import Layout
from telem.storage.merge import merge

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.storage.conftest import MakeBatch

LOGS, TRACES = Signal.LOGS, Signal.TRACES
HOUR_S = 3600.0
POISON = "ada-poison"
ANSWERS_400 = Reply(400, b"no", "text/plain", {"X-ClickHouse-Exception-Code": "27"}, stores=False)
"""Both kinds of destination take it for a refusal of what was sent."""


class There(Protocol):
    """The other side."""

    port: int
    night_s: float  # of being away

    def join(self, name: str, folder: Path) -> dict[str, Any]:
        """What the destination of a new member needs."""

    def crash(self) -> None:
        """Kill it without a word, and start it again on the same port."""

    def ids(self, name: str, signal: Signal) -> list[str]:
        """Row ids of a member, as often as they are stored, sorted."""


class AHub:
    """A real hub over a folder."""

    night_s = 24 * HOUR_S

    def __init__(self, folder: Path) -> None:
        self._home = folder / "hub"
        self._homes: dict[str, Layout] = {}
        self._daemon = LiveDaemon(self._home, "--mode", "hub", "--hub-listen", "127.0.0.1:0")
        self.port = self._daemon.port("hub")

    def join(self, name: str, folder: Path) -> dict[str, Any]:
        layout = Layout(self._home)
        member, token = Members(layout.hub_members, Disk()).add(name, Role.MEMBER, 0.0, 1 << 30, None)
        self._homes[name] = Layout(layout.hub_house(member.id))
        path = folder / f"{name}.token"
        path.write_text(token)
        return {"kind": "hub", "token_file": str(path)}

    def crash(self) -> None:
        self._daemon.kill()
        self._daemon = LiveDaemon(self._home, "--mode", "hub", "--hub-listen", f"127.0.0.1:{self.port}")

    def ids(self, name: str, signal: Signal) -> list[str]:
        return [str(one) for (one,) in asked(self._homes[name], f"SELECT id FROM raw_{signal} ORDER BY id")]

    def close(self) -> None:
        self._daemon.stop()


class AClickHouse:
    """ClickHouse's engine behind HTTP; both members write into the same tables, as users of their own."""

    night_s = 2 * HOUR_S

    def __init__(self, folder: Path) -> None:
        self._engine = Engine(folder)
        self._mine: dict[str, set[str]] = {}
        self.port = self._engine.port

    def join(self, name: str, folder: Path) -> dict[str, Any]:
        path = folder / "password"
        path.write_text(PASSWORD)
        return {"kind": "clickhouse", "user": name, "password_file": str(path)}

    def crash(self) -> None:
        self._engine.crash()

    def ids(self, name: str, signal: Signal) -> list[str]:
        table, column = ("otel_logs", "LogAttributes") if signal is LOGS else ("otel_traces", "SpanAttributes")
        where = f"{column}['record.name'] LIKE '{name}-%'"
        sql = f"SELECT {column}['telem.row_id'] AS id FROM {table} WHERE {where} ORDER BY id"
        return [str(one) for (one,) in self._engine.ask(sql)]

    def close(self) -> None:
        self._engine.close()


@dataclass
class World:
    """Everything on both sides, and what happens to it."""

    there: There
    network: BadNetwork
    laptops: dict[str, Laptop]
    batch: MakeBatch
    full: set[str] = field(default_factory=set)
    segments: int = 0

    def work(self) -> None:
        """On each laptop some more is stored; every third time what is old becomes Parquet and is merged."""
        self.segments += 1
        for name, laptop in self.laptops.items():
            number, layout = self.segments, laptop.layout
            for signal in (LOGS, TRACES):
                named = [f"{name}-{number}-{index}" for index in range(12)]
                if signal is LOGS and number == 3 and name == "ada":
                    named[5] = POISON
                segment(layout, number, self.batch(*named[:6], signal=signal), self.batch(*named[6:], signal=signal))
                if number % 3 == 0:
                    older = [number - 2, number - 1]
                    compact(layout, signal, older, DAY, Disk())
                    merge(layout, signal, DAY, Disk())
                    for one in older:
                        Disk().empty(layout.segment(signal, one))

    async def live(self, seconds: float, weather: Callable[[Passing], Reply]) -> None:
        """So much time in this weather, with work at its beginning; the poisoned record is never liked."""

        def script(passing: Passing) -> Reply:
            reply = weather(passing)
            return ANSWERS_400 if reply.stores and POISON in passing.names else reply

        self.network.weather = script
        self.work()
        for laptop in self.laptops.values():
            await laptop.live(seconds)


@pytest.fixture(params=[AHub, AClickHouse])
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param is AClickHouse:
        pytest.importorskip("chdb")
    found = request.param(tmp_path)
    yield found
    found.close()


@pytest.fixture
def world(there: There, tmp_path: Path, home: Path, batch: MakeBatch, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(follower, "BATCH_ROWS", 5)
    monkeypatch.setattr(follower, "INSERT_ROWS", 20)
    allowed: dict[str, dict[str, Any]] = {"ada": {}, "ben": {"signals": ("logs",)}}
    with BadNetwork(there.port) as network:
        laptops = {}
        for name, options in allowed.items():
            layout = home_of(home / name)
            destination = Destination("team", url=network.url, **there.join(name, tmp_path))
            destinations.write(layout, Disk(), replace(destination, **options))
            laptops[name] = Laptop(layout)
        found = World(there, network, laptops, batch)
        _fill_up(found.full, monkeypatch)
        yield found


def _fill_up(full: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the disk of the laptops in the set be full: a part of what is written gets there."""
    append, write = cursors._append, Disk.write

    def is_full(path: Path) -> bool:
        return any(name in path.parts for name in full)

    def appending(path: Path, data: bytes) -> None:
        append(path, data[: len(data) // 2] if is_full(path) else data)
        if is_full(path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    def writing(disk: Disk, path: Path, data: bytes) -> None:
        if is_full(path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(disk, path, data)

    monkeypatch.setattr(cursors, "_append", appending)
    monkeypatch.setattr(Disk, "write", writing)


async def test_what_may_leave_arrives_once_each_whatever_the_network_does(world: World) -> None:
    """A working day, a night without the other side, and every fault there is; then nothing is missing or doubled."""
    chance = random.Random(24)
    await world.live(60, lambda _passing: OK)
    await world.live(HOUR_S / 4, flapping(chance))
    night_s = {name: laptop.clock_s for name, laptop in world.laptops.items()}
    for _ in range(6):
        await world.live(world.there.night_s / 6, lambda _passing: CUT)
    check_gaps(world, night_s)
    await world.live(600, lambda _passing: failure(503))
    await world.live(900, lambda _passing: failure(429, Retry_After="200") if chance.random() < 0.5 else OK)
    await world.live(600, lambda _passing: PORTAL if chance.random() < 0.5 else OK)
    await world.live(600, lambda _passing: failure(500) if chance.random() < 0.3 else OK)
    await world.live(600, lambda _passing: STORED_AND_CUT if chance.random() < 0.5 else OK)
    world.network.delay_s = 0.02
    await world.live(120, lambda _passing: OK)
    world.network.delay_s = 0.0
    await crash_in_the_middle(world)
    world.full.update(world.laptops)
    await world.live(300, lambda _passing: OK)
    world.full.clear()
    await world.live(2 * CAP_S, lambda _passing: OK)
    for fault in (CUT, STORED_AND_CUT, PORTAL, ANSWERS_400, *map(failure, (503, 429, 500))):
        assert world.network.met[fault.status, fault.cut, fault.stores], fault
    assert all(laptop.is_through() for laptop in world.laptops.values())
    check_all_is_there(world)


async def crash_in_the_middle(world: World) -> None:
    """The other side is killed with a request under way, several times."""
    counted = [0]

    def script(_passing: Passing) -> Reply:
        counted[0] += 1
        if counted[0] in (2, 5):
            world.there.crash()
        return OK

    await world.live(300, script)
    await world.live(300, script)
    assert counted[0] >= 5


def check_gaps(world: World, since_s: dict[str, float]) -> None:
    """While it was away they asked more and more seldom, up to the cap, and never more often again."""
    for name, laptop in world.laptops.items():
        tries = [at_s for at_s in laptop.attempts_s if at_s >= since_s[name]]
        gaps = [after - before for before, after in itertools.pairwise(tries)]
        assert max(gaps) <= CAP_S + TICK_S
        assert min(gaps[12:]) >= CAP_S / 2
        assert len(tries) <= world.there.night_s / (CAP_S / 2) + 20


def check_all_is_there(world: World) -> None:
    """Exactly the union of what was allowed; then also the poisoned one, once its owner says so."""
    for name, laptop in world.laptops.items():
        for signal in (LOGS, TRACES):
            expected = asked(laptop.layout, f"SELECT id, seg FROM raw_{signal} ORDER BY id")
            wanted = [str(one) for one, _ in expected] if name == "ada" or signal is LOGS else []
            poisoned = [entry["id"] for entry in Cursor(laptop.layout, Disk(), "team").rejected()]
            assert len(poisoned) == (1 if name == "ada" else 0)
            assert world.there.ids(name, signal) == [one for one in wanted if one not in poisoned]
            check_order(world, {str(one): int(str(seg)) for one, seg in expected})
    world.network.weather = lambda _passing: OK
    ada = world.laptops["ada"].layout
    assert run(ada, "team", retry=True, parent=False)["sent"] == 1
    assert world.there.ids("ada", LOGS) == [str(one) for (one,) in asked(ada, "SELECT id FROM raw_logs ORDER BY id")]


def check_order(world: World, seg_of: dict[str, int]) -> None:
    """What came first from a laptop was stored first."""
    first: dict[str, None] = dict.fromkeys(one for _, _, one in world.network.arrived if one in seg_of)
    segs = [seg_of[one] for one in first]
    assert segs == sorted(segs)
