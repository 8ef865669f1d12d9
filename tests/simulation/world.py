"""One machine with the product's storage on it, lived through from a seed.

The real journal, ledger, keeper, worker, compactor, merge, manifest, retire, catalog publishing and recovery run on
`System`, under a clock of the simulation. Clients send, and send again what was not acknowledged. Whatever fails, and
whenever the machine dies: what was acknowledged is there once, for our own readers and for any shell.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import orjson
from tests.simulation.life import DAY_S, LOOK_S, Undertaker, plainer, quicker, retention_of, session_of, totals
from tests.simulation.promises import Promises, WrongError
from tests.simulation.system import DEATHS, CrashError, Plan, System

from telem.agent import keeper as keeper_module
from telem.agent import purging as purging_module
from telem.agent.keeper import Keeper
from telem.agent.workers import WorkerError
from telem.sanitize.records import SanitizedBatch, Signal
from telem.storage import catalog, compact, intent, merge, rollups, spare, worker
from telem.storage import disk as disk_module
from telem.storage.inventory import parquet_files
from telem.storage.journal import Journal, segments
from telem.storage.keys import load_key
from telem.storage.layout import Layout
from telem.storage.ledger import REMEMBER_S, Ledger
from telem.storage.parquet import ParquetFileWriter
from telem.storage.recovery import recover_all
from telem.storage.rollups import Rollups

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from random import Random

SIGNALS = (Signal.LOGS, Signal.TRACES)
STEPS = 14
SHELLS = 3
PATIENCE_S = 300.0
"""A client sends again for so long; the ledger remembers for twice that."""

START_S = 1_790_000_000.0
PAUSES_S = (0.0, 1.0, 30.0, 61.0, 200.0, 1000.0, 4000.0, 90_000.0)
JUMPS_S = (-400 * 86_400.0, -3_600.0, 2 * 86_400.0, 3650 * 86_400.0)


JUMP_WHILE_OFF = 0.2
"""How often a clock is another one when the machine is on again: an empty battery, another system's time zone."""


@dataclass
class Request:
    """What a client sends."""

    signal: Signal
    name: str
    rows: tuple[str, ...]
    sent_s: float
    tries: int = 0


@dataclass
class Clock:
    """The machine's two clocks."""

    wall_s: float = START_S
    monotonic_s: float = 0.0

    def pass_(self, seconds: float) -> None:
        self.wall_s += seconds
        self.monotonic_s += seconds

    def jump(self, seconds: float) -> None:
        self.wall_s += seconds

    def wall(self) -> float:
        return self.wall_s


class Committer:
    """The keeper's view of a journal, without a thread of its own."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    async def close_segment(self) -> None:
        self.journal.close()


Files = list[tuple[Any, list[tuple[int, str]]]]
Lines = list[tuple[int, list[str]]]


@dataclass(frozen=True)
class Constants:
    """What a reader's views hold to be true. Without a cutoff the reader compares numbers of segments."""

    cutoff: str
    version: int
    closed: str
    raw_since: Any


class NoRetention:
    """For some lives with real files: nothing is closed, deleted or purged in them."""

    def rollups(self) -> Rollups:
        return Rollups()

    def jobs(self, _now_s: float) -> list[dict[str, Any]]:
        return []

    def published(self, *_: object) -> None:
        return

    note = published


