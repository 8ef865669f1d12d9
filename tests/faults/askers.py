"""Those who go on asking while days turn, are merged, closed, removed, and sessions purged; and judge the answers.

A number is right when it lies between what was acknowledged before the question and what was sent until its answer,
session by session; less only where a purge or retention took something away.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import duckdb
from tests.daemons import DUCKDB

from telem.sanitize.records import Signal
from telem.storage import rollups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.daemons import LiveDaemon
    from tests.faults.storm import Storm

RAW = "SELECT session_id, count(*) AS n FROM raw_logs GROUP BY 1"
TOTALS = "SELECT session_id, coalesce(sum(requests), 0)::BIGINT AS n FROM usage_days GROUP BY 1"
TWICE = "SELECT 'twice' AS session_id, count(*) - count(DISTINCT id) AS n FROM raw_logs"
QUESTIONS = (RAW, TOTALS, TWICE)
LOCKED = ("lock",)
LOUD = ("No such file", "No files found", "Cannot open file", "does not exist", "cannot be read")
"""A file that a purge, a merge or retention has just replaced: loud, and right when it is asked again."""

STAYS_S = 10.0


class Hour:
    """Many may be at their questions, or one moves the clocks while nobody is."""

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self._asking = 0
        self._moving = False

    @contextmanager
    def asking(self) -> Iterator[None]:
        """For as long as a question takes."""
        with self._turn:
            self._turn.wait_for(lambda: not self._moving)
            self._asking += 1
        try:
            yield
        finally:
            with self._turn:
                self._asking -= 1
                self._turn.notify_all()

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Waits until nobody is."""
        with self._turn:
            self._moving = True
            self._turn.wait_for(lambda: not self._asking)
            yield
            self._moving = False
            self._turn.notify_all()


@dataclass
class Said:
    """What came of the questions of one asker."""

    answers: int = 0
    loud: Counter[str] = field(default_factory=Counter)
    locked: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


class Asker(threading.Thread):
    """Asks one question after the other until it is told to stop.

    Args:
        ask: answers a question with (session, number) each; raises `LoudError`.
    """

    def __init__(self, storm: Storm, hour: Hour, ask: Callable[[str], list[tuple[str, int]]]) -> None:
        super().__init__(daemon=True)
        self.said = Said()
        self.done = threading.Event()
        self._storm, self._hour, self._ask = storm, hour, ask
        self._acknowledged: Counter[str] = Counter()
        self._sent: Counter[str] = Counter()
        self._days: dict[str, str] = {}
        self._read = [0, 0]

    def run(self) -> None:
        """Until it is done."""
        number = 0
        while not self.done.wait(0.01):
            number += 1
            with self._hour.asking():
                self._one(QUESTIONS[number % len(QUESTIONS)])

    def _one(self, sql: str) -> None:
        self._count(0, self._storm.load.acknowledged, self._acknowledged)
        gone = set(self._storm.purged)
        try:
            found = dict(self._ask(sql))
        except LoudError as error:
            self._hear(str(error))
            return
        self._count(1, self._storm.load.sent, self._sent)
        self.said.answers += 1
        if sql == TWICE:
            self.said.wrong += [f"{count} twice" for count in found.values() if count]
        else:
            self._judge(found, gone, raw=sql == RAW)

    def _judge(self, found: dict[str, int], gone: set[str], *, raw: bool) -> None:
        since = rollups.read(self._storm.layout).raw_since[Signal.LOGS] if raw else ""
        going = set(self._storm.purging)
        what = "rows" if raw else "requests"
        for session, count in found.items():
            if count > self._sent[session] or (count and session in gone):
                self.said.wrong.append(f"{count} {what} of {session}: {self._sent[session]} sent, {session in gone}")
        for session, least in self._acknowledged.items():
            if found.get(session, 0) < least and session not in going and self._days[session] >= since:
                self.said.wrong.append(f"{found.get(session, 0)} {what} of {session}: {least} acknowledged")

    def _count(self, which: int, requests: list[Any], into: Counter[str]) -> None:
        new = requests[self._read[which] :]
        self._read[which] += len(new)
        for one in new:
            if one.signal is Signal.LOGS:
                into[one.session] += len(one.names)
                self._days[one.session] = min(one.day, self._days.get(one.session, one.day))

    def _hear(self, text: str) -> None:
        if any(word in text for word in LOCKED):
            self.said.locked.append(text)
        elif known := [word for word in LOUD if word in text]:
            self.said.loud[known[0]] += 1
        else:
            self.said.odd.append(text)


class LoudError(Exception):
    """A question that was not answered; with what was said instead."""


def plain_shell(daemon: LiveDaemon) -> Callable[[str], list[tuple[str, int]]]:
    """`duckdb telemetry.duckdb`, anew for each question."""
    return lambda sql: _shell(str(daemon.layout.catalog), sql)


def script_shell(daemon: LiveDaemon) -> Callable[[str], list[tuple[str, int]]]:
    """`duckdb -init telemetry.sql`."""
    return lambda sql: _shell("-init", str(daemon.layout.script), ":memory:", sql)


def _shell(*words: str) -> list[tuple[str, int]]:
    done = subprocess.run([str(DUCKDB), "-json", *words], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode or "Error" in done.stderr:
        raise LoudError(done.stderr)
    return [(row["session_id"], row["n"]) for row in json.loads(done.stdout or "[]")]


def open_shell(daemon: LiveDaemon) -> Callable[[str], list[tuple[str, int]]]:
    """One that stays open for a while, with the views as they were when it was opened."""
    opened: list[tuple[float, duckdb.DuckDBPyConnection]] = []

    def ask(sql: str) -> list[tuple[str, int]]:
        if opened and time.monotonic() - opened[0][0] > STAYS_S:
            opened.pop()[1].close()
        try:
            if not opened:
                connection = duckdb.connect(config={"threads": 1})
                connection.execute(daemon.layout.script.read_text(encoding="utf-8"))
                opened.append((time.monotonic(), connection))
            return opened[0][1].execute(sql).fetchall()
        except duckdb.Error as error:
            raise LoudError(str(error)) from error

    return ask


def over_http(daemon: LiveDaemon) -> Callable[[str], list[tuple[str, int]]]:
    """The daemon's own interface."""
    token = daemon.layout.token.read_text(encoding="ascii").strip()

    def ask(sql: str) -> list[tuple[str, int]]:
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port("query"), timeout=120)
        try:
            connection.request("GET", f"/?query={quote(sql)}", headers={"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise LoudError(text)
        return [(name, int(count)) for name, count in (line.split("\t") for line in text.splitlines())]

    return ask
