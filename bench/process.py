"""What a daemon and its workers use, read from /proc (Linux)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from telem.agent.workers import MEMORY

_TICKS = os.sysconf("SC_CLK_TCK")
SAMPLE_S = 0.02


def cpu_s(pid: int) -> float:
    """CPU seconds of a process and of the children it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def rss_mb(pid: int, what: str = "VmRSS") -> float:
    """Resident memory of one process, or the most it ever was (VmHWM); 0 when it is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith(what):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def pss_mb(pid: int) -> float:
    """Memory of one process, of a shared page only its part (proportional set size, proc(5)); 0 when it is gone.

    The sum over a daemon and its worker is what the two take from the machine; resident memory would count the
    libraries that both have mapped twice.
    """
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


@dataclass(frozen=True, slots=True)
class Ran:
    """What a worker's job came to, and what it took."""

    said: dict[str, Any]
    s: float
    cpu_s: float
    peak_mb: float


def run_job(job: dict[str, Any]) -> Ran:
    """Have a worker do a job, as the daemon does.

    Its memory is read from `/proc` before it ends: what the system says of a child that has ended counts its parent's.
    """
    began_s = time.perf_counter()
    command = [sys.executable, "-m", "telem.storage.worker"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **MEMORY}
    ) as worker:
        assert worker.stdin
        assert worker.stdout
        worker.stdin.write(json.dumps(job) + "\n")
        worker.stdin.flush()
        said = json.loads(worker.stdout.readline())
        took_s, used_s = time.perf_counter() - began_s, cpu_s(worker.pid)
        peak = rss_mb(worker.pid, "VmHWM")
        worker.stdin.close()
    assert said["ok"], said
    return Ran(said, round(took_s, 2), round(used_s, 2), round(peak))


def children(pid: int) -> list[int]:
    """Children of all threads of a process."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(number) for number in task.read_text(encoding="ascii").split()]
        except OSError:
            continue
    return found


class Peak:
    """Samples the memory of a daemon, and of daemon and workers together, while it is open."""

    def __init__(self, pid: int) -> None:
        self.daemon_mb = self.total_mb = 0.0
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.is_set():
            self.daemon_mb = max(self.daemon_mb, rss_mb(self._pid))
            if workers := children(self._pid):
                self.total_mb = max(self.total_mb, sum(map(pss_mb, [self._pid, *workers])))
            time.sleep(SAMPLE_S)
