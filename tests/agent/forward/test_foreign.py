"""Receivers that we did not write, each where its program is installed: what they stored is read back from them.

VictoriaMetrics (1.145 or newer) keeps metrics and answers PromQL; rotel passes OTLP on, so what it took is seen behind.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import re
import shutil
import socket
import subprocess
import time
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from tests.agent.forward.network import BadNetwork, flapping
from tests.agent.forward.receiver import OK, Receiver, failure
from tests.daemons import wait_for
from tests.otlp import metrics, raw
from tests.storage.homes import home_of, record_names, segment

from telem.agent.forward import destinations, follower
from telem.agent.forward.destinations import Destination
from telem.agent.forward.worker import run
from telem.sanitize.decode import decode
from telem.sanitize.records import Signal
from telem.storage.disk import Disk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.storage.conftest import MakeBatch

    from telem.sanitize.gate import Gate
    from telem.storage.layout import Layout

VICTORIA_MIN = (1, 145)
"""Older ones answer 200 to increments and drop them."""


@contextlib.contextmanager
def started(command: list[str], port: int, folder: Path) -> Iterator[None]:
    """A program that listens on this port; what it says is in `said`."""
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, cwd=folder)
    try:
        wait_for(lambda: process.poll() is not None or listens(port))
        if process.poll() is not None:
            pytest.skip(f"{command[0]} does not start here: {(folder / 'said').read_text()[-300:]}")
        yield
    finally:
        process.terminate()
        process.wait(60)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def listens(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.connect()
    except OSError:
        return False
    finally:
        connection.close()
    return True


def rotel() -> str:
    """The program, from its wheel (CPython 3.11 on Linux only) or by TELEM_TEST_ROTEL."""
    if given := os.environ.get("TELEM_TEST_ROTEL"):
        return given
    found = util.find_spec("rotel")
    if found is None or not found.origin:
        pytest.skip("rotel is not installed")
    return str(Path(found.origin).with_name("rotel-agent"))


def victoria_metrics() -> str:
    """The program; Debian's do not know their version, so of those it is said by TELEM_TEST_VICTORIA_METRICS."""
    if given := os.environ.get("TELEM_TEST_VICTORIA_METRICS"):
        return given
    program = shutil.which("victoria-metrics")
    if program is None:
        pytest.skip("VictoriaMetrics is not installed")
    said = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=60, check=False)
    version = re.search(r"(\d+)\.(\d+)\.\d+", said.stdout + said.stderr)
    if version is None or tuple(map(int, version.groups())) < VICTORIA_MIN:
        pytest.skip(f"this VictoriaMetrics is older than {VICTORIA_MIN}, or does not say")
    return program


def until_done(layout: Layout) -> None:
    for _ in range(200):
        if run(layout, "there", linger_s=0, parent=False)["state"] == "idle":
            return
    raise AssertionError("it does not end")


def test_rotel_takes_what_we_send(
    home: Path, batch: MakeBatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a network that loses requests and answers 503: logs and spans arrive, all of them, none twice."""
    monkeypatch.setattr(follower, "BATCH_ROWS", 20)
    layout = home_of(home)
    for signal in (Signal.LOGS, Signal.TRACES):
        for number in (1, 2, 3):
            segment(layout, number, batch(*(f"{signal}-{number}-{index}" for index in range(30)), signal=signal))
    port, grpc_port = free_port(), free_port()
    with Receiver() as behind:
        command = [
            rotel(), "start", "--otlp-http-endpoint", f"127.0.0.1:{port}", "--otlp-grpc-endpoint",
            f"127.0.0.1:{grpc_port}", "--exporter", "otlp", "--otlp-exporter-protocol", "http",
            "--otlp-exporter-endpoint", behind.url, "--pid-file", str(tmp_path / "pid"), "--log-file",
            str(tmp_path / "log"),
        ]  # fmt: skip
        with started(command, port, tmp_path), BadNetwork(port) as network:
            chance = random.Random(3)
            flaps = flapping(chance)
            network.weather = lambda passing: failure(503) if chance.random() < 0.2 else flaps(passing)
            destinations.write(layout, Disk(), Destination("there", "otlp", network.url, signals=("logs", "traces")))
            until_done(layout)
            assert sum(network.met.values()) > network.met[OK.status, OK.cut, OK.stores]
            wanted = sorted(record_names(layout) + record_names(layout, Signal.TRACES))
            wait_for(lambda: len(behind.row_ids()) >= len(wanted))
            time.sleep(1)  # would it come again?
            assert behind.names() == wanted
            assert set(behind.row_ids().values()) == {1}


@pytest.mark.parametrize("temporality", ["cumulative", "stored"])
def test_victoria_metrics_keeps_the_sums(home: Path, gate: Gate, tmp_path: Path, temporality: str) -> None:
    """Increments of three series, as running totals or as they are: the total it answers is the total that was sent."""
    layout = home_of(home)
    began_ns = time.time_ns() - 600 * 10**9
    total: dict[str, float] = {}
    for number in range(1, 21):
        model = f"model-{number % 3}"
        message = metrics({"model": model}, value=float(number))
        point = message.resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points[0]
        point.time_unix_nano = began_ns + number * 20 * 10**9
        point.start_time_unix_nano = point.time_unix_nano - 10**9
        request = raw(Signal.METRICS, message, at_ns=time.time_ns())
        segment(layout, number, gate.sanitize(decode(request), gate.request_id(request)))
        total[model] = total.get(model, 0.0) + number
    port = free_port()
    program = victoria_metrics()
    flags = [f"-storageDataPath={tmp_path / 'data'}", f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=100y"]
    with started([program, *flags], port, tmp_path):
        url = f"http://127.0.0.1:{port}/opentelemetry"
        destinations.write(
            layout, Disk(), Destination("there", "otlp", url, signals=("metrics",), temporality=temporality)
        )
        until_done(layout)
        summed = "last_over_time" if temporality == "cumulative" else "sum_over_time"
        query = f'{summed}({{__name__=~"claude_code.token.usage.*"}}[1h])'
        wait_for(lambda: len(stored(port, query)) == len(total))
        assert stored(port, query) == total


def stored(port: int, query: str) -> dict[str, float]:
    """What PromQL answers, by model."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", f"/api/v1/query?{urlencode({'query': query, 'nocache': 1, 'latency_offset': '1ms'})}")
    said: Any = json.loads(connection.getresponse().read())
    connection.close()
    return {one["metric"]["model"]: float(one["value"][1]) for one in said["data"]["result"]}
