"""kill -9 at random moments under load: what was acknowledged is there, and nothing is there twice.

`TELEM_TEST_KILLS` sets the number of rounds, `TELEM_TEST_SEED` the random moments.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import orjson
from tests.daemons import LiveDaemon, telem
from tests.faults.load import Load, Request, die_while_starting, rows
from tests.otlp import numbered

from telem.sanitize.records import Signal
from telem.storage.inventory import parquet_files
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = int(os.environ.get("TELEM_TEST_KILLS", "12"))
SEED = int(os.environ.get("TELEM_TEST_SEED", str(time.time_ns() % 1_000_000)))
LOAD_S = (0.02, 0.2)


def request(number: int) -> Request:
    """Three records of a signal."""
    names = tuple(f"{3 * number + part}" for part in range(3))
    signal = Signal.TRACES if number % 5 == 0 else Signal.LOGS
    return Request(signal, names, numbered(signal, *names))


def test_nothing_acknowledged_is_lost_and_nothing_is_doubled_by_kill_9(home: Path) -> None:
    """Rounds of load, kill at a random moment, restart, retry: each record is there exactly once in the end."""
    chance = random.Random(SEED)
    for after_s in (0.1, 0.3, 0.5, 0.8):  # the first start, before and after it has written something
        die_while_starting(home, after_s)
    load = Load(request)
    compacting: list[threading.Thread] = []
    daemon = LiveDaemon(home)
    try:
        for number in range(ROUNDS):
            load.up(daemon.port("otlp_http"))
            if number % 3 == 2:  # some of the kills hit a compaction
                compacting.append(threading.Thread(target=telem, args=(home, "compact")))
                compacting[-1].start()
            time.sleep(chance.uniform(*LOAD_S))
            load.down()
            daemon.kill()
            if number % 5 == 4:  # recovery, catalog publishing and housekeeping of the next start are hit too
                die_while_starting(home, chance.uniform(0.2, 1.5))
            daemon = LiveDaemon(home)
        load.up(daemon.port("otlp_http"))
    finally:
        load.end()
        for thread in compacting:
            thread.join()
    assert "done" in telem(home, "compact").stderr
    assert daemon.stop() == 0
    assert parquet_files(Layout(home), Signal.LOGS)
    found = Counter(
        orjson.loads(row["attributes"])["record.name"]
        for signal in (Signal.LOGS, Signal.TRACES)
        for row in rows(home, signal)
    )
    acknowledged = {name for one in load.acknowledged for name in one.names}
    lost = acknowledged - found.keys()
    doubled = {name: count for name, count in found.items() if count > 1}
    assert len(acknowledged) > ROUNDS * 2, f"too little load, seed {SEED}"
    assert not lost, f"{len(lost)} of {len(acknowledged)} lost, seed {SEED}"
    assert not doubled, f"{len(doubled)} doubled, seed {SEED}"
    assert found.keys() <= {name for one in load.sent for name in one.names}
