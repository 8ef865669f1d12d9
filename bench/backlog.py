"""How long a start after a crash takes with a long backlog in the journal, and what its compaction costs.

    PYTHONPATH=. python bench/backlog.py [--mb 1024] [--compact]

Fills a new home with closed segments of Claude-Code-like logs that are in no Parquet file, and a last one that a crash
has torn; starts the daemon over it, sends a request, and prints as JSON when it was ready and when it had answered.
With `--compact` it then has all of it made into Parquet. Linux only (/proc).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench import load
from bench.events import requests
from bench.process import Peak, cpu_s

from telem.sanitize.decode import decode
from telem.sanitize.gate import Gate
from telem.sanitize.policy import shipped_policy
from telem.sanitize.records import Encoding, RawRequest, SanitizedBatch, Signal
from telem.sanitize.redact import Redactor
from telem.storage.disk import Disk
from telem.storage.journal import SEGMENT_LIMIT_BYTES, encode
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = bytes(range(32))
MB = 1 << 20
BATCH = 50
FRESH = 20_000
"""So many records are made; then they come again under other requests."""


def batches() -> list[SanitizedBatch]:
    """Requests as the gate makes them."""
    gate = Gate(Redactor(shipped_policy(), KEY), KEY)
    made = []
    for body in requests(FRESH, BATCH):
        request = RawRequest(Signal.LOGS, Encoding.PROTOBUF, body, time.time_ns())
        made.append(gate.sanitize(decode(request), gate.request_id(request)))
    return made


def again(made: list[SanitizedBatch]) -> Iterator[SanitizedBatch]:
    """The same rows under new requests, for ever."""
    number = 0
    while True:
        for batch in made:
            number += 1
            yield SanitizedBatch(batch.signal, batch.lines, time.time_ns(), f"{number:032x}")


def fill(home: Path, size_bytes: int) -> int:
    """A journal of about so many bytes; returns its rows."""
    layout, disk = Layout(home), Disk()
    disk.directory(layout.journal(Signal.LOGS))
    left, rows, number = size_bytes, 0, 0
    source = again(batches())
    while left > 0:
        number += 1
        parts: list[bytes] = []
        size = 0
        while size < SEGMENT_LIMIT_BYTES:
            batch = next(source)
            parts.append(encode(batch, number))
            size += len(parts[-1])
            rows += len(batch.lines)
        left -= size
        data = b"".join(parts)
        layout.segment(Signal.LOGS, number).write_bytes(data if left > 0 else data[:-1000])  # the last one is torn
    return rows


def start(home: Path, *flags: str) -> tuple[dict[str, str], int]:
    """Start a daemon; its endpoints and process id, once it says that it is ready."""
    reading, writing = os.pipe()
    ports = ("--otlp-http-port", "0", "--otlp-grpc-port", "0", "--query-port", "0")
    subprocess.Popen(
        [sys.executable, "-m", "telem", "run", "--home", str(home), *ports, *flags, "--ready-fd", str(writing)],
        pass_fds=(writing,), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writing)
    with os.fdopen(reading, "rb") as ready:
        said = json.loads(ready.readline())
    return said["endpoints"], said["pid"]


def agent(home: Path, command: str) -> None:
    """Run a command of the agent."""
    subprocess.run([sys.executable, "-m", "telem", command, "--home", str(home)], check=True, capture_output=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=1024)
    parser.add_argument("--compact", action="store_true")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="telem-bench-"))
    try:
        home = folder / "home"
        rows = fill(home, given.mb * MB)
        body = next(iter(requests(BATCH, BATCH, seed=2)))
        began_s = time.perf_counter()
        endpoints, pid = start(home)
        ready_s = time.perf_counter() - began_s
        outcome = load.run(endpoints["otlp_http"], [body], 1)
        said = {
            "journal_mb": given.mb, "rows": rows, "ready_s": round(ready_s, 2), "errors": outcome.errors,
            "answered_s": round(time.perf_counter() - began_s, 2), "start_cpu_s": round(cpu_s(pid), 2),
        }  # fmt: skip
        if given.compact:
            before_s = cpu_s(pid)
            with Peak(pid) as peak:
                agent(home, "compact")
            said |= {
                "compaction_cpu_s_per_100k": round((cpu_s(pid) - before_s) * 1e5 / rows, 2),
                "peak_daemon_mb": round(peak.daemon_mb), "peak_with_workers_mb": round(peak.total_mb),
            }  # fmt: skip
        agent(home, "stop")
        print(json.dumps(said))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
