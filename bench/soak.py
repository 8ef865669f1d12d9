"""A daemon under a steady load for a long time: does it grow?

    PYTHONPATH=. python bench/soak.py --minutes 480

Sends ten requests of ten records a second, ten times what a busy team of one machine does; segments are closed each
minute, so it compacts all the while, and it is asked for a total every ten seconds. Prints as JSON what daemon and
folder held in the first and in the last quarter of the time, without the first minute. Linux only (/proc).
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from bench.backlog import agent, start
from bench.events import Sessions
from bench.process import cpu_s, rss_mb

REQUESTS_PER_S, RECORDS = 10, 10
SAMPLE_EVERY_S = 10.0
WARM_S = 60.0
QUESTION = "SELECT count(*), count(DISTINCT id) FROM raw_logs"


def main() -> None:
    """Load, sample, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory(prefix="telem-bench-") as folder:
        home = Path(folder) / "home"
        endpoints, pid = start(home, "--segment-age-s", "60")
        began_s = time.monotonic()
        to = http.client.HTTPConnection(urlsplit(endpoints["otlp_http"]).netloc, timeout=60)
        sessions, samples, refused, number = Sessions(1), [], 0, 0
        while (now_s := time.monotonic() - began_s) < minutes * 60:
            body = sessions.request(RECORDS).SerializeToString()
            to.request("POST", "/v1/logs", body, {"Content-Type": "application/x-protobuf"})
            answer = to.getresponse()
            answer.read()
            refused += answer.status != http.client.OK
            number += 1
            if now_s > WARM_S + SAMPLE_EVERY_S * len(samples):
                samples.append(sample(home, pid))
                counted = ask(home, endpoints["query"])
                assert counted == (number - refused) * RECORDS, (counted, number, refused)
            time.sleep(max(0.0, began_s + number / REQUESTS_PER_S - time.monotonic()))
        spent_s = cpu_s(pid)
        agent(home, "stop")
    quarter = max(1, len(samples) // 4)
    held = {
        name: [round(statistics.mean(one[name] for one in part), 1) for part in (samples[:quarter], samples[-quarter:])]
        for name in samples[0]
    }
    print(json.dumps({
        "minutes": minutes, "requests": number, "refused": refused, "cpu_s_per_hour": round(spent_s * 60 / minutes, 1),
        **held,
    }))  # fmt: skip


def sample(home: Path, pid: int) -> dict[str, float]:
    """What it holds now."""
    files = [path.stat().st_size for path in home.rglob("*") if path.is_file()]
    return {
        "rss_mb": rss_mb(pid), "descriptors": _count(f"/proc/{pid}/fd"),
        "threads": _count(f"/proc/{pid}/task"), "files": len(files), "disk_mb": sum(files) / 1e6,
    }  # fmt: skip


def _count(folder: str) -> int:
    return sum(1 for _ in Path(folder).iterdir())


def ask(home: Path, endpoint: str) -> int:
    """How many rows there are; none of them twice."""
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=60)
    token = (home / "token").read_text(encoding="ascii").strip()
    connection.request("POST", "/", QUESTION, {"Authorization": f"Bearer {token}"})
    rows, ids = connection.getresponse().read().split()
    connection.close()
    assert rows == ids, (rows, ids)
    return int(rows)


if __name__ == "__main__":
    main()
