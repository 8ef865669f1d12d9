"""A stand-in for the Anthropic API on loopback: every prompt is answered "OK." with a fixed usage."""

from __future__ import annotations

import itertools
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

USAGE = {"input_tokens": 12, "cache_creation_input_tokens": 4800, "cache_read_input_tokens": 0, "output_tokens": 8}
_NUMBERS = itertools.count(1)


class FakeApi:
    """Serves until the end of the `with` block. As a proxy it refuses: nothing leaves the machine."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        if not self.path.partition("?")[0].endswith("/messages"):
            self._answer(404, "application/json", b"{}")
        elif asked.get("stream"):
            events = "".join(f"event: {part['type']}\ndata: {json.dumps(part)}\n\n" for part in _parts(asked["model"]))
            self._answer(200, "text/event-stream", events.encode())
        else:
            whole = {
                **_message(asked["model"]),
                "content": [{"type": "text", "text": "OK."}],
                "stop_reason": "end_turn",
            }
            self._answer(200, "application/json", json.dumps(whole).encode())

    def do_GET(self) -> None:
        self._answer(404, "application/json", b"{}")

    def do_CONNECT(self) -> None:
        self._answer(403, "text/plain", b"")

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("request-id", f"req_{next(_NUMBERS):024d}")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the library)
        """Say nothing."""


def _message(model: str) -> dict[str, Any]:
    number = f"msg_{next(_NUMBERS):024d}"
    end: dict[str, Any] = {"stop_reason": None, "stop_sequence": None}
    return {"type": "message", "role": "assistant", "id": number, "model": model, "content": [], "usage": USAGE, **end}


def _parts(model: str) -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": _message(model)}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "OK."}}
    yield {"type": "content_block_stop", "index": 0}
    yield {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": USAGE}
    yield {"type": "message_stop"}
