"""From the SDK's exporters to a plain duckdb shell."""

from __future__ import annotations

import json
import logging
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from tests.daemons import DUCKDB, LiveDaemon, shell, telem, wait_for
from tests.otlp import logs, numbered
from tests.wire import ask

from telem.sanitize.lines import LINE_LIMIT_BYTES
from telem.sanitize.records import Signal

RECORDS = 40
COUNTS = " UNION ALL ".join(f"SELECT '{signal}' AS signal, count(*) AS n FROM raw_{signal}" for signal in Signal)


@pytest.fixture
def ready(live: LiveDaemon) -> LiveDaemon:
    """A daemon whose catalog is there."""
    wait_for(lambda: live.layout.catalog.exists() and live.layout.script.exists())
    return live


def counts(live: LiveDaemon) -> dict[str, int]:
    return {row["signal"]: row["n"] for row in shell(live.home, COUNTS)}


def exporters(protocol: str, live: LiveDaemon) -> tuple[Any, Any, Any]:
    if protocol == "grpc":
        to: dict[str, Any] = {"endpoint": live.endpoints["otlp_grpc"], "insecure": True}
        return GrpcLogs(**to), GrpcMetrics(**to), GrpcSpans(**to)
    squeeze = Compression.Gzip if protocol == "http gzip" else Compression.NoCompression
    base = live.endpoints["otlp_http"]
    return (
        HttpLogs(endpoint=f"{base}/v1/logs", compression=squeeze),
        HttpMetrics(endpoint=f"{base}/v1/metrics", compression=squeeze),
        HttpSpans(endpoint=f"{base}/v1/traces", compression=squeeze),
    )


def export_all(protocol: str, live: LiveDaemon) -> None:
    """Let the SDK send logs, spans and a metric, and wait for its flush."""
    log_exporter, metric_exporter, span_exporter = exporters(protocol, live)
    resource = Resource.create({"service.name": "sdk-test", "team": "core"})
    logger_provider = LoggerProvider(resource)
    logger_provider.add_log_record_processor(BatchLogRecordProcessor(log_exporter))
    logger = logger_provider.get_logger("com.example")
    for number in range(RECORDS):
        logger.emit(body=f"message {number}", attributes={"number": number}, severity_text="INFO")
    meter_provider = MeterProvider([PeriodicExportingMetricReader(metric_exporter, 3_600_000)], resource)
    counter = meter_provider.get_meter("com.example").create_counter("things", unit="1")
    for number in range(RECORDS):
        counter.add(number, {"number": number})
    tracer_provider = TracerProvider(resource=resource)
    tracer_provider.add_span_processor(BatchSpanProcessor(span_exporter))
    for number in range(RECORDS):
        with tracer_provider.get_tracer("com.example").start_as_current_span(f"span {number}") as span:
            span.set_attribute("number", number)
            span.add_event("event", {"k": "v"})
    assert logger_provider.force_flush()
    assert tracer_provider.force_flush()
    for provider in (logger_provider, meter_provider, tracer_provider):  # the meter's shutdown exports once more
        provider.shutdown()


@pytest.mark.parametrize("protocol", ["http", "http gzip", "grpc"])
def test_what_the_sdk_exports_is_in_a_shell_at_once_and_after_compaction(
    protocol: str, ready: LiveDaemon, caplog: pytest.LogCaptureFixture
) -> None:
    """Exact counts and values, from the journal and from Parquet."""
    with caplog.at_level(logging.ERROR):
        export_all(protocol, ready)
    assert not [record for record in caplog.records if record.name.startswith("opentelemetry")]
    wanted = dict.fromkeys(map(str, Signal), RECORDS)
    total = RECORDS * (RECORDS - 1) // 2
    sums = (
        "SELECT (SELECT sum((attributes->>'number')::INT) FROM raw_logs)::INT AS logs, "
        "(SELECT sum(value) FROM raw_metrics)::INT AS metrics, "
        "(SELECT count(DISTINCT name) FROM raw_traces) AS spans, "
        "(SELECT count(*) FROM raw_logs WHERE team = 'core') AS team"
    )
    for _ in range(2):
        assert counts(ready) == wanted
        assert shell(ready.home, sums) == [{"logs": total, "metrics": total, "spans": RECORDS, "team": RECORDS}]
        done = telem(ready.home, "compact")
        assert (done.returncode, done.stderr) == (0, "done\n")
        assert list(ready.layout.parquet(Signal.LOGS).glob("v=*/ingest_day=2*/*.parquet"))


def test_a_row_at_the_length_limit_is_readable(ready: LiveDaemon) -> None:
    """Just below the limit it is kept, above it is cut to what read_json takes: two rows, also in Parquet."""
    for size in (LINE_LIMIT_BYTES - 5_000, LINE_LIMIT_BYTES + 1):
        body = logs({"record.name": "huge", "prompt": "a" * size}).SerializeToString()
        assert ask(ready.port("otlp_http"), body).status == 200
    for _ in range(2):
        assert counts(ready)["logs"] == 2
        assert telem(ready.home, "compact").returncode == 0


def test_an_attribute_that_changes_its_type_spoils_nothing(ready: LiveDaemon) -> None:
    """A number, then a text, an object, a list: each row is stored and answered, in the journal and in Parquet."""
    values: list[Any] = [7, "seven", {"n": 7}, [1, "x"], 1.5, True, "7"]
    for value in values:
        body = logs({"odd.one": value, "input_tokens": value, "session.id": value}).SerializeToString()
        assert ask(ready.port("otlp_http"), body).status == 200
    sql = "SELECT count(*) AS n, count(attributes->'odd.one') AS odd, sum(input_tokens)::INT AS tokens FROM raw_logs"
    for _ in range(2):
        assert shell(ready.home, sql) == [{"n": len(values), "odd": len(values), "tokens": 14}]
        assert telem(ready.home, "compact").returncode == 0
    assert telem(ready.home, "verify", "--deep").returncode == 0


def test_plain_shells_never_meet_a_lock_nor_a_count_that_goes_back(ready: LiveDaemon) -> None:
    """Shells against a daemon that takes in and compacts: each sees every row acknowledged before it was started."""
    port = ready.port("otlp_http")
    acknowledged = 0
    done = threading.Event()

    def send() -> None:
        nonlocal acknowledged
        number = 0
        while not done.is_set():
            number += 1
            assert ask(port, numbered(Signal.LOGS, f"a{number}", f"b{number}")).status == 200
            acknowledged += 2

    def compact() -> None:
        while not done.wait(0.1):
            assert telem(ready.home, "compact").returncode == 0

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(send), pool.submit(compact)]
        before = 0
        try:
            for _ in range(20):
                at_start = acknowledged
                ran = subprocess.run(
                    [
                        str(DUCKDB),
                        "-json",
                        str(ready.layout.catalog),
                        "SELECT count(*) AS n, count(DISTINCT id) AS ids FROM raw_logs",
                    ],
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert ran.returncode == 0, ran.stderr
                ((row),) = json.loads(ran.stdout)
                assert row["n"] == row["ids"]
                assert row["n"] >= at_start
                assert row["n"] >= before
                assert row["n"] <= acknowledged + 2
                before = row["n"]
        finally:
            done.set()
        for one in running:
            one.result()
    assert counts(ready)["logs"] == acknowledged
