"""What forwarding costs: CPU and memory for 100,000 events, and acknowledgements while a destination hangs.

    python bench/forward.py                       a table
    python bench/forward.py --json results.json   and the same as JSON

The receiver is a process of its own that counts what it gets; its CPU is not in the figures.
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import load
import process
from events import requests
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from tests.daemons import LiveDaemon
from tests.otlp import raw
from tests.storage.homes import DAY, home_of, segment

from telem.agent.forward import destinations
from telem.agent.forward.destinations import Destination
from telem.sanitize.decode import decode
from telem.sanitize.gate import Gate
from telem.sanitize.policy import shipped_policy
from telem.sanitize.records import Profile, Signal
from telem.sanitize.redact import Redactor
from telem.storage.compact import compact
from telem.storage.disk import Disk

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from telem.storage.layout import Layout

RECORDS_A_REQUEST = 50
SEGMENT_ROWS = 10_000
ROUNDS, REQUESTS_A_ROUND = 10, 60
WORKER = (
    "import sys, pathlib; from telem.agent.forward.worker import run; from telem.storage.layout import Layout; "
    "print(run(Layout(pathlib.Path(sys.argv[1])), 'there', linger_s=0, parent=False))"
)


class Sink:
    """A receiver in a process of its own. One that hangs reads, and never answers."""

    def __init__(self, *, hangs: bool = False) -> None:
        self._here, there = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=_serve, args=(there, hangs), daemon=True)
        self._process.start()
        self.url = f"http://127.0.0.1:{self._here.recv()}"

    def counted(self) -> dict[str, int]:
        """Requests, bytes and records so far."""
        self._here.send("count")
        return dict(self._here.recv())

    def close(self) -> None:
        self._process.kill()
        self._process.join()


def _serve(there: Connection, hangs: bool) -> None:
    counts = {"requests": 0, "bytes": 0, "records": 0}
    hanging = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            made = ExportLogsServiceRequest.FromString(gzip.decompress(data))
            counts["requests"] += 1
            counts["bytes"] += len(data)
            counts["records"] += sum(len(part.log_records) for whole in made.resource_logs for part in whole.scope_logs)
            if hangs:
                hanging.wait()
            self.send_response_only(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    there.send(server.server_port)
    while there.recv():
        there.send(counts)


def filled(folder: Path, records: int, *, as_parquet: bool) -> Layout:
    """A home with so many events in segments of the journal, or in Parquet made of them."""
    folder.mkdir(mode=0o700)
    layout = home_of(folder)
    key = bytes(32)
    gate = Gate(Redactor(shipped_policy(Profile.STANDARD), key), key)
    batches, numbers = [], []
    bodies = list(requests(records, RECORDS_A_REQUEST))
    for index, body in enumerate(bodies, 1):
        request = raw(Signal.LOGS, body, at_ns=time.time_ns())
        batches.append(gate.sanitize(decode(request), gate.request_id(request)))
        if len(batches) * RECORDS_A_REQUEST >= SEGMENT_ROWS or index == len(bodies):
            numbers.append(len(numbers) + 1)
            segment(layout, numbers[-1], *batches)
            batches = []
    if as_parquet:
        compact(layout, Signal.LOGS, numbers, DAY, Disk())
        for number in numbers:
            Disk().empty(layout.segment(Signal.LOGS, number))
    return layout


def forwarded(folder: Path, records: int, name: str, options: dict[str, Any], *, as_parquet: bool) -> dict[str, Any]:
    """One life of the forwarding process over a home."""
    layout = filled(folder, records, as_parquet=as_parquet)
    sink = Sink()
    destinations.write(layout, Disk(), Destination("there", url=sink.url, signals=("logs",), **options))
    began = time.perf_counter()
    worker = subprocess.Popen([sys.executable, "-c", WORKER, str(folder)], stdout=subprocess.PIPE)
    peak_mb = 0.0
    while True:
        ended, _, used = os.wait4(worker.pid, os.WNOHANG)
        if ended:
            break
        peak_mb = max(peak_mb, process.rss_mb(worker.pid, "VmHWM"))
        time.sleep(process.SAMPLE_S)
    wall_s = time.perf_counter() - began
    counted = sink.counted()
    sink.close()
    assert counted["records"] == records, (counted, worker.stdout and worker.stdout.read())
    return {
        "cell": name,
        "records": records,
        "cpu_s_per_100k": round((used.ru_utime + used.ru_stime) / records * 100_000, 2),
        "peak_mb": round(peak_mb),
        "wall_s": round(wall_s, 2),
        "requests": counted["requests"],
        "bytes_per_record": round(counted["bytes"] / records, 1),
    }


def beside_one_that_hangs(folder: Path) -> dict[str, Any]:
    """Acknowledgements of two daemons in turns: one without a destination, one whose destination never answers."""
    sink = Sink(hangs=True)
    took: dict[str, list[float]] = {"alone": [], "hanging": []}
    bodies = requests(2 * (ROUNDS + 1) * REQUESTS_A_ROUND * RECORDS_A_REQUEST, RECORDS_A_REQUEST)
    with LiveDaemon(folder / "alone") as alone, LiveDaemon(folder / "hanging") as hanging:
        destinations.write(hanging.layout, Disk(), Destination("there", url=sink.url, signals=("logs",)))
        daemons = {"alone": alone, "hanging": hanging}
        for round_ in range(ROUNDS + 1):
            for name, daemon in daemons.items():
                sent = load.run(daemon.endpoints["otlp_http"], [next(bodies) for _ in range(REQUESTS_A_ROUND)], 1)
                assert sent.errors == 0
                took[name] += sent.latencies_ms if round_ else []  # the first one warms up
            while not sink.counted()["requests"]:
                time.sleep(0.1)
    sink.close()
    return {
        name: {"requests": len(found), **{f"p{share:g}_ms": _percentile(found, share) for share in (50, 90, 99)}}
        for name, found in took.items()
    }


def _percentile(found: list[float], share: float) -> float:
    ordered = sorted(found)
    return round(ordered[min(len(ordered) - 1, int(share / 100 * len(ordered)))], 2)


CELLS: dict[str, tuple[dict[str, Any], bool]] = {
    "hub, from the journal": ({}, False),
    "hub, from Parquet": ({}, True),
    "otlp, without content, from Parquet": ({"kind": "otlp", "content": "drop"}, True),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--json", type=Path, help="write the figures into this file")
    given = parser.parse_args()
    cells = []
    with tempfile.TemporaryDirectory(prefix="telem-") as folder:
        for number, (name, (options, as_parquet)) in enumerate(CELLS.items()):
            home = Path(folder) / str(number)
            cells.append(forwarded(home, given.records, name, options, as_parquet=as_parquet))
        latency = beside_one_that_hangs(Path(folder))
    said = {"load_1min": os.getloadavg()[0], "cells": cells, "acknowledgements": latency}
    print(f"{'':38} {'CPU s/100k':>10} {'peak MB':>8} {'wall s':>7} {'B/record':>9}")
    for cell in cells:
        print(
            f"{cell['cell']:38} {cell['cpu_s_per_100k']:10} {cell['peak_mb']:8} {cell['wall_s']:7} "
            f"{cell['bytes_per_record']:9}"
        )
    for name, found in latency.items():
        print(f"acknowledgements, {name:8} " + ", ".join(f"{key} {value}" for key, value in found.items()))
    print(f"load of the machine (1 min): {said['load_1min']:.1f}")
    if given.json:
        given.json.write_text(json.dumps(said, indent=2) + "\n")


if __name__ == "__main__":
    main()
