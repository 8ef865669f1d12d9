"""Just enough of HTTP/2 to end a connection politely: where frames begin, which streams are open (pure).

The gRPC library can end connections too, but fails a call that crosses its goodbye on the way. Here the goodbye names
the last call that was passed on, and no later one is: the client knows then that nobody has seen it, and sends it
again, over another connection, without telling the program that made it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PREFACE_BYTES = 24
HEADER_BYTES = 9
_DATA, _HEADERS, _RESET, _PROMISE, _GOAWAY, _CONTINUATION = 0, 1, 3, 5, 7, 9
_END_STREAM, _END_HEADERS = 0x1, 0x4
_STREAM_MASK = 0x7FFFFFFF


class Frames:
    """One direction of a connection, as it comes in pieces. A frame's header is held back until it is complete.

    Args:
        judge: given type, flags and stream of a frame, says whether it may pass.
        skip_bytes: what comes before the first frame.
    """

    def __init__(self, judge: Callable[[int, int, int], bool], skip_bytes: int = 0) -> None:
        self._judge = judge
        self._left = skip_bytes
        self._passes = True
        self._held = b""
        self._within_headers = False
        self.begun = False  # a frame has passed

    @property
    def between(self) -> bool:
        """Could another frame be put behind what was passed on?"""
        return self._left == 0 and not self._within_headers

    def feed(self, data: bytes) -> bytes:
        """What is to be passed on of what came."""
        data = self._held + data
        size, at = len(data), 0
        parts = []
        while at < size:
            if not self._left:
                if size - at < HEADER_BYTES:
                    break
                self._left = HEADER_BYTES + int.from_bytes(data[at : at + 3], "big")
                self._begin(data[at + 3], data[at + 4], int.from_bytes(data[at + 5 : at + 9], "big") & _STREAM_MASK)
            end = min(size, at + self._left)
            if self._passes:
                parts.append(data[at:end])
            self._left -= end - at
            at = end
        self._held = data[at:]
        return b"".join(parts)

    def _begin(self, kind: int, flags: int, stream: int) -> None:
        self._passes = self._judge(kind, flags, stream)
        self.begun = self.begun or self._passes
        if kind in (_HEADERS, _PROMISE, _CONTINUATION):
            self._within_headers = not flags & _END_HEADERS


class Streams:
    """Both directions of a connection to our gRPC server."""

    def __init__(self) -> None:
        self.leaving = False
        self._said = False
        self._last = 0
        self._open: set[int] = set()
        self._ending: int | None = None
        self._client = Frames(self._judge_client, PREFACE_BYTES)
        self._server = Frames(self._judge_server)

    @property
    def quiet(self) -> bool:
        """Has everything that was passed on been answered?"""
        return not self._open and self._server.between

    def from_client(self, data: bytes) -> bytes:
        """What goes to the server of what the client sent."""
        return self._client.feed(data)

    def from_server(self, data: bytes) -> bytes:
        """What goes to the client of what the server sent."""
        return self._server.feed(data) + self._goodbye()

    def leave(self) -> bytes:
        """Pass on no further calls; returns what is to be sent to the client at once."""
        self.leaving = True
        return self._goodbye()

    def _goodbye(self) -> bytes:
        """A GOAWAY between two frames, after the server's first: the client expects its settings before all else."""
        if not self.leaving or self._said or not self._server.begun or not self._server.between:
            return b""
        self._said = True
        return b"\x00\x00\x08" + bytes([_GOAWAY, 0]) + b"\x00" * 4 + self._last.to_bytes(4, "big") + b"\x00" * 4

    def _judge_client(self, kind: int, _flags: int, stream: int) -> bool:
        if kind == _HEADERS and stream > self._last and not self._said:
            self._last = stream
            self._open.add(stream)
        elif kind == _RESET:
            self._open.discard(stream)
        return stream <= self._last

    def _judge_server(self, kind: int, flags: int, stream: int) -> bool:
        if kind == _RESET or (kind in (_DATA, _HEADERS) and flags & _END_STREAM):
            self._open.discard(stream)
        return not (kind == _GOAWAY and self.leaving)  # ours has the say: the last call may not grow again
