"""The OTLP/gRPC door; the only file that imports grpc.

Messages pass through as bytes: the decoder is the same as for HTTP. grpc listens on a private Unix socket, and the
switchboard hands it the connections of our ports that speak HTTP/2.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import grpc
from grpc import aio

from telem.sanitize.records import Encoding, RawRequest, Signal

from .errors import EXPECTED_OF_REQUESTS as EXPECTED
from .errors import answer

if TYPE_CHECKING:
    from .ingest import Ingest

METHODS = {
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export": Signal.LOGS,
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": Signal.METRICS,
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": Signal.TRACES,
}
_EMPTY = b""
"""Every Export…ServiceResponse without a partial_success is the empty message."""

STOP_GRACE_S = 3.0

log = logging.getLogger(__name__)


class OtlpGrpc(grpc.GenericRpcHandler):
    """Serves the three Export methods."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        """The handler of a method; None answers UNIMPLEMENTED."""
        signal = METHODS.get(details.method)
        if signal is None:
            return None

        async def export(message: bytes, context: aio.ServicerContext[bytes, bytes]) -> bytes:
            try:
                await self._ingest.accept(RawRequest(signal, Encoding.PROTOBUF, message, time.time_ns()))
            except Exception as error:
                if not isinstance(error, EXPECTED):
                    log.exception("a request to %s failed", details.method)
                await context.abort(grpc.StatusCode[answer(error).grpc_code], str(error))
            return _EMPTY

        return grpc.unary_unary_rpc_method_handler(export)


async def start(ingest: Ingest, address: str, limit_bytes: int) -> aio.Server:
    """Start serving on a `unix:` address."""
    server = aio.server(
        handlers=(OtlpGrpc(ingest),),
        options=[
            ("grpc.max_receive_message_length", limit_bytes),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
            ("grpc.http2.max_ping_strikes", 0),
            ("grpc.max_concurrent_streams", 256),
            ("grpc.max_metadata_size", 16 * 1024),
        ],
    )
    server.add_insecure_port(address)
    await server.start()
    return server


def export(address: str, method: str, message: bytes, timeout_s: float = 30.0) -> str:
    """Send one message as a client would; the name of the status it got, OK when it was taken."""
    with grpc.insecure_channel(address) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
        try:
            call(message, timeout=timeout_s)
        except grpc.RpcError as error:
            return str(error.code().name)
    return "OK"
