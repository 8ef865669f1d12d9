"""The catalog: views any duckdb shell can open, replaced only when they change."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import duckdb
import pytest
from tests.daemons import DUCKDB, shell

from telem.sanitize.records import Signal
from telem.storage.catalog import publish
from telem.storage.compact import compact
from telem.storage.disk import Disk
from telem.storage.journal import Journal
from telem.storage.layout import Layout
from telem.storage.retire import GRACE_S, REMOVE_AFTER_S, retire

if TYPE_CHECKING:
    from pathlib import Path

    from tests.storage.conftest import MakeBatch

LOGS = Signal.LOGS
CUTOFF = "2026-01-01"
DAY = "2026-01-31"
COUNT = "SELECT count(*) AS n FROM raw_logs"


@pytest.fixture
def three(layout: Layout, batch: MakeBatch) -> Layout:
    """A home with three segments of two rows each, and a catalog."""
    for number in (1, 2, 3):
        journal = Journal(layout, LOGS, Disk(), number)
        journal.append([batch(f"{number}a", f"{number}b")], 0.0)
        journal.close()
    publish(layout, Disk(), CUTOFF)
    return layout


def count(home: Path) -> int:
    ((row,)) = shell(home, COUNT)
    return int(row["n"])


def test_views_answer_on_an_empty_home(layout: Layout) -> None:
    """Every view, with no rows and no error, right after the first start."""
    publish(layout, Disk(), CUTOFF)
    names = [row["view_name"] for row in shell(layout.home, "SELECT view_name FROM duckdb_views() WHERE NOT internal")]
    assert {"raw_logs", "raw_metrics", "raw_traces"} <= set(names)
    union = " UNION ALL ".join(f"SELECT '{name}' AS name, count(*) AS n FROM \"{name}\"" for name in names)
    assert {row["name"] for row in shell(layout.home, union)} == set(names)


def test_it_is_written_only_when_it_changes(layout: Layout) -> None:
    """A shell that has it open would otherwise look at a dead file for nothing."""
    assert publish(layout, Disk(), CUTOFF)
    inode = layout.catalog.stat().st_ino
    assert not publish(layout, Disk(), CUTOFF)
    assert layout.catalog.stat().st_ino == inode
    assert publish(layout, Disk(), "2026-01-02")
    assert layout.catalog.stat().st_ino != inode


def test_an_empty_one_that_a_shell_made_in_its_place_does_not_stay(layout: Layout) -> None:
    """It was deleted, and somebody opened it before it was there again."""
    publish(layout, Disk(), CUTOFF)
    layout.catalog.unlink()
    assert shell(layout.home, "SELECT 1 AS n") == [{"n": 1}]
    assert layout.catalog.exists()
    assert publish(layout, Disk(), CUTOFF)
    assert count(layout.home) == 0


@pytest.mark.parametrize("lost", ["catalog", "script"])
def test_it_can_be_deleted_and_is_written_again(lost: str, layout: Layout) -> None:
    """It is derived."""
    publish(layout, Disk(), CUTOFF)
    getattr(layout, lost).unlink()
    assert publish(layout, Disk(), CUTOFF)
    assert count(layout.home) == 0


def test_its_format_is_the_oldest_that_shells_read(layout: Layout) -> None:
    """The shell on PyPI is 1.5; DuckDB 2's own format would shut it out."""
    publish(layout, Disk(), CUTOFF)
    version = subprocess.run([str(DUCKDB), "--version"], capture_output=True, text=True, check=True).stdout
    assert version.startswith("v1.")
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{layout.catalog}' AS catalog (READ_ONLY)")
        ((tags,),) = connection.sql("SELECT tags FROM duckdb_databases() WHERE database_name = 'catalog'").fetchall()
    assert "v1.0" in str(tags)


