"""Every format that was released opens; a newer one is left alone; schema versions lie side by side."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.daemons import LiveDaemon, shell, telem, wait_for

from telem.queries.files import files_of
from telem.sanitize.records import Signal
from telem.storage import formats
from telem.storage.disk import Disk
from telem.storage.inventory import days_to_merge, parquet_files
from telem.storage.layout import Layout
from telem.storage.rollups import Rollups
from telem.storage.views import catalog_sql, worker_sql
from telem.storage.worker import run

HOMES = sorted((Path(__file__).parents[1] / "golden" / "homes").glob("format-*.tar.gz"))
LOGS = Signal.LOGS


def unpacked(archive: Path, home: Path) -> Layout:
    with tarfile.open(archive) as tar:
        tar.extractall(home, filter="data")
    return Layout(home / "home")


def test_every_format_has_a_fixture() -> None:
    """Made by the script beside them, before the format is released."""
    assert [path.name for path in HOMES] == [f"format-{number}.tar.gz" for number in range(1, formats.FORMAT + 1)]


@pytest.mark.parametrize("archive", HOMES, ids=lambda path: path.name)
def test_a_folder_of_a_released_format_opens(archive: Path, home: Path) -> None:
    """A daemon takes it over, a shell counts its rows, and everything verifies."""
    layout = unpacked(archive, home)
    with LiveDaemon(layout.home) as live:
        wait_for(live.layout.script.exists, 90)
        for signal in Signal:
            assert shell(layout.home, f"SELECT count(*) AS n FROM raw_{signal}") == [{"n": 6}]
        assert telem(layout.home, "compact").returncode == 0
        assert shell(layout.home, "SELECT count(*) AS n FROM raw_logs") == [{"n": 6}]
    assert telem(layout.home, "verify", "--deep").returncode == 0


@pytest.mark.parametrize("said", ["2\n", "99", "", "one"])
def test_a_newer_folder_is_left_alone(home: Path, said: str) -> None:
    """Every command and the daemon say so in a line, and nothing is written."""
    (home / "format").write_text(said)
    for command in ("run", "status", "verify", "compact"):
        done = telem(home, command)
        assert done.returncode == 1
        assert "newer version" in done.stderr
        assert "Traceback" not in done.stderr
        if said != "2\n":
            break
    assert [path.name for path in home.iterdir()] == ["format"]


def test_an_older_schema_version_is_read_beside_the_present_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files lack a column, which is NULL in them; they are not merged with others."""
    import duckdb

    layout = unpacked(HOMES[0], home)
    (new,) = parquet_files(layout, LOGS)
    old = layout.version(LOGS, 0) / new.path.parent.name / "000000000011-000000000012.parquet"
    old.parent.mkdir(parents=True)
    pq.write_table(pq.read_table(new.path, partitioning=None).drop_columns(["event_name", "cost_usd"]), old)
    missing = {LOGS: frozenset({"event_name", "cost_usd"})}
    monkeypatch.setattr(formats, "MISSING_IN", {0: missing, **formats.MISSING_IN})
    count = "SELECT count(*), count(event_name), count(DISTINCT id) FROM raw_logs"
    with duckdb.connect() as connection:
        for statement in worker_sql({signal: files_of(layout, signal) for signal in Signal}, "raw_logs"):
            connection.execute(statement)
        assert connection.execute(count).fetchall() == [(10, 6, 6)]
    for signal in Signal:
        layout.segment(signal, 0).touch()
    run({"job": "publish", "home": str(layout.home), "cutoff": "2026-09-20"})
    assert shell(layout.home, count.replace("count(*)", "count(*) AS n")) == [
        {"n": 10, "count(event_name)": 6, "count(DISTINCT id)": 6}
    ]
    assert next(iter(catalog_sql(layout, "2026-09-20", Rollups()))).count("v=0/") == 2
    assert days_to_merge(layout, LOGS, "2027-01-01") == []


def test_the_format_is_marked_once(home: Path) -> None:
    """And not written again."""
    layout = Layout(home)
    formats.mark_format(layout, Disk())
    before = layout.format.stat().st_mtime_ns
    formats.mark_format(layout, Disk())
    assert (layout.format.read_text(), layout.format.stat().st_mtime_ns) == (f"{formats.FORMAT}\n", before)
