"""Footprint and speed of the daemon, as JSON (--json FILE) and a table.

    python bench/run.py [--records 100000] [--idle-s 20]

Each cell starts a fresh daemon over a new folder and sends data it has never seen. Wall-clock rates depend on what
else the machine does; CPU seconds, memory and bytes hardly do. Linux only (/proc).
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import load
import process
from events import requests

AGENT = [sys.executable, "-m", "telem"]
PORTS = ["--otlp-http-port", "0", "--otlp-grpc-port", "0", "--query-port", "0"]
CELLS = ((1, 1, 0.05), (1, 8, 0.05), (50, 1, 1.0), (50, 8, 1.0), (500, 8, 1.0))
"""Records a request, connections, share of --records that is sent."""


def agent(home: str, *arguments: str) -> str:
    """Run a command of the agent; its standard output."""
    command = [*AGENT, arguments[0], "--home", home, *arguments[1:]]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def start(home: str) -> tuple[dict[str, Any], float]:
    """Start a daemon: its status, and the seconds until it accepted data."""
    began = time.perf_counter()
    agent(home, "start", *PORTS)
    ready_s = time.perf_counter() - began
    return json.loads(agent(home, "status", "--json")), ready_s


def idle(seconds: float) -> dict[str, Any]:
    """A daemon that is left alone."""
    with tempfile.TemporaryDirectory() as home:
        status, ready_s = start(home)
        time.sleep(5)  # its first catalog is written in this time
        before = process.cpu_s(status["pid"])
        time.sleep(seconds)
        used = process.cpu_s(status["pid"]) - before
        found = {
            "ready_s": round(ready_s, 2),
            "idle_rss_mb": round(process.rss_mb(status["pid"]), 1),
            "idle_cpu_percent": round(100 * used / seconds, 2),
        }
        agent(home, "stop")
    return found


def ingest(batch: int, connections: int, total: int, seed: int) -> dict[str, Any]:
    """One cell: load, compaction, sizes."""
    bodies = list(requests(total, batch, seed))
    with tempfile.TemporaryDirectory() as home:
        status, _ = start(home)
        pid = status["pid"]
        time.sleep(3)
        before = process.cpu_s(pid)
        with process.Peak(pid) as peak:
            outcome = load.run(status["endpoints"]["otlp_http"], bodies, connections)
            ingested = process.cpu_s(pid)
            agent(home, "compact")
        after = process.cpu_s(pid)
        stored = json.loads(agent(home, "status", "--json"))["signals"]["logs"]
        agent(home, "stop")
    return {
        "batch": batch,
        "connections": connections,
        "records": stored["records"],
        "errors": outcome.errors,
        "records_per_s": round(total / outcome.wall_s),
        "p50_ms": outcome.percentile(0.5),
        "p99_ms": outcome.percentile(0.99),
        "cpu_s_per_100k_ingest": round((ingested - before) * 1e5 / total, 2),
        "cpu_s_per_100k": round((after - before) * 1e5 / total, 2),
        "peak_daemon_mb": round(peak.daemon_mb, 1),
        "peak_with_workers_mb": round(peak.total_mb, 1),
        "bytes_per_record": round(stored["parquet_bytes"] / total, 1),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as aligned text."""
    names = list(rows[0])
    widths = [max(len(name), *(len(str(row[name])) for row in rows)) for name in names]
    lines = [[*names], *([str(row[name]) for name in names] for row in rows)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def main() -> None:
    """Run every cell and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--idle-s", type=float, default=20.0)
    parser.add_argument("--only", help="one cell, as BATCH,CONNECTIONS")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    chosen = [cell for cell in CELLS if given.only in (None, f"{cell[0]},{cell[1]}")]
    result: dict[str, Any] = {"python": platform.python_version(), "machine": platform.machine()}
    if not given.only:
        result["idle"] = idle(given.idle_s)
        print(table([result["idle"]]), "\n")
    result["ingest"] = [
        ingest(batch, connections, int(given.records * share), seed)
        for seed, (batch, connections, share) in enumerate(chosen)
    ]
    print(table(result["ingest"]))
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
