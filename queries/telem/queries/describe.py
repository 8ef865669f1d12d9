"""The tables in words: name, type, unit, meaning and source of every column.

Physical columns are described in `telem.sanitize.columns`; what a view derives is described by the comment at the end
of its line in the view's file; what it passes on keeps the meaning it had below. From that the pages below `docs/` are
made: `python -m telem.queries.describe docs` writes them, a test checks that they are current.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from telem.sanitize.columns import COLUMNS, SCHEMA_VERSION
from telem.sanitize.records import Signal
from telem.storage.views import Files, view_names, view_text, worker_sql

from . import canned

_COMMENTED = re.compile(r'^\s*(?:.*\bAS )?("[^"]+"|\w+),? -- (.+)$', re.MULTILINE)
_UNIT = re.compile(r"\[([^]]+)\] (.+)")
_BASE = re.compile(r"^ *FROM (\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ColumnDoc:
    """One column of a table."""

    name: str
    type: str
    meaning: str
    unit: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class TableDoc:
    """One table, with a sentence on what a row is."""

    name: str
    sentence: str
    columns: tuple[ColumnDoc, ...]


@cache
def tables() -> tuple[TableDoc, ...]:
    """All tables, the physical ones first, then the views in their order."""
    import duckdb

    found: dict[str, TableDoc] = {}
    with duckdb.connect() as connection:
        for statement in worker_sql({signal: Files([], []) for signal in Signal}):
            connection.execute(statement)
        for name in (*(f"raw_{signal}" for signal in Signal), *view_names()):
            rows = connection.execute(f"DESCRIBE {name}").fetchall()
            types = {str(row[0]): str(row[1]) for row in rows}
            found[name] = _raw(name, types) if name.startswith("raw_") else _view(name, types, found)
    return tuple(found.values())


def table_names() -> tuple[str, ...]:
    """Names of all tables, the physical ones last."""
    return (*view_names(), *(f"raw_{signal}" for signal in Signal))


@cache
def sentence(name: str) -> str:
    """What a row of a table is."""
    if name.startswith("raw_"):
        return _RAW_SENTENCE.format(name.removeprefix("raw_"))
    return " ".join(line.removeprefix("-- ") for line in view_text(name).partition("\nCREATE")[0].splitlines())


@cache
def meanings(name: str) -> dict[str, ColumnDoc]:
    """What the columns of a table, and of those it stands on, mean; their types are the database's to say."""
    if name.startswith("raw_"):
        signal = Signal(name.removeprefix("raw_"))
        return {item.name: item for item in _raw_columns(signal, {})}
    text = view_text(name)
    base = next((found for found in _BASE.findall(text) if found in table_names() and found != name), None)
    said = ((match[1].strip('"'), match[2]) for match in _COMMENTED.finditer(text))
    return dict(meanings(base) if base else {}) | {column: _column(column, "", words, None) for column, words in said}


def _raw(name: str, types: dict[str, str]) -> TableDoc:
    signal = Signal(name.removeprefix("raw_"))
    return TableDoc(name, sentence(name), tuple(_raw_columns(signal, types)))


_RAW_SENTENCE = "Every row of the {} as it lies on disk, wherever that is at the moment; the views stand on it."


def _raw_columns(signal: Signal, types: dict[str, str]) -> list[ColumnDoc]:
    columns = [
        ColumnDoc(
            column.name,
            types.get(column.name, ""),
            column.meaning,
            column.unit,
            _source(column.attributes, column.source),
        )
        for column in COLUMNS[signal]
    ]
    day = "UTC day in which the row's segment was closed; the Parquet files are partitioned by it."
    return [*columns, ColumnDoc("ingest_day", types.get("ingest_day", ""), day)]


def _source(attributes: tuple[str, ...], source: str) -> str:
    names = ", ".join(f"`{name}`" for name in attributes)
    return "; ".join(part for part in (names, source) if part)


