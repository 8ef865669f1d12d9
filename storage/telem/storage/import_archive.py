"""Another machine's backup, added to this folder: each row once, however often it is imported.

A row that is here already is known by its id, and skipped. What is new is written into Parquet files of today's ingest
day. Such a file needs a segment number that no journal will ever use: whoever owns the numbering hands one out, and it
is durable before anything is written (see `Journal.reserve`). Chunks are published one by one under the workers' lock,
so an import that was interrupted is simply started again.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from telem.sanitize.columns import COLUMNS, Type
from telem.sanitize.pseudonym import is_stand_in
from telem.sanitize.records import Signal
from telem.sanitize.tombs import SESSION, USER, USER_COLUMNS, Tombs

from . import archive, origin, rollups
from .archive import ArchiveError, silent
from .import_chunks import Chunk, Chunks, is_parquet
from .import_sums import Ledger, Sums, SumsImporter, Theirs
from .inventory import covered_segments, parquet_files
from .journal import segments
from .layout import parquet_name
from .parquet import ParquetFileWriter
from .schema import journal_columns, journal_select, order_of, sql_type
from .snapshot import scratch
from .views import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from .archive import Manifest, Progress
    from .disk import Disk
    from .layout import Layout

JUDGED_ROWS = 8_192
"""Rows that are sanitized at once, and a row group; the day's merging makes them larger."""

MEMORY_LIMIT_MB = 192
SUMS_MANIFEST = "current.json"
LINE_BYTES_MAX = 16 * 1024 * 1024


@dataclass(slots=True)
class Imported:
    """What an import did, or would do."""

    added: dict[str, int] = field(default_factory=dict)  # by signal
    known: dict[str, int] = field(default_factory=dict)  # were here already
    purged: dict[str, int] = field(default_factory=dict)  # are not to come back
    expired: dict[str, int] = field(default_factory=dict)  # were here, and are only summed up by now
    files: list[str] = field(default_factory=list)
    sums: Sums = field(default_factory=Sums)  # of days whose rows the archive has no more

    def count(self, signal: Signal, added: int, known: int, purged: int) -> None:
        """Add one chunk's counts."""
        for counts, number in ((self.added, added), (self.known, known), (self.purged, purged)):
            counts[signal.value] = counts.get(signal.value, 0) + number


