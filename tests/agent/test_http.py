"""OTLP/HTTP as the specification has it, over real sockets."""

from __future__ import annotations

import gzip
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import orjson
import pytest
import zstandard
from tests.daemons import LiveDaemon, journal_rows, names
from tests.otlp import GOLDENS, golden, logs, numbered
from tests.sanitize.test_decode import to_json
from tests.wire import JSON, PROTOBUF, Line, ask, request

from telem.sanitize.records import Signal

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 8 * 1024 * 1024  # of the served daemon

_count = 0


def fresh_name() -> str:
    global _count  # noqa: PLW0603
    _count += 1
    return f"http-{_count}"


def stored(served: LiveDaemon, name: str) -> int:
    """How many rows of this name the journal holds."""
    return names([row for row in journal_rows(served.home) if "record.name" in row["attributes"]]).count(name)


@pytest.fixture
def port(served: LiveDaemon) -> int:
    return served.port("otlp_http")


# -- success -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", list(Signal))
def test_protobuf_is_answered_in_protobuf(signal: Signal, port: int) -> None:
    """200, the same content type back, and an empty Export…ServiceResponse."""
    answer = ask(port, numbered(signal, fresh_name()), f"/v1/{signal}")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, PROTOBUF, b"")


@pytest.mark.parametrize("name", [name for name in GOLDENS if name.endswith(".json")])
def test_json_is_answered_in_json(name: str, port: int) -> None:
    """The same for JSON, with what a real client sent."""
    found = golden(name)
    answer = ask(port, found.body, f"/v1/{found.signal}", content_type=JSON)
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, JSON, b"{}")


@pytest.mark.parametrize("name", GOLDENS)
def test_every_captured_client_is_accepted(name: str, port: int) -> None:
    """Claude Code old and new, Codex, Gemini."""
    found = golden(name)
    content_type = JSON if name.endswith("json") else PROTOBUF
    assert ask(port, found.body, f"/v1/{found.signal}", content_type=content_type).status == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-protobuf",
        "Application/X-Protobuf",
        "application/x-protobuf; charset=utf-8",
        "application/x-protobuf;x=1",
    ],
)
def test_content_types_may_have_parameters_and_any_case(content_type: str, served: LiveDaemon, port: int) -> None:
    """Media types are case-insensitive."""
    name = fresh_name()
    assert ask(port, numbered(Signal.LOGS, name), content_type=content_type).status == 200
    assert stored(served, name) == 1


@pytest.mark.parametrize("path", ["/v1/logs", "/v1/metrics", "/v1/traces"])
def test_an_empty_request_is_a_success(path: str, port: int) -> None:
    """No bytes in protobuf, no members in JSON, empty envelopes: nothing to store, nothing wrong."""
    assert ask(port, b"", path).status == 200
    assert ask(port, b"{}", path, content_type=JSON).status == 200
    assert ask(port, b"\x0a\x00", path).status == 200


def test_a_query_in_the_url_does_not_matter(port: int) -> None:
    """The path decides."""
    assert ask(port, path="/v1/logs?x=1").status == 200


# -- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "content_type"), [(b"\xff\xff\xff", PROTOBUF), (b"{", JSON), (b"[]", JSON), (b" ", JSON)]
)
def test_what_cannot_be_decoded_is_400_with_a_status_in_the_same_encoding(
    body: bytes, content_type: str, port: int
) -> None:
    """Clients do not retry a 400, and may show its message."""
    answer = ask(port, body, content_type=content_type)
    code, message = answer.said()
    assert (answer.status, answer.headers["content-type"]) == (400, content_type)
    assert code == 3
    assert message
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "application/grpc", "json"]
)
def test_other_content_types_are_415(content_type: str | None, port: int) -> None:
    """Above all those that a web page may send without asking."""
    answer = ask(port, b"{}", content_type=content_type)
    assert answer.status == 415
    assert answer.said()[1]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_405_and_post_is_named(method: str, port: int) -> None:
    """With the Allow header that HTTP asks for."""
    answer = ask(port, b"", method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert answer.said()[1]


@pytest.mark.parametrize(
    "path", ["/", "/v1/", "/v1/log", "/v1/logs/", "/v2/logs", "/v1development/profiles", "/V1/LOGS", "/%00"]
)
def test_other_paths_are_404(path: str, port: int) -> None:
    """And the message names the right ones."""
    answer = ask(port, b"", path)
    assert answer.status == 404
    assert "/v1/logs" in answer.said()[1]


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1:1"},
        {"host": "127.0.0.1.evil.example"},
        {"host": ""},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:1"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
    ids=str,
)
def test_web_pages_and_foreign_hosts_are_refused(headers: dict[str, str], served: LiveDaemon, port: int) -> None:
    """Host, Origin and Sec-Fetch-Site tell a page from a program; nothing of such a request is stored."""
    name = fresh_name()
    answer = ask(port, numbered(Signal.LOGS, name), **headers)
    assert answer.status == 403
    assert "access-control-allow-origin" not in answer.headers
    assert stored(served, name) == 0


