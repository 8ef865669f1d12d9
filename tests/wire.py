"""HTTP/1.1 by hand, so that a test can say what no client library would."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Self

import orjson
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

PROTOBUF = "application/x-protobuf"
JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    headers: dict[str, str]
    body: bytes

    def said(self) -> tuple[int, str]:
        """Code and message of the google.rpc.Status in the body."""
        if self.headers["content-type"].startswith(JSON):
            status = orjson.loads(self.body)
            return status["code"], status["message"]
        assert self.headers["content-type"] == PROTOBUF
        found = Status.FromString(self.body)
        return found.code, found.message


class Line:
    """A connection."""

    def __init__(self, port: int, timeout_s: float = 60.0) -> None:
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port), timeout_s)
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> Answer:
        """Read one response."""
        first = self.file.readline()
        assert first.startswith(b"HTTP/1."), first
        headers = {}
        while (line := self.file.readline().strip()) != b"":
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        size = int(headers.get("content-length", 0))
        return Answer(int(first.split()[1]), headers, self.file.read(size))

    def is_closed(self) -> bool:
        """Nothing more comes, and the other side has ended the connection."""
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True

    def ask(self, body: bytes = b"", path: str = "/v1/logs", method: str = "POST", **headers: str | None) -> Answer:
        """Send a request and read its response."""
        self.send(request(self.port, body, path, method, **headers))
        return self.answer()


def request(port: int, body: bytes = b"", path: str = "/v1/logs", method: str = "POST", **headers: str | None) -> bytes:
    """A request; headers by name with underscores, None leaves a usual one out."""
    found: dict[str, str | None] = {
        "host": f"127.0.0.1:{port}",
        "content-type": PROTOBUF,
        "content-length": str(len(body)),
    }
    found.update({name.replace("_", "-"): value for name, value in headers.items()})
    lines = "".join(f"{name}: {value}\r\n" for name, value in found.items() if value is not None)
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body


def ask(port: int, body: bytes = b"", path: str = "/v1/logs", method: str = "POST", **headers: str | None) -> Answer:
    """One request on a connection of its own."""
    with Line(port) as line:
        return line.ask(body, path, method, **headers)
