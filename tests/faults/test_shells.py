"""Shells and the HTTP interface that go on asking through a daemon's days: never a wrong number, never a lock.

`TELEM_TEST_SHELLS_S` sets for how long.
"""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING

from tests.daemons import wait_for
from tests.faults.askers import Asker, Hour, open_shell, over_http, plain_shell, script_shell
from tests.faults.shim import DAY_S
from tests.faults.storm import Storm

if TYPE_CHECKING:
    from pathlib import Path

SHELLS_S = float(os.environ.get("TELEM_TEST_SHELLS_S", "0"))
KINDS = {"shell": plain_shell, "script": script_shell, "stays open": open_shell, "http": over_http}
log = logging.getLogger(__name__)
STEPS = ("catalog", "purge", "day", "retention")
"""With each turn of a day one is closed and one given up, which then is removed."""


def test_nobody_counts_wrongly_nor_meets_a_lock(home: Path) -> None:
    """Through ingest, compaction, merging, closing, retention and purges."""
    hour = Hour()
    with Storm(home, 1, pause_s=0.05, still=hour.moving) as storm:
        daemon = storm.start()
        wait_for(lambda: daemon.layout.catalog.exists() and daemon.layout.script.exists())
        storm.shim.pass_(2 * DAY_S)
        assert storm.do("compaction", daemon)
        askers = {name: Asker(storm, hour, kind(daemon)) for name, kind in KINDS.items()}
        for asker in askers.values():
            asker.start()
        end_s, days = time.monotonic() + SHELLS_S, 0
        while not days or time.monotonic() < end_s:
            for step in STEPS:
                assert storm.do(step, daemon), step
                days += step == "day"
        for asker in askers.values():
            asker.done.set()
            asker.join(60)
            assert not asker.is_alive()
        storm.load.end()
        assert daemon.stop() == 0
        storm.judge()
        said = {name: asker.said for name, asker in askers.items()}
        log.info(
            "%s",
            {
                "days": days,
                "purged": len(storm.purged),
                "records": storm.records,
                "answers": {name: one.answers for name, one in said.items()},
                "loud": {name: dict(one.loud) for name, one in said.items()},
            },
        )
    for name, one in said.items():
        assert (name, one.wrong, one.locked, one.odd) == (name, [], [], [])
        assert one.answers > days
