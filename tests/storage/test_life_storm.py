"""Shells that go on asking while days are closed, given up, removed and purged: right, or a loud error; never wrong.

`TELEM_TEST_LIFE_ROUNDS` sets how often all of it happens.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

import duckdb
from tests.storage.test_closing import FIRST, FOURTH, SECOND, THIRD, spread
from tests.storage.test_purge import busiest, quiet

from telem.queries.commands import ask
from telem.sanitize.records import Signal
from telem.storage import intent, purge, retention, rollups
from telem.storage.catalog import publish
from telem.storage.closing import close
from telem.storage.disk import Disk
from telem.storage.merge import merge
from telem.storage.retention import Limits
from telem.storage.retire import retire
from telem.storage.worker import run

if TYPE_CHECKING:
    from pathlib import Path

    from telem.storage.layout import Layout

ROUNDS = int(os.environ.get("TELEM_TEST_LIFE_ROUNDS", "1"))
DISK = Disk()
PAUSE_S = 0.05


class Asker(threading.Thread):
    """A shell that opens the catalog, asks, closes it, over and over; and one that stays open."""

    def __init__(self, layout: Layout, sql: str, right: set[Any], *, stays: bool) -> None:
        super().__init__(daemon=True)
        self.layout, self.sql, self.right, self.stays = layout, sql, right, stays
        self.wrong: list[Any] = []
        self.answers = self.errors = 0
        self.done = threading.Event()

    def run(self) -> None:
        kept = self._opened() if self.stays else None
        while not self.done.is_set():
            connection = kept or self._opened()
            try:
                found = connection.execute(self.sql).fetchall()[0]
                self.answers += 1
                if found not in self.right:
                    self.wrong.append(found)
            except duckdb.Error:
                self.errors += 1
            if kept is None:
                connection.close()
            time.sleep(PAUSE_S)
        if kept is not None:
            kept.close()

    def _opened(self) -> duckdb.DuckDBPyConnection:
        while True:
            try:
                return duckdb.connect(str(self.layout.catalog), read_only=True, config={"threads": 1})
            except duckdb.Error:
                self.errors += 1


def test_nobody_ever_counts_wrongly(home: Path) -> None:
    """Totals of everybody else, before, between and after every step."""
    for number in range(ROUNDS):
        life(home / str(number))


def life(home: Path) -> None:
    layout = spread(home)
    for signal in Signal:
        retire(layout, signal, 4e9, DISK)
    session = busiest(layout)
    others = f"session_id IS DISTINCT FROM '{session}'"
    sums = "count(DISTINCT session_id), sum(cost_usd), sum(requests), sum(prompts), sum(lines_added)"
    questions = [f"SELECT {sums} FROM {table} WHERE {others}" for table in ("usage_days", "usage_facts")]
    right: list[set[Any]] = [set(ask(layout, sql).rows) for sql in questions]
    pairs = [*zip(questions, right, strict=True)]
    askers = [Asker(layout, *pairs[0], stays=True), Asker(layout, *pairs[1], stays=False)]
    for asker in askers:
        asker.start()
    limits = Limits(dict.fromkeys(Signal, 2))
    for until in (SECOND, THIRD, FOURTH):
        close(layout, until, DISK)
        publish(layout, DISK, FIRST)
        for signal in Signal:
            merge(layout, signal, FIRST, DISK)
    retention.give_up(layout, DISK, retention.due(layout, "2026-01-04", limits), 1.0)
    publish(layout, DISK, FIRST)
    retention.remove(layout, DISK, 4e9, {})
    for signal in Signal:
        run({"job": "compact", "home": str(home), "signal": signal.value, "segments": [4], "day": FOURTH})
    purge.purge(layout, DISK, intent.target_of("session", session), quiet)
    publish(layout, DISK, FIRST)
    for asker in askers:
        asker.done.set()
        asker.join(60)
        assert not asker.is_alive()
    assert [asker.wrong for asker in askers] == [[]] * len(askers)
    assert sum(asker.answers for asker in askers) > 10
    assert rollups.read(layout).raw_since[Signal.LOGS] > FIRST
    assert [ask(layout, sql).rows[0] in known for sql, known in zip(questions, right, strict=True)] == [True, True]
