"""The short-lived worker: jobs as JSON lines on standard input, results as JSON lines on standard output.

    {"job": "compact", "home": "…", "signal": "logs", "segments": [7, 8], "day": "2026-01-31"}
    {"job": "merge", "home": "…", "signal": "logs", "day": "2026-01-30"}
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

from .disk import Disk
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
    if job["job"] == "compact":
        from .compact import compact

        path = compact(layout, Signal(job["signal"]), job["segments"], job["day"], disk)
        return {"path": str(path), "bytes": path.stat().st_size}
    if job["job"] == "merge":
        from .merge import merge

        return {"files": merge(layout, Signal(job["signal"]), job["day"], disk)}
    if job["job"] == "publish":
        from .catalog import publish

        return {"written": publish(layout, disk, job["cutoff"])}
    raise ValueError(f"there is no job {job['job']!r}")


if __name__ == "__main__":
    main()
