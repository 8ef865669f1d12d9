"""SQL of the catalog (pure): three relations over the files, then the views of `sql/` on top of them.

`raw_logs`, `raw_metrics`, `raw_traces` are every row, wherever it lies at the moment. They come in two forms with the
same columns: for shells, over globs that stay right while segments become Parquet; and for our own workers, over an
explicit list of files, which needs none of that care and is read faster.

Totals of closed ingest days come from the rollups, those of later days from rows; which is which are constants in the
text of the views (`Rollups`), so that every part of a question goes by the same ones.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from telem.sanitize.columns import COLUMNS, SCHEMA_VERSION
from telem.sanitize.records import Signal

from . import access
from . import rollups as rolled
from .audit import TABLES
from .formats import missing_in, version_of, versions
from .rollups import SERIES_COLUMNS, USAGE_COLUMNS, Rollups
from .schema import attributes_sql, journal_columns, journal_select, sql_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from .audit import Counted
    from .layout import Layout

ALIKE = {
    "recent_increments": (
        "metric_increments",
        "-- The part of metric_increments that no rollup holds yet; the base of usage_days.",
    ),
    "usage_days": (
        "usage_facts",
        "-- The same as usage_facts with all closed days summed up by session; for parts of days use usage_facts.",
    ),
}
"""View -> the one whose text it shares, and its own sentence. It takes from the rollups every closed day, where the
other takes only what has no raw rows any more."""


@dataclass(frozen=True, slots=True)
class Files:
    """What a worker reads for one signal: published Parquet, and the segments that are in none of it."""

    parquet: Sequence[str]
    segments: Sequence[str]


def catalog_sql(layout: Layout, cutoff: str, rollups: Rollups, *, imported: bool = False) -> Iterator[str]:
    """All statements of the catalog, for any duckdb shell. `imported`: session logs were imported, see `_ONCE`.

    `cutoff` is an ingest day (YYYY-MM-DD). Every segment that became Parquet since that day may still lie in the
    journal; what older Parquet files hold does not. It is a constant in the views, not `current_date`: were the daemon
    to die right after a compaction, rows would count twice as soon as that day left the window.
    """
    for signal in Signal:
        yield f"CREATE OR REPLACE VIEW raw_{signal} AS\n{_shell_relation(layout, signal, cutoff, rollups)}"
    words = _words(rollups, rolled.files(layout, rollups))
    for table in TABLES:
        words[f"${table.folder}"] = _counts(table, glob_of(str(table.path(layout)), "*-*.ndjson"))
    words["$access_log"] = _access(glob_of(str(layout.access), "*.ndjson"))
    yield from view_statements(words, imported=imported)


def worker_sql(
    files: dict[Signal, Files],
    mentioned_in: str | None = None,
    counts: Mapping[str, Sequence[str]] | None = None,
    *,
    imported: bool = False,
    rollups: Rollups | None = None,
    totals: tuple[Path, Path] | None = None,
    own_only: bool = False,
) -> Iterator[str]:
    """The same statements over explicit files. `totals` are the rollups' files; without them nothing is closed.

    With `own_only`, sums that were imported are left out.
    `counts` are the files of each table of counts, and those of the access log, by their folder.

    With `mentioned_in`, the text of a question, only the views whose names occur in it are made. Making all of them
    takes 150 ms, which is more than most questions do.
    """
    relations = {f"raw_{signal}": _worker_relation(signal, files[signal], rollups or Rollups()) for signal in Signal}
    words = _words(rollups or Rollups(), totals, own_only=own_only)
    for table in TABLES:
        paths = (counts or {}).get(table.folder, ())
        words[f"${table.folder}"] = _counts(table, f"[{', '.join(map(quote, paths))}]" if paths else None)
    asked = (counts or {}).get("access_log", ())
    words["$access_log"] = _access(f"[{', '.join(map(quote, asked))}]" if asked else None)
    if mentioned_in is None:
        yield from (_made(name, relation) for name, relation in relations.items())
        yield from view_statements(words, imported=imported)
    else:
        yield from _whole_statements(mentioned_in, relations, words, imported=imported)


def _made(name: str, relation: str) -> str:
    return f"CREATE OR REPLACE VIEW {name} AS\n{relation}"


def _whole_statements(
    question: str, relations: Mapping[str, str], words: Mapping[str, str], *, imported: bool
) -> Iterator[str]:
    """The views that a question may mean, each with the text of those below it, after the raw relations they need.

    DuckDB binds a view when it is made, with all that is below it: one on top of the other they took twice as long.
    """

    def whole(name: str) -> str:
        body = _statement(name, words, imported=imported).partition(" AS\n")[2]
        return _base().sub(lambda base: f"{base[1]} (\n{whole(base[2])}\n){base[3] or f' AS {base[2]}'}", body)

    meant = set(re.findall(r"\w+", question.lower()))
    statements = [_made(name, whole(name)) for name in view_names() if name in meant]
    text = " ".join([*meant, *statements])
    yield from (_made(name, relation) for name, relation in relations.items() if name in text)
    yield from statements


@cache
def _base() -> re.Pattern[str]:
    """Where the text of a view names another one that it stands on; and how it calls it, if otherwise."""
    return re.compile(rf"\b(FROM|JOIN)\s+({'|'.join(view_names())})\b( AS \w+)?")


def view_statements(words: Mapping[str, str], *, imported: bool = False) -> Iterator[str]:
    """The views of `sql/`, in the order their manifest says."""
    for name in view_names():
        yield _statement(name, words, imported=imported)


@cache
def view_names() -> tuple[str, ...]:
    """Names of the views of `sql/`, each after those it stands on."""
    text = (resources.files(__package__) / "sql" / "_order").read_text(encoding="utf-8")
    names = (line.partition("#")[0].strip() for line in text.splitlines())
    return tuple(name for name in names if name)


@cache
def view_text(name: str) -> str:
    """The text of a view: its file, as it was written, or that of the one it is like."""
    if name in ALIKE:
        base, sentence = ALIKE[name]
        body = view_text(base).partition("\nCREATE")[2]
        for other, (original, _) in ALIKE.items():
            body = body.replace(original, other)
        body = body.replace("$logs_since", "$closed").replace("$metrics_since", "$closed")
        return f"{sentence}\nCREATE{body}"
    return (resources.files(__package__) / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def _statement(name: str, words: Mapping[str, str], *, imported: bool = False) -> str:
    text = view_text(name).replace("$model_prices", prices_sql())
    if imported and name == "events":  # the one view over logs on which all counting stands
        text = text.replace("FROM raw_logs", f"FROM {_ONCE}")
    for word, meaning in words.items():
        text = text.replace(word, meaning)
    for signal in Signal:
        text = text.replace(f"$attributes_of_{signal}", attributes_sql(signal))
    return text.strip().removesuffix(";")


@cache
def prices_sql() -> str:
    """Rows of `sql/model_prices.csv` as a SELECT that DuckDB and ClickHouse read alike; an empty limit is none."""
    text = (resources.files(__package__) / "sql" / "model_prices.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return "\nUNION ALL ".join(f"SELECT {', '.join(_price(name, row[name]) for name in row)}" for row in rows)


_NO_LIMITS = {"input_above": "-1", "input_up_to": "1000000000000"}


def _price(name: str, value: str) -> str:
    if name.endswith("_usd"):
        return f"CAST({value} AS DOUBLE) AS {name}"
    if name in _NO_LIMITS:
        return f"CAST({value or _NO_LIMITS[name]} AS BIGINT) AS {name}"
    return f"{quote(value)} AS {name}"


def quote(text: str) -> str:
    """A SQL string."""
    return "'" + text.replace("'", "''") + "'"


def glob_of(folder: str, pattern: str) -> str:
    """A glob below a folder whose own name may hold glob characters; only `[` needs care."""
    return quote(glob_safe(folder) + "/" + pattern)


def glob_safe(path: str) -> str:
    """A path as a pattern that means nothing but itself."""
    return path.replace("[", "[[]")


def _words(rollups: Rollups, totals: tuple[Path, Path] | None, *, own_only: bool = False) -> dict[str, str]:
    """What the views' words for days and rollups stand for."""
    usage, series = totals or (None, None)
    imported = usage.with_name(rolled.IMPORTED) if usage and not own_only else None
    return {
        "$closed": f"DATE '{rollups.closed}'",
        "$logs_since": f"DATE '{rollups.raw_since[Signal.LOGS]}'",
        "$metrics_since": f"DATE '{rollups.raw_since[Signal.METRICS]}'",
        "$usage_rollup": _rollup(usage, USAGE_COLUMNS),
        "$series_rollup": _rollup(series, SERIES_COLUMNS),
        "$imported_rollup": _rollup(imported if imported and imported.exists() else None, USAGE_COLUMNS),
    }


