"""The short-lived worker: jobs as JSON lines on standard input, results as JSON lines on standard output.

    {"job": "compact", "home": "…", "signal": "logs", "segments": [7, 8], "day": "2026-01-31"}
    {"job": "merge", "home": "…", "signal": "logs", "day": "2026-01-30"}
    {"job": "note", "home": "…", "signal": "logs", "day": "2026-01-30"}
    {"job": "close", "home": "…", "until": "2026-01-31"}
    {"job": "publish", "home": "…", "cutoff": "2026-01-30"}

It exists so that the daemon never imports duckdb and pyarrow (60 MB) and so that whatever goes wrong here cannot take
the ingest path with it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from telem.sanitize.records import Signal

from . import manifest, rollups
from .disk import Disk
from .inventory import covered_segments
from .layout import Layout

NICENESS = 10


def main() -> None:
    """Run the jobs of standard input, one after another; a failed one does not keep the others from running."""
    os.umask(0o077)
    os.nice(NICENESS)
    for line in sys.stdin:
        try:
            result = {"ok": True, **run(json.loads(line))}
        except Exception as error:  # noqa: BLE001 (told to the daemon, which decides)
            result = {"ok": False, "error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Run one job and say what came of it."""
    layout, disk = Layout(Path(job["home"])), Disk()
    lock = disk.wait_for_lock(layout.worker_lock)
    try:
        return _run(job, layout, disk)
    finally:
        lock.release()


def _run(job: dict[str, Any], layout: Layout, disk: Disk) -> dict[str, Any]:
    if job["job"] == "compact":
        from .compact import compact

        signal = Signal(job["signal"])
        runs = _uncovered(job["segments"], covered_segments(layout, signal))
        day = max(job["day"], rollups.read(layout).closed)  # a closed day gets no row any more, however late we are
        paths = [compact(layout, signal, run, day, disk) for run in runs]
        manifest.note(layout, signal, day, disk)
        return {"path": ", ".join(map(str, paths)), "bytes": sum(path.stat().st_size for path in paths)}
    if job["job"] == "merge":
        from .merge import merge

        return {"files": merge(layout, Signal(job["signal"]), job["day"], disk)}
    if job["job"] == "note":
        return {"noted": len(manifest.note(layout, Signal(job["signal"]), job["day"], disk))}
    if job["job"] == "close":
        from .closing import close

        return {"closed": close(layout, job["until"], disk).closed}
    if job["job"] == "publish":
        from .catalog import publish

        return {"written": publish(layout, disk, job["cutoff"])}
    raise ValueError(f"there is no job {job['job']!r}")


def _uncovered(numbers: list[int], covered: set[int]) -> list[list[int]]:
    """Runs of the segments that no published file holds yet.

    A worker outlives a daemon that was killed, and may publish a file after the next one has listed what there is.
    Two files with rows of one segment would count them twice; so workers take turns, and each looks anew.
    """
    runs: list[list[int]] = []
    for number in numbers:
        if number in covered:
            continue
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


if __name__ == "__main__":
    main()
