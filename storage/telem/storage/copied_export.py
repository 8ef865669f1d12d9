"""An export without some of its rows: Parquet, CSV or JSON lines, also compressed. Text that stays, stays to the byte.

Rows are known by the columns that every table has for them: the session, the users, the time. A table that has none of
them holds sums, of which nothing can be taken out.
"""

from __future__ import annotations

import csv
import gzip
import io
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import duckdb
import orjson
import zstandard

from .closing import MEMORY_LIMIT_MB
from .meant import SUMMED_USERS
from .views import glob_safe, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from .disk import Disk
    from .meant import Meant

TIME_COLUMNS = ("time", "Timestamp", "TimeUnix", "started_at", "last_seen", "day")
"""The first of these that a table has says when a row was. The same as those an export is chosen by."""

SESSION_COLUMN = "session_id"
USER_COLUMNS = ("user_email", *SUMMED_USERS)
ATTRIBUTES = ("LogAttributes", "SpanAttributes", "Attributes", "ResourceAttributes")
"""Of the tables named as the Collector's; whose a row is stands somewhere in them."""


class NotTellable(ValueError):  # noqa: N818 (it is no error of anybody's)
    """The rows of a table do not say whose they are."""


def in_export(path: Path, form: str, meant: Meant, disk: Disk, *, dry: bool) -> int:
    """Take rows out of an export; returns how many there were. One that holds none stays as it is.

    Raises:
        NotTellable: it holds sums.
        ValueError, duckdb.Error: it does not read as what it was written as; it stays as it is.
        OSError: it cannot be replaced; likewise.
    """
    temporary = path.with_name(f".tmp-{path.name}-purging")
    take = _from_parquet if form == "parquet" else _from_text
    rows = take(path, form, meant, None)
    if not rows or dry:
        return rows
    try:
        take(path, form, meant, temporary)
        disk.publish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return rows


def _time_column(columns: Sequence[str]) -> str:
    found = next((name for name in TIME_COLUMNS if name in columns), "")
    if not found:
        raise NotTellable("it holds sums that do not say of when they are")
    return found


def _whose(columns: Sequence[str], meant: Meant) -> tuple[list[str], list[str]]:
    """Columns that hold exactly a session or a user, and columns in whose text one may stand."""
    exact = [SESSION_COLUMN] if meant.sessions and SESSION_COLUMN in columns else []
    exact += [name for name in USER_COLUMNS if name in columns] if meant.users else []
    inside = [name for name in ATTRIBUTES if name in columns] if meant.values else []
    if meant.values and not exact and not inside:
        raise NotTellable("it holds sums that do not say whose they are")
    return exact, inside


def _from_parquet(path: Path, _form: str, meant: Meant, target: Path | None) -> int:
    config: dict[str, Any] = {"threads": 1, "memory_limit": f"{MEMORY_LIMIT_MB}MB", "preserve_insertion_order": True}
    with duckdb.connect(config=config) as connection:
        source = f"read_parquet({quote(glob_safe(str(path)))}, hive_partitioning = false)"
        columns = [str(row[0]) for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
        condition = _sql(columns, meant)
        if target is None:
            return int(connection.execute(f"SELECT count(*) FROM {source} WHERE {condition}").fetchall()[0][0])
        kept = f"SELECT * FROM {source} WHERE ({condition}) IS NOT TRUE"
        connection.execute(f"COPY ({kept}) TO {quote(str(target))} (FORMAT parquet, COMPRESSION zstd)")
    return 0


def _sql(columns: Sequence[str], meant: Meant) -> str:
    exact, inside = _whose(columns, meant)
    listed = ", ".join(map(quote, sorted(meant.values)))
    parts = [f'"{name}" IN ({listed})' for name in exact]
    parts += [f'contains("{name}"::VARCHAR, {quote(value)})' for name in inside for value in sorted(meant.values)]
    if meant.before_us:
        parts.append(f'epoch_us("{_time_column(columns)}"::TIMESTAMPTZ) < {meant.before_us}')
    return "true" if meant.everything else " OR ".join(parts) or "false"


def _from_text(path: Path, form: str, meant: Meant, target: Path | None) -> int:
    """Read a text, and write what stays of it."""
    with ExitStack() as stack:
        source = stack.enter_context(_opened(path, path.suffix, "rb"))
        writing = stack.enter_context(_opened(target, path.suffix, "wb")) if target else None
        records = iter(source) if form == "jsonl" else _records(source)
        header = next(records, b"") if form != "jsonl" else b""
        if writing and header:
            writing.write(header)
        is_meant = _of_json(meant) if form == "jsonl" else _of_csv(_fields(header), meant)
        rows = 0
        for record in records:
            if meant.everything or is_meant(record):
                rows += 1
            elif writing:
                writing.write(record)
    return rows


def _opened(path: Path, suffix: str, mode: str) -> BinaryIO:
    if suffix == ".gz":
        return cast("BinaryIO", gzip.open(path, mode))
    if suffix == ".zst":
        stream = cast("Any", zstandard.open(path, mode))
        return cast("BinaryIO", io.BufferedReader(stream) if mode == "rb" else stream)
    return cast("BinaryIO", path.open(mode))


def _records(source: BinaryIO) -> Iterator[bytes]:
    """Records of a CSV as they stand: one goes on over line feeds as long as a quotation is open."""
    record = b""
    for line in source:
        record += line
        if record.count(b'"') % 2 == 0:
            yield record
            record = b""
    if record:
        raise ValueError("it ends within a quotation")


def _fields(record: bytes) -> list[str]:
    return next(csv.reader([record.decode()]), [])


def _of_csv(columns: list[str], meant: Meant) -> Callable[[bytes], bool]:
    exact, inside = _whose(columns, meant)
    at_exact, at_inside = [columns.index(name) for name in exact], [columns.index(name) for name in inside]
    at_time = columns.index(_time_column(columns)) if meant.before_us else -1
    values = [value.encode() for value in meant.values]

    def is_meant(record: bytes) -> bool:
        if at_time < 0 and not any(value in record for value in values):
            return False
        fields = next(csv.reader(io.StringIO(record.decode(), newline="")), [])
        if len(fields) != len(columns):
            raise ValueError(f"a record has {len(fields)} fields, the header {len(columns)}")
        if any(fields[at] in meant.values for at in at_exact) or _inside([fields[at] for at in at_inside], meant):
            return True
        return at_time >= 0 and _is_before(fields[at_time], meant.before_us)

    return is_meant


def _of_json(meant: Meant) -> Callable[[bytes], bool]:
    values = [value.encode() for value in meant.values]
    known: dict[tuple[str, ...], tuple[list[str], list[str], str]] = {}

    def is_meant(record: bytes) -> bool:
        row = None
        if not known or meant.before_us or any(value in record for value in values):
            row = orjson.loads(record)
            columns = tuple(row)
            if columns not in known:
                known[columns] = (*_whose(columns, meant), _time_column(columns) if meant.before_us else "")
        if row is None:
            return False
        exact, inside, moment = known[tuple(row)]
        texts = [orjson.dumps(row[name]).decode() for name in inside]
        if any(row[name] in meant.values for name in exact) or _inside(texts, meant):
            return True
        return bool(moment) and _is_before(row[moment], meant.before_us)

    return is_meant


def _inside(texts: Sequence[str], meant: Meant) -> bool:
    return any(value in text for text in texts for value in meant.values)


def _is_before(moment: str | None, before_us: int) -> bool:
    if not moment:
        return False
    found = datetime.fromisoformat(moment)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1e6 < before_us
