"""What is purged is gone from every byte, all else is as it was, and a purge that was interrupted is finished."""

from __future__ import annotations

import errno
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.storage.test_closing import FIRST, FOURTH, QUESTIONS, SECOND, by_shell, spread

from telem.queries.commands import ask
from telem.sanitize.records import Signal
from telem.storage import intent, manifest, purge, rollups
from telem.storage.catalog import publish
from telem.storage.closing import close
from telem.storage.disk import Disk
from telem.storage.inventory import parquet_files
from telem.storage.layout import parquet_name, parquet_revision, parquet_span
from telem.storage.verify import verify
from telem.storage.worker import run

if TYPE_CHECKING:
    from pathlib import Path

    from telem.storage.layout import Layout

DISK = Disk()


def quiet(_done: int, _total: int) -> None:
    """Progress nobody looks at."""


@pytest.fixture
def store(home: Path) -> Layout:
    """Three days, two of them closed, one segment a signal in the journal made into Parquet as purging wants it."""
    layout = spread(home)
    close(layout, "2026-01-03", DISK)
    for signal in Signal:
        covered = {number for file in parquet_files(layout, signal) for number in range(file.first, file.last + 1)}
        waiting = [4] if 4 not in covered else []
        run({"job": "compact", "home": str(home), "signal": signal.value, "segments": waiting, "day": FOURTH})
        for file in parquet_files(layout, signal):
            manifest.note(layout, signal, file.day, DISK)
    publish(layout, DISK, FIRST)
    return layout


def busiest(layout: Layout, column: str = "session_id") -> str:
    """Who has rows in most files."""
    sql = f"SELECT {column} FROM raw_logs WHERE {column} IS NOT NULL GROUP BY 1"
    found: Any = ask(layout, f"{sql} ORDER BY count(DISTINCT ingest_day) DESC, count(*) DESC LIMIT 1")
    return str(found.rows[0][0])


def everything_but(layout: Layout, condition: str) -> list[Any]:
    """All other rows, whole, and all other totals."""
    others = f"WHERE ({condition}) IS NOT TRUE"
    tables = [f"raw_{signal}" for signal in Signal]
    rows = [ask(layout, f"SELECT * EXCLUDE (ingest_day) FROM {table} {others} ORDER BY id").rows for table in tables]
    return [*rows, ask(layout, f"SELECT * FROM usage_days {others} ORDER BY ALL").rows]


@pytest.mark.parametrize("kind", ["session", "user"])
def test_nothing_is_left_of_it_and_all_else_is_what_it_was(store: Layout, kind: str) -> None:
    """Rows, totals, segments, old versions of rollups; by our own questions and by shells; no byte holds its name."""
    value = busiest(store, "session_id" if kind == "session" else "user_id")
    target = intent.target_of(kind, value)
    condition = purge.where(target)
    wanted = everything_but(store, condition) if kind == "session" else []
    assert purge.find(store, target)
    said = purge.purge(store, DISK, target, quiet)
    assert sum(said.rows.values()) > 0
    assert said.rollup_rows > 0
    for signal in Signal:
        assert ask(store, f"SELECT count(*) FROM raw_{signal} WHERE {condition}").rows == ((0,),)
    assert ask(store, f"SELECT count(*) FROM usage_days WHERE {purge.where_summed(target)}").rows == ((0,),)
    if kind == "session":
        assert everything_but(store, condition) == wanted
    publish(store, DISK, FIRST)
    mine = [list(rows) for rows in (ask(store, sql).rows for sql in QUESTIONS)]
    assert [len(rows) for rows in mine] == [len(rows) for rows in by_shell(store)]
    segments = b"".join(path.read_bytes() for path in (store.home / "journal").rglob("*.ndjson"))
    column = b'"session_id":"%b"' if kind == "session" else b'"user_id":"%b"'
    assert column % value.encode() not in segments
    assert purge.find(store, target) == []
    assert [version for version, _ in rollups.folders(store)] == [rollups.read(store).version]
    assert not list(store.home.rglob(".tmp-*"))


def test_rewritten_files_are_new_ones_and_verified(store: Layout) -> None:
    """Another name, the same segments; an entry in the manifest; the others are linked, not copied."""
    target = intent.target_of("session", busiest(store))
    before = {file.path: file.path.stat().st_ino for signal in Signal for file in parquet_files(store, signal)}
    spans = sorted((signal, file.first, file.last) for signal in Signal for file in parquet_files(store, signal))
    changed = {found.path for found in purge.find(store, target)}
    purge.purge(store, DISK, target, quiet)
    after = {file.path: file.path.stat().st_ino for signal in Signal for file in parquet_files(store, signal)}
    assert spans == sorted(
        (signal, file.first, file.last) for signal in Signal for file in parquet_files(store, signal)
    )
    assert not changed & after.keys()
    assert {path: before[path] for path in before.keys() - changed}.items() <= after.items()
    assert all(parquet_revision(path.name) == 1 for path in after.keys() - before.keys())
    assert verify(store, deep=True).damaged == []