class Importer:
    """Adds the rows of archives to one folder.

    Args:
        reserve: hands out a segment number of a signal that no journal uses, durably.
        tombs: what must not come back.
        judge: sanitizes the rows once more, under this machine's policy; `judge_sums` the texts of sums.
        users: stand-ins of the other machine -> what they are called here.
    """

    def __init__(
        self,
        layout: Layout,
        disk: Disk,
        reserve: Callable[[Signal], int],
        tombs: Tombs | None = None,
        judge: Callable[[Signal, pa.Table], pa.Table] = lambda _signal, table: table,
        users: Mapping[str, str] | None = None,
        judge_sums: Callable[[pa.Table], pa.Table] = lambda table: table,
    ) -> None:
        self._judge_sums = judge_sums
        self._layout = layout
        self._disk = disk
        self._reserve = reserve
        self._tombs = tombs or Tombs()
        self._judge = judge
        self._users = dict(users or {})

    def add(self, path: Path, manifest: Manifest, *, dry: bool = False, progress: Progress = silent) -> Imported:
        """Import an archive that was checked and has this manifest. With `dry`, only count.

        First the sums of days whose rows it has no more, and with them the note which days are taken; then rows.
        """
        done = Imported()
        with scratch(self._layout, self._disk) as folder, path.open("rb") as file:
            chunk = Chunks(
                folder,
                manifest,
                lambda chunk: self._take(chunk, done, dry=dry),
                lambda: self._take_sums(folder, manifest, done, dry=dry),
            )
            archive.read(file, chunk.open, progress)
            chunk.flush()
        return done

    def _take_sums(self, folder: Path, manifest: Manifest, done: Imported, *, dry: bool) -> set[str]:
        """Add the sums, and return the files whose rows must not be added."""
        theirs = Theirs(
            origin.of_backup(manifest.about), rollups.read_from(folder / SUMS_MANIFEST), manifest.last_day()
        )
        worker = self._disk.wait_for_lock(self._layout.worker_lock)
        try:
            ledger = Ledger(rollups.read(self._layout), origin.read(self._layout))
            sums = SumsImporter(self._layout, self._disk, folder, self._tombs, self._judge_sums, self._users)
            today = max(ingest_day(self._layout, signal) for signal in Signal)
            done.sums = sums.take(ledger, theirs, today, dry=dry)
            return set(self._expired(manifest, theirs, ledger, done))
        finally:
            worker.release()

    def _expired(self, manifest: Manifest, theirs: Theirs, ledger: Ledger, done: Imported) -> Iterator[str]:
        """Files of days whose rows are only summed up, here or there: they would count twice."""
        for name, file in manifest.files.items():
            if "signal" not in file:
                continue
            signal = Signal(file["signal"])
            if file["days"] and ledger.has_expired(theirs, signal, max(file["days"])):
                rows = sum(file["days"].values())
                done.expired[signal.value] = done.expired.get(signal.value, 0) + rows
                yield name

    def _take(self, chunk: Chunk, done: Imported, *, dry: bool) -> None:
        signal = chunk.signal
        worker = self._disk.wait_for_lock(self._layout.worker_lock)
        try:
            with _connection(chunk.paths[0].parent / "spill") as connection:
                connection.execute(f"CREATE TEMP VIEW incoming AS {_incoming(chunk, self._users)}")
                connection.execute(f"CREATE TEMP VIEW stored AS {stored_ids(self._layout, signal)}")
                added, known, purged = _sort_out(connection, _purged(connection, self._tombs))
                if added and not dry:
                    done.files.append(str(self._write(connection, chunk)))
                done.count(signal, added, known, purged)
        finally:
            worker.release()

    def _write(self, connection: duckdb.DuckDBPyConnection, chunk: Chunk) -> Path:
        signal = chunk.signal
        number = self._reserve(signal)
        target = self._layout.day(signal, ingest_day(self._layout, signal)) / parquet_name(number, number)
        relation = connection.sql(
            f"SELECT * REPLACE ({number}::BIGINT AS seg) FROM incoming SEMI JOIN fresh USING (id) "
            f"{_once(connection)} {'' if any(map(is_parquet, chunk.paths)) else f'ORDER BY {order_of(signal)}'}"
        )
        with ParquetFileWriter(signal, target, self._disk) as writer:
            for batch in relation.to_arrow_reader(JUDGED_ROWS):
                writer.write(self._judge(signal, pa.Table.from_batches([batch])))
        return target


