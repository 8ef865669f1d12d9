"""Receivers that we did not write, each where its program is installed: what they stored is read back from them.

VictoriaMetrics (1.145 or newer) and Prometheus (3 or newer) keep metrics and answer PromQL; rotel passes OTLP on, so
what it took is seen behind.
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
from tests.agent.forward.receiver import OK, STORED_AND_CUT, Receiver, failure
from tests.daemons import wait_for
from tests.otlp import metrics, pairs, raw
from tests.storage.homes import home_of, record_names, segment

from telem.agent.forward import destinations, follower
from telem.agent.forward.cursor import Cursor
from telem.agent.forward.destinations import Destination
from telem.agent.forward.worker import run
from telem.sanitize.decode import decode
from telem.sanitize.records import Signal
from telem.storage.disk import Disk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.storage.conftest import MakeBatch

    from telem.sanitize.gate import Gate
    from telem.sanitize.records import SanitizedBatch
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


def prometheus() -> str:
    """The program, by TELEM_TEST_PROMETHEUS or where it is installed; Debian's builds have no OTLP in them."""
    program = os.environ.get("TELEM_TEST_PROMETHEUS") or shutil.which("prometheus")
    if program is None:
        pytest.skip("Prometheus is not installed")
    done = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=60, check=False)
    if "web.enable-otlp-receiver" not in done.stdout + done.stderr:
        pytest.skip("this Prometheus takes no OTLP; it needs 3 or newer, and not Debian's")
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


def token_usage(gate: Gate, model: str, value: float, at_ns: int) -> SanitizedBatch:
    """A request with one increment."""
    message = metrics({"model": model}, value=value)
    point = message.resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points[0]
    point.time_unix_nano, point.start_time_unix_nano = at_ns, at_ns - 10**9
    message.resource_metrics[0].resource.attributes.extend(pairs({"service.name": "claude-code"}))
    request = raw(Signal.METRICS, message, at_ns=time.time_ns())
    return gate.sanitize(decode(request), gate.request_id(request))


def test_prometheus_keeps_the_sums(home: Path, gate: Gate, tmp_path: Path) -> None:
    """Increments as running totals, over lost answers, restarts on both sides, late points and points of one moment.

    Prometheus refuses a request as a whole for one sample that is too early or at a time that has another value; so
    that none is refused says that there is no such.
    """
    layout = home_of(home)
    began_ns = time.time_ns() // 10**9 * 10**9 - 600 * 10**9
    total: dict[str, float] = {}
    port, program = free_port(), prometheus()
    (tmp_path / "prometheus.yml").write_text("global: {scrape_interval: 1h}\n")
    flags = [f"--web.listen-address=127.0.0.1:{port}", "--web.enable-otlp-receiver", "--config.file=prometheus.yml"]
    with BadNetwork(port) as network:
        network.weather = lambda _passing: STORED_AND_CUT if chance.random() < 0.3 else OK
        chance = random.Random(5)
        url = f"{network.url}/api/v1/otlp"
        destinations.write(
            layout, Disk(), Destination("there", "otlp", url, signals=("metrics",), temporality="cumulative")
        )
        for life in range(3):
            with started([program, *flags, f"--storage.tsdb.path={tmp_path / 'data'}"], port, tmp_path):
                wait_for(lambda: answers(port))
                for number in range(life * 10 + 1, life * 10 + 11):
                    model = f"model-{number % 3}"
                    at_s = number * 10 - (100 if number % 4 == 0 else 0) - number % 2 * 10  # late; at once
                    segment(layout, number, token_usage(gate, model, float(number), began_ns + at_s * 10**9))
                    total[model] = total.get(model, 0.0) + number
                    if number % 5 == 0:
                        until_done(layout)
                wait_for(lambda: stored(port, 'last_over_time({job="claude-code"}[1h])') == total)
                assert stored(port, 'max_over_time({job="claude-code"}[1h])') == total
                assert stored(port, "resets(claude_code_token_usage_tokens_total[1h])") == dict.fromkeys(total, 0.0)
                counted = stored(port, "count_over_time(claude_code_token_usage_tokens_total[1h])")
                assert sum(counted.values()) == life * 10 + 10
        assert network.met[STORED_AND_CUT.status, STORED_AND_CUT.cut, STORED_AND_CUT.stores]
    assert Cursor(layout, Disk(), "there").rejected() == []


def test_prometheus_is_told_that_increments_are_not_for_it(home: Path, gate: Gate, tmp_path: Path) -> None:
    """It answers 500 to them; what we say of that names the way out."""
    layout = home_of(home)
    segment(layout, 1, token_usage(gate, "model", 1.0, time.time_ns()))
    port, program = free_port(), prometheus()
    (tmp_path / "prometheus.yml").write_text("global: {scrape_interval: 1h}\n")
    flags = [f"--web.listen-address=127.0.0.1:{port}", "--web.enable-otlp-receiver", "--config.file=prometheus.yml"]
    with started([program, *flags, f"--storage.tsdb.path={tmp_path / 'data'}"], port, tmp_path):
        wait_for(lambda: answers(port))
        url = f"http://127.0.0.1:{port}/api/v1/otlp"
        destinations.write(layout, Disk(), Destination("there", "otlp", url, signals=("metrics",)))
        said = run(layout, "there", linger_s=0, parent=False)
        assert said["state"] == "later"
        assert "--temporality cumulative" in said["error"]


def answers(port: int) -> bool:
    """Is Prometheus ready?"""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/-/ready")
    status = connection.getresponse().status
    connection.close()
    return status == 200


def stored(port: int, query: str) -> dict[str, float]:
    """What PromQL answers, by model."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", f"/api/v1/query?{urlencode({'query': query, 'nocache': 1, 'latency_offset': '1ms'})}")
    said: Any = json.loads(connection.getresponse().read())
    connection.close()
    return {one["metric"]["model"]: float(one["value"][1]) for one in said["data"]["result"]}