def test_before_a_day_and_all(store: Layout) -> None:
    """By when it happened; then everything, with the numbers of segments kept."""
    days: Any = ask(store, "SELECT min(time)::DATE::VARCHAR, max(time)::DATE::VARCHAR FROM raw_logs").rows
    purge.purge(store, DISK, intent.target_of("before", "2026-01-01"), quiet)
    assert ask(store, "SELECT min(time)::DATE::VARCHAR, max(time)::DATE::VARCHAR FROM raw_logs").rows == days
    spans = [(file.first, file.last) for file in parquet_files(store, Signal.LOGS)]
    said = purge.purge(store, DISK, intent.target_of("all", ""), quiet)
    assert said.rollup_rows > 0
    for table in ("raw_logs", "raw_metrics", "raw_traces", "sessions", "daily_metrics", "usage_facts"):
        assert ask(store, f"SELECT count(*) FROM {table}").rows == ((0,),)
    assert [(file.first, file.last) for file in parquet_files(store, Signal.LOGS)] == spans
    assert not [path for path in (store.home / "journal").rglob("s-*.ndjson") if path.stat().st_size]


@pytest.mark.parametrize("step", ["exchange", "write", "publish"])
def test_a_purge_that_fails_anywhere_is_finished_by_the_next(store: Layout, step: str) -> None:
    """And leaves all else right meanwhile."""
    target = intent.target_of("session", busiest(store))
    condition = purge.where(target)
    wanted = everything_but(store, condition)
    intent.note(store, DISK, target)

    class Failing(Disk):
        calls = 0

        def __getattribute__(self, name: str) -> Any:
            if name == step:
                Failing.calls += 1
                if Failing.calls == 1:
                    raise OSError(errno.EIO, "told to fail")
            return super().__getattribute__(name)

    with pytest.raises(OSError, match="told to fail"):
        purge.purge(store, Failing(), target, quiet)
    assert everything_but(store, condition)[:3] == wanted[:3]
    run({"job": "purge", "home": str(store.home)})
    said = run({"job": "copies", "home": str(store.home), "digest": "d"})
    assert purge.find(store, target) == []
    assert everything_but(store, condition) == wanted
    assert intent.noted(store) is None
    text = (store.receipts / said["receipt"].rpartition("/")[2]).read_text()
    assert target.value not in text
    assert json.loads(text)["tombstone"] == "d"
    assert run({"job": "purge", "home": str(store.home)}) == {}
    assert run({"job": "copies", "home": str(store.home), "digest": "d"}) == {"receipt": None}


def test_quarantine_loses_its_rows_too(store: Layout) -> None:
    """Damaged pieces hold rows as well; which of them go is tested where that is decided."""
    value = busiest(store)
    DISK.directory(store.quarantine)
    piece = store.quarantine / "logs-s-000000000001.ndjson.damaged"
    piece.write_bytes(b'{"session_id":"%b"}\n{"session_id":"other"}\n{"id":"torn' % value.encode())
    said = purge.purge(store, DISK, intent.target_of("session", value), quiet)
    assert said.quarantined == 2
    assert piece.read_bytes() == b'{"session_id":"other"}\n'


def test_a_file_that_was_neither_finished_nor_removed_goes_too(store: Layout) -> None:
    """The medium failed twice while it was written; it may hold any rows."""
    unfinished = store.day(Signal.LOGS, FIRST) / ".tmp-1"
    DISK.directory(unfinished.parent)
    unfinished.write_bytes(b"rows")
    purge.purge(store, DISK, intent.target_of("session", busiest(store, "session_id")), quiet)
    assert not unfinished.exists()


def test_two_purges_at_once_are_refused(store: Layout) -> None:
    """The first is finished before; the same one may be noted again."""
    first = intent.target_of("session", "a")
    intent.note(store, DISK, first)
    intent.note(store, DISK, intent.target_of("session", "a"))
    with pytest.raises(intent.IntentError, match="not finished"):
        intent.note(store, DISK, intent.target_of("session", "b"))
    store.intent.write_text("{")
    with pytest.raises(intent.IntentError, match="damaged"):
        intent.noted(store)


def test_a_rewritten_files_name_says_the_same_segments() -> None:
    """Whoever counts segments must not lose them."""
    assert parquet_span(parquet_name(3, 7, 2)) == (3, 7)
    assert (parquet_revision(parquet_name(3, 7, 2)), parquet_revision(parquet_name(3, 7))) == (2, 0)
    assert SECOND > FIRST
