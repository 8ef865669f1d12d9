"""A restart under load: no client is refused, cut off or asked to try again, and every record is there once."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import signal
import socket
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from tests.daemons import LiveDaemon, journal_rows, telem, wait_for
from tests.otlp import METHODS, numbered
from tests.wire import Line, request

from telem.agent import control
from telem.agent.handover import Predecessor
from telem.sanitize.records import Signal
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ROUNDS = int(os.environ.get("TELEM_TEST_RESTARTS", "5"))
LOGS = Signal.LOGS


@pytest.fixture
def home_with_daemon(home: Path) -> Iterator[Path]:
    """A daemon in the background, on fixed ports, as a restart finds it."""
    done = telem(home, "start", "--otlp-http-port", "0", "--otlp-grpc-port", "0", "--query-port", "0")
    assert done.returncode == 0, done.stderr
    yield home
    telem(home, "stop")


def found(home: Path) -> control.Running:
    running = control.find(Layout(home))
    assert running
    return running


def port_of(home: Path, name: str = "otlp_http") -> int:
    return int(found(home).endpoints[name].rpartition(":")[2])


def restart(home: Path) -> None:
    """With settings that keep the ports wherever they are."""
    before = found(home).pid
    done = telem(home, "restart", "--otlp-http-port", "0", "--otlp-grpc-port", "0", "--query-port", "0")
    assert done.returncode == 0, done.stderr
    assert f"after {before}" in done.stderr
    assert found(home).pid != before


class Clients:
    """Threads that send one record after another and give up at the first failure: they never try again."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.failures: list[str] = []
        self._numbers = itertools.count()
        self._done = threading.Event()
        self._threads: list[threading.Thread] = []

    def add(self, client: contextlib.AbstractContextManager[Callable[[bytes], None]], pause_s: float) -> None:
        def run() -> None:
            with client as send:
                until_end(send)

        def until_end(send: Callable[[bytes], None]) -> None:
            while not self._done.is_set():
                name = f"{next(self._numbers)}"
                try:
                    send(numbered(LOGS, name))
                except Exception as error:  # noqa: BLE001 (whatever it is, the client has lost its record)
                    self.failures.append(f"{name}: {error!r}")
                    return
                self.sent.append(name)
                time.sleep(pause_s)

        self._threads.append(threading.Thread(target=run))
        self._threads[-1].start()

    def end(self) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join(30)


@contextlib.contextmanager
def http_client(port: int) -> Iterator[Callable[[bytes], None]]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:

        def send(body: bytes) -> None:
            connection.request("POST", "/v1/logs", body, {"Content-Type": "application/x-protobuf"})
            response = connection.getresponse()
            response.read()
            assert response.status == 200

        yield send


@contextlib.contextmanager
def grpc_client(port: int) -> Iterator[Callable[[bytes], None]]:
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        call: Any = channel.unary_unary(METHODS[LOGS])
        yield lambda body: call(body, timeout=60)


def names_in(home: Path) -> Counter[str]:
    return Counter(row["attributes"]["record.name"] for row in journal_rows(home))


def test_clients_that_never_try_again_lose_nothing_over_restarts(home_with_daemon: Path) -> None:
    """HTTP and gRPC, on connections that are kept, busy ones and idle ones; each record is there exactly once."""
    home = home_with_daemon
    clients = Clients()
    for pause_s in (0.0, 0.003, 0.05, 0.3):
        clients.add(http_client(port_of(home)), pause_s)
        clients.add(grpc_client(port_of(home, "otlp_grpc")), pause_s)
    clients.add(grpc_client(port_of(home)), 0.02)  # on the other one's port
    try:
        for _ in range(ROUNDS):
            time.sleep(0.3)
            restart(home)
    finally:
        time.sleep(0.3)
        clients.end()
    assert clients.failures == []
    assert len(clients.sent) > 100
    telem(home, "stop")
    assert names_in(home) == Counter(clients.sent)


def test_the_exporters_of_the_python_sdk_lose_nothing(home_with_daemon: Path) -> None:
    """Both transports, as programs use them."""
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    home = home_with_daemon
    running = found(home)
    exporters = {
        "http": HttpExporter(endpoint=f"{running.endpoints['otlp_http']}/v1/traces"),
        "grpc": GrpcExporter(endpoint=running.endpoints["otlp_grpc"], insecure=True),
    }
    providers = {name: TracerProvider() for name in exporters}
    for name, exporter in exporters.items():
        providers[name].add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=20))
    made = 0
    for last in (100, 200, 201):
        for number in range(made, last):
            for name, provider in providers.items():
                provider.get_tracer("restart").start_span(f"{name}-{number}").end()
            time.sleep(0.002)
        made = last
        if last < 201:
            restart(home)
    for provider in providers.values():
        provider.shutdown()
    telem(home, "stop")
    counts = Counter(row["name"] for row in journal_rows(home, Signal.TRACES))
    assert counts == Counter(f"{name}-{number}" for name in exporters for number in range(201))


