"""Taking rows out of the files of a backup, one at a time, wherever they were unpacked. Imports duckdb and pyarrow.

Nobody reads these files, so they are replaced in place; their names stay. What an entry of a manifest says of them is
told to the caller.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import duckdb
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from telem.sanitize.records import Signal
from telem.sanitize.tombs import USER_COLUMNS

from . import meant as meaning
from .closing import publish, rows_of
from .journal import recoded, scan
from .meant import is_meant, without
from .parquet import ParquetFileWriter
from .rewrite import pieces
from .rollups import IMPORTED, SERIES, USAGE
from .views import glob_safe, quote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .disk import Disk
    from .manifest import Entry
    from .meant import Meant

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {"threads": 1, "memory_limit": "128MB"}
DERIVED = ("statusline.json",)
"""Made anew, and names sessions."""


def count(name: str, path: Path, meant: Meant) -> int:
    """How many rows of a file are meant. `name` is its path in the data folder; what has no rows has none."""
    if name.startswith("journal/") and name.endswith(".ndjson"):
        return sum(is_meant(line, meant) for line in path.read_bytes().splitlines() if _is_row(line))
    condition = _condition(name, meant)
    if not condition:
        return 0
    with duckdb.connect(config=_SETTINGS) as connection:
        source = f"read_parquet({quote(glob_safe(str(path)))}, hive_partitioning = false)"
        return int(connection.execute(f"SELECT count(*) FROM {source} WHERE {condition}").fetchall()[0][0])


def named(name: str, path: Path) -> tuple[set[str], set[str]]:
    """Sessions and stand-ins of users that occur in a file of rows or sums."""
    sessions: set[str] = set()
    users: set[str] = set()
    if name.startswith("journal/") and name.endswith(".ndjson"):
        for line in path.read_bytes().splitlines():
            row = orjson.loads(line) if _is_row(line) else {}
            sessions |= {str(row["session_id"])} if row.get("session_id") else set()
            users |= {str(row[column]) for column in USER_COLUMNS if row.get(column)}
    elif columns := _named_columns(name):
        with duckdb.connect(config=_SETTINGS) as connection:
            for column in ("session_id", *columns):
                source = f"read_parquet({quote(glob_safe(str(path)))}, hive_partitioning = false)"
                asked = f'SELECT DISTINCT "{column}" FROM {source} WHERE "{column}" IS NOT NULL'
                found = {str(row[0]) for row in connection.execute(asked).fetchall()}
                (sessions if column == "session_id" else users).update(found)
    return sessions, users


def _named_columns(name: str) -> tuple[str, ...]:
    if name.startswith("parquet/") and name.endswith(".parquet"):
        return USER_COLUMNS
    if name.startswith("rollups/") and name.rpartition("/")[2] in (USAGE, IMPORTED, SERIES):
        return meaning.SUMMED_USERS
    return ()


def strip(name: str, path: Path, meant: Meant, disk: Disk) -> int:
    """Take the rows that are meant out of a file; returns how many there were."""
    hits = count(name, path, meant)
    if not hits:
        return 0
    if name.startswith("journal/"):
        _replace(path, _journal_without(path.read_bytes(), meant))
    elif name.startswith("parquet/"):
        _rewrite(Signal(name.split("/")[1]), path, meant, disk)
    else:
        aside = path.with_name(f".tmp-{path.name}-{time.monotonic_ns():x}")
        with duckdb.connect(config=_SETTINGS) as connection:
            publish(
                connection,
                f"SELECT * FROM ({rows_of(path)}) WHERE ({_condition(name, meant)}) IS NOT TRUE",
                aside,
                disk,
            )
        aside.replace(path)
    return hits


def corrected(manifest: bytes, measured: Mapping[str, Entry]) -> bytes:
    """A day's manifest with other entries for some files, by the names they have in it."""
    said = json.loads(manifest)
    for name, entry in measured.items():
        if name in said["files"]:
            said["files"][name] = [asdict(entry)]
    return json.dumps(said, indent=1).encode() + b"\n"


def _is_row(line: bytes) -> bool:
    return line.startswith(b'{"seg":')


def _condition(name: str, meant: Meant) -> str:
    """SQL for the rows of a Parquet file that are meant; empty for any other file."""
    last = name.rpartition("/")[2]
    if name.startswith("parquet/") and name.endswith(".parquet"):
        return meaning.where(meant)
    if name.startswith("rollups/") and last in (USAGE, IMPORTED):
        return meaning.where_summed(meant)
    if name.startswith("rollups/") and last == SERIES:
        return meaning.where_series(meant)
    return ""


def _journal_without(data: bytes, meant: Meant) -> bytes:
    """Whole batches with the lines that stay; their commit lines stay too, for retries are known by them."""
    kept = []
    for start, end, commit in scan(data):
        if commit is None:
            continue
        *lines, said = data[start:end].splitlines(keepends=True)
        left = [line for line in lines if not is_meant(line, meant)]
        kept.append(b"".join([*left, said]) if len(left) == len(lines) else recoded(left, commit))
    return b"".join(kept)


def _rewrite(signal: Signal, path: Path, meant: Meant, disk: Disk) -> None:
    aside = path.with_name(f".stripped-{path.name}")
    with ParquetFileWriter(signal, aside, disk) as writer:
        left = 0
        for table in pieces(path):
            kept = without(table, meant)
            left += kept.num_rows
            if kept.num_rows:
                writer.write(kept)
        if not left:
            writer.write(_nothing(path))
    aside.replace(path)


def _nothing(path: Path) -> pa.Table:
    return pq.read_schema(path).empty_table()


def _replace(path: Path, data: bytes) -> None:
    aside = path.with_name(f".tmp-{path.name}")
    aside.write_bytes(data)
    aside.replace(path)
