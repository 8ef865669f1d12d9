"""Totals of another folder's days whose rows it has given up: each day once, as rows or as sums, whichever came first.

What was taken of which folder stands in the rollups' manifest, and is written together with the sums, before the rows
of the same archive are added: whatever is interrupted, no day counts twice. Sums keep the ingest day they had there and
the folder they came from, in a file beside our own.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from telem.sanitize.records import Signal
from telem.sanitize.tombs import SESSION, USER

from . import closing, rollups
from .meant import SUMMED_USERS, Meant, where_summed
from .rollups import IMPORTED, SERIES_COLUMNS, USAGE_COLUMNS, Rollups, Taken
from .views import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    import duckdb

    from telem.sanitize.tombs import Tombs

    from .disk import Disk
    from .layout import Layout
    from .origin import Origin

ROWS, SUMS = "rows", "sums"
SUMMED = (Signal.LOGS, Signal.METRICS)
BEFORE_ALL = "1969-12-31"
"""The day of what imported running totals had reached: before every day of ours."""

BATCH_ROWS = 8_192
_ORIGIN = {"origin": "VARCHAR"}


@dataclass(frozen=True, slots=True)
class Theirs:
    """What an archive says of the folder it was made of.

    Args:
        last: the last ingest day its rows may be of.
    """

    origin: Origin
    rollups: Rollups
    last: str


@dataclass(slots=True)
class Ledger:
    """Which days are here already.

    Args:
        ours: the rollups in force.
        origin: which folder this is.
    """

    ours: Rollups
    origin: Origin
    found: list[Taken] = field(default_factory=list)  # taken now

    def has_day(self, origin: str, signal: Signal, day: str) -> bool:
        """Is that folder's day here, as rows or as sums?"""
        return self.origin.has(origin, day) or any(self._of(origin, signal, day))

    def has_expired(self, theirs: Theirs, signal: Signal, day: str) -> bool:
        """Must rows of that day not be added, because totals have them?"""
        whose = theirs.origin.of_day(day)
        if signal in SUMMED and day < theirs.rollups.raw_since[signal]:
            return True  # the archive has their sums
        since = self.ours.raw_since[signal]
        if self.origin.has(whose, day):
            return day < since
        return any(one.kind == SUMS or one.at < since for one in self._of(whose, signal, day))

    def _of(self, origin: str, signal: Signal, day: str) -> Iterable[Taken]:
        return (
            one
            for one in self.ours.taken
            if (one.origin, one.signal) == (origin, signal) and one.first <= day <= one.last
        )

    def take_rows(self, theirs: Theirs, at: str) -> None:
        """Note the days whose rows are about to be added."""
        for signal in Signal:
            first = theirs.rollups.raw_since[signal]
            for past in theirs.origin.past:
                if first <= past.until:
                    self._take(past.id, signal, ROWS, first, min(past.until, theirs.last), at)
                    first = _next(past.until)
            self._take(theirs.origin.id, signal, ROWS, first, theirs.last, at)

    def take_sums(self, origin: str, signal: Signal, days: Iterable[str], at: str) -> list[str]:
        """Note those days of which nothing is here; returns them."""
        wanted = []
        for known, run in groupby(sorted(days), lambda day: self.has_day(origin, signal, day)):
            if not known:
                listed = list(run)
                wanted += listed
                self._take(origin, signal, SUMS, listed[0], listed[-1], at)
        return wanted

    def _take(self, origin: str, signal: Signal, kind: str, first: str, last: str, at: str) -> None:
        here = any(
            (one.origin, one.signal, one.kind) == (origin, signal, kind) and one.first <= first and last <= one.last
            for one in self.ours.taken
        )
        if origin and first <= last and not here and not self.origin.has(origin, last):
            self.found.append(Taken(origin, signal.value, kind, first, last, at))


