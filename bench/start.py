"""How long commands take from the start of the interpreter to its end: CPU and wall time, the best and the median.

    python bench/start.py [--home HOME] [--runs 20]

Commands that need a daemon (`status`, a canned query) are measured against one that is started for it. "cold" is a
canned query when the daemon has no child that answers questions; that child's CPU is not counted here.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import process

if TYPE_CHECKING:
    from collections.abc import Callable

COMMANDS = {
    "--version": ("--version",),
    "statusline": ("statusline",),
    "hook": ("hook",),
    "status": ("status",),
    "query cost-analysis": ("query", "cost-analysis"),
}
INPUT = json.dumps({"session_id": "s", "hook_event_name": "SessionStart", "cwd": "/tmp"}).encode()


def main() -> None:
    """Measure, print a table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        home = ("--home", str(Path(folder) / "home"))
        ports = [word for door in ("otlp-http", "otlp-grpc", "query") for word in (f"--{door}-port", "0")]
        telem("start", *home, *ports)
        try:
            result = {name: measure((*words, *([] if words == ("--version",) else home)), runs)
                      for name, words in COMMANDS.items()}  # fmt: skip
            pid = json.loads(telem("status", "--json", *home))["pid"]
            result["the same, cold"] = measure(("query", "cost-analysis", *home), runs, lambda: end_children(pid))
        finally:
            telem("stop", *home)
    print(f"{'command':24}{'CPU best':>12}{'CPU median':>12}{'wall best':>12}{'wall median':>12}   (ms)")
    for name, one in result.items():
        print(f"{name:24}" + "".join(f"{value:12.0f}" for value in one.values()))
    print(json.dumps(result))


def end_children(pid: int) -> None:
    """Kill whatever a daemon has started, and wait until it is gone."""
    for child in process.children(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    time.sleep(0.2)


def measure(words: tuple[str, ...], runs: int, prepare: Callable[[], None] = lambda: None) -> dict[str, float]:
    """CPU and wall milliseconds of a command."""
    cpu_ms, wall_ms = [], []
    for _ in range(runs):
        prepare()
        before, began_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        telem(*words)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        wall_ms.append((time.perf_counter() - began_s) * 1e3)
        cpu_ms.append((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3)
    names = ("cpu_best_ms", "cpu_median_ms", "wall_best_ms", "wall_median_ms")
    values = (min(cpu_ms), statistics.median(cpu_ms), min(wall_ms), statistics.median(wall_ms))
    return {name: round(value, 1) for name, value in zip(names, values, strict=True)}


def telem(*words: str) -> bytes:
    """Run a command; what it printed."""
    command = [sys.executable, "-m", "telem", *words]
    return subprocess.run(command, input=INPUT, capture_output=True, check=True).stdout


if __name__ == "__main__":
    main()
