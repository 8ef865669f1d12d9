"""Eight typical questions over a month of telemetry, asked as `telem-agent query` asks them, with a warm worker.

python bench/questions.py                         1,000,000 events of 200 people in 30 days
python bench/questions.py --events 10000000       ten times as many
python bench/questions.py --clickhouse            the same rows in ClickHouse's engine too: MergeTree, cold and warm
python bench/questions.py --json FILE             as JSON as well

Milliseconds are the best and the median of several runs, CPU milliseconds those of the worker and its threads; on a
machine that does other things, quote the best and the CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.month import Month, build

from telem.queries.run import run
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable

RUNS = 7
QUESTIONS: dict[str, str] = {
    "cost per user and day": 'SELECT "user", ingest_day, sum(cost_usd) AS usd FROM events '
    "WHERE event = 'api_request' GROUP BY ALL ORDER BY ALL",
    "tokens by model": "SELECT model, sum(input_tokens), sum(cache_read_tokens), sum(output_tokens) FROM events "
    "WHERE event = 'api_request' GROUP BY ALL",
    "error rate per day": "SELECT utc_day, count(*) FILTER (WHERE event = 'api_error') / count(*) AS rate FROM events "
    "WHERE event IN ('api_request', 'api_error') GROUP BY ALL ORDER BY ALL",
    "failing tools": "SELECT tool_name, count(*) FILTER (WHERE NOT success) AS failures, count(*) AS calls FROM events "
    "WHERE event = 'tool_result' GROUP BY ALL ORDER BY failures DESC",
    "p95 latency by hour": "SELECT utc_hour, quantile_cont(duration_ms, 0.95) FROM events "
    "WHERE event = 'api_request' GROUP BY ALL ORDER BY ALL",
    "session list": "SELECT session_id, min(time) AS began, max(time), count(*), sum(cost_usd) FROM events "
    "GROUP BY ALL ORDER BY began DESC LIMIT 100",
    "text search": "SELECT time, session_id, prompt FROM events WHERE event = 'user_prompt' "
    "AND prompt ILIKE '%citation%' ORDER BY time DESC LIMIT 100",
    "last 100": "SELECT time, event, session_id, model, tool_name, cost_usd FROM events "
    "WHERE ingest_day >= (SELECT max(ingest_day) FROM events) - 1 ORDER BY time DESC LIMIT 100",
}
_CLICKHOUSE = {
    '"user"': "user_id",
    "ingest_day": "toDate(time)",
    "utc_day": "toDate(time)",
    "utc_hour": "toStartOfHour(time)",
    "event ": "event_name ",
    "event,": "event_name,",
    "quantile_cont(duration_ms, 0.95)": "quantileExactInclusive(0.95)(duration_ms)",
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="a folder made before, or to be kept")
    parser.add_argument("--clickhouse", action="store_true", help="ask ClickHouse's engine too (chdb)")
    parser.add_argument("--json", type=Path, help="write the results there")
    parser.add_argument("--one-clickhouse", help=argparse.SUPPRESS)
    given = parser.parse_args()
    with nullcontext(given.keep) if given.keep else tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        if given.one_clickhouse:
            print(_ms(lambda: _merge_tree(home.parent).query(given.one_clickhouse, "ArrowTable")))
            return
        layout = Layout(home) if home.exists() else build(home, Month(events=given.events))
        results = ask_here(layout)
        if given.clickhouse:
            for name, more in ask_clickhouse(layout, home.parent).items():
                results["questions"][name] |= more
    show(results)
    if given.json:
        given.json.write_text(json.dumps(results, indent=2) + "\n")


def ask_here(layout: Layout) -> dict[str, Any]:
    """Ask by `run`: gate, child process, Arrow back."""
    size = sum(path.stat().st_size for path in (layout.home / "parquet" / "logs").rglob("*.parquet"))
    events = int(str(run(layout, "SELECT count(*) FROM events").rows[0][0]))
    results: dict[str, Any] = {"events": events, "bytes_per_event": round(size / events, 1), "questions": {}}
    (worker,) = _children()
    for name, sql in QUESTIONS.items():
        run(layout, sql)
        before_s = _cpu_s(worker)
        times = [_ms(lambda sql=sql: run(layout, sql)) for _ in range(RUNS)]  # type: ignore[misc]
        cpu_ms = 1000 * (_cpu_s(worker) - before_s) / RUNS
        results["questions"][name] = {
            "best_ms": round(min(times), 1),
            "median_ms": round(statistics.median(times), 1),
            "cpu_ms": round(cpu_ms, 1),
        }
    results["worker_peak_mb"] = _peak_mb(worker)
    return results


def ask_clickhouse(layout: Layout, folder: Path) -> dict[str, dict[str, float]]:
    """The same rows in a MergeTree ordered as its own strength is: cold in a new process, then warm in this one."""
    session = _merge_tree(folder, layout)
    warm = {}
    for name, sql in QUESTIONS.items():
        text = _in_clickhouse(sql)
        times = [_ms(lambda text=text: session.query(text, "ArrowTable")) for _ in range(RUNS)]  # type: ignore[misc]
        warm[name] = {
            "clickhouse_best_ms": round(min(times), 1),
            "clickhouse_median_ms": round(statistics.median(times), 1),
        }
    session.close()
    for name, sql in QUESTIONS.items():
        command = [sys.executable, __file__, "--keep", str(folder), "--one-clickhouse", _in_clickhouse(sql)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": "."})
        warm[name]["clickhouse_cold_ms"] = float(done.stdout.split()[-1])
    return warm


def _merge_tree(folder: Path, layout: Layout | None = None) -> Any:
    from chdb.session import Session

    session = Session(str(folder / "chdb"))
    session.query("SET max_threads = 2")
    if layout is not None:
        files = f"{layout.home}/parquet/logs/v=*/ingest_day=2*/*.parquet"
        session.query("DROP TABLE IF EXISTS events")
        session.query(
            "CREATE TABLE events ENGINE = MergeTree PARTITION BY toDate(time) ORDER BY (event_name, time) "
            "SETTINGS allow_nullable_key = 1 "
            f"AS SELECT * EXCEPT (ingest_day) FROM file('{files}', Parquet)"
        )
    return session


def _in_clickhouse(sql: str) -> str:
    for ours, theirs in _CLICKHOUSE.items():
        sql = sql.replace(ours, theirs)
    return sql


def show(results: dict[str, Any]) -> None:
    """A table."""
    print(
        f"{results['events']:,} events, {results['bytes_per_event']} bytes each, worker {results['worker_peak_mb']} MB"
    )
    names = sorted({name for found in results["questions"].values() for name in found})
    print(f"{'':26}" + "".join(f"{name:>22}" for name in names))
    for question, found in results["questions"].items():
        print(f"{question:26}" + "".join(f"{found.get(name, float('nan')):22.1f}" for name in names))


def _ms(call: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    call()
    return (time.perf_counter() - started_s) * 1000


def _children() -> list[int]:
    """Processes this one has started, by /proc."""
    return [int(word) for word in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024
    return 0


if __name__ == "__main__":
    main()