def test_an_idle_connection_goes_on_in_the_next_process(home_with_daemon: Path) -> None:
    """Nothing is closed: the same socket is answered before and after."""
    home = home_with_daemon
    with Line(port_of(home)) as line, Line(port_of(home)) as silent, Line(port_of(home)) as begun:
        assert line.ask(numbered(LOGS, "a")).status == 200
        begun.send(b"P")
        time.sleep(0.1)
        restart(home)
        assert line.ask(numbered(LOGS, "b")).status == 200
        assert silent.ask(numbered(LOGS, "c")).status == 200
        begun.send(request(begun.port, numbered(LOGS, "d"))[1:])
        assert begun.answer().status == 200
    assert names_in(home) == Counter("abcd")


def test_a_request_that_was_begun_is_answered_by_the_process_that_began_it(home_with_daemon: Path) -> None:
    """And the client is asked to close, instead of being cut off."""
    home = home_with_daemon
    body = request(port_of(home), numbered(LOGS, "a"))
    with Line(port_of(home)) as line:
        line.send(body[:-5])
        time.sleep(0.1)
        restarting = threading.Thread(target=restart, args=(home,))
        restarting.start()
        wait_for(lambda: "handing over" in (Layout(home).logs / "daemon.log").read_text())
        line.send(body[-5:])
        answer = line.answer()
        restarting.join()
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert names_in(home) == Counter("a")


def test_a_request_stored_before_the_restart_is_known_after_it(home_with_daemon: Path) -> None:
    """A client that lost the answer to the restart sends again, and is not counted twice."""
    home = home_with_daemon
    body = numbered(LOGS, "a")
    with Line(port_of(home)) as line:
        assert line.ask(body).status == 200
        restart(home)
        assert line.ask(body).status == 200
    assert names_in(home) == Counter("a")


def test_when_the_new_one_cannot_start_the_old_one_goes_on(home_with_daemon: Path) -> None:
    """The command says why; no connection notices."""
    home = home_with_daemon
    before = found(home)
    (home / "sanitize.toml").write_text("this is no policy")
    with Line(port_of(home)) as line:
        done = telem(home, "restart", "--otlp-http-port", "0", "--otlp-grpc-port", "0", "--query-port", "0")
        assert done.returncode == 1
        assert "sanitize.toml" in done.stderr
        assert f"goes on (process {before.pid})" in done.stderr
        assert line.ask(numbered(LOGS, "a")).status == 200
    assert found(home) == before


def test_a_port_that_is_taken_keeps_the_old_one_going(home_with_daemon: Path) -> None:
    """Another port is asked for, and cannot be had."""
    home = home_with_daemon
    before = found(home)
    with socket.create_server(("127.0.0.1", 0)) as holder:
        done = telem(home, "restart", "--otlp-http-port", str(holder.getsockname()[1]))
    assert (done.returncode, "(otlp_http_port)" in done.stderr) == (1, True)
    assert found(home) == before
    assert telem(home, "status").returncode == 0


def test_a_successor_that_dies_half_way_gives_everything_back(live: LiveDaemon) -> None:
    """It had the lock, the ports, an idle connection and the journal; the old one begins another life with them."""
    with Line(live.port("otlp_http")) as line:
        assert line.ask(numbered(LOGS, "a")).status == 200
        before = Predecessor(found(live.home).handover)
        handed = before.go()
        assert [one.setting for one in handed] == ["otlp_http_port"]
        for one in handed:
            one.socket.close()
        os.close(before.lock)
        for listener in before.sockets.values():
            listener.close()
        before._line.close()  # as the end of its process does
        assert line.ask(numbered(LOGS, "b")).status == 200
        assert line.ask(numbered(LOGS, "a")).status == 200
    wait_for(lambda: found(live.home).handover)
    assert found(live.home).pid == live.pid
    assert {"a", "b"} <= names_in(live.home).keys()
    restart(live.home)
    assert live.process.wait(10) == 0
    telem(live.home, "stop")


def test_somebody_who_only_knocks_changes_nothing(live: LiveDaemon) -> None:
    """Nonsense, silence and another version are turned away, and stopping does not wait for them."""
    for said in (b"", b"nonsense\n", b'{"hello": 99}\n'):
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(found(live.home).handover)
            stranger.sendall(said)
            if said:
                stranger.recv(1000)
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(found(live.home).handover)
        assert telem(live.home, "status").returncode == 0
        assert live.stop() == 0


def test_a_daemon_that_hangs_cannot_be_taken_over_from(live: LiveDaemon) -> None:
    """The command says what to do instead, and does not end it by itself."""
    os.kill(live.pid, signal.SIGSTOP)
    try:
        done = telem(live.home, "restart", env={"TELEM_TEST": "1"})
    finally:
        os.kill(live.pid, signal.SIGCONT)
    assert done.returncode == 1
    assert "telem-agent stop" in done.stderr
    assert found(live.home).pid == live.pid