def test_a_preflight_gets_no_permission(port: int) -> None:
    """No CORS headers at all."""
    answer = ask(port, method="OPTIONS", origin="http://evil.example", access_control_request_method="POST")
    assert answer.status == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_our_own_names_are_accepted(port: int) -> None:
    """With and without the port, upper case included."""
    for host in (f"localhost:{port}", "localhost", "127.0.0.1", f"[::1]:{port}", f"LOCALHOST:{port}"):
        assert ask(port, host=host).status == 200
    assert ask(port, origin=f"http://localhost:{port}", sec_fetch_site="same-origin").status == 200


# -- compression ---------------------------------------------------------------------------------------------------


def _raw_deflate(data: bytes) -> bytes:
    squeezer = zlib.compressobj(wbits=-15)
    return squeezer.compress(data) + squeezer.flush()


_SQUEEZE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "GZIP": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
    "identity": bytes,
    "": bytes,
}


@pytest.mark.parametrize("coding", list(_SQUEEZE))
def test_each_compression_is_understood(coding: str, served: LiveDaemon, port: int) -> None:
    """Gzip and none are required, the others are courtesy."""
    name = fresh_name()
    assert ask(port, _SQUEEZE[coding](numbered(Signal.LOGS, name)), content_encoding=coding).status == 200
    assert stored(served, name) == 1


def test_bare_deflate_is_understood(served: LiveDaemon, port: int) -> None:
    """Some clients send it without zlib's wrapping."""
    name = fresh_name()
    assert ask(port, _raw_deflate(numbered(Signal.LOGS, name)), content_encoding="deflate").status == 200
    assert stored(served, name) == 1


@pytest.mark.parametrize("coding", ["br", "snappy", "gzip, gzip", "lz4"])
def test_unknown_compressions_are_415(coding: str, port: int) -> None:
    """We say what would be understood."""
    answer = ask(port, b"xx", content_encoding=coding)
    assert answer.status == 415
    assert "gzip" in answer.said()[1]


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
def test_broken_and_truncated_compression_is_400(coding: str, served: LiveDaemon, port: int) -> None:
    """A part of a request must not pass for the whole."""
    name = fresh_name()
    whole = _SQUEEZE[coding](numbered(Signal.LOGS, name))
    assert ask(port, b"not compressed at all", content_encoding=coding).status == 400
    for size in (0, 1, len(whole) // 2, len(whole) - 1):
        assert ask(port, whole[:size], content_encoding=coding).status == 400
    assert stored(served, name) == 0


# -- sizes ---------------------------------------------------------------------------------------------------------


def test_a_body_up_to_the_limit_is_read_and_one_above_is_413(port: int) -> None:
    """The announced size alone is enough to refuse."""
    padding = LIMIT - len(logs({"x": ""}, time_ns=1).SerializeToString()) - 20
    body = logs({"x": "a" * padding}, time_ns=1).SerializeToString()
    assert LIMIT - 100 < len(body) <= LIMIT
    assert ask(port, body).status == 200
    with Line(port) as line:
        line.send(request(port, b"", content_length=str(LIMIT + 1)))
        answer = line.answer()
    assert answer.status == 413
    assert str(LIMIT) in answer.said()[1]


def test_an_unannounced_body_above_the_limit_is_413(port: int) -> None:
    """Chunked bodies are counted while they come."""
    with Line(port) as line:
        line.send(request(port, content_length=None, transfer_encoding="chunked"))
        chunk = b"100000\r\n" + b"\x00" * 0x100000 + b"\r\n"
        try:
            for _ in range(LIMIT // 0x100000 + 2):
                line.send(chunk)
        except (ConnectionResetError, BrokenPipeError):
            pass  # it may hang up on us rather than read on
        assert line.answer().status == 413


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
def test_a_bomb_is_413(coding: str, port: int) -> None:
    """A small body that unpacks to more than the limit."""
    started_s = time.monotonic()
    assert ask(port, _SQUEEZE[coding](b"\0" * (LIMIT * 4)), content_encoding=coding).status == 413
    assert time.monotonic() - started_s < 5


# -- connections ---------------------------------------------------------------------------------------------------


def test_a_chunked_body_is_put_together(served: LiveDaemon, port: int) -> None:
    """Claude Code up to 2.1.195 and Gemini send chunks."""
    name = fresh_name()
    body = numbered(Signal.LOGS, name)
    with Line(port) as line:
        line.send(request(port, content_length=None, transfer_encoding="chunked"))
        for at in range(0, len(body), 50):
            piece = body[at : at + 50]
            line.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        line.send(b"0\r\n\r\n")
        assert line.answer().status == 200
    assert stored(served, name) == 1


def test_expect_100_continue_is_answered_before_the_body(served: LiveDaemon, port: int) -> None:
    """And not at all for a body that is refused anyway."""
    name = fresh_name()
    body = numbered(Signal.LOGS, name)
    with Line(port) as line:
        line.send(request(port, b"", content_length=str(len(body)), expect="100-continue"))
        assert line.answer().status == 100
        line.send(body)
        assert line.answer().status == 200
    assert stored(served, name) == 1
    with Line(port) as line:
        line.send(request(port, b"", content_length=str(len(body)), expect="100-continue", content_type="text/plain"))
        assert line.answer().status == 415


def test_a_connection_stays_open_between_requests(port: int) -> None:
    """Exporters keep one connection for all; half a second's silence does not end it."""
    with Line(port) as line:
        for signal in (*Signal, Signal.LOGS):
            assert line.ask(numbered(signal, fresh_name()), f"/v1/{signal}").status == 200
            time.sleep(0.2)
        assert line.ask(b"{", content_type=JSON).status == 400
        assert line.ask(b"{}", content_type=JSON).status == 200


def test_the_client_may_close_when_it_likes(port: int) -> None:
    """`Connection: close` is honoured."""
    with Line(port) as line:
        assert line.ask(connection="close").status == 200
        assert line.is_closed()


def test_pipelined_requests_are_answered_in_order(served: LiveDaemon, port: int) -> None:
    """Five requests in one go, among them a bad one."""
    wanted = [fresh_name() for _ in range(4)]
    whole = b"".join(request(port, numbered(Signal.LOGS, name)) for name in wanted[:2])
    whole += request(port, b"\xff")
    whole += b"".join(request(port, numbered(Signal.LOGS, name)) for name in wanted[2:])
    with Line(port) as line:
        line.send(whole)
        assert [line.answer().status for _ in range(5)] == [200, 200, 400, 200, 200]
    assert [stored(served, name) for name in wanted] == [1] * 4


def test_a_request_may_come_byte_by_byte(served: LiveDaemon, port: int) -> None:
    """A slow client is served, also in its first bytes, where the protocol is told."""
    name = fresh_name()
    with Line(port) as line:
        for byte in request(port, numbered(Signal.LOGS, name)):
            line.send(bytes([byte]))
        assert line.answer().status == 200
    assert stored(served, name) == 1


def test_content_length_with_transfer_encoding_is_refused(served: LiveDaemon, port: int) -> None:
    """Two lengths are how requests are smuggled."""
    name = fresh_name()
    body = numbered(Signal.LOGS, name)
    with Line(port) as line:
        line.send(
            request(port, b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body), transfer_encoding="chunked", content_length="5")
        )
        assert line.answer().status == 400
        assert line.is_closed()
    assert stored(served, name) == 0


@pytest.mark.parametrize(
    "text",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50),
        b"GET\r\n\r\n",
        b"POST /v1/logs HTTP/9.9\r\n\r\n",
        b"POST /v1/logs HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"POST /v1/logs HTTP/1.1\r\n" + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
    ],
    ids=["tls", "no version", "version", "length", "long header"],
)
def test_what_is_not_http_is_400_or_hung_up_on(text: bytes, port: int) -> None:
    """Never 5xx, and the daemon lives on."""
    with Line(port) as line:
        line.send(text)
        first = line.file.readline()
    assert first == b"" or b" 400 " in first
    assert ask(port).status == 200


