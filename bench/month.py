"""A team's month as Parquet in the real schema, made by DuckDB in seconds: what questions and reports are timed on.

Every row has the columns, bit sets and remaining attributes that the gate gives such a record; ids and texts do not
repeat more than they do in life. The same numbers give the same rows.

python bench/month.py FOLDER --events 1000000 --days 30 --users 200
"""

# ruff: noqa: E501, ISC004 - the longest lines are SQL
from __future__ import annotations

import argparse
import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import orjson
import pyarrow as pa
from bench.events import Sessions
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from telem.sanitize.columns import BIT, COLUMNS
from telem.sanitize.decode import decode
from telem.sanitize.gate import Gate
from telem.sanitize.policy import shipped_policy
from telem.sanitize.records import Encoding, RawRequest, Signal
from telem.sanitize.redact import Redactor
from telem.storage.catalog import publish
from telem.storage.disk import Disk
from telem.storage.layout import Layout, parquet_name
from telem.storage.parquet import ROW_GROUP_ROWS, ParquetFileWriter
from telem.storage.schema import order_of, sql_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KEY = bytes(range(32))
NAMES = ("api_request", "tool_result", "tool_decision", "user_prompt")


@dataclass(frozen=True, slots=True)
class Month:
    """What to make. `last_day` is the last of the days."""

    events: int = 1_000_000
    days: int = 30
    users: int = 200
    last_day: dt.date = dt.date(2026, 11, 22)


def build(home: Path, month: Month) -> Layout:
    """Fill a new home: one file of each signal a day, sorted as a merged day is."""
    layout, disk = Layout(home), Disk()
    disk.directory(home)
    templates = _templates()
    with duckdb.connect(config={"threads": 2, "memory_limit": "4GB"}) as connection:
        for statement in _macros(templates):
            connection.execute(statement)
        typed: dict[Signal, str] = {}  # the same columns every day
        for number in range(month.days):
            day = month.last_day - dt.timedelta(days=month.days - 1 - number)
            first = month.events * number // month.days
            count = month.events * (number + 1) // month.days - first
            for signal, rows in (
                (Signal.LOGS, _logs(day, first, count, month)),
                (Signal.METRICS, _metrics(day, month)),
            ):
                path = layout.day(signal, day.isoformat()) / parquet_name(number * 4 + 1, number * 4 + 4)
                if signal not in typed:
                    typed[signal] = ", ".join(_typed(connection, signal, rows))
                select = f"SELECT {typed[signal]} FROM ({rows}) ORDER BY {order_of(signal)}"
                _write(connection, signal, select, path, disk)
    publish(layout, disk, month.last_day.isoformat())
    return layout


def logs_of_day(day: dt.date, sizes: Iterable[int], step_us: int, month: Month) -> Iterator[pa.Table]:
    """Tables of so many rows of a day each, as they came: one each `step_us`, some seconds early or late."""
    start_us = int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp() * 1e6)
    with duckdb.connect(config={"threads": 2, "memory_limit": "4GB"}) as connection:
        for statement in _macros(_templates()):
            connection.execute(statement)
        typed, first = "", 0
        for size in sizes:
            rows = _logs(day, first, size, month)
            typed = typed or ", ".join(_typed(connection, Signal.LOGS, rows))
            at = f"make_timestamptz({start_us} + ({first} + came) * {step_us} + (hash(id) % 10000000)::BIGINT)"
            yield connection.sql(
                f"SELECT * EXCLUDE (came) REPLACE ({at} AS time, {at} AS received_at) "
                f"FROM (SELECT {typed}, row_number() OVER () AS came FROM ({rows}))"
            ).to_arrow_table()
            first += size


def _write(connection: duckdb.DuckDBPyConnection, signal: Signal, select: str, path: Path, disk: Disk) -> None:
    relation = connection.sql(select)
    with ParquetFileWriter(signal, path, disk) as writer:
        for batch in relation.to_arrow_reader(ROW_GROUP_ROWS):
            writer.write(pa.Table.from_batches([batch]))