def test_the_script_gives_the_same_views(three: Layout) -> None:
    """For those who would rather not open our file: `duckdb -init telemetry.sql`."""
    done = subprocess.run(
        [str(DUCKDB), "-init", str(three.script), "-csv", "-noheader", ":memory:", COUNT],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "6"


def test_nothing_of_the_catalog_is_open_to_others_or_left_over(layout: Layout) -> None:
    """0600, and no temporary or log beside it."""
    publish(layout, Disk(), CUTOFF)
    assert layout.catalog.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in layout.home.iterdir() if path.is_file()) == [
        "cutoff",
        "telemetry.duckdb",
        "telemetry.sql",
    ]


def test_the_log_of_a_killed_shell_is_set_aside(three: Layout) -> None:
    """It belongs to the old file; replayed into the new one it would make every open fail."""
    user = subprocess.Popen([str(DUCKDB), str(three.catalog)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert user.stdin
    assert user.stdout
    user.stdin.write("CREATE TABLE mine AS SELECT range AS x FROM range(100000);\nSELECT 'made' AS made;\n")
    user.stdin.flush()
    while "made" not in user.stdout.readline():
        pass
    user.kill()
    user.wait()
    user.stdin.close()
    user.stdout.close()
    wal = three.catalog.with_name(f"{three.catalog.name}.wal")
    if not wal.exists():
        wal.write_bytes(b"not a log of this file")
    publish(three, Disk(), "2026-01-02")
    assert not wal.exists()
    assert count(three.home) == 6


def test_counts_are_right_at_every_step_of_a_segments_life(three: Layout) -> None:
    """In the journal, in both, emptied, removed: six rows each time."""
    home = three.home
    assert count(home) == 6
    now_s = compact(three, LOGS, [1, 2], DAY, Disk()).stat().st_mtime  # the grace begins when the file is there
    assert count(home) == 6
    assert retire(three, LOGS, now_s, Disk()) == 0
    assert retire(three, LOGS, now_s + GRACE_S + 1, Disk()) == 2
    assert [three.segment(LOGS, number).stat().st_size > 0 for number in (1, 2, 3)] == [False, False, True]
    assert count(home) == 6
    assert retire(three, LOGS, now_s + GRACE_S + 2, Disk()) == 0
    old_s = now_s - REMOVE_AFTER_S - 1
    for number in (1, 2):
        os.utime(three.segment(LOGS, number), (old_s, old_s))
    assert retire(three, LOGS, now_s, Disk()) == 2
    assert [three.segment(LOGS, number).exists() for number in (1, 2, 3)] == [False, False, True]
    assert count(home) == 6


def test_an_open_shell_sees_new_rows_with_its_next_query(three: Layout, batch: MakeBatch) -> None:
    """The views look at the files each time."""
    user = subprocess.Popen(
        [str(DUCKDB), "-csv", "-noheader", str(three.catalog)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert user.stdin
    assert user.stdout

    def ask() -> str:
        assert user.stdin
        assert user.stdout
        user.stdin.write(f"{COUNT};\n")
        user.stdin.flush()
        return user.stdout.readline().strip()

    assert ask() == "6"
    journal = Journal(three, LOGS, Disk(), 4)
    journal.append([batch("later")], 0.0)
    assert ask() == "7"
    compact(three, LOGS, [1, 2, 3], DAY, Disk())
    assert ask() == "7"
    journal.close()
    user.send_signal(signal.SIGKILL)
    user.wait()
    user.stdin.close()
    user.stdout.close()


@pytest.mark.parametrize("name", ["with space", "quo'te", "br[ack]et", "star*", "ünïcode", "per%cent"])
def test_homes_with_odd_names_work(name: str, home: Path, batch: MakeBatch) -> None:
    """Blanks, quotes and glob characters in the path."""
    layout = Layout(home / name)
    for signal_ in Signal:
        Disk().directory(layout.journal(signal_))
    journal = Journal(layout, LOGS, Disk(), 1)
    journal.append([batch("a")], 0.0)
    journal.close()
    publish(layout, Disk(), CUTOFF)
    assert count(layout.home) == 1
    compact(layout, LOGS, [1], DAY, Disk())
    assert count(layout.home) == 1
