"""What closes days, deletes and purges in a simulated life: the real steps, with plainer files of totals.

Totals are a file with the ids of the rows they sum up, so that each row can be asked for. The rest is the product's:
which step follows which, what is durable before what, what a shell with an older catalog meets.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any
from unittest import mock

from telem.agent import retention as agent_retention
from telem.agent.purging import Purging
from telem.agent.retention import Retention
from telem.sanitize.records import Signal
from telem.storage import catalog, closing, intent, making_room, purge, rewrite, rollups, sureclock, tombstones, worker
from telem.storage.inventory import parquet_files
from telem.storage.parquet import ParquetFileWriter
from telem.storage.retention import Limits
from telem.storage.rollups import Rollups
from telem.storage.sureclock import SureClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.simulation.world import World

    from telem.storage.intent import Target
    from telem.storage.layout import Layout

KEEP_DAYS = 2
DAY_S = 86_400.0
LOOK_S = 20_000.0
"""So long a life goes without a look at the clock; a minute would take too many."""

SESSION_REQUESTS = 6
"""So many requests in a row are of one session."""


def session_of(row: str) -> str:
    """The session of a row, by its id."""
    return f"s{int(row.partition('.')[0]) // SESSION_REQUESTS}"


def retention_of(world: World) -> Retention:
    """Retention as the daemon has it, under the clock of the simulation."""
    clock = SureClock(world.layout, world.disk, world.clock.wall, lambda: world.clock.monotonic_s, lambda: "boot")
    return Retention(world.layout, world.disk, Limits(dict.fromkeys(Signal, KEEP_DAYS)), clock)


class Undertaker:
    """Purges sessions, and knows which are gone for good."""

    def __init__(self) -> None:
        self.going: set[str] = set()  # meant, and perhaps partly gone
        self.gone: set[str] = set()  # said to be gone
        self.ids: set[str] = set()  # of purges that must end with a receipt

    def start(self, world: World) -> None:
        """As the daemon does when it starts."""
        self.tombs = tombstones.read(world.layout, world.key)
        ingest = mock.Mock(settled=_at_once)
        self._purging = Purging(
            world.layout, world.disk, world.key, self.tombs, world.keeper, ingest, _at_once
        )  # fmt: skip

    def purge(self, world: World) -> str:
        """Purge some session, or finish what was begun; what came of it."""
        target = intent.noted(world.layout)
        if target is None:
            session = session_of(f"{world.chance.randint(1, max(1, world.sent))}.0")
            target = intent.target_of("session", session)
            self.going.add(session)
            intent.note(world.layout, world.disk, target)
            self.ids.add(target.id)
        world.finish(self._purging.purge())
        self.gone.add(target.value)
        return target.value

    def covers(self, row: str) -> bool:
        """Is it left out at the gate?"""
        return self.tombs.holds("session", session_of(row))


async def _at_once() -> None:
    return


@contextlib.contextmanager
def quicker(world: World) -> Iterator[None]:
    """Look at the clock less often, make no reports, and keep the log."""
    with contextlib.ExitStack() as stack:
        for where, name, what in (
            (sureclock, "LOOK_S", LOOK_S),
            (agent_retention.log, "error", lambda *said: world.log.append(str(said[0]) % said[1:])),
            (sureclock.log, "warning", lambda *said: world.log.append(str(said[0]) % said[1:])),
        ):
            stack.enter_context(mock.patch.object(where, name, what))
        stack.enter_context(mock.patch.dict(worker._STEPS, weekly=_weekly))
        yield


@contextlib.contextmanager
def plainer(world: World) -> Iterator[None]:
    """Put plainer files in the place of those that DuckDB makes."""
    files = Plainer(world)
    with contextlib.ExitStack() as stack:
        for where, name, what in (
            (closing, "_write_version", files.write_version),
            (closing, "write_nothing", files.write_nothing),
            (catalog, "write_nothing", files.write_nothing),
            (making_room, "_stays_bytes", lambda _file: 1),
            (purge, "find", files.find),
            (purge, "_keep", files.keep),
            (purge, "_count", files.count),
            (rewrite, "_rewrite", files.rewrite),
        ):
            stack.enter_context(mock.patch.object(where, name, what))
        yield


class Plainer:
    """What DuckDB does in closing and purging, done to the plainer files."""

    def __init__(self, world: World) -> None:
        self._world = world

    def _publish(self, path: Path, rows: list[tuple[int, str]]) -> None:
        world = self._world
        world.disk.directory(path.parent)
        temporary = path.with_name(f".tmp-{path.name}-{world.system.calls}")  # no name twice, as the real ones
        world.system.fail_if_told(temporary)
        temporary.write_bytes(json.dumps(rows).encode())
        try:
            world.disk.publish(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def write_version(self, layout: Layout, before: Rollups, after: Rollups, _disk: Any) -> None:
        days = [file for file in parquet_files(layout, Signal.LOGS) if before.closed <= file.day < after.closed]
        added = [row for file in days for row in self._world.rows(file.path)]
        old = rollups.files(layout, before)[0]
        for path in rollups.files(layout, after):
            self._publish(path, totals(old) + added)

    def write_nothing(self, layout: Layout, _disk: Any) -> None:
        if not rollups.read(layout).version:
            for path in rollups.files(layout, Rollups()):
                if not path.exists():
                    self._publish(path, [])

    def find(self, layout: Layout, target: Target) -> list[making_room.Found]:
        files = [(signal, file) for signal in Signal for file in parquet_files(layout, signal)]
        hits = [
            (signal, file, sum(session_of(row) == target.value for _, row in self._world.rows(file.path)))
            for signal, file in files
        ]
        return [making_room.Found(file.path, signal, file.day, rows) for signal, file, rows in hits if rows]

    def rewrite(self, signal: Signal, old: Path, new: Path, change: Any, disk: Any) -> None:
        gone = change.keywords["meant"].sessions
        with ParquetFileWriter(signal, new, disk) as writer:
            writer.write(self._world.table(row for row in self._world.rows(old) if session_of(row[1]) not in gone))

    def keep(self, path: Path, condition: str, new: Path, _disk: Any) -> None:
        self._publish(new, [row for row in totals(path) if session_of(row[1]) != _meant(condition)])

    def count(self, path: Path, condition: str) -> int:
        return sum(session_of(row) == _meant(condition) for _, row in totals(path))


def _meant(condition: str) -> str:
    """The session that a condition in SQL names."""
    return condition.partition("'")[2].rpartition("'")[0]


def _weekly(job: dict[str, Any], layout: Layout, disk: Any) -> dict[str, Any]:
    disk.directory(layout.weekly(job["week"]).parent)
    disk.write(layout.weekly(job["week"]), b"{}")
    return {}


def totals(path: Path, *, real: bool = False) -> list[tuple[int, str]]:
    """What a file of totals sums up. Real ones have a row of their own for each branch, which is the id of a row."""
    if real:
        import pyarrow.parquet as pq

        found = pq.read_table(path, columns=["branch", "prompts"]).to_pylist()
        return [(0, row["branch"]) for row in found for _ in range(row["prompts"])]
    return [(row[0], row[1]) for row in json.loads(path.read_bytes())]