def _typed(connection: duckdb.DuckDBPyConnection, signal: Signal, rows: str) -> list[str]:
    made = set(connection.sql(f"SELECT * FROM ({rows}) LIMIT 0").columns)
    known = {column.name: f'"{column.name}"' if column.name in made else "NULL" for column in COLUMNS[signal]}
    bits = [f"({known[name]} IS NOT NULL)::BIGINT * {BIT[name]}" for name in known if name in BIT and name in made]
    known["promoted"] = f"(promoted | {' | '.join(bits)}) & ~coalesce(promoted_as_text, 0)"
    return [f'{known[column.name]}::{sql_type(column)} AS "{column.name}"' for column in COLUMNS[signal]]


def _templates() -> dict[str, dict[str, Any]]:
    """One row of each kind as the gate makes it: bit sets, remaining attributes, resource, scope."""
    gate = Gate(Redactor(shipped_policy(), KEY), KEY)
    request = Sessions(1).request(200)
    raw = RawRequest(Signal.LOGS, Encoding.PROTOBUF, request.SerializeToString(), 10**18)
    assert isinstance(request, ExportLogsServiceRequest)
    rows = [orjson.loads(line) for line in gate.sanitize(decode(raw), gate.request_id(raw)).lines]
    return {row["event_name"]: row for row in rows}


def _macros(templates: dict[str, dict[str, Any]]) -> list[str]:
    """Chance by number: the same row has the same values in every run."""
    values = []
    for name in NAMES:
        row = templates[name]
        rest = orjson.dumps(row["attributes"]).decode() if isinstance(row["attributes"], dict) else row["attributes"]
        resource = orjson.dumps(row["resource"]).decode()
        values.append(f"('{name}', {row['promoted']}, {row.get('promoted_as_text', 'NULL')}, '{rest}', '{resource}')")
    return [
        "CREATE MACRO chance(i, k) AS (hash(i * 61 + k) >> 11) / 9007199254740992.0",
        "CREATE MACRO whole(i, k, n) AS (chance(i, k) * n)::BIGINT % n",
        "CREATE MACRO hex20(i, k) AS substr(md5(concat(i, ':', k)), 1, 20)",
        "CREATE MACRO uuid_of(text) AS concat_ws('-', substr(md5(text), 1, 8), substr(md5(text), 9, 4), "
        "'4' || substr(md5(text), 14, 3), 'a' || substr(md5(text), 18, 3), substr(md5(text), 21, 12))",
        "CREATE TABLE words AS SELECT string_split('add explain fix move rename test the a this that function class "
        "parser chapter report query index figure table paragraph error build cache deploy release login page button "
        "schema migration and or then because quickly carefully please again from into with without before after "
        "review draft outline summary heading footnote citation image caption layout margin', ' ') AS w",
        "CREATE TABLE kinds (event_name VARCHAR, promoted BIGINT, promoted_as_text BIGINT, attributes VARCHAR, "
        f"resource VARCHAR); INSERT INTO kinds VALUES {', '.join(values)}",
    ]


