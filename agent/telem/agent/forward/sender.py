"""One connection to a destination: sends a body, and says what its answer means.

What counts as delivered is narrow: a hotel's sign-in page answers 200 as well. Redirects are not followed; they would
take the credentials along.
"""

from __future__ import annotations

import email.utils
import gzip
import http.client
import os
import select
import ssl
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from telem.sanitize.records import Signal

from .destinations import DestinationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .destinations import Destination

TIMEOUT_S = 30.0
ANSWER_LIMIT_BYTES = 4 * 1024 * 1024
GZIP_LEVEL = 2
"""Level 6 takes twice the CPU for 8 % fewer bytes."""

MESSAGE_CHARS = 300
AGENT_HEADER = "Telem-Agent-Id"
"""Tells a hub which of a member's machines sends."""

PROTOBUF = "application/x-protobuf"
PATHS = {Signal.LOGS: "/v1/logs", Signal.METRICS: "/v1/metrics", Signal.TRACES: "/v1/traces"}
_RESPONSES: dict[Signal, Any] = {
    Signal.LOGS: ExportLogsServiceResponse,
    Signal.METRICS: ExportMetricsServiceResponse,
    Signal.TRACES: ExportTraceServiceResponse,
}
_REJECTED = {Signal.LOGS: "log_records", Signal.METRICS: "data_points", Signal.TRACES: "spans"}


class Verdict(Enum):
    """What an answer means."""

    DELIVERED = "delivered"
    LATER = "later"  # send the same again, after a while
    REFUSED = "refused"  # something in it is not taken, and never will be
    STOP = "stop"  # nothing will be taken until somebody mends the settings


@dataclass(frozen=True, slots=True)
class Answer:
    """The meaning of an answer.

    Args:
        after_s: when the destination asked to come again; None when it did not say.
        rejected: records it said it did not take although it took the request.
    """

    verdict: Verdict
    message: str = ""
    after_s: float | None = None
    rejected: int = 0
    status: int = 0


_LATER = (408, 425, 429, 500, 502, 503, 504)
_PERHAPS = (
    " (it may want a client certificate: --cert-file)",
    " (it may not take the client certificate that it is shown)",
)
_STOP = (401, 402, 403, 404, 405, 407, 410, 421, 451, 501, 505)


def connection_of(destination: Destination) -> http.client.HTTPConnection:
    """A connection to a destination, not opened yet.

    Raises:
        DestinationError: a certificate cannot be read.
    """
    url = urlsplit(destination.url)
    host, port = url.hostname or "", url.port
    if url.scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context_of(destination))
    return http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)


def hang_up_if_left(connection: http.client.HTTPConnection) -> None:
    """Forget a connection that the other side has ended: on some ways what is sent there is lost without a word."""
    if connection.sock is not None and select.select([connection.sock], [], [], 0)[0]:
        connection.close()


