"""A wall clock that jumps, against a real daemon with real retention: nothing is deleted, nothing is lost."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.daemons import LiveDaemon, shell, telem, wait_for
from tests.faults.client import Client, kept
from tests.faults.shim import DAY_S, Shim

from telem.storage.layout import Layout
from telem.storage.sureclock import boot_id, elapsed_s

if TYPE_CHECKING:
    from pathlib import Path

JUMPS_DAYS = (2, -400, 3650)


def sure_of_now(layout: Layout) -> None:
    """As after a day of waking life: without it nothing would be deleted in any case."""
    said = {"wall_s": time.time(), "elapsed_s": elapsed_s(), "boot": boot_id(), "gaps": []}
    layout.clock.write_text(json.dumps(said))


def test_a_jump_of_the_clock_deletes_nothing(home: Path, tmp_path: Path) -> None:
    """It jumps while the daemon runs, while it is off, and back again; all rows are there, for a shell too."""
    shim, client = Shim(tmp_path), Client()
    flags = ("--retention-logs-days", "1")
    today = datetime.now(UTC).date().isoformat()
    sure_of_now(Layout(home))

    def sent_and_stored(daemon: LiveDaemon) -> None:
        assert client.send(daemon.port("otlp_http")) == 200
        assert telem(home, "compact", env=shim.env).returncode == 0
        counted = shell(home, "SELECT count(*) AS n, count(DISTINCT id) AS ids FROM raw_logs", "-readonly")
        assert counted == [{"n": len(client.acknowledged), "ids": len(client.acknowledged)}]
        said = json.loads(telem(home, "status", "--json", env=shim.env).stdout)["retention"]
        assert said["due"] == []
        assert said["sure_of_day"] <= max(today, datetime.now(UTC).date().isoformat())

    with LiveDaemon(home, *flags, env=shim.env) as daemon:
        sent_and_stored(daemon)
        for days in JUMPS_DAYS:
            shim.clock(days * DAY_S)
            sent_and_stored(daemon)
    with LiveDaemon(home, *flags, env=shim.env) as daemon:  # a start looks for what is due at once
        sent_and_stored(daemon)
        shim.clock(0)
        sent_and_stored(daemon)
    assert kept(home) == dict.fromkeys(client.acknowledged, 1)


def test_what_is_acknowledged_is_acknowledged_again_over_a_jump(home: Path, tmp_path: Path) -> None:
    """A client that sends again is no new client because the clock has changed meanwhile."""
    shim = Shim(tmp_path)
    with LiveDaemon(home, env=shim.env) as daemon:
        body = Client().body()
        assert Client.post(daemon.port("otlp_http"), body) == 200
        shim.clock(3650 * DAY_S)
        assert Client.post(daemon.port("otlp_http"), body) == 200
    with LiveDaemon(home, env=shim.env) as daemon:
        shim.clock(-400 * DAY_S)
        assert Client.post(daemon.port("otlp_http"), body) == 200
        wait_for(lambda: json.loads(telem(home, "status", "--json", env=shim.env).stdout)["signals"]["logs"]["retried"])
    assert set(kept(home).values()) == {1}
