"""The worker, as the daemon starts it: jobs in, results out, nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.daemons import shell

from telem.sanitize.records import Signal
from telem.storage.disk import Disk
from telem.storage.inventory import parquet_files
from telem.storage.journal import Journal

if TYPE_CHECKING:
    from tests.storage.conftest import MakeBatch

    from telem.storage.layout import Layout


def work(*lines: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "telem.storage.worker"],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_bad_job_does_not_stop_the_others(layout: Layout, batch: MakeBatch) -> None:
    """Unknown, unreadable, impossible: each is answered, and the good ones are done."""
    journal = Journal(layout, Signal.LOGS, Disk(), 1)
    journal.append([batch("a", "b")], 0.0)
    journal.close()
    home = str(layout.home)
    results = work(
        json.dumps({"job": "dance", "home": home}),
        "{",
        json.dumps({"job": "compact", "home": home, "signal": "logs", "segments": [9], "day": "2026-01-31"}),
        json.dumps({"job": "compact", "home": home, "signal": "logs", "segments": [1], "day": "2026-01-31"}),
        json.dumps({"job": "publish", "home": home, "cutoff": "2026-01-01"}),
    )
    assert [result["ok"] for result in results] == [False, False, False, True, True]
    assert all(result["error"] for result in results[:3])
    assert results[3]["bytes"] > 0
    assert shell(layout.home, "SELECT count(*) AS n FROM raw_logs") == [{"n": 2}]


def test_segments_that_another_worker_has_published_are_not_published_again(layout: Layout, batch: MakeBatch) -> None:
    """A worker outlives its killed daemon; the next daemon's list may be older than what it published meanwhile."""
    for number in range(1, 6):
        journal = Journal(layout, Signal.LOGS, Disk(), number)
        journal.append([batch(f"r{number}")], 0.0)
        journal.close()
    job = {"job": "compact", "home": str(layout.home), "signal": "logs", "day": "2026-01-31"}
    work(json.dumps({**job, "segments": [1]}), json.dumps({**job, "segments": [3]}))
    assert [result["ok"] for result in work(*[json.dumps({**job, "segments": [1, 2, 3, 4, 5]})] * 2)] == [True, True]
    spans = [(file.first, file.last) for file in parquet_files(layout, Signal.LOGS)]
    assert spans == [(1, 1), (2, 2), (3, 3), (4, 5)]


def test_workers_take_turns(layout: Layout) -> None:
    """Two at once on one home: the second waits until the first is done with its job."""
    lock = Disk().wait_for_lock(layout.worker_lock)
    job = json.dumps({"job": "publish", "home": str(layout.home), "cutoff": "2026-01-01"})
    worker = subprocess.Popen(
        [sys.executable, "-m", "telem.storage.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert worker.stdin
    assert worker.stdout
    worker.stdin.write(f"{job}\n")
    worker.stdin.close()
    with pytest.raises(subprocess.TimeoutExpired):
        worker.wait(0.7)
    lock.release()
    assert json.loads(worker.stdout.read())["ok"]
    worker.stdout.close()
    assert worker.wait(20) == 0


def test_no_jobs_is_no_work() -> None:
    """It ends by itself when its input does."""
    assert work() == []


def test_what_it_writes_is_private(layout: Layout) -> None:
    """Whatever the umask it was started with."""
    work(json.dumps({"job": "publish", "home": str(layout.home), "cutoff": "2026-01-01"}))
    files = [path for path in layout.home.rglob("*") if path.is_file()]
    assert files
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