def test_fifty_requests_at_once_are_all_stored(served: LiveDaemon, port: int) -> None:
    """Each on a connection of its own."""
    wanted = [fresh_name() for _ in range(50)]
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda name: ask(port, numbered(Signal.LOGS, name)).status, wanted))
    assert answers == [200] * 50
    found = names([row for row in journal_rows(served.home) if "record.name" in row["attributes"]])
    assert {found.count(name) for name in wanted} == {1}


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf{}",
        '{"resourceLogs":[]}'.encode("utf-16"),
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"\\ud800"}}]}]}]}',
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"\xff"}}]}]}]}',
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"\\u0000"}}]}]}]}',
        b'{"resourceLogs":' + b"[" * 100_000,
    ],
    ids=["bom", "utf-16", "surrogate", "bytes", "nul", "deep"],
)
def test_odd_text_is_200_or_400(body: bytes, port: int) -> None:
    """Whatever stands in it, never 5xx."""
    assert ask(port, body, content_type=JSON).status in (200, 400)


def test_a_client_that_goes_away_in_its_body_stores_nothing(served: LiveDaemon, port: int) -> None:
    """Half a request is no request, and no fault of the daemon."""
    name = fresh_name()
    body = numbered(Signal.LOGS, name)
    with Line(port) as line:
        line.send(request(port, body)[:-5])
    time.sleep(0.1)
    assert stored(served, name) == 0
    assert ask(port, body).status == 200


def test_both_encodings_of_a_request_make_equal_rows(served: LiveDaemon, port: int) -> None:
    """What the journal holds does not tell how it came."""
    name = fresh_name()
    message = logs({"record.name": name, "n": 5, "x": [1.5, None, {"a": True}]}, time_ns=1_700_000_000_000_000_000)
    ask(port, message.SerializeToString())
    ask(port, to_json(message), content_type=JSON)
    one, other = [row for row in journal_rows(served.home) if row["attributes"].get("record.name") == name]
    assert {**one, "received_at": 0} == {**other, "received_at": 0}
    assert orjson.dumps(one["attributes"]) == orjson.dumps(other["attributes"])
