"""A closed-loop OTLP/HTTP load: some connections, each sending its next request when the last is answered."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass
class Outcome:
    """What a load came to."""

    requests: int = 0
    errors: int = 0
    wall_s: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies_ms)
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)


async def _connection(endpoint: str, bodies: Iterator[bytes], outcome: Outcome, token: str = "") -> None:
    url = urlsplit(endpoint)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    head = f"POST /v1/logs HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/x-protobuf\r\n"
    head += f"Authorization: Bearer {token}\r\nContent-Length: " if token else "Content-Length: "
    try:
        for body in bodies:
            began = time.perf_counter()
            writer.write(f"{head}{len(body)}\r\n\r\n".encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = answer.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
            if length.strip():
                await reader.readexactly(int(length))
            elif b"chunked" in answer:
                await reader.readuntil(b"0\r\n\r\n")
            outcome.latencies_ms.append((time.perf_counter() - began) * 1000)
            outcome.requests += 1
            outcome.errors += not answer.startswith(b"HTTP/1.1 200")
    finally:
        writer.close()


async def _run(endpoint: str, bodies: Sequence[bytes], connections: int) -> Outcome:
    outcome = Outcome()
    shared = iter(bodies)
    began = time.perf_counter()
    await asyncio.gather(*(_connection(endpoint, shared, outcome) for _ in range(connections)))
    outcome.wall_s = time.perf_counter() - began
    return outcome


def run(endpoint: str, bodies: Sequence[bytes], connections: int) -> Outcome:
    """Send every body once; return when all are answered."""
    return asyncio.run(_run(endpoint, bodies, connections))


async def _run_members(endpoint: str, bodies: dict[str, list[bytes]]) -> Outcome:
    outcome = Outcome()
    began = time.perf_counter()
    await asyncio.gather(*(_connection(endpoint, iter(own), outcome, token) for token, own in bodies.items()))
    outcome.wall_s = time.perf_counter() - began
    return outcome


def run_members(endpoint: str, bodies: dict[str, list[bytes]]) -> Outcome:
    """Send each member's bodies over a connection of her own; `bodies` by token."""
    return asyncio.run(_run_members(endpoint, bodies))
