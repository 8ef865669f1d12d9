"""How long an acknowledgement takes while ten people ask: events sent as clients do, alone and with questions beside.

PYTHONPATH=. python bench/together.py [--keep FOLDER] [--seconds 20]

The folder is one of `questions.py --keep`; without it, one of 1,000,000 events is made.
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.events import requests
from bench.month import Month, build
from bench.questions import QUESTIONS

ASKERS = 10
REQUESTS_PER_S = 20
RECORDS = 5
PORTS = ("--otlp-http-port", "0", "--otlp-grpc-port", "0", "--query-port", "0")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="a folder that questions.py made")
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.keep and given.keep.parent) as folder:
        home = Path(folder) / "home"
        if given.keep:
            shutil.copytree(given.keep / "home" / "parquet", home / "parquet", copy_function=_link)
            home.chmod(0o700)
        else:
            build(home, Month())
        _agent(home, "start", *PORTS)
        try:
            endpoints = json.loads(_agent(home, "status", "--json"))["endpoints"]
            _show("alone", _send(endpoints["otlp_http"], given.seconds, seed=1), 0)
            done = threading.Event()
            token = (home / "token").read_text().strip()
            answered = [0] * ASKERS
            askers = [
                threading.Thread(target=_ask, args=(endpoints["query"], token, number, done, answered))
                for number in range(ASKERS)
            ]
            for asker in askers:
                asker.start()
            _show(f"beside {ASKERS} askers", _send(endpoints["otlp_http"], given.seconds, seed=2), sum(answered))
            done.set()
            for asker in askers:
                asker.join()
        finally:
            _agent(home, "stop")


def _link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)


def _agent(home: Path, *words: str) -> str:
    command = [sys.executable, "-m", "telem", words[0], "--home", str(home), *words[1:]]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _send(endpoint: str, seconds: float, seed: int) -> list[float]:
    """Send at a steady pace; milliseconds until each was acknowledged."""
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=60)
    count = int(seconds * REQUESTS_PER_S)
    took, began_s = [], time.perf_counter()
    for number, body in enumerate(requests(count * RECORDS, RECORDS, seed)):
        time.sleep(max(0.0, began_s + number / REQUESTS_PER_S - time.perf_counter()))
        sent_s = time.perf_counter()
        connection.request("POST", "/v1/logs", body, {"Content-Type": "application/x-protobuf"})
        response = connection.getresponse()
        response.read()
        assert response.status == 200
        took.append(1000 * (time.perf_counter() - sent_s))
    return took


def _ask(endpoint: str, token: str, number: int, done: threading.Event, answered: list[int]) -> None:
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=120)
    statements = list(QUESTIONS.values())
    while not done.is_set():
        statement = statements[(number + answered[number]) % len(statements)]
        connection.request("POST", "/", statement, {"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        response.read()
        answered[number] += response.status == 200


def _show(what: str, took: list[float], answered: Any) -> None:
    ordered = sorted(took)
    p99 = ordered[int(0.99 * len(ordered))]
    print(
        f"{what:18} {len(took)} requests: p50 {statistics.median(took):.1f} ms, p99 {p99:.1f} ms, "
        f"max {ordered[-1]:.1f} ms; {answered} questions answered"
    )


if __name__ == "__main__":
    main()
