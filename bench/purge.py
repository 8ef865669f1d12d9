"""How long it takes to purge one session out of many rows, and how much memory.

    PYTHONPATH=. python bench/purge.py --rows 10000000 --days 60 --home /tmp/purge

Makes a folder of Claude-Code-like log rows, a file a day, sessions of 500 rows of which every tenth goes on after
midnight; closes all days but the last; then purges one session, and prints what it cost as JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
from bench.process import run_job

from telem.sanitize.columns import COLUMNS
from telem.sanitize.records import Signal
from telem.storage import intent, manifest
from telem.storage.closing import close
from telem.storage.disk import Disk
from telem.storage.layout import Layout, parquet_name
from telem.storage.parquet import ROW_GROUP_ROWS, ParquetFileWriter
from telem.storage.schema import order_of, sql_type

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
SESSION_ROWS = 500

FILLED = {
    "id": "md5(n::VARCHAR)[:20]",
    "seg": "{seg}",
    "received_at": "TIMESTAMPTZ '{day} 00:00:00+00' + INTERVAL (n % 86400) SECOND",
    "time": "TIMESTAMPTZ '{day} 00:00:00+00' + INTERVAL (n % 86400) SECOND",
    "client": "'claude_code'",
    "event_name": "['api_request', 'tool_result', 'tool_decision', 'assistant_response', 'user_prompt'][1 + n % 5]",
    "event_type": "['api_request', 'tool_call', 'validation_result', NULL, 'user_prompt'][1 + n % 5]",
    "session_id": "md5('session' || (n // 500))::UUID::VARCHAR",
    "user_id": "'user:' || md5((n // 500 % 40)::VARCHAR)[:12]",
    "prompt_id": "md5('prompt' || (n // 25))::UUID::VARCHAR",
    "request_id": "'req_01' || md5('request' || n)[:22]",
    "model": "['claude-sonnet-4-5', 'claude-opus-4-5'][1 + n % 2]",
    "input_tokens": "n % 900",
    "output_tokens": "n % 700",
    "cost_usd": "(n % 1000) / 100000",
    "attributes": '\'{{"safe_mode":"false","n":\' || n || \',"text":"\' || repeat(md5(n::VARCHAR), 4) || \'"}}\'',
    "resource": '\'{{"service.name":"claude-code","service.version":"2.1.330"}}\'',
    "promoted": "1",
}


def make(home: Path, rows: int, days: int) -> Layout:
    """A folder of so many rows."""
    layout, disk = Layout(home), Disk()
    for signal in Signal:
        disk.directory(layout.journal(signal))
    each = rows // days
    for number in range(days):
        day = (FIRST + timedelta(days=number)).date().isoformat()
        values = {name: text.format(seg=number + 1, day=day) for name, text in FILLED.items()}
        columns = ", ".join(
            f'({values.get(column.name, "NULL")})::{sql_type(column)} AS "{column.name}"'
            for column in COLUMNS[Signal.LOGS]
        )
        first = number * each - (SESSION_ROWS // 2 if number else 0)  # so that some sessions span midnight
        with duckdb.connect(config={"threads": 2}) as connection:
            rows_of_day = f"(SELECT range AS n FROM range({first}, {first + each}))"
            relation = connection.sql(f"SELECT {columns} FROM {rows_of_day} ORDER BY {order_of(Signal.LOGS)}")
            path = layout.day(Signal.LOGS, day) / parquet_name(number + 1, number + 1)
            with ParquetFileWriter(Signal.LOGS, path, disk) as writer:
                for batch in relation.to_arrow_reader(ROW_GROUP_ROWS):
                    writer.write(pa.Table.from_batches([batch]))
        manifest.note(layout, Signal.LOGS, day, disk)
    return layout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--home", type=Path, required=True, help="a folder of made-up data; made if it is not there")
    parser.add_argument("--make", action="store_true", help="only make it")
    given = parser.parse_args()
    layout = Layout(given.home) if given.home.exists() else make(given.home, given.rows, given.days)
    if given.make:
        return
    began, cpu = time.perf_counter(), time.process_time()
    close(layout, (FIRST + timedelta(days=given.days - 1)).date().isoformat(), Disk())
    closed_s, closed_cpu_s = time.perf_counter() - began, time.process_time() - cpu
    with duckdb.connect(config={"threads": 1, "memory_limit": "256MB"}) as connection:
        paths = [str(path) for path in sorted(layout.version(Signal.LOGS).glob("*/*.parquet"))[-2:]]
        session = connection.execute(
            "SELECT session_id FROM read_parquet(?, hive_partitioning = true) GROUP BY 1 "
            "ORDER BY count(DISTINCT ingest_day) DESC LIMIT 1",
            [paths],
        ).fetchall()[0][0]
    intent.note(layout, Disk(), intent.target_of("session", str(session)))
    ran = run_job({"job": "purge", "home": str(given.home), "digest": ""})
    print(json.dumps({
        "rows": given.rows, "purged": ran.said["rows"], "files_rewritten": len(ran.said["files"]),
        "purge_s": ran.s, "purge_cpu_s": ran.cpu_s, "peak_mb": ran.peak_mb,
        "close_s": round(closed_s, 2), "close_cpu_s": round(closed_cpu_s, 2),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
