"""What is stored, judged once more under another policy: Parquet days, and the texts of the rollups. Runs in a worker.

Only files in which something changes are rewritten, each day in one step, so what was interrupted goes on by doing it
again; and doing it again changes nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from telem.sanitize.again import Again
from telem.sanitize.records import Signal

from . import closing, rollups
from .inventory import parquet_files
from .journal import segments
from .rewrite import pieces, rewrite_day
from .rollups import USAGE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from telem.sanitize.redact import Redactor

    from .disk import Disk
    from .inventory import ParquetFile
    from .layout import Layout

_DIMENSIONS = {
    "session_id": "session.id", "user": "user.email", "user_id": "user.id", "account_id": "user.account_uuid",
    "team": "team", "chapter": "chapter", "project": "project", "repository": "repository", "branch": "git.branch",
    "app_version": "app.version", "model": "model", "query_source": "query_source",
}  # fmt: skip
"""Texts of the rollups -> the attribute as which they are judged."""


def resanitize(
    layout: Layout, disk: Disk, redactor: Redactor, progress: Callable[[int, int], None], *, dry: bool
) -> dict[str, Any]:
    """Judge all that is in Parquet and in the rollups; returns counts by rule, and what was, or would be, rewritten."""
    redactor.tally.take()
    days = sorted({(file.day, signal) for signal in Signal for file in parquet_files(layout, signal)})
    files: list[str] = []
    rules: Counter[str] = Counter()
    for number, (day, signal) in enumerate(days):
        progress(number, len(days))
        again = Again(signal, redactor)
        mine = [file for file in parquet_files(layout, signal) if file.day == day]
        changed = [file for file in mine if _changes(file.path, again)]
        rules += _taken(redactor)
        files += [str(file.path.relative_to(layout.home)) for file in changed]
        if changed and not dry:
            change = partial(_judged, again=again)
            rewrite_day(layout, signal, day, dict.fromkeys((file.path for file in changed), change), disk)
            redactor.tally.take()
            _forget_segments(layout, signal, changed)
    progress(len(days), len(days))
    summed = _rollups(layout, disk, redactor, series=any("/metrics/" in name for name in files), dry=dry)
    return {"files": files, "rules": dict(rules), "rollup_values": summed, "dry_run": dry}


def _named(attribute: str, value: str) -> str:
    """The attribute a user's stand-in came from: of `user`, whichever there was."""
    return _USERS.get(value.partition(":")[0], "user.id") if attribute == "user.email" else attribute


_USERS = {"email": "user.email", "account": "user.account_uuid"}


def _taken(redactor: Redactor) -> Counter[str]:
    found: Counter[str] = Counter()
    redactions, errors = redactor.tally.take()
    for (rule, _), count in redactions.items():
        found[rule] += count
    found["sanitizer-error"] += sum(errors.values())
    return +found


def _changes(path: Path, again: Again) -> bool:
    """Would judging change anything? All of it is judged, for the counts."""
    return any([judged(table, again)[1] for table in pieces(path)])  # noqa: C419 (all of them)


def _judged(table: pa.Table, again: Again) -> pa.Table:
    return judged(table, again)[0]


def judged(table: pa.Table, again: Again) -> tuple[pa.Table, bool]:
    """The table with every value judged once more, and whether that changed any."""
    changed = False
    gone: Any = pa.array([0] * table.num_rows, pa.int64())
    for name, judge in again.judges().items():
        column = table[name].combine_chunks().dictionary_encode()
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        before = column.dictionary.to_pylist()
        after = [None if value is None else judge(value) for value in before]
        if after == before:
            continue
        changed = True
        new = pa.array(after, pa.string()).take(column.indices)
        if bit := again.bit(name):
            lost = pc.and_(pc.is_valid(table[name]), pc.is_null(new))
            gone = pc.bit_wise_or(gone, pc.multiply(pc.cast(lost, pa.int64()), bit))
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), new)
    for name, bit in again.dropped().items():
        held = pc.is_valid(table[name])
        if pc.any(held).as_py():
            changed = True
            gone = pc.bit_wise_or(gone, pc.multiply(pc.cast(held, pa.int64()), bit))
            nothing = pa.nulls(table.num_rows, table.schema.field(name).type)
            table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), nothing)
    for name in ("promoted", "promoted_as_text") if changed else ():
        kept = pc.bit_wise_and(table[name], pc.bit_wise_not(gone))
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), kept)
    return table, changed


def _forget_segments(layout: Layout, signal: Signal, changed: list[ParquetFile]) -> None:
    """Segments whose rows are in a rewritten file hold them as they were; see `purge` for why they are unlinked."""
    spans = [range(file.first, file.last + 1) for file in changed]
    for number, path in segments(layout, signal):
        if any(number in span for span in spans) and path.stat().st_size:
            path.unlink()


def _rollups(layout: Layout, disk: Disk, redactor: Redactor, *, series: bool, dry: bool) -> int:
    """Judge the texts of the rollups and sum up anew; returns how many distinct values changed."""
    in_force = rollups.read(layout)
    if not in_force.version:
        return 0
    usage, reached = rollups.files(layout, in_force)
    table, values = judged_sums(pq.read_table(usage), redactor)
    others = rollups.imported(layout, in_force)
    imported, more = judged_sums(pq.read_table(others), redactor) if others.exists() else (None, 0)
    values += more
    redactor.tally.take()
    if dry or not (values or series):
        return values
    after_version = replace(in_force, version=rollups.next_version(layout, in_force))
    new_usage, new_reached = rollups.files(layout, after_version)
    with duckdb.connect(config={"threads": 1, "memory_limit": "256MB"}) as connection:
        connection.register("judged", table)
        names = ", ".join(f'"{name}"' for name in USAGE_COLUMNS)
        closing.publish(connection, closing.summed_up(f"(SELECT {names} FROM judged)"), new_usage, disk)
    if imported is not None:
        closing.publish_batches([imported], rollups.imported(layout, after_version), disk)
    if series:
        closing.write_series(layout, in_force, reached, new_reached, disk)
    else:
        disk.link(reached, new_reached)
    rollups.write(layout, disk, after_version)
    rollups.sweep(layout, disk, after_version)
    return values


def judged_sums(table: pa.Table, redactor: Redactor) -> tuple[pa.Table, int]:
    """The texts of sums judged once more, and how many distinct values that changed."""
    values = 0
    for name, attribute in _DIMENSIONS.items():
        column = table[name].combine_chunks().dictionary_encode()
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        before = column.dictionary.to_pylist()
        kept = [value if value is None else redactor.attribute(_named(attribute, value), value) for value in before]
        after = [value if value is None or isinstance(value, str) else None for value in kept]
        if after != before:
            values += sum(one != other for one, other in zip(before, after, strict=True))
            new = pa.array(after, pa.string()).take(column.indices)
            table = table.set_column(table.schema.get_field_index(name), name, new)
    return table, values
