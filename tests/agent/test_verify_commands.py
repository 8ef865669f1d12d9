"""`verify` as a user has it, and what a running daemon does about a file it cannot read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.daemons import LiveDaemon, shell, telem, wait_for
from tests.otlp import numbered
from tests.wire import ask

from telem.sanitize.records import Signal
from telem.storage.inventory import parquet_files

if TYPE_CHECKING:
    from pathlib import Path

LOGS = Signal.LOGS


def filled(live: LiveDaemon) -> Path:
    """Send three records and make them into Parquet; the file."""
    ask(live.port("otlp_http"), numbered(LOGS, "a", "b", "c"))
    assert telem(live.home, "compact").returncode == 0
    return parquet_files(live.layout, LOGS)[-1].path


def test_verify_says_that_all_is_well_and_what_is_not(live: LiveDaemon) -> None:
    """For people and for programs; exit status 1 when something was changed; the file goes when asked to."""
    path = filled(live)
    done = telem(live.home, "verify", "--deep")
    assert (done.returncode, "none damaged" in done.stdout) == (0, True), done
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 16
    path.write_bytes(bytes(data))
    done = telem(live.home, "verify")
    assert done.returncode == 1
    assert f"DAMAGED  logs of {path.parent.name.removeprefix('ingest_day=')}: {path}" in done.stdout
    said = json.loads(telem(live.home, "verify", "--deep", "--json", "--put-aside").stdout)
    assert (said["schema"], said["ok"], said["deep"]) == (1, False, True)
    assert [one["path"] for one in said["damaged"]] == [str(path)]
    assert len(said["moved"]) == 1
    assert telem(live.home, "verify").returncode == 0


def test_a_daemon_puts_aside_at_its_start_what_nobody_can_read(home: Path) -> None:
    """It says so in `status`, the shell answers, and the rows come back from the segment."""
    with LiveDaemon(home) as live:
        path = filled(live)
    path.write_bytes(path.read_bytes()[:-20])
    with LiveDaemon(home) as live:
        wait_for(lambda: not path.exists())
        status = telem(home, "status")
        assert "DAMAGED: logs of" in status.stdout
        said = json.loads(telem(home, "status", "--json").stdout)["quarantine"]
        assert (said["files"], len(said["messages"])) == (1, 1)
        wait_for(live.layout.catalog.exists)
        assert shell(home, "SELECT count(*) AS n FROM raw_logs") == [{"n": 3}]
        telem(home, "compact")
        assert shell(home, "SELECT count(*) AS n FROM raw_logs") == [{"n": 3}]
        assert telem(home, "verify", "--deep").returncode == 0


def test_the_catalog_is_made_anew_where_the_folder_was_moved_to(live: LiveDaemon, tmp_path: Path) -> None:
    """With a daemon, and without one: a folder that was moved, opened by a shell before any daemon has seen it."""
    filled(live)
    ask(live.port("otlp_http"), numbered(LOGS, "d"))
    live.layout.catalog.unlink()
    assert telem(live.home, "catalog", "rebuild").returncode == 0
    assert shell(live.home, "SELECT count(*) AS n FROM raw_logs") == [{"n": 4}]
    live.stop()
    moved = tmp_path / "elsewhere [1]"
    live.home.rename(moved)
    said = json.loads(telem(moved, "catalog", "rebuild", "--json").stdout)
    live.home.mkdir()
    assert said["catalog"] == str(moved / "telemetry.duckdb")
    assert shell(moved, "SELECT count(*) AS n FROM raw_logs") == [{"n": 4}]
