"""A bad network between laptops and whatever they forward to, by script, and laptops on a clock of their own."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import http.client
import io
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.agent.forward.receiver import CUT, OK, Reply, records_of
from tests.otlp import REQUESTS

from telem.agent.forward.dispatcher import TICK_S, Dispatcher
from telem.agent.forward.worker import run
from telem.sanitize.records import Signal

if TYPE_CHECKING:
    import random
    import ssl
    from collections.abc import Callable

    from telem.storage.layout import Layout


@dataclass(frozen=True)
class Passing:
    """A request on its way: whose it is, and the ids and names of the records in it."""

    who: str
    signal: Signal | None
    ids: tuple[str, ...]
    names: tuple[str, ...]


Weather = "Callable[[Passing], Reply]"


class BadNetwork:
    """A proxy. `weather` says for each request what becomes of it: passed on, answered by somebody else, or cut off.

    A `Reply` that stores is passed on, and the answer comes back unless it is to be cut; any other is the answer.

    Args:
        tls: the certificate it shows, where it speaks TLS.
        trusted: what it trusts behind it, where that speaks TLS.
    """

    def __init__(
        self,
        port: int,
        host: str = "127.0.0.1",
        listens: tuple[str, int] = ("127.0.0.1", 0),
        tls: ssl.SSLContext | None = None,
        trusted: ssl.SSLContext | None = None,
    ) -> None:
        self._there = host, port
        self._trusted = trusted
        self.weather: Callable[[Passing], Reply] = lambda _passing: OK
        self.delay_s = 0.0
        self.arrived: list[tuple[str, Signal | None, str]] = []
        """Who, which signal and which row, in the order in which the other side took them."""

        self.met: Counter[tuple[int, bool, bool]] = Counter()
        """How often each kind of fault was met: status, cut off, stored."""

        self._lock = threading.Lock()
        self._server = _Server(listens, self._handler())
        self._server.tls = tls
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def show(self, tls: ssl.SSLContext) -> None:
        """Show another certificate from now on."""
        self._server.tls = tls

    def hang_up(self) -> None:
        """End every connection that is open."""
        for one in list(self._server.connected):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes] | None:
        """What the laptop gets; None when it is hung up on."""
        passing = _passing(path, headers, body)
        reply = self.weather(passing)
        self.met[reply.status, reply.cut, reply.stores] += 1
        time.sleep(self.delay_s)
        if not reply.stores:
            return None if reply.cut else (reply.status, {"Content-Type": reply.kind, **reply.headers}, reply.body)
        connection = (
            http.client.HTTPSConnection(*self._there, timeout=120, context=self._trusted)
            if self._trusted
            else http.client.HTTPConnection(*self._there, timeout=120)
        )
        try:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException):
            return None  # it is not there
        finally:
            connection.close()
        if response.status == 200:
            with self._lock:
                self.arrived += [(passing.who, passing.signal, one) for one in passing.ids]
        kept = {name: value for name, value in response.headers.items() if not _is_hop(name)}
        return None if reply.cut else (response.status, kept, data)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        network = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answered = network.answer(self.path, dict(self.headers.items()), body)
                if answered is None:
                    self.close_connection = True
                    return
                status, headers, data = answered
                self.send_response_only(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    tls: ssl.SSLContext | None = None

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.connected: set[Any] = set()

    def get_request(self) -> tuple[socket.socket, Any]:
        found, address = super().get_request()
        if self.tls:  # shaking hands is done by the thread that reads
            found = self.tls.wrap_socket(found, server_side=True, do_handshake_on_connect=False)
        self.connected.add(found)
        return found, address

    def shutdown_request(self, request: Any) -> None:
        self.connected.discard(request)
        super().shutdown_request(request)

    def handle_error(self, *_: Any) -> None:
        """Whoever hangs up in the middle, or does not trust us, is nothing to report."""


def _is_hop(name: str) -> bool:
    return name.lower() in ("content-length", "transfer-encoding", "connection", "keep-alive")


def _passing(path: str, headers: dict[str, str], body: bytes) -> Passing:
    url = urlsplit(path)
    who = headers.get("Authorization", "") or headers.get("X-ClickHouse-User", "")
    if url.path.startswith("/v1/"):
        signal = Signal(url.path.rpartition("/")[2])
        data = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
        records = records_of(signal, REQUESTS[signal].FromString(data))
        return _named(who, signal, records)
    query = parse_qs(url.query).get("query", [""])[0]
    for table, column, signal in (
        ("otel_logs", "LogAttributes", Signal.LOGS),
        ("otel_traces", "SpanAttributes", Signal.TRACES),
    ):
        if f"INSERT INTO {table} " in query:
            import pyarrow.parquet as pq

            found = pq.read_table(io.BytesIO(body), columns=[column])[column].to_pylist()
            return _named(who, signal, [dict(one or ()) for one in found])
    return Passing(who, None, (), ())


def _named(who: str, signal: Signal, records: list[dict[str, Any]]) -> Passing:
    ids = tuple(str(record["telem.row_id"]) for record in records)
    return Passing(who, signal, ids, tuple(str(record.get("record.name", "")) for record in records))


class Laptop(Dispatcher):
    """The daemon's part of forwarding on a simulated clock; each process it starts is a true one's work, done here."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.clock_s = 1_000.0
        self.attempts_s: list[float] = []
        self.failed_s: list[float] = []
        super().__init__(layout, lambda: self.clock_s)

    async def _process(self, name: str) -> dict[str, Any]:
        self.attempts_s.append(self.clock_s)
        said = await asyncio.to_thread(run, self.layout, name, linger_s=0, parent=False)
        if said["state"] != "idle":
            self.failed_s.append(self.clock_s)
        return said

    async def live(self, seconds: float) -> None:
        """So much simulated time; where nothing can happen it is passed over in one step."""
        end_s = self.clock_s + seconds
        while self.clock_s < end_s:
            self.look()
            if tasks := [known.task for known in self._known.values() if known.task]:
                await asyncio.wait(tasks)
            waits = [known.next_at_s - self.clock_s for known in self._known.values()]
            self.clock_s += min(max(TICK_S, min(waits, default=0.0)), max(TICK_S, end_s - self.clock_s))

    def is_through(self) -> bool:
        """Has everything been taken that it wants to send?"""
        said = self.status()
        return bool(said) and all(one["state"] == "idle" and not one["running"] for one in said.values())


def flapping(chance: random.Random) -> Callable[[Passing], Reply]:
    """A network that fails two of three requests."""
    return lambda _passing: OK if chance.random() < 1 / 3 else CUT