def _view(name: str, types: dict[str, str], known: dict[str, TableDoc]) -> TableDoc:
    text = view_text(name)
    base = next((found for found in _BASE.findall(text) if found in known), None)
    below = {column.name: column for column in known[base].columns} if base else {}
    said = {match[1].strip('"'): match[2] for match in _COMMENTED.finditer(text)}
    columns = [_column(column, kind, said.get(column), below.get(column)) for column, kind in types.items()]
    return TableDoc(name, sentence(name), tuple(columns))


def _column(name: str, kind: str, said: str | None, below: ColumnDoc | None) -> ColumnDoc:
    if said is None:
        return ColumnDoc(name, kind, below.meaning, below.unit, below.source) if below else ColumnDoc(name, kind, "")
    unit = _UNIT.fullmatch(said)
    return ColumnDoc(name, kind, unit[2], unit[1]) if unit else ColumnDoc(name, kind, said)


# -- the pages -----------------------------------------------------------------------------------------------------

_INTRODUCTION = f"""# Data model

Generated from the code by `python -m telem.queries.describe docs`. Schema version {SCHEMA_VERSION}.

* Three physical tables (`raw_logs`, `raw_metrics`, `raw_traces`) lie in Parquet and, for the last hour or so, in the
  journal. Everything else is a view on them; the same views answer in a `duckdb` shell, on the command line and over
  HTTP.
* Attributes that questions are asked about are columns. `attributes` holds all of them, typed, under the client's own
  names: `attributes ->> '$."session.id"'`.
* Log events are the facts for tokens and cost, metrics for lines, commits, pull requests and active time. They are
  never added. Metric points are running totals with some clients: sum `increment` of `metric_increments`, not `value`.
* Four disjoint classes of tokens: `input_tokens` (fresh), `cache_read_tokens`, `cache_creation_tokens`,
  `output_tokens`. `total_input_tokens` is the sum of the first three.
* `cost_usd` is what the client reported, exactly (DECIMAL). A client that reports none leaves it NULL, and its requests
  are counted in `unpriced_requests`. NULL is unknown everywhere, never 0.
* Times are TIMESTAMP WITH TIME ZONE with microseconds; days are UTC days. `raw_*` keep the nanoseconds beyond.
* `ingest_day` is when a row arrived, `time` when it happened. A condition on `ingest_day` leaves whole days of files
  unopened: for events since T, `ingest_day >= (T - INTERVAL 1 DAY)::DATE AND time >= T` is right as long as no client's
  clock is more than a day ahead.
* The `otel_…` tables have the columns of the OpenTelemetry Collector's ClickHouse exporter. Times are TIMESTAMP WITH
  TIME ZONE there too, so that they compare with `now()` wherever the shell runs; texts and numbers that were not sent
  are empty or 0, as the exporter writes them; a key that a map lacks gives NULL, where ClickHouse gives an empty text.
"""


def data_model() -> str:
    """docs/data-model.md: every table with its columns."""
    parts = [_INTRODUCTION]
    order = sorted(tables(), key=lambda table: (table.name.startswith("otel_"), table.name.startswith("raw_")))
    parts.append("| Table | What a row is |\n| --- | --- |")
    parts += [f"| [{table.name}](#{table.name}) | {table.sentence} |" for table in order]
    for table in order:
        parts.append(f"\n## {table.name}\n\n{table.sentence}\n")
        if table.name == "telemetry_events":
            continue
        parts.append("| Column | Type | Unit | Meaning | Source |\n| --- | --- | --- | --- | --- |")
        parts += [
            f"| {_cell(item.name)} | {item.type} | {item.unit} | {_cell(item.meaning)} | {_cell(item.source)} |"
            for item in table.columns
        ]
    return "\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def database_schema() -> str:
    """docs/contracts/database-schema.sql: all tables as DDL that any DuckDB runs, with a comment for each column."""
    header = (
        f"-- Tables and columns of the catalog, schema version {SCHEMA_VERSION}. Generated from the code.\n"
        "-- In the catalog they are views; as tables they can be filled with data of one's own.\n"
    )
    parts = [header]
    for table in tables():
        last = len(table.columns) - 1
        lines = [
            f'    "{item.name}" {item.type}{"," if index < last else ""} -- {_unit(item)}{item.meaning}'
            for index, item in enumerate(table.columns)
        ]
        parts.append(f"-- {table.sentence}\nCREATE TABLE {table.name} (\n" + "\n".join(lines) + "\n);\n")
    return "\n".join(parts)


