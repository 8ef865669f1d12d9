"""The short-lived worker: jobs as JSON lines on standard input, results as JSON lines on standard output.

    {"job": "compact", "home": "…", "signal": "logs", "segments": [7, 8], "day": "2026-01-31"}
    {"job": "merge", "home": "…", "signal": "logs", "day": "2026-01-30"}
    {"job": "note", "home": "…", "signal": "logs", "day": "2026-01-30"}
    {"job": "close", "home": "…", "until": "2026-01-31"}
    {"job": "give up", "home": "…", "days": [{"signal": "logs", "day": "2025-10-31", …}]}
    {"job": "remove", "home": "…", "reasons": [["logs", "2025-10-31", "age"]]}
    {"job": "weekly", "home": "…", "week": "2026-W47", "days": {"logs": 90, …}, "size_bytes": 100000000000}
    {"job": "sanitize", "home": "…", "policy": "…", "profile": "", "known_values": [], "dry": true}
    {"job": "purge", "home": "…"}
    {"job": "copies", "home": "…", "digest": "…"}
    {"job": "publish", "home": "…", "cutoff": "2026-01-30"}

It exists so that the daemon never imports duckdb and pyarrow (60 MB) and so that whatever goes wrong here cannot take
the ingest path with it.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telem.sanitize.records import Signal

from . import intent, manifest, retention, rollups
from .disk import Disk
from .inventory import covered_segments
from .layout import Layout
from .recovery import check

if TYPE_CHECKING:
    from collections.abc import Callable

NICENESS = 10

GARBAGE_LOOK_EVERY = 50_000
"""Objects made between two looks for garbage that refers to itself: imports make none; looking took 3 % of a job."""

UNUSED = ("numpy", "pandas", "pyarrow._azurefs", "pyarrow._gcsfs", "pyarrow._hdfs", "pyarrow._s3fs")
"""What pyarrow and duckdb import where it is installed, for 0.13 s of CPU and 14 MB, and what no job needs."""


def main() -> None:
    """Run the jobs of standard input, one after another; a failed one does not keep the others from running."""
    os.umask(0o077)
    os.nice(NICENESS)
    gc.set_threshold(GARBAGE_LOOK_EVERY)
    sys.modules.update(dict.fromkeys(UNUSED))  # type: ignore[arg-type]  # None: not to be imported
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
    if job["job"] == "copies":  # it reads and writes elsewhere, and may take long
        return _run(job, layout, disk)
    lock = disk.wait_for_lock(layout.worker_lock)
    try:
        return _run(job, layout, disk)
    finally:
        lock.release()


def _run(job: dict[str, Any], layout: Layout, disk: Disk) -> dict[str, Any]:
    if step := _STEPS.get(job["job"]):
        return step(job, layout, disk)
    raise ValueError(f"there is no job {job['job']!r}")


def _compact(job: dict[str, Any], layout: Layout, disk: Disk) -> dict[str, Any]:
    from .compact import compact

    signal = Signal(job["signal"])
    runs = _uncovered(job["segments"], covered_segments(layout, signal))
    closed = rollups.read(layout).closed
    day = max(job["day"], closed)  # a closed day gets no row any more, however late we are
    if runs:
        _settle(layout, signal, closed, disk)
    damage = [said for run in runs for number in run for said in check(layout, signal, number, disk)]
    paths = [compact(layout, signal, run, day, disk) for run in runs]
    manifest.note(layout, signal, day, disk)
    size = sum(path.stat().st_size for path in paths)
    return {"path": ", ".join(map(str, paths)), "bytes": size, "damage": damage}


def _settle(layout: Layout, signal: Signal, closed: str, disk: Disk) -> None:
    """Sync the folders of days that still get rows: a name may have been taken back there whose sync had failed.

    Were it back after a power cut, its rows would stand beside those of the file that is written now, perhaps on
    another day.
    """
    for folder in layout.parquet(signal).glob("v=*/ingest_day=*"):
        if folder.name.removeprefix("ingest_day=") >= closed:
            disk.sync_directory(folder)


def _merge(job: dict[str, Any], layout: Layout, disk: Disk) -> dict[str, Any]:
    from .merge import merge

    return {"files": merge(layout, Signal(job["signal"]), job["day"], disk)}


def _note(job: dict[str, Any], layout: Layout, disk: Disk) -> dict[str, Any]:
    return {"noted": len(manifest.note(layout, Signal(job["signal"]), job["day"], disk))}


def _close(job: dict[str, Any], layout: Layout, disk: Disk) -> dict[str, Any]:
    from .closing import close

    return {"closed": close(layout, job["until"], disk).closed}


def _give_up(job: dict[str, Any], layout: Layout, disk: Disk) -> dict[str, Any]:
    doomed = [retention.Day(Signal(day["signal"]), day["day"], day["files"], day["bytes"]) for day in job["days"]]
    return {"raw_since": retention.give_up(layout, disk, doomed, time.time()).raw_since}


def _remove(job: dict[str, Any], layout: Layout, disk: Disk) -> dict[str, Any]:
    reasons = {(Signal(signal), day): reason for signal, day, reason in job["reasons"]}
    return {"removed": [asdict(day) for day in retention.remove(layout, disk, time.time(), reasons)]}


def _purge(_job: dict[str, Any], layout: Layout, disk: Disk) -> dict[str, Any]:
    from .purge import purge

    target = intent.noted(layout)
    if target is None:
        return {}
    said = purge(
        layout,
        disk,
        target,
        lambda done, total: intent.show_progress(layout, done, total),
        lambda so_far: intent.reached(layout, disk, target, so_far),
        intent.done(layout),
    )
    layout.progress.unlink(missing_ok=True)
    layout.statusline.unlink(missing_ok=True)  # it names sessions; a daemon writes it anew
    return asdict(said)


def _copies(job: dict[str, Any], layout: Layout, disk: Disk) -> dict[str, Any]:
    """What a purge does last: the copies that left the folder, and the receipt. See `run` on why it holds no lock."""
    from . import copies
    from .purge import receipt

    target, so_far = intent.noted(layout), intent.done(layout)
    if target is None or not so_far.home:
        return {"receipt": None}
    with copies.alone(layout, disk):
        found = copies.take_out(layout, disk, target, lambda done, all_: intent.show_progress(layout, done, all_))
        said = {**asdict(so_far), "copies": [copy.noted() for copy in found]}
        del said["home"]
        path = receipt(layout, disk, target, said, job["digest"])
    layout.progress.unlink(missing_ok=True)
    return {"receipt": str(path), **said, "copies": [copy.said() for copy in found]}


def _weekly(job: dict[str, Any], layout: Layout, disk: Disk) -> dict[str, Any]:
    from . import weekly

    limits = retention.Limits({Signal(name): days for name, days in job["days"].items()}, job["size_bytes"])
    if job.get("keep", True):
        return {"report": weekly.write(layout, disk, job["week"], limits)}
    said = weekly.report(layout, job["week"], limits)
    return {"report": said, "markdown": weekly.markdown(said)}


def _sanitize(job: dict[str, Any], layout: Layout, disk: Disk) -> dict[str, Any]:
    from telem.sanitize.policy import parse_policy
    from telem.sanitize.redact import Redactor

    from .keys import load_key
    from .resanitize import resanitize

    policy = parse_policy(job["policy"], job["profile"] or None, known_values=job["known_values"])
    redactor = Redactor(policy, load_key(layout, disk))
    try:
        return resanitize(
            layout, disk, redactor, lambda done, total: intent.show_progress(layout, done, total), dry=job["dry"]
        )
    finally:
        layout.progress.unlink(missing_ok=True)


def _publish(job: dict[str, Any], layout: Layout, disk: Disk) -> dict[str, Any]:
    from .catalog import publish

    return {"written": publish(layout, disk, job["cutoff"])}


_STEPS: dict[str, Callable[[dict[str, Any], Layout, Disk], dict[str, Any]]] = {
    "compact": _compact,
    "merge": _merge,
    "note": _note,
    "close": _close,
    "give up": _give_up,
    "remove": _remove,
    "purge": _purge,
    "copies": _copies,
    "sanitize": _sanitize,
    "weekly": _weekly,
    "publish": _publish,
}


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
    atexit._run_exitfuncs()  # noqa: SLF001 (there is no public name for it)
    os._exit(0)  # to take DuckDB and pyarrow apart again takes 40 ms, 3 % of compacting 100,000 records