def _logs(day: dt.date, first: int, count: int, month: Month) -> str:
    """Rows of one day. A session has about 120 events of one user; work is heavier in the afternoon."""
    start_us = int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp() * 1e6)
    sessions = max(1, count // 120)
    return f"""
        WITH numbers AS (
            SELECT {first} + range AS i, whole({first} + range, 1, {sessions}) + {first} AS s, range AS n
            FROM range({count})
        ),
        drawn AS (
            SELECT
                i, s, chance(i, 2) AS draw, whole(s, 3, {month.users}) AS u,
                -- a session begins between 7 and 19 o'clock and takes up to two hours
                ({start_us} + (7 + chance(s, 4) * 12) * 3600e6 + chance(i, 5) * 7200e6)::BIGINT // 1000 * 1000 AS at_us
            FROM numbers
        ),
        named AS (
            SELECT *, CASE WHEN draw < 0.36 THEN 'api_request' WHEN draw < 0.64 THEN 'tool_result'
                WHEN draw < 0.92 THEN 'tool_decision' WHEN draw < 0.99 THEN 'user_prompt' ELSE 'api_error' END AS name
            FROM drawn
        ),
        figures AS (
            SELECT
                *, name = 'api_request' AS is_request, name IN ('api_request', 'api_error') AS is_api,
                name IN ('tool_result', 'tool_decision') AS is_tool,
                list_extract(['claude-sonnet-4-5', 'claude-haiku-4-5', 'claude-opus-5-5', 'claude-sonnet-5'],
                    (1 + whole(i, 6, 10) % 4)) AS m,
                1 + whole(i, 7, 2000) AS fresh, 5 + whole(i, 8, 1500) AS output, whole(i, 9, 150000) AS read,
                whole(i, 10, 6000) AS written,
                uuid_of(concat('s', s)) AS session, uuid_of(concat('p', s, '-', whole(i, 11, 9))) AS prompt_uuid
            FROM named
        )
        SELECT
            hex20(i, 0) AS id, {first // 1000 + 1} + i % 4 AS seg, make_timestamptz(at_us + 1500000 + i % 977) AS received_at,
            make_timestamptz(at_us) AS time, 'claude_code' AS client, kinds.promoted, kinds.promoted_as_text,
            kinds.attributes, kinds.resource, 'com.anthropic.claude_code.events' AS scope_name,
            '2.1.330' AS scope_version, 0 AS observed_lag_us, 'claude_code.' || name AS body,
            CASE name WHEN 'tool_result' THEN 'tool_call' WHEN 'tool_decision' THEN 'validation_result' ELSE name END
                AS event_type,
            session AS session_id, 'user:' || substr(md5(concat('u', u)), 1, 12) AS user_id,
            list_extract(['book', 'web', 'data'], (1 + u % 3)) AS team, 'ch' || lpad((1 + s % 12)::VARCHAR, 2, '0') AS chapter,
            list_extract(['main', 'draft', 'figures', 'review'], (1 + s % 4)) AS branch,
            'https://github.com/example-org/' || list_extract(['book', 'site', 'tools'], (1 + s % 3)) AS repository,
            'xterm-256color' AS terminal_type, '2.1.330' AS app_version, name AS event_name, i % 400 AS event_sequence,
            prompt_uuid AS prompt_id,
            CASE WHEN is_api THEN 'req_011' || hex20(i, 1) END AS request_id,
            CASE WHEN is_tool THEN 'toolu_01' || hex20(i, 2) END AS tool_use_id,
            CASE WHEN name = 'user_prompt' THEN uuid_of(concat('m', i)) END AS message_id,
            CASE WHEN is_api THEN m END AS model,
            CASE WHEN is_api THEN list_extract(['repl_main_thread', 'sdk', 'agent:builtin:general-purpose'],
                (1 + whole(i, 12, 10) % 3)) END AS query_source,
            CASE WHEN is_api THEN 'normal' END AS speed,
            CASE WHEN is_request THEN fresh END AS input_tokens, CASE WHEN is_request THEN output END AS output_tokens,
            CASE WHEN is_request THEN read END AS cache_read_tokens,
            CASE WHEN is_request THEN written END AS cache_creation_tokens,
            CASE WHEN is_request THEN (fresh + output * 5 + written * 1.25 + read * 0.1)
                * CASE m WHEN 'claude-sonnet-4-5' THEN 3 WHEN 'claude-haiku-4-5' THEN 1 WHEN 'claude-opus-5-5' THEN 4 ELSE 2 END
                / 1e6 END::DECIMAL(18, 6) AS cost_usd,
            CASE WHEN is_api THEN 300 + whole(i, 13, 300) * whole(i, 14, 200)
                WHEN name = 'tool_result' THEN 1 + whole(i, 15, 141) * whole(i, 16, 141) END::DOUBLE AS duration_ms,
            CASE WHEN is_request THEN 200 + whole(i, 17, 50) * whole(i, 18, 60) END::DOUBLE AS ttft_ms,
            CASE WHEN is_tool THEN list_extract(['Bash', 'Read', 'Edit', 'Write', 'Grep', 'Glob', 'Agent'],
                (1 + whole(i, 19, 7))) END AS tool_name,
            CASE WHEN name = 'tool_decision' THEN CASE WHEN chance(i, 20) < 0.97 THEN 'accept' ELSE 'reject' END END AS decision,
            CASE WHEN name = 'tool_decision' THEN CASE WHEN chance(i, 20) < 0.97 THEN 'config' ELSE 'user_reject' END END
                AS decision_source,
            CASE WHEN name = 'tool_result' THEN chance(i, 21) < 0.95 END AS success,
            CASE WHEN name = 'api_error' THEN list_extract(['Overloaded', 'Rate limit exceeded', 'Internal server error'],
                (1 + whole(i, 22, 3))) END AS error,
            CASE WHEN name = 'tool_result' AND chance(i, 21) >= 0.95 THEN list_extract(['ShellError', 'FileError'],
                (1 + whole(i, 23, 2))) END AS error_type,
            CASE WHEN name = 'api_error' THEN list_extract([529, 429, 500], (1 + whole(i, 22, 3))) END AS status_code,
            CASE WHEN name = 'api_error' THEN 1 + whole(i, 24, 10) END AS attempt,
            CASE WHEN name = 'user_prompt' THEN 20 + whole(i, 25, 400) END AS prompt_length,
            CASE WHEN name = 'user_prompt' THEN concat_ws(' ',
                {", ".join(f"w[(1 + whole(i, {30 + k}, 60))]" for k in range(12))}) END AS prompt,
            CASE WHEN name = 'tool_result' THEN 20 + whole(i, 26, 4000) END AS tool_input_size_bytes,
            CASE WHEN name = 'tool_result' THEN whole(i, 27, 60000) END AS tool_result_size_bytes
        FROM figures CROSS JOIN words
        LEFT JOIN kinds ON kinds.event_name = CASE name WHEN 'api_error' THEN 'api_request' ELSE name END
    """


def _metrics(day: dt.date, month: Month) -> str:
    """Ten points a user and day: lines, commits, active time."""
    start_us = int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp() * 1e6)
    seed = day.toordinal() * 100_000
    return f"""
        WITH points AS (
            SELECT {seed} + range AS i, range // 10 AS u, range % 10 AS k FROM range({month.users * 10})
        )
        SELECT
            hex20(i, 3) AS id, 1 AS seg, make_timestamptz({start_us} + (8 + k) * 3600000000) AS received_at,
            make_timestamptz({start_us} + (8 + k) * 3600000000) AS time, 'claude_code' AS client, 0::BIGINT AS promoted, NULL::BIGINT AS promoted_as_text,
            '{{}}' AS attributes, '{{"service.name":"claude-code"}}' AS resource,
            'com.anthropic.claude_code' AS scope_name, '2.1.330' AS scope_version,
            list_extract(['claude_code.lines_of_code.count', 'claude_code.lines_of_code.count', 'claude_code.commit.count',
                'claude_code.active_time.total', 'claude_code.pull_request.count'], (1 + k % 5)) AS metric,
            list_extract(['added', 'removed', NULL, 'cli', NULL], (1 + k % 5)) AS type,
            list_extract(['', '', '', 's', ''], (1 + k % 5)) AS unit,
            'sum' AS kind, 'delta' AS temporality, true AS monotonic, 60000000 AS start_lag_us,
            list_extract([whole(i, 1, 120), whole(i, 2, 60), whole(i, 3, 3), whole(i, 4, 2400), whole(i, 5, 2)],
                (1 + k % 5))::DOUBLE AS value,
            uuid_of(concat('sm', i)) AS session_id, 'user:' || substr(md5(concat('u', u)), 1, 12) AS user_id,
            list_extract(['book', 'web', 'data'], (1 + u % 3)) AS team,
            'ch' || lpad((1 + u % 12)::VARCHAR, 2, '0') AS chapter,
            'https://github.com/example-org/' || list_extract(['book', 'site', 'tools'], (1 + u % 3)) AS repository
        FROM points
    """


def main() -> None:
    """Make one from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    usual = Month()
    parser.add_argument("--events", type=int, default=usual.events)
    parser.add_argument("--days", type=int, default=usual.days)
    parser.add_argument("--users", type=int, default=usual.users)
    given = parser.parse_args()
    build(given.folder, Month(given.events, given.days, given.users))


if __name__ == "__main__":
    main()
