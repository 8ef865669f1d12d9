"""`telem-agent demo`: a recorded Claude Code session, replayed over real OTLP into a data folder of its own.

The recording (`demo/*.bin.gz`) is what Claude Code 2.1.330 sent for four scripted sessions against a made-up API: every
name, address and token in it is invented. Its times are moved so that it ends now.
"""

from __future__ import annotations

import gzip
import http.client
import shutil
import time
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from telem.sanitize.records import Signal

from . import control
from .config import load
from .errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from google.protobuf.message import Message

    from .config import Config

DEMO_SUFFIX = "-demo"
"""The demo's folder lies beside the user's, never in it."""

_REQUESTS: dict[Signal, Any] = {
    Signal.LOGS: ExportLogsServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
    Signal.TRACES: ExportTraceServiceRequest,
}
_TIMES = ("time_unix_nano", "observed_time_unix_nano", "start_time_unix_nano", "end_time_unix_nano")


def demo_home(config: Config) -> Path:
    """The demo's data folder."""
    return config.home.with_name(config.home.name + DEMO_SUFFIX)


def demo(config: Config) -> Path:
    """Start a daemon over the demo's folder, replay the recording, print a report, stop it. Returns the folder.

    Raises:
        AgentError: the daemon did not take the recording.
    """
    home = demo_home(config)
    ports = {"otlp_http_port": 0, "otlp_grpc_port": 0, "query_port": 0}
    demo_config = load({"home": str(home), **ports}, {})
    click.echo(f"DEMO: a recorded Claude Code session, in {home}; your own data folder is not touched.", err=True)
    control.stop(demo_config.layout)
    if demo_config.layout.lock.exists():  # an earlier demo's, and nothing else
        shutil.rmtree(home)
    said = control.start(_run_flags(demo_config), demo_config.layout)
    try:
        for signal in Signal:
            _post(said["endpoints"]["otlp_http"], signal, gzip.compress(recording(signal), mtime=0))
        click.echo(f"DEMO: {said['endpoints']['otlp_http']} has taken and stored it.\n", err=True)
    finally:
        control.stop(demo_config.layout)
    return home


def _run_flags(config: Config) -> list[str]:
    ports = ("--otlp-http-port", "--otlp-grpc-port", "--query-port")
    return ["run", "--home", str(config.home), *(part for port in ports for part in (port, "0"))]


def recording(signal: Signal) -> bytes:
    """The recorded requests of one signal as one request, moved in time so that the last record is of now."""
    packed = (resources.files(__package__) / "demo" / f"{signal}.bin.gz").read_bytes()
    request = _REQUESTS[signal].FromString(gzip.decompress(packed))
    late_ns = time.time_ns() - _LAST_NS
    for message in _walk(request):
        _move(message, late_ns // 1_000_000 * 1_000_000)
    return bytes(request.SerializeToString())


_LAST_NS = 1_795_404_075_000_000_000
"""Just after the recording's last record."""


def _walk(message: Message) -> Iterator[Any]:
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in value if field.is_repeated else [value]:
                yield from _walk(part)


def _move(message: Any, late_ns: int) -> None:
    for name in _TIMES:
        if getattr(message, name, 0):
            setattr(message, name, getattr(message, name) + late_ns)
    if getattr(message, "key", "") == "event.timestamp":
        moment = datetime.fromisoformat(message.value.string_value) + timedelta(microseconds=late_ns // 1000)
        millis = moment.astimezone(UTC).isoformat(timespec="milliseconds")
        message.value.string_value = millis.replace("+00:00", "Z")


def _post(endpoint: str, signal: Signal, body: bytes) -> None:
    url = urlsplit(endpoint)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=10)
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
    connection.request("POST", f"/v1/{signal}", body, headers)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    if response.status != http.client.OK:
        raise AgentError(f"the daemon answered {response.status} to the recorded {signal}: {text!r}")
