"""A receiver that does as a script says, and remembers what it stored."""

from __future__ import annotations

import gzip
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from tests.otlp import REQUESTS

from telem.sanitize.records import Signal

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True)
class Request:
    """What came: its number from 1, and its records' attributes."""

    number: int
    signal: Signal
    headers: dict[str, str]
    body: bytes
    message: Any
    records: list[dict[str, Any]]

    def names(self) -> list[str]:
        return [record["record.name"] for record in self.records]


@dataclass(frozen=True)
class Reply:
    """What to do with it. `stores`: does it count as stored, whatever is answered?"""

    status: int = 200
    body: bytes = b""
    kind: str = PROTOBUF
    headers: dict[str, str] = field(default_factory=dict)
    stores: bool = True
    cut: bool = False  # hang up without a word
    wait: threading.Event | None = None  # answer only when it is set


OK = Reply()
PORTAL = Reply(body=b"<html>Please sign in</html>", kind="text/html", stores=False)
CUT = Reply(cut=True, stores=False)
STORED_AND_CUT = Reply(cut=True)


def failure(status: int, **headers: str) -> Reply:
    return Reply(status, b"no", "text/plain", {name.replace("_", "-"): value for name, value in headers.items()}, False)


def partial(rejected: int) -> Reply:
    response = ExportLogsServiceResponse()
    response.partial_success.rejected_log_records = rejected
    response.partial_success.error_message = "too old"
    return Reply(body=response.SerializeToString())


class Receiver:
    """Listens on this machine; the end of the `with` block ends it."""

    def __init__(
        self, script: Callable[[Request], Reply] = lambda _request: OK, tls: ssl.SSLContext | None = None
    ) -> None:
        self.script = script
        self.requests: list[Request] = []
        self.stored: list[Request] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"

    def row_ids(self) -> Counter[str]:
        """How often each row was stored."""
        return Counter(record["telem.row_id"] for request in self.stored for record in request.records)

    def names(self) -> list[str]:
        """The `record.name` of each stored row, once each, sorted."""
        found = {record["telem.row_id"]: record["record.name"] for one in self.stored for record in one.records}
        return sorted(found.values())

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, signal: Signal, headers: dict[str, str], body: bytes) -> Reply:
        message = REQUESTS[signal].FromString(body)
        with self._lock:
            request = Request(len(self.requests) + 1, signal, headers, body, message, records_of(signal, message))
            self.requests.append(request)
            reply = self.script(request)
            if reply.stores and reply.status == 200:
                self.stored.append(request)
        return reply

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                body = gzip.decompress(data) if self.headers["Content-Encoding"] == "gzip" else data
                headers = {name.lower(): value for name, value in self.headers.items()}
                reply = receiver.take(Signal(self.path.rpartition("/")[2]), headers, body)
                if reply.wait:
                    reply.wait.wait(30)
                if reply.cut:
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, value in {"Content-Type": reply.kind, **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def records_of(signal: Signal, message: Any) -> list[dict[str, Any]]:
    """The attributes of each record."""
    if signal is Signal.LOGS:
        found = [one for whole in message.resource_logs for part in whole.scope_logs for one in part.log_records]
    elif signal is Signal.TRACES:
        found = [one for whole in message.resource_spans for part in whole.scope_spans for one in part.spans]
    else:
        metrics = [one for whole in message.resource_metrics for part in whole.scope_metrics for one in part.metrics]
        found = [point for metric in metrics for point in getattr(metric, metric.WhichOneof("data")).data_points]
    return [{pair.key: value_of(pair.value) for pair in record.attributes} for record in found]


def value_of(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None