class Sender:
    """Talks to one destination.

    Raises:
        DestinationError: a credential or certificate cannot be read.
    """

    def __init__(self, destination: Destination, agent_id: str = "", now_s: Callable[[], float] = time.time) -> None:
        self._base = urlsplit(destination.url).path.rstrip("/")
        self._now_s = now_s
        self._headers = {**headers_of(destination), "Content-Type": PROTOBUF, "User-Agent": "telem-agent"}
        if destination.kind == "hub" and agent_id:
            self._headers[AGENT_HEADER] = agent_id
        self._connection = connection_of(destination)
        self._perhaps = _PERHAPS[bool(destination.cert_file)] if destination.url.startswith("https:") else ""

    def send(self, signal: Signal, body: bytes) -> Answer:
        """Send one export request. A connection that was closed while it lay idle is opened anew, once."""
        headers = {**self._headers, "Content-Encoding": "gzip"}
        data = gzip.compress(body, GZIP_LEVEL, mtime=0)
        hang_up_if_left(self._connection)
        was_open = self._connection.sock is not None
        try:
            return self._exchange(signal, data, headers)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
            self._connection.close()
            if not was_open:
                return Answer(Verdict.LATER, f"the connection was closed without an answer: {error}{self._perhaps}")
        except (OSError, http.client.HTTPException) as error:
            return self._failed(error)
        try:
            return self._exchange(signal, data, headers)
        except (OSError, http.client.HTTPException) as error:
            return self._failed(error)

    def _failed(self, error: Exception) -> Answer:
        self._connection.close()
        if isinstance(error, ssl.SSLCertVerificationError):  # no token has left; a hotel's network ends some day
            return Answer(Verdict.LATER, f"its certificate is not trusted: {error.verify_message}; see --ca-file")
        closed = isinstance(error, ssl.SSLError | ConnectionError) and not isinstance(error, ConnectionRefusedError)
        return Answer(
            Verdict.LATER, f"{type(error).__name__}: {error}"[:MESSAGE_CHARS] + (self._perhaps if closed else "")
        )

    def _exchange(self, signal: Signal, data: bytes, headers: dict[str, str]) -> Answer:
        self._connection.request("POST", self._base + PATHS[signal], data, headers)
        response = self._connection.getresponse()
        body = response.read(ANSWER_LIMIT_BYTES + 1)
        if len(body) > ANSWER_LIMIT_BYTES:
            self._connection.close()
            return Answer(Verdict.LATER, f"it answered {response.status} with more than {ANSWER_LIMIT_BYTES} bytes")
        return self._judge(signal, response, body)

    def _judge(self, signal: Signal, response: http.client.HTTPResponse, body: bytes) -> Answer:
        status, kind = response.status, response.headers.get_content_type()
        said = _message(body, kind)
        if status in (200, 202, 204):
            return _accepted(signal, status, kind if "Content-Type" in response.headers else "", body)
        if status >= 400 and "temporality" in said:  # noqa: PLR2004 (Prometheus answers 500 to increments)
            said += " (totals instead of increments: --temporality cumulative)"
        if status in _LATER:
            asked_s = after_s(response.headers.get("Retry-After"), self._now_s())
            return Answer(Verdict.LATER, f"it answered {status}{said}", asked_s, status=status)
        if status in _STOP:
            return Answer(Verdict.STOP, f"it answered {status}{said}", status=status)
        if 300 <= status < 400:  # noqa: PLR2004 (redirects)
            where = response.headers.get("Location", "somewhere else")
            return Answer(Verdict.LATER, f"it answered {status} and points to {where}: a sign-in page?", status=status)
        verdict = Verdict.REFUSED if status < 500 else Verdict.LATER  # noqa: PLR2004 (the other errors of a server)
        return Answer(verdict, f"it answered {status}{said}", status=status)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def _accepted(signal: Signal, status: int, kind: str, body: bytes) -> Answer:
    """A success, if it is the answer of an OTLP receiver."""
    if body and kind not in ("", PROTOBUF, "application/protobuf", "application/octet-stream", "application/json"):
        return Answer(Verdict.LATER, f"it answered {status} with {kind}: a sign-in page?", status=status)
    if not body or kind == "application/json":
        return Answer(Verdict.DELIVERED, status=status)
    try:
        partial = _RESPONSES[signal].FromString(body).partial_success
    except DecodeError:
        return Answer(Verdict.LATER, f"it answered {status} with what is no OTLP", status=status)
    rejected = int(getattr(partial, f"rejected_{_REJECTED[signal]}"))
    return Answer(Verdict.DELIVERED, partial.error_message[:MESSAGE_CHARS], rejected=rejected, status=status)


def _message(body: bytes, kind: str) -> str:
    """The beginning of an answer in words, if it is in words; of a google.rpc.Status its message."""
    if kind in (PROTOBUF, "application/protobuf"):
        from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

        try:
            text = str(Status.FromString(body).message)
        except DecodeError:
            text = ""
    elif kind == "text/html":
        text = ""
    else:
        text = body[: MESSAGE_CHARS * 4].decode("utf-8", "replace")
    text = " ".join(text.split())[:MESSAGE_CHARS]
    return f": {text}" if text else ""


def after_s(text: str | None, now_s: float) -> float | None:
    """`Retry-After`, which is a number of seconds or a date."""
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now_s)
    except (TypeError, ValueError):
        return None


def headers_of(destination: Destination) -> dict[str, str]:
    """The headers a destination wants, its token among them.

    Raises:
        DestinationError: a credential cannot be read.
    """
    headers = {}
    if destination.header_file:
        for line in text_of(destination.header_file).splitlines():
            name, colon, value = line.partition(":")
            if line.strip() and not colon:
                raise DestinationError(f"{destination.header_file}: a line is `Name: value`")
            if colon:
                headers[name.strip()] = value.strip()
    token = ""
    if destination.token_file:
        token = text_of(destination.token_file).strip()
        if not token:
            raise DestinationError(f"{destination.token_file} holds no token")
    elif destination.token_env:
        token = os.environ.get(destination.token_env, "")
        if not token:
            raise DestinationError(f"the environment of the daemon has no {destination.token_env}; restart it with it")
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return headers


def text_of(path: str) -> str:
    """What a file of credentials holds.

    Raises:
        DestinationError: it cannot be read.
    """
    try:
        return Path(path).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise DestinationError(f"{path} cannot be read: {error}") from error


def context_of(destination: Destination) -> ssl.SSLContext:
    """Which certificates are trusted, and which is shown.

    Raises:
        DestinationError: one cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=destination.ca_file or None)
        if destination.cert_file:
            context.load_cert_chain(destination.cert_file, destination.cert_key_file or None)
    except (OSError, ssl.SSLError) as error:
        raise DestinationError(f"a certificate of {destination.name} cannot be used: {error}") from error
    return context