@contextmanager
def _connection(spill: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    config: dict[str, Any] = {
        "threads": 1,
        "memory_limit": f"{MEMORY_LIMIT_MB}MB",
        "temp_directory": str(spill),
        "preserve_insertion_order": False,
    }
    with duckdb.connect(config=config) as connection:
        yield connection


def _incoming(chunk: Chunk, users: Mapping[str, str]) -> str:
    kinds: dict[tuple[str, ...], list[Path]] = {}  # files that are read alike, together: each scan takes memory
    for path in chunk.paths:
        kinds.setdefault(_kind(chunk.signal, path), []).append(path)
    rows = "\nUNION ALL ".join(_from_files(chunk, kind, found) for kind, found in kinds.items())
    return f"SELECT {_renamed(chunk.signal, users)} FROM ({rows})"


def _purged(connection: duckdb.DuckDBPyConnection, tombs: Tombs) -> str:
    """An SQL condition that is true for rows that must not come back."""
    if not tombs:
        return "false"
    conditions = [f"epoch_us(time) < {tombs.before_us}"] if tombs.before_us else []
    for kind, column in ((SESSION, "session_id"), *((USER, column) for column in USER_COLUMNS)):
        found = connection.execute(f"SELECT DISTINCT {column} FROM incoming WHERE {column} IS NOT NULL").fetchall()
        if held := tombs.held(kind, (str(value) for (value,) in found)):
            conditions.append(f"{column} IN ({', '.join(map(quote, held))})")
    return " OR ".join(conditions) or "false"


def _kind(signal: Signal, path: Path) -> tuple[str, ...]:
    """The columns that a Parquet file has; none for a segment."""
    if not is_parquet(path):
        return ()
    names = set(pq.read_schema(path).names)
    if unknown := sorted(names - {column.name for column in COLUMNS[signal]}):
        raise ArchiveError(f"the archive has a column {unknown[0]} in its {signal}, which this program does not know")
    return tuple(sorted(names))


def _from_files(chunk: Chunk, names: tuple[str, ...], paths: Sequence[Path]) -> str:
    signal = chunk.signal
    listed = ", ".join(quote(str(path)) for path in paths)
    if not names:
        source = (
            f"read_json([{listed}], format = 'newline_delimited', ignore_errors = true, "
            f"columns = {journal_columns(signal)}, maximum_object_size = {LINE_BYTES_MAX})"
        )
        return f"SELECT {journal_select(signal)} FROM {source} WHERE seg IS NOT NULL"
    columns = ", ".join(
        f'"{column.name}"' if column.name in names else f'NULL::{sql_type(column)} AS "{column.name}"'
        for column in COLUMNS[signal]
    )
    if chunk.rows is None:
        return f"SELECT {columns} FROM read_parquet([{listed}], hive_partitioning = false)"
    return (  # row groups outside are not read
        f"SELECT {columns} FROM read_parquet([{listed}], hive_partitioning = false, file_row_number = true) "
        f"WHERE file_row_number >= {chunk.rows.start} AND file_row_number < {chunk.rows.stop}"
    )


def stored_ids(layout: Layout, signal: Signal) -> str:
    """SELECT of the ids of all rows of a signal. True while the workers' lock is held."""
    covered = covered_segments(layout, signal)
    found = [quote(str(file.path)) for file in parquet_files(layout, signal)]
    waiting = [quote(str(path)) for number, path in segments(layout, signal) if number not in covered]
    parts = ["SELECT NULL::VARCHAR AS id WHERE false"]
    if found:
        parts.append(f"SELECT id FROM read_parquet([{', '.join(found)}], hive_partitioning = false)")
    if waiting:
        parts.append(
            f"SELECT id FROM read_json([{', '.join(waiting)}], format = 'newline_delimited', ignore_errors = true, "
            f"columns = {{'id': 'VARCHAR'}}, maximum_object_size = {LINE_BYTES_MAX}) WHERE id IS NOT NULL"
        )
    return "\nUNION ALL ".join(parts)


def _sort_out(connection: duckdb.DuckDBPyConnection, purged: str) -> tuple[int, int, int]:
    """Make `fresh`, the ids to add; how many rows are new, known, and not to come back."""
    connection.execute(f"CREATE TEMP TABLE allowed AS SELECT id FROM incoming WHERE ({purged}) IS NOT TRUE")
    connection.execute(
        "CREATE TEMP TABLE fresh AS SELECT DISTINCT id FROM allowed "
        "WHERE id NOT IN (SELECT id FROM stored SEMI JOIN allowed USING (id))"
    )
    counts = "SELECT (SELECT count(*) FROM incoming), (SELECT count(*) FROM allowed), (SELECT count(*) FROM fresh)"
    total, allowed, fresh = connection.execute(counts).fetchall()[0]
    return fresh, allowed - fresh, total - allowed


def _once(connection: duckdb.DuckDBPyConnection) -> str:
    """Leaves one row an id, if there are more at all: looking at each row costs ten times what all the rest does."""
    twice = "SELECT count(*) FROM (SELECT id FROM allowed SEMI JOIN fresh USING (id) GROUP BY id HAVING count(*) > 1)"
    ((found,),) = connection.execute(twice).fetchall()
    return "QUALIFY row_number() OVER (PARTITION BY id ORDER BY received_at) = 1" if found else ""


def _renamed(signal: Signal, users: Mapping[str, str]) -> str:
    """All columns, with people as they are called here."""
    parts = []
    for column in COLUMNS[signal]:
        value = f'"{column.name}"'
        if column.type in (Type.TEXT, Type.JSON) and column.name != "id":
            for theirs, ours in users.items():
                value = f"replace({value}, {quote(theirs)}, {quote(ours)})"
        parts.append(f'{value} AS "{column.name}"')
    return ", ".join(parts)


def ingest_day(layout: Layout, signal: Signal) -> str:
    """The day new files are written into: today, never earlier than that of the last file."""
    today = datetime.now(UTC).date().isoformat()
    return max([today, rollups.read(layout).closed, *(file.day for file in parquet_files(layout, signal))])


def parse_users(pairs: Sequence[str]) -> dict[str, str]:
    """`OLD=NEW` pairs of stand-ins.

    Raises:
        ValueError: one is no pair of stand-ins of the same kind.
    """
    users = {}
    for pair in pairs:
        theirs, _, ours = pair.partition("=")
        if not (is_stand_in(theirs) and is_stand_in(ours)) or theirs.partition(":")[0] != ours.partition(":")[0]:
            raise ValueError(f"{pair!r} is not two stand-ins of one kind, as in email:7f3kq2mz5wfq=email:…")
        users[theirs] = ours
    return users
