"""ClickHouse's engine behind HTTP, started and killed by tests."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "s3cret"


@contextlib.contextmanager
def clickhouse(folder: Path, *cut: int) -> Iterator[int]:
    """A front in a process of its own; yields its port."""
    script = Path(__file__).with_name("clickhouse_front.py")
    process = subprocess.Popen(
        [sys.executable, str(script), str(folder), *map(str, cut)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(20)


class Engine:
    """A front that can be killed and comes back on the same port.

    Args:
        within: a command that executes it elsewhere, `ip netns exec NAME`; it listens on every address there.
    """

    def __init__(self, folder: Path, port: int = 0, within: tuple[str, ...] = ()) -> None:
        self._folder = folder
        self._within = within
        self.port = port
        self._start()

    def _start(self) -> None:
        script = Path(__file__).with_name("clickhouse_front.py")
        self._process = subprocess.Popen(
            [*self._within, sys.executable, str(script), str(self._folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "FRONT_PORT": str(self.port), "FRONT_HOST": "0.0.0.0" if self._within else "127.0.0.1"},
        )
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())

    def crash(self) -> None:
        """Kill it without a word, and start it again."""
        self._process.kill()
        self._end()
        self._start()

    def ask(self, sql: str) -> list[list[Any]]:
        """Rows of a question."""
        return there(self.port, sql)

    def close(self) -> None:
        self._end()

    def _end(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        self._process.wait(60)


def there(port: int, sql: str) -> list[list[Any]]:
    """Rows of a question asked over there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/?database=telemetry", sql.encode(), {"X-ClickHouse-Key": PASSWORD})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    assert response.status == 200, text
    return [list(json.loads(line).values()) for line in text.splitlines()]
