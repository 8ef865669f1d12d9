"""A client that remembers what was acknowledged, and what came back in the end."""

from __future__ import annotations

import http.client
import itertools
from collections import Counter
from typing import TYPE_CHECKING

import orjson
from tests.faults.load import rows
from tests.otlp import logs

from telem.sanitize.records import Signal

if TYPE_CHECKING:
    from pathlib import Path

SESSION = "00000000-0000-4000-8000-00000000000{}"


class Client:
    """Sends numbered records, each request once; says what came of it."""

    def __init__(self, session: int = 1, padding: int = 0) -> None:
        self.session = SESSION.format(session)
        self.acknowledged: list[str] = []
        self.answers: Counter[int] = Counter()
        self._padding = padding
        self._numbers = itertools.count()

    def send(self, port: int, records: int = 3, timeout_s: float = 30.0) -> int:
        """Send a request; the status of the answer, 0 for none."""
        names = [f"{self.session[-1]}.{next(self._numbers)}" for _ in range(records)]
        status = self.post(port, self._made(names), timeout_s)
        self.answers[status] += 1
        if status == http.client.OK:
            self.acknowledged += names
        return status

    def body(self) -> bytes:
        """A request, to be sent more than once."""
        return self._made([f"{self.session[-1]}.again"])

    def _made(self, names: list[str]) -> bytes:
        text = "word " * self._padding
        records = [{"record.name": name, "session.id": self.session, "x": text} for name in names]
        return logs(*records).SerializeToString()

    @staticmethod
    def post(port: int, body: bytes, timeout_s: float = 30.0) -> int:
        """The status of the answer, 0 for none. A refusal must say that it is for now."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
        try:
            connection.request("POST", "/v1/logs", body, {"Content-Type": "application/x-protobuf"})
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            return 0
        else:
            if response.status != http.client.OK:
                assert response.getheader("Retry-After") == "1", response.status
            return response.status
        finally:
            connection.close()


def kept(home: Path) -> Counter[str]:
    """How often each record is there, by its name."""
    return Counter(orjson.loads(row["attributes"])["record.name"] for row in rows(home, Signal.LOGS))
