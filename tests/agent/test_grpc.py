"""OTLP/gRPC with a real channel, and both protocols on each other's port."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import grpc
import pytest
from tests.daemons import CLI, LiveDaemon, journal_rows, names, wait_for
from tests.otlp import GOLDENS, METHODS, golden, logs, numbered
from tests.wire import ask

from telem.sanitize.records import Signal

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 8 * 1024 * 1024
_numbers = itertools.count()


def fresh_name() -> str:
    return f"grpc-{next(_numbers)}"


def stored(served: LiveDaemon, name: str, signal: Signal = Signal.LOGS) -> int:
    rows = [row for row in journal_rows(served.home, signal) if "record.name" in row["attributes"]]
    return names(rows).count(name)


def channel_to(port: int) -> grpc.Channel:
    size = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    return grpc.insecure_channel(f"127.0.0.1:{port}", options=size)


@pytest.fixture(scope="module")
def channel(served: LiveDaemon) -> Iterator[grpc.Channel]:
    with channel_to(served.port("otlp_grpc")) as opened:
        yield opened


def export(channel: grpc.Channel, signal: Signal, body: bytes, compression: grpc.Compression | None = None) -> bytes:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHODS[signal])
    return bytes(call(body, timeout=60, compression=compression, wait_for_ready=True))


def code_of(channel: grpc.Channel, method: str, body: bytes) -> grpc.StatusCode:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
    with pytest.raises(grpc.RpcError) as caught:
        call(body, timeout=60, wait_for_ready=True)
    found = caught.value.code()
    assert isinstance(found, grpc.StatusCode)
    return found


@pytest.mark.parametrize("signal", list(Signal))
def test_each_signal_is_stored_and_answered_with_the_empty_message(
    signal: Signal, channel: grpc.Channel, served: LiveDaemon
) -> None:
    """No partial_success, no bytes."""
    name = fresh_name()
    assert export(channel, signal, numbered(signal, name)) == b""
    assert stored(served, name, signal) == 1


def test_gzip_is_understood(channel: grpc.Channel, served: LiveDaemon) -> None:
    """Gemini asks for it."""
    name = fresh_name()
    assert export(channel, Signal.LOGS, numbered(Signal.LOGS, name), grpc.Compression.Gzip) == b""
    assert stored(served, name) == 1


@pytest.mark.parametrize("signal", list(Signal))
def test_an_empty_request_is_a_success(signal: Signal, channel: grpc.Channel) -> None:
    """Nothing to store, nothing wrong."""
    assert export(channel, signal, b"") == b""


@pytest.mark.parametrize("name", [name for name in GOLDENS if name.endswith(".pb")])
def test_every_captured_client_is_accepted(name: str, channel: grpc.Channel) -> None:
    """The same messages as over HTTP."""
    found = golden(name)
    assert export(channel, found.signal, found.body) == b""


def test_five_mebibytes_are_accepted(channel: grpc.Channel, served: LiveDaemon) -> None:
    """Grpc's own default would stop at four."""
    name = fresh_name()
    assert (
        export(channel, Signal.LOGS, logs({"record.name": name, "x": "a" * 5 * 1024 * 1024}).SerializeToString()) == b""
    )
    assert stored(served, name) == 1


def test_above_the_limit_is_resource_exhausted(channel: grpc.Channel) -> None:
    """Also when it was small on the wire; the connection lives on."""
    assert code_of(channel, METHODS[Signal.LOGS], b"\0" * (LIMIT + 1)) is grpc.StatusCode.RESOURCE_EXHAUSTED
    with pytest.raises(grpc.RpcError) as caught:
        export(channel, Signal.LOGS, bytes(LIMIT * 4), grpc.Compression.Gzip)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert export(channel, Signal.LOGS, b"") == b""


@pytest.mark.parametrize("body", [b"\xff\xff\xff", b"{}", b"\x0a\xff"])
def test_what_cannot_be_decoded_is_invalid_argument(body: bytes, channel: grpc.Channel) -> None:
    """Which clients do not retry."""
    assert code_of(channel, METHODS[Signal.LOGS], body) is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "method",
    [
        "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
        "/opentelemetry.proto.collector.logs.v1.LogsService/Import",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/x/y",
    ],
)
def test_other_methods_are_unimplemented(method: str, channel: grpc.Channel) -> None:
    """Profiles included."""
    assert code_of(channel, method, b"") is grpc.StatusCode.UNIMPLEMENTED


def test_many_calls_at_once_are_all_stored(channel: grpc.Channel, served: LiveDaemon) -> None:
    """A hundred on one connection."""
    wanted = [fresh_name() for _ in range(100)]
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHODS[Signal.LOGS])
    futures = [call.future(numbered(Signal.LOGS, name), timeout=60) for name in wanted]
    assert [future.result() for future in futures] == [b""] * 100
    rows = names([row for row in journal_rows(served.home) if "record.name" in row["attributes"]])
    assert {rows.count(name) for name in wanted} == {1}


# -- the wrong port ------------------------------------------------------------------------------------------------


def test_both_protocols_are_served_on_either_port_and_the_mistake_is_shown(home: object, live: LiveDaemon) -> None:
    """A client with the other protocol's port loses nothing, and `status` names it."""
    import subprocess

    with channel_to(live.port("otlp_http")) as channel:
        assert export(channel, Signal.LOGS, numbered(Signal.LOGS, "grpc on http")) == b""
        big = logs({"record.name": "big", "x": "a" * 6 * 1024 * 1024}).SerializeToString()
        assert export(channel, Signal.LOGS, big) == b""
    assert ask(live.port("otlp_grpc"), numbered(Signal.LOGS, "http on grpc")).status == 200
    assert sorted(names(journal_rows(live.home))) == ["big", "grpc on http", "http on grpc"]
    done = subprocess.run([*CLI, "status", "--home", str(live.home)], capture_output=True, text=True, check=True)
    assert "1 connections spoke gRPC on the HTTP port" in done.stdout
    assert "1 connections spoke HTTP on the gRPC port" in done.stdout
    log = (live.layout.logs / "daemon.log").read_text()
    assert log.count("which is the HTTP port") == 1


def test_a_right_call_is_no_mistake(live: LiveDaemon) -> None:
    """Nothing is counted when everybody uses their own port."""
    import subprocess

    with channel_to(live.port("otlp_grpc")) as channel:
        export(channel, Signal.LOGS, b"")
    ask(live.port("otlp_http"))
    done = subprocess.run([*CLI, "status", "--home", str(live.home)], capture_output=True, text=True, check=True)
    assert "spoke" not in done.stdout


def test_the_grpc_socket_is_private_and_goes_with_the_daemon(live: LiveDaemon) -> None:
    """It lies in a folder of its own, which only its owner may enter, and is removed at the end."""
    from pathlib import Path

    inodes = Path("/proc/net/unix")
    if not inodes.exists():
        pytest.skip("only Linux lists its sockets")
    with channel_to(live.port("otlp_grpc")) as opened:  # the door opens for the first client
        export(opened, Signal.LOGS, b"")
    paths = {
        Path(line.split()[-1])
        for line in inodes.read_text().splitlines()
        if line.endswith("/grpc") and "/telem-" in line
    }
    ours = [path for path in paths if path.exists()]
    assert ours
    assert all(path.parent.stat().st_mode & 0o777 == 0o700 for path in ours)
    before = {path for path in ours if path.exists()}
    assert live.stop() == 0
    wait_for(lambda: any(not path.exists() for path in before))