@dataclass
class World:
    """A machine.

    Args:
        disk: the disk of the product, or a mutant of it.
        real: write, read and merge real Parquet files; slower by far.
        retains: close, give up, remove and purge days. Of real files by the real SQL, with real rollups.
        purging: how often a step is a purge, beside those that happen anyway.
    """

    home: Path
    chance: Random
    disk: Any
    real: bool = False
    retains: bool = True
    disk_module: Any = disk_module
    purging: float = 0.0
    clock: Clock = field(default_factory=Clock)
    acknowledged: set[str] = field(default_factory=set)
    acknowledged_s: dict[str, float] = field(default_factory=dict)
    signals: dict[str, Signal] = field(default_factory=dict)
    days: dict[str, str] = field(default_factory=dict)  # the ingest day of each row that was seen in Parquet
    shells: list[Constants] = field(default_factory=list)  # what shells that stay open go by
    purges: Undertaker = field(default_factory=Undertaker)
    refused: set[str] = field(default_factory=set)  # rows of which a copy may have been written and not cut back
    waiting: list[Request] = field(default_factory=list)
    sent: int = 0
    key: bytes = b""
    log: list[str] = field(default_factory=list)
    journals: dict[Signal, Journal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.layout = Layout(self.home)
        self.system = System(self.home, self.chance, self.clock.wall)
        self.promises = Promises(self)

    # -- a life -----------------------------------------------------------------------------------------------------

    def live(self, plan: Plan, steps: int = STEPS) -> None:
        """Start, do a few things, die or stop. `plan` says what goes wrong at which call."""
        if self.system.dead and self.system.plan.what == "cut":
            self.shells = []  # nobody's shell survives that
        self.system.revive(plan)
        self.log.append(f"life: {plan}")
        self.journals = {}
        if self.chance.random() < JUMP_WHILE_OFF:
            self._jump()
        self.check("before recovery", torn=True)
        with self.system.running(self.disk_module), self._patched():
            try:
                self._start()
                for _ in range(steps):
                    self._step()
                if not plan.what:
                    self._end_well()
                elif plan.what not in DEATHS and self.system.calls >= plan.at + plan.calls:
                    self._resume()
            except CrashError:
                self.log.append("died")
            except OSError as error:
                self.log.append(f"did not start: {error}")  # a start that fails is tried again by the next life
            except (ValueError, TypeError, KeyError) as error:
                raise WrongError(f"{type(error).__name__}: {error}") from error
        if not self.system.dead:
            self.check("after a life")

    def check_after_cut(self) -> None:
        """What is there when the power is back, before anybody has looked after it."""
        self.system.revive(Plan())
        self.journals, self.shells = {}, []
        self.check("when the power is back", torn=True)

    def _start(self) -> None:
        """As the daemon does."""
        since_us = int((self.clock.wall_s - REMEMBER_S) * 1e6)
        self.disk.directory(self.layout.home)
        key = load_key(self.layout, self.disk)
        if self.key and key != self.key:
            raise WrongError("the key has changed")
        found = recover_all(self.layout, self.disk, since_us)
        self.promises.check_numbers(found)
        self.ledger = Ledger()
        for one in found.values():
            self.ledger.doubted |= one.doubted
            self.ledger.doubted_rows |= one.doubted_rows
            for commit in one.commits:
                self.ledger.add(commit.request_id, self.clock.monotonic_s)
        self.journals = {
            signal: Journal(self.layout, signal, self.disk, one.next_segment) for signal, one in found.items()
        }
        self.keeper = Keeper(
            self.layout,
            {signal: Committer(journal) for signal, journal in self.journals.items()},  # type: ignore[misc]
            {signal: one.waiting for signal, one in found.items()},
            3600.0,
            self.disk,
            retention_of(self) if self.retains else NoRetention(),  # type: ignore[arg-type]
        )
        self.key = key
        self.purges.start(self)
        self.check("after recovery")

    def _step(self) -> None:
        if self.purging and self.chance.random() < self.purging:
            self._purge()
            return
        what = self.chance.random()
        if what < 0.55:
            self._send()
        elif what < 0.75:
            self._pass(self.chance.choice(PAUSES_S))
            self._tick()
        elif what < 0.85:
            self.log.append("compact")
            _finish(self.keeper.compact_now())
        elif what < 0.9:
            for journal in self.journals.values():
                journal.close()
        elif what < 0.92:
            self._jump()
        elif what < 0.95:
            self._purge()
        else:
            self.check("between steps")

    def _purge(self) -> None:
        if not self.retains:
            return
        try:
            self.log.append(f"purged {self.purges.purge(self)}")
        except (OSError, WorkerError) as error:
            self.log.append(f"purge: {error}")

    def _jump(self) -> None:
        self.clock.jump(self.chance.choice(JUMPS_S))
        self.log.append(f"clock jumps to {self.clock.wall_s}")

    def _end_well(self) -> None:
        """All clients are served, everything becomes Parquet, is merged and retired."""
        while self.waiting:
            self._send(new=False)
        if intent.noted(self.layout):
            self._purge()
        for pause_s in (10.0, 1000.0, 86_500.0, 1000.0, 86_500.0):
            _finish(self.keeper.compact_now())
            self._tick()
            self.check("at the end")
            self._pass(pause_s)
        for _ in range(3):
            self._tick()
            self._pass(61.0)
        if self.retains:
            self._check_catalog()

    def _check_catalog(self, cutoff: str = "") -> None:
        """What was published last is what is in force."""
        shell, mine = self.shell_constants(), self._own_constants()
        if shell is None or shell != replace(mine, cutoff=cutoff or shell.cutoff):
            raise WrongError(f"the catalog says {shell}, and in force is {mine} with {cutoff}")

    def _resume(self) -> None:
        """What failed for a while fails no more: the next requests are stored, without a restart."""
        for signal in SIGNALS:
            request = self._request()
            request.signal = signal
            self._commit(signal, [request])
            if not self.acknowledged.issuperset(request.rows):
                raise WrongError(f"{signal} are not stored although nothing fails any more")

    def _pass(self, seconds: float) -> None:
        while seconds > 0:
            self.clock.pass_(min(seconds, LOOK_S))
            seconds -= LOOK_S
            if self.retains:
                self.keeper.retention.clock.look()

    def _tick(self) -> None:
        try:
            _finish(self.keeper.tick())
        except OSError as error:
            self.log.append(f"tick: {error}")

    # -- clients ----------------------------------------------------------------------------------------------------

    def _send(self, *, new: bool = True) -> None:
        """Send one to three requests at once, some of them again."""
        self.waiting = [one for one in self.waiting if self.clock.monotonic_s - one.sent_s < PATIENCE_S]
        chosen = [one for one in self.waiting if not new or self.chance.random() < 0.7]
        if new:
            chosen += [self._request() for _ in range(self.chance.randint(1, 2))]
        for signal in SIGNALS:
            self._commit(signal, [one for one in chosen if one.signal is signal])

    def _request(self) -> Request:
        self.sent += 1
        rows = tuple(f"{self.sent}.{number}" for number in range(self.chance.randint(1, 3)))
        made = Request(self.chance.choice(SIGNALS), f"{self.sent:032x}", rows, self.clock.monotonic_s)
        self.waiting.append(made)
        return made

    def _commit(self, signal: Signal, requests: list[Request]) -> None:
        requests = [one for one in requests if one.name not in self.ledger.doubted]
        requests = [one for one in requests if not self.ledger.doubts(self._lines_of(one))]
        known = [one for one in requests if one.name in self.ledger]
        unknown = [one for one in requests if one.name not in self.ledger]
        for one in known:
            self.waiting.remove(one)
            self._acknowledge(one)
        if not unknown:
            return
        at_ns = int(self.clock.wall_s * 1e9) + self.system.calls
        batches = [SanitizedBatch(signal, self._lines_of(one), at_ns, one.name) for one in unknown]
        try:
            positions = self.journals[signal].append(batches, self.clock.monotonic_s)
        except OSError as error:
            self.refused |= {row for one in unknown for row in one.rows}
            self.log.append(f"refused {[one.name[-4:] for one in unknown]}: {error}")
            return
        self.promises.stored(signal, positions[-1].segment)
        self.log.append(f"stored {[one.rows for one in unknown]} in {positions[-1].segment}")
        if self.journals[signal].unmended:  # the sync failed, and so did cutting back what was written again since
            self.refused |= {row for one in unknown for row in one.rows}
        for one in unknown:
            self.ledger.add(one.name, self.clock.monotonic_s)
            self._acknowledge(one)
            if self.chance.random() < 0.8:  # else the answer is lost on its way
                self.waiting.remove(one)

    def _acknowledge(self, request: Request) -> None:
        for row in request.rows:
            self.acknowledged_s.setdefault(row, self.clock.monotonic_s)
        self.acknowledged |= set(request.rows)
        self.signals |= dict.fromkeys(request.rows, request.signal)

    def _lines_of(self, request: Request) -> tuple[bytes, ...]:
        """As the gate makes them: without what was purged."""
        kept = [row for row in request.rows if not self.purges.covers(row)]
        more: dict[str, Any] = {}
        if self.real:
            at_us = int(self.clock.wall_s * 1e6)
            more = {"event_type": "user_prompt", "time": at_us, "received_at": at_us}
            if request.signal is not Signal.LOGS:
                del more["event_type"]
        of_logs = self.real and request.signal is Signal.LOGS
        return tuple(
            orjson.dumps({"id": row, "session_id": session_of(row), **more, **({"branch": row} if of_logs else {})})
            for row in kept
        )

    # -- what must be true ------------------------------------------------------------------------------------------

    def check(self, when: str, *, torn: bool = False) -> None:
        """Every acknowledged row once, no other row more than once, for our own readers and for shells.

        In the totals, always; as a row, until retention has given its day up. What was purged is nowhere.

        Args:
            torn: nobody has looked after the folder since a crash. As long as that is so, or a segment could not be
                cut back, rows whose writing failed may be there twice.
        """
        stored = {signal: self._stored(signal) for signal in SIGNALS}
        self._note_days(stored)
        mine = self._own_constants()
        suspect = self.refused if torn or any(one.unmended for one in self.journals.values()) else set()
        for reader, constants in (("our readers", mine), ("a shell", self.shell_constants())):
            if constants is None:
                continue
            raw: Counter[str] = Counter()
            for signal in SIGNALS:
                raw.update(row for _, row in self._seen(*stored[signal], constants))
            self._judge(f"{when}: {reader}", raw, suspect, self._expired(), odd=not torn)
        self._check_totals(when, stored[Signal.LOGS], suspect, odd=not torn)
        self.promises.check(when, torn=torn)

    def _check_totals(self, when: str, stored: tuple[Files, Lines], suspect: set[str], *, odd: bool) -> None:
        """They are right for everybody, also in shells that were opened long ago, unless these fail loudly."""
        shell = self.shell_constants()
        if shell is not None and shell not in self.shells:
            self.shells = [*self.shells, shell][-SHELLS:]
            # one that was opened when the clock was ahead must be opened anew, as DURABILITY.md says
            self.shells = [one for one in self.shells if one.cutoff <= shell.cutoff]
        traces = {row for row in self.acknowledged if self.signals[row] is not Signal.LOGS}
        mine = self._own_constants()
        for constants in (mine, *self.shells):
            usage = self._totals(stored, constants)
            if usage is not None:
                self._judge(f"{when}: totals by {constants}", usage, suspect, traces, odd=odd)
            if constants is not mine:
                self.promises.check_shell(when, constants, shell, works=usage is not None or not self.retains)
            elif usage is None and self.retains:
                raise WrongError(f"{when}: the rollups in force are not there: {mine}")

    def _judge(self, who: str, seen: Counter[str], suspect: set[str], excused: set[str], *, odd: bool) -> None:
        buried = self.purges.going | self.purges.gone
        if lost := {row for row in self.acknowledged - seen.keys() - excused if session_of(row) not in buried}:
            raise WrongError(f"{who} miss {sorted(lost)}")
        if doubled := {row: count for row, count in seen.items() if count > 1 and row not in suspect}:
            raise WrongError(f"{who} count {doubled}")
        if odd and (found := seen.keys() - self._known()):
            raise WrongError(f"{who} see {sorted(found)}")
        if back := {row for row in seen if session_of(row) in self.purges.gone}:
            raise WrongError(f"{who} see again what was purged: {sorted(back)}")

    def _stored(self, signal: Signal) -> tuple[Files, Lines]:
        folder = self.layout.journal(signal)
        files = [(file, self.rows(file.path)) for file in parquet_files(self.layout, signal)]
        return files, [(n, list(_lines(path))) for n, path in segments(self.layout, signal)] if folder.is_dir() else []

    def _note_days(self, stored: dict[Signal, tuple[Files, Lines]]) -> None:
        for files, _ in stored.values():
            for file, rows in files:
                self.days |= {row: file.day for _, row in rows}
        self.promises.note_days()

    def _expired(self) -> set[str]:
        """Acknowledged rows whose day was given up, and rightly: no clock may say so before a day was lived through."""
        since = self._own_constants().raw_since
        found = {row for row in self.acknowledged if self.days.get(row, "9") < since[self.signals[row]]}
        if early := {row for row in found if self.clock.monotonic_s - self.acknowledged_s[row] < DAY_S - LOOK_S}:
            raise WrongError(f"given up within a day: {sorted(early)}")
        return found

    def _seen(self, files: Files, lines: Lines, constants: Constants) -> Iterator[tuple[str, str]]:
        """Rows as a reader sees them, with their ingest day; those of the journal are of no day yet."""
        if constants.cutoff:
            hidden = {segment for file, rows in files if file.day >= constants.cutoff for segment, _ in rows}
        else:
            hidden = {number for file, _ in files for number in range(file.first, file.last + 1)}
        yield from ((file.day, row) for file, rows in files for _, row in rows)
        yield from (("9", row) for number, rows in lines if number not in hidden for row in rows)

    def _totals(self, stored: tuple[Files, Lines], constants: Constants) -> Counter[str] | None:
        """The same rows as totals count them; None when the reader fails loudly."""
        if not self.retains:
            return None
        usage = Counter(row for day, row in self._seen(*stored, constants) if day >= constants.closed)
        path = rollups.files(self.layout, rollups.Rollups(version=constants.version))[0]
        if path.exists():
            try:
                usage.update(row for _, row in totals(path, real=self.real))
            except ValueError as error:
                raise WrongError(f"{path} cannot be read: {path.read_bytes()[:60]!r}") from error
            return usage
        return usage if not constants.version and not constants.cutoff else None

    def _own_constants(self) -> Constants:
        found = rollups.read(self.layout)
        return Constants("", found.version, found.closed, found.raw_since)

    def shell_constants(self) -> Constants | None:
        """Those of the catalog that is published; None when there is none, or when its shells fail loudly."""
        if not self.layout.catalog.exists():
            return None
        said = json.loads(self.layout.catalog.read_bytes())
        found = Constants(said["cutoff"], said["version"], said["closed"], said["raw_since"])
        gone = found.version and not rollups.files(self.layout, rollups.Rollups(version=found.version))[0].exists()
        return None if gone else found

    def _known(self) -> set[str]:
        return {f"{number}.{part}" for number in range(self.sent + 1) for part in range(3)}

    def rows(self, path: Path) -> list[tuple[int, str]]:
        if self.real:
            import pyarrow.parquet as pq

            table = pq.read_table(path, columns=["seg", "id"], partitioning=None)
            return [(row["seg"], row["id"]) for row in table.to_pylist()]
        data = path.read_bytes()
        try:
            return [(row[0], row[1]) for row in json.loads(data[4:-8])]
        except ValueError as error:
            raise WrongError(f"{path} cannot be read: {data[:60]!r}") from error

    def _utc_day(self) -> str:
        return datetime.fromtimestamp(self.clock.wall_s, UTC).date().isoformat()

    # -- what is replaced -------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _patched(self) -> Iterator[None]:
        clock = SimpleNamespace(monotonic=lambda: self.clock.monotonic_s, time=lambda: self.clock.wall_s)
        with contextlib.ExitStack() as stack:

            def put(where: Any, name: str, what: Any) -> None:
                stack.enter_context(mock.patch.object(where, name, what))

            put(keeper_module, "time", clock)
            put(keeper_module, "utc_day", self._utc_day)
            put(spare, "keep", lambda _layout: None)
            put(keeper_module, "run_jobs", self._run_jobs)
            put(purging_module, "run_jobs", self._run_jobs)
            put(keeper_module.log, "error", lambda *said: self.log.append(str(said[0]) % said[1:]))
            put(catalog, "_write", lambda path, statements: path.write_text("\n".join(statements)))
            put(catalog, "catalog_sql", _catalog)
            put(worker, "time", clock)
            if not self.retains:
                put(catalog, "write_nothing", lambda *_: None)
            stack.enter_context(quicker(self))
            if not self.real:
                stack.enter_context(plainer(self))
                put(compact, "read_segments", _rows_of_segments)
                put(merge, "_write", self._merge)
                put(ParquetFileWriter, "_open", lambda writer, _schema: FileOfRows(writer._temporary, self.system))
            yield

    async def _run_jobs(self, jobs: list[dict[str, Any]], _timeout_s: float = 0.0) -> list[dict[str, Any]]:
        results = []
        for job in jobs:
            try:
                results.append({"ok": True, **worker._run(job, self.layout, self.disk)})
                self.log.append(f"{job['job']} {job.get('segments', job.get('day', job.get('cutoff')))}")
            except Exception as error:  # noqa: BLE001 (as the worker does)
                results.append({"ok": False, "error": f"{type(error).__name__}: {error}"})
            self.check(f"after {job['job']}")
            if results[-1]["ok"] and job["job"] == "publish" and self.retains:
                self._check_catalog(job["cutoff"])
        return results

    def table(self, rows: Any) -> Any:
        """In the place of an Arrow table."""
        return Rows(rows)

    def finish(self, coroutine: Any) -> None:
        """Run what never really waits."""
        _finish(coroutine)

    def _merge(self, run: list[Any], signal: Signal, path: Path, disk: Any) -> None:
        with ParquetFileWriter(signal, path, disk) as writer:
            writer.write(Rows(row for file in run for row in self.rows(file.path)))  # type: ignore[arg-type]


def _catalog(_layout: Layout, cutoff: str, in_force: Rollups, **_: Any) -> list[str]:
    """The constants of the views."""
    said = {"cutoff": cutoff, "version": in_force.version, "closed": in_force.closed, "raw_since": in_force.raw_since}
    return [json.dumps(said)]


class Rows(list[tuple[int, str]]):
    """In the place of an Arrow table."""

    schema = None


class FileOfRows:
    """In the place of pyarrow's writer: a file with the ends of a Parquet file, and JSON between them."""

    def __init__(self, path: Path, system: System) -> None:
        self._path = path
        self._system = system
        self._rows: list[tuple[int, str]] = []
        self._system.fail_if_told(path)
        path.write_bytes(b"")

    def write_table(self, rows: Rows, row_group_size: int) -> None:
        self._rows += rows

    def close(self) -> None:
        data = json.dumps(self._rows).encode()
        self._path.write_bytes(b"PAR1" + data[: len(data) // 2])
        self._system.fail_if_told(self._path)
        self._path.write_bytes(b"PAR1" + data + (0).to_bytes(4, "little") + b"PAR1")


def _rows_of_segments(_signal: Signal, paths: list[Path], _connection: object) -> Rows:
    return Rows([row for path in paths for row in _segment_rows(path)])


def _segment_rows(path: Path) -> list[tuple[int, str]]:
    number = int(path.name[2:14])
    return [(number, row) for row in _lines(path)]


def _lines(path: Path) -> Iterator[str]:
    """The rows any reader finds in a segment, with or without their commit lines."""
    for line in path.read_bytes().split(b"\n"):
        with contextlib.suppress(ValueError, TypeError, KeyError):
            row = orjson.loads(line)
            if row["seg"] is not None:
                yield row["id"]


def _finish(coroutine: Any) -> None:
    """Run what never really waits."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise RuntimeError("the simulation cannot wait")