def _unit(column: ColumnDoc) -> str:
    return f"[{column.unit}] " if column.unit else ""


_JSON_TYPES: dict[str, dict[str, Any]] = {
    "VARCHAR": {"type": "string"},
    "BIGINT": {"type": "integer"},
    "DOUBLE": {"type": "number"},
    "DECIMAL(18,9)": {"type": "number"},
    "BOOLEAN": {"type": "boolean"},
    "TIMESTAMP WITH TIME ZONE": {"type": "string", "format": "date-time"},
    "DATE": {"type": "string", "format": "date"},
    "JSON": {"type": "object"},
}
_NEVER_NULL = ("id", "time", "ingest_day", "received_at", "attributes", "resource", "seg")


def events_schema() -> dict[str, Any]:
    """JSON Schema of a row of `events`, as the formats `json` and `jsonl` write it."""
    events = next(table for table in tables() if table.name == "events")
    properties = {}
    for column in events.columns:
        kind = dict(_JSON_TYPES[column.type])
        if column.name not in _NEVER_NULL:
            kind["type"] = [kind["type"], "null"]
        properties[column.name] = kind | {"description": f"{_unit(column)}{column.meaning}"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A row of the events table",
        "description": f"{events.sentence} Schema version {SCHEMA_VERSION}. Numbers have their exact digits; read "
        "them with a decimal parser if every digit of a cost counts.",
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_QUERIES_INTRODUCTION = """# Ready-made questions

Generated from the code by `python -m telem.queries.describe docs`.

    telem-agent query NAME [--param NAME=VALUE …] [--since 7d|12h|2026-11-01]

All of them take `--since`: events from then on, UTC. The SQL can be changed and asked as it is; `$name` is a parameter,
`$since_day` the oldest ingest day that can hold events since `$since`. A column `by` is named after what was chosen.

All of them answer the same on ClickHouse, over the tables of the OpenTelemetry Collector's exporter and the views of
[10-schema.sql](../optional-docker/clickhouse/initdb.d/10-schema.sql).
`python -m telem.queries.dialect NAME` prints a question's text for it."""


def queries_page() -> str:
    """docs/queries.md: the ready-made questions with their parameters and their SQL."""
    parts = [_QUERIES_INTRODUCTION]
    for query in canned.load().values():
        parts.append(f"\n## {query.name}\n\n**{query.title}.** {query.sentence}\n")
        parts.append("| Parameter | Takes | Default | Meaning |\n| --- | --- | --- | --- |")
        parts += [
            f"| {item.name} | {', '.join(item.choices) or item.type} | {item.default} | {item.sentence} |"
            for item in query.parameters
        ]
        parts.append(f"\n```sql\n{query.sql}\n```")
    return "\n".join(parts) + "\n"


def pages() -> dict[str, str]:
    """All generated pages: path below `docs/` -> text."""
    return {
        "data-model.md": data_model(),
        "queries.md": queries_page(),
        "contracts/database-schema.sql": database_schema(),
        "contracts/telemetry-events.json": json.dumps(events_schema(), indent=2, ensure_ascii=False) + "\n",
    }


def write(docs: Path) -> None:
    """Write all generated pages below `docs`."""
    for name, text in pages().items():
        path = docs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