def _rollup(path: Path | None, columns: Mapping[str, str]) -> str:
    if path is None:
        nothing = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in columns.items())
        return f"(SELECT {nothing} WHERE false)"
    return f"read_parquet({quote(glob_safe(str(path)))}, hive_partitioning = false)"


def _journal_day(rollups: Rollups) -> str:
    """The day whose partition the rows will join: today's at the earliest, and never one that is closed."""
    return f"greatest(make_timestamp(received_at)::DATE, DATE '{rollups.closed}') AS ingest_day"


def _journal(signal: Signal, source: str, rollups: Rollups) -> str:
    return (
        f"SELECT {journal_select(signal)}, {_journal_day(rollups)} FROM read_json({source}, "
        f"format = 'newline_delimited', ignore_errors = true, columns = {journal_columns(signal)}) "
        "WHERE seg IS NOT NULL"
    )


def _parquet(signal: Signal, source: str, version: int) -> str:
    """The rows of files of one schema version, with NULL for the columns that it does not have."""
    missing = missing_in(version, signal)
    columns = ", ".join(
        f'NULL::{sql_type(column)} AS "{column.name}"' if column.name in missing else f'"{column.name}"'
        for column in COLUMNS[signal]
    )
    return (
        f"SELECT {columns}, ingest_day FROM read_parquet({source}, hive_partitioning = true, "
        "hive_types = {'ingest_day': DATE})"
    )