def _next(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


@dataclass(slots=True)
class Sums:
    """Counts of rows of sums: added, left out because their days are here, left out because they were purged."""

    added: int = 0
    known: int = 0
    purged: int = 0


class SumsImporter:
    """Adds the sums of one archive.

    Args:
        folder: where the archive's rollups were unpacked to; also for what does not fit into memory.
        judge: sanitizes the texts of sums once more.
        users: their stand-ins -> ours.
    """

    def __init__(
        self,
        layout: Layout,
        disk: Disk,
        folder: Path,
        tombs: Tombs,
        judge: Callable[[pa.Table], pa.Table],
        users: Mapping[str, str],
    ) -> None:
        self._layout = layout
        self._disk = disk
        self._folder = folder
        self._tombs = tombs
        self._judge = judge
        self._users = users

    def take(self, ledger: Ledger, theirs: Theirs, at: str, *, dry: bool) -> Sums:
        """Add the sums of days that are not here, and note what is taken; the workers' lock is held.

        Args:
            at: today's ingest day.
        """
        done = Sums()
        with closing.connect(self._folder) as connection:
            connection.execute(f"CREATE TEMP VIEW theirs AS {self._theirs(theirs)}")
            wanted = self._wanted(connection, ledger, at)
            connection.execute(f"CREATE TEMP VIEW wanted AS SELECT * FROM theirs WHERE {wanted}")
            purged = self._purged(connection)
            counts = (
                f"SELECT count(*), count(*) FILTER (WHERE {wanted}), count(*) FILTER (WHERE ({wanted}) AND ({purged})) "
            )
            total, fresh, gone = connection.execute(f"{counts} FROM theirs").fetchall()[0]
            done.added, done.known, done.purged = fresh - gone, total - fresh, gone
            ledger.take_rows(theirs, at)
            if not dry and (done.added or ledger.found):
                self._write(connection, ledger, theirs, purged, added=done.added)
        return done

    def _theirs(self, theirs: Theirs) -> str:
        """All sums that stand for rows the archive does not have, with the folder they come from."""
        usage, names = self._path(theirs, rollups.USAGE), _names(USAGE_COLUMNS)
        nothing = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in (USAGE_COLUMNS | _ORIGIN).items())
        parts = [f"SELECT {nothing}, NULL::VARCHAR AS signal WHERE false"]
        signal = "CASE WHEN event_time IS NULL THEN 'metrics' ELSE 'logs' END"
        if usage.exists():
            gone = " OR ".join(
                f"({signal} = '{one}' AND ingest_day < DATE '{theirs.rollups.raw_since[one]}')" for one in SUMMED
            )
            rows = closing.rows_of(usage)
            parts.append(f"SELECT {names}, {_whose(theirs)} AS origin, {signal} AS signal FROM ({rows}) WHERE {gone}")
        if (others := self._path(theirs, IMPORTED)).exists():
            parts.append(f"SELECT {names}, origin, {signal} AS signal FROM ({closing.rows_of(others)})")
        return "\nUNION ALL ".join(parts)

    def _path(self, theirs: Theirs, name: str) -> Path:
        return self._folder / f"{theirs.rollups.version:06d}-{name}"

    def _wanted(self, connection: duckdb.DuckDBPyConnection, ledger: Ledger, at: str) -> str:
        """Condition for sums of days of which nothing is here."""
        listed = connection.execute("SELECT DISTINCT origin, signal, ingest_day::VARCHAR FROM theirs").fetchall()
        days: dict[tuple[str, Signal], set[str]] = defaultdict(set)
        for origin, signal, day in listed:
            days[str(origin), Signal(signal)].add(str(day))
        parts = []
        for (origin, signal), found in sorted(days.items()):
            if wanted := ledger.take_sums(origin, signal, found, at):
                of_days = ", ".join(f"DATE '{day}'" for day in wanted)
                parts.append(f"(origin = {quote(origin)} AND signal = '{signal}' AND ingest_day IN ({of_days}))")
        return " OR ".join(parts) or "false"

    def _purged(self, connection: duckdb.DuckDBPyConnection) -> str:
        if not self._tombs:
            return "false"
        sessions = self._held(connection, SESSION, "session_id")
        users = {one for column in SUMMED_USERS for one in self._held(connection, USER, column)}
        condition = where_summed(Meant(frozenset(sessions), frozenset(users), self._tombs.before_us))
        return f"({condition}) IS TRUE"

    def _held(self, connection: duckdb.DuckDBPyConnection, kind: str, column: str) -> list[str]:
        found = connection.execute(f'SELECT DISTINCT "{column}" FROM wanted WHERE "{column}" IS NOT NULL').fetchall()
        return self._tombs.held(kind, (str(value) for (value,) in found))

    def _write(
        self, connection: duckdb.DuckDBPyConnection, ledger: Ledger, theirs: Theirs, purged: str, *, added: int
    ) -> None:
        """A new version with them, and in its manifest what was taken."""
        layout, disk, before = self._layout, self._disk, ledger.ours
        after = replace(before, taken=(*before.taken, *ledger.found))
        if added:
            closing.write_nothing(layout, disk)
            after = replace(after, version=rollups.next_version(layout, before))
            (usage, series), old = rollups.files(layout, before), rollups.imported(layout, before)
            new_usage, new_series = rollups.files(layout, after)
            disk.directory(new_usage.parent)
            disk.link(usage, new_usage)
            names = _names(USAGE_COLUMNS | _ORIGIN)
            fresh = f"SELECT {self._renamed(names)} FROM wanted WHERE NOT ({purged})"
            kept = closing.rows_of(old) if old.exists() else f"SELECT {names} FROM theirs WHERE false"
            reader = connection.sql(
                f"SELECT true AS is_new, * FROM ({fresh}) UNION ALL SELECT false, {names} FROM ({kept})"
            )
            closing.publish_batches(
                self._judged(reader.to_arrow_reader(BATCH_ROWS)), rollups.imported(layout, after), disk
            )
            closing.publish(connection, self._series(series, ledger, theirs), new_series, disk)
        rollups.write(layout, disk, after)

    def _renamed(self, names: str) -> str:
        for theirs, ours in self._users.items():
            for column in SUMMED_USERS:
                found = f'"{column}"'
                names = names.replace(f"{found},", f"replace({found}, {quote(theirs)}, {quote(ours)}) AS {found},", 1)
        return names

    def _judged(self, reader: pa.RecordBatchReader) -> Iterable[pa.Table]:
        nothing = pa.Table.from_batches([], reader.schema).drop_columns(["is_new"])
        yield nothing
        for batch in reader:
            table = pa.Table.from_batches([batch])
            is_new = table["is_new"]
            plain = table.drop_columns(["is_new"])
            yield self._judge(plain.filter(is_new))
            yield plain.filter(pc.invert(is_new))

    def _series(self, ours: Path, ledger: Ledger, theirs: Theirs) -> str:
        """What running totals had reached, with those of the days that are taken."""
        reached = self._path(theirs, rollups.SERIES)
        names = _names(SERIES_COLUMNS)
        taken = [one for one in ledger.found if one.kind == SUMS and one.signal == Signal.METRICS]
        parts = [closing.rows_of(ours)]
        if taken and reached.exists():
            days = " OR ".join(f"ingest_day BETWEEN DATE '{one.first}' AND DATE '{one.last}'" for one in taken)
            early = names.replace('"ingest_day"', f"DATE '{BEFORE_ALL}' AS ingest_day", 1)
            parts.append(f"SELECT {early} FROM ({closing.rows_of(reached)}) WHERE {days}")
        return "\nUNION ALL ".join(parts)


def _whose(theirs: Theirs) -> str:
    """SQL for the folder that received what there is of an ingest day."""
    cases = (f"WHEN ingest_day <= DATE '{past.until}' THEN {quote(past.id)}" for past in theirs.origin.past)
    return (
        f"CASE {' '.join(cases)} ELSE {quote(theirs.origin.id)} END" if theirs.origin.past else quote(theirs.origin.id)
    )


def _names(columns: Mapping[str, str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)