def _shell_relation(layout: Layout, signal: Signal, cutoff: str, rollups: Rollups) -> str:
    """The form that stays right against a compacting writer (229 shells, 70 compactions: no wrong count).

    The rows of the last days and the list of segments they came from are one materialized scan, so neither can be newer
    than the other; a retired segment is emptied before it is removed, so a listed file is always there to be opened.
    """
    there = [one for one in versions() if one == SCHEMA_VERSION or layout.version(signal, one).is_dir()]
    globs = {one: glob_of(str(layout.version(signal, one)), "*/*.parquet") for one in there}

    def parquet(condition: str) -> str:
        return "\nUNION ALL ".join(f"{_parquet(signal, globs[one], one)} WHERE {condition}" for one in there)

    recent, older = parquet(f"ingest_day >= DATE '{cutoff}'"), parquet(f"ingest_day < DATE '{cutoff}'")
    journal = _journal(signal, glob_of(str(layout.journal(signal)), "s-*.ndjson"), rollups)
    return (
        f"WITH recent AS MATERIALIZED ({recent})\n"
        f"{older}\n"
        f"UNION ALL SELECT * FROM recent\n"
        f"UNION ALL {journal} AND seg NOT IN (SELECT seg FROM recent)"
    )


def _known_by(alias: str) -> str:
    """What names a record in the client's session logs and in what it exports alike."""
    return (
        f"CASE {alias}.event_type WHEN 'tool_call' THEN {alias}.tool_use_id "
        f"WHEN 'user_prompt' THEN {alias}.message_id ELSE {alias}.request_id END"
    )


_ONCE = f"""(
    SELECT * FROM raw_logs WHERE source IS DISTINCT FROM 'transcript'
    UNION ALL
    SELECT told.* FROM raw_logs AS told
    WHERE told.source = 'transcript' AND NOT EXISTS (
        SELECT 1 FROM raw_logs AS sent
        WHERE sent.source IS NULL AND sent.event_type = told.event_type AND {_known_by("sent")} = {_known_by("told")}
    )
) AS raw_logs"""
"""The rows of logs, without those read from session logs that the client has exported too, before or after.

It takes another scan of the exported ids, so views get it only once something was imported.
"""


def _counts(table: Counted, source: str | None) -> str:
    """A table of counts, from the files of all months."""
    kinds = {"day": "DATE", **dict.fromkeys(table.by, "VARCHAR"), "count": "BIGINT"}
    if source is None:
        nothing = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in kinds.items())
        return f"(SELECT {nothing} WHERE false)"
    columns = "{" + ", ".join(f"'{name}': '{kind}'" for name, kind in kinds.items()) + "}"
    return f"read_json({source}, format = 'newline_delimited', ignore_errors = true, columns = {columns})"


def _access(source: str | None) -> str:
    """The lines of the access log; one that is torn or none reads as NULLs."""
    if source is None:
        nothing = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in access.COLUMNS.items())
        return f"(SELECT {nothing} WHERE false)"
    columns = "{" + ", ".join(f"'{name}': '{kind}'" for name, kind in access.COLUMNS.items()) + "}"
    return f"read_json({source}, format = 'newline_delimited', ignore_errors = true, columns = {columns})"


def _worker_relation(signal: Signal, files: Files, rollups: Rollups) -> str:
    by_version: dict[int, list[str]] = {}
    for path in files.parquet:
        by_version.setdefault(version_of(path), []).append(path)
    parts = [
        _parquet(signal, "[" + ", ".join(map(quote, paths)) + "]", version)
        for version, paths in sorted(by_version.items())
    ]
    if files.segments:
        parts.append(_journal(signal, "[" + ", ".join(map(quote, files.segments)) + "]", rollups))
    return "\nUNION ALL ".join(parts) or _nothing(signal)


def _nothing(signal: Signal) -> str:
    columns = ", ".join(f'NULL::{sql_type(column)} AS "{column.name}"' for column in COLUMNS[signal])
    return f"SELECT {columns}, NULL::DATE AS ingest_day WHERE false"
