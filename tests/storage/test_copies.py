"""Backups and exports that were written: a purge takes the rows out of them, and says what it could not."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import shutil
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import zstandard
from tests.otlp import NOW_NS, logs, raw
from tests.storage.homes import asked, home_of, parquet, segment

from telem.queries.export import Wanted, export_to_file
from telem.sanitize.decode import decode
from telem.sanitize.records import SanitizedBatch, Signal
from telem.sanitize.tombs import SESSION
from telem.storage import copies, exports, intent, rollups, tombstones
from telem.storage.backup import write_backup
from telem.storage.closing import close
from telem.storage.disk import Disk
from telem.storage.keys import load_key
from telem.storage.layout import Layout
from telem.storage.restore import check, restore
from telem.storage.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from telem.sanitize.gate import Gate

LOGS = Signal.LOGS
DISK = Disk()
ODD = 'a "quoted", text\nof two lines'


@pytest.fixture
def batch(gate: Gate) -> Callable[..., SanitizedBatch]:
    """Prompts of sessions."""
    numbers = itertools.count()

    def make(*sessions: str) -> SanitizedBatch:
        records = (
            {"event.name": "user_prompt", "session.id": name, "prompt": ODD, "n": next(numbers)} for name in sessions
        )
        request = raw(LOGS, logs(*records, time_ns=NOW_NS))
        return gate.sanitize(decode(request), gate.request_id(request))

    return make


@pytest.fixture
def store(home: Path, batch: Callable[..., SanitizedBatch]) -> Layout:
    """Two days in Parquet, one of them closed, and a segment: all with rows of the session that goes."""
    layout = home_of(home / "here")
    parquet(layout, 1, batch("gone", "here", "gone"), day="2026-01-30")
    parquet(layout, 2, batch("here", "here"), day="2026-01-31")
    segment(layout, 3, batch("here", "gone"), batch("here"))
    from telem.storage import manifest

    for day in ("2026-01-30", "2026-01-31"):
        manifest.note(layout, LOGS, day, DISK)
    close(layout, "2026-01-31", DISK)
    return layout


def backed_up(layout: Layout, path: Path) -> Path:
    entry = exports.record(layout, DISK, "backup", str(path))
    with path.open("wb") as file:
        write_backup(layout, DISK, file)
    exports.complete(layout, DISK, entry)
    return path


def exported(layout: Layout, path: Path, table: str = "events", form: str = "csv") -> Path:
    entry = exports.record(layout, DISK, "export", str(path), table=table, format=form)
    export_to_file(layout, DISK, Wanted(table, form), path)
    exports.complete(layout, DISK, entry)
    return path


def taken_out(
    layout: Layout, kind: str = "session", value: str = "gone", mode: str = "rewrite"
) -> list[tuple[Any, str]]:
    target = intent.target_of(kind, value, mode)
    looked = copies.look(layout, DISK, target)
    done = copies.take_out(layout, DISK, target, lambda _done, _all: None)
    assert [(one.rows, one.done) for one in looked] == [(one.rows, one.done) for one in done]
    return [(one.rows, one.done) for one in done]


def test_a_backup_is_written_anew_without_the_rows(store: Layout, home: Path) -> None:
    """Parquet, journal, totals, counts, checksums; it restores, verifies, and knows what was purged."""
    path = backed_up(store, home / "b.tar.zst")
    key = load_key(store, DISK)
    digest = tombstones.add(store, DISK, key, SESSION, "gone")
    assert taken_out(store) == [(4, "rewritten")]  # three rows and one sum
    assert b"gone" not in zstandard.ZstdDecompressor().stream_reader(io.BytesIO(path.read_bytes())).read()
    with path.open("rb") as file:
        assert check(file).rows()["logs"] == {"2026-01-30": 1, "2026-01-31": 2, **_arrived(store)}
    with path.open("rb") as file:
        restore(file, home / "there", DISK)
    there = Layout(home / "there")
    assert asked(there, "SELECT session_id, count(*) FROM raw_logs GROUP BY 1") == [("here", 5)]
    assert asked(there, "SELECT count(DISTINCT id) FROM raw_logs") == [(5,)]
    report = verify(there, deep=True)
    assert (report.damaged, report.unlisted) == ([], [])
    usage, _ = rollups.files(there, rollups.read(there))
    assert duckdb.execute(f"SELECT session_id, prompts FROM '{usage}'").fetchall() == [("here", 1)]
    assert digest in there.tombstones.read_text()
    before = path.read_bytes()
    assert taken_out(store) == [(0, "untouched")]
    assert path.read_bytes() == before


def _arrived(store: Layout) -> dict[str, int]:
    from telem.storage.backup import segment_days

    ((day, rows),) = segment_days(store.segment(LOGS, 3)).items()
    return {day: rows - 1}


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_texts_keep_every_byte_of_the_other_rows(store: Layout, home: Path, form: str, suffix: str) -> None:
    """Quoted line feeds and compression included."""
    path = exported(store, home / f"e.{form}{suffix}", form=form)
    before = _opened(path)
    assert taken_out(store) == [(3, "rewritten")]
    after = _opened(path)
    assert "gone" not in after
    assert _records(after, form) == [row for row in _records(before, form) if row["session_id"] != "gone"]
    assert len(_records(after, form)) == 5
    assert taken_out(store) == [(0, "untouched")]


def _opened(path: Path) -> str:
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    if path.suffix == ".zst":
        data = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()
    return data.decode()


def _records(text: str, form: str) -> list[dict[str, Any]]:
    if form == "jsonl":
        return [json.loads(line) for line in text.splitlines()]
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_parquet_exports_and_other_tables(store: Layout, home: Path) -> None:
    """Sessions by their id, the Collector's tables by what stands in their attributes; sums cannot be told apart."""
    for name, table in (("a", "events"), ("s", "sessions"), ("o", "otel_logs"), ("d", "daily_metrics")):
        exported(store, home / f"{name}.parquet", table, "parquet")
    assert taken_out(store) == [(3, "rewritten"), (1, "rewritten"), (3, "rewritten"), (None, "sums")]
    for name, rows in (("a", 5), ("s", 1), ("o", 5)):
        path = home / f"{name}.parquet"
        assert duckdb.execute(f"SELECT count(*) FROM '{path}'").fetchall() == [(rows,)]
        assert b"gone" not in path.read_bytes()


def test_rows_go_by_their_time_or_all(store: Layout, home: Path) -> None:
    """Days too, where a table has no more; of everything an export keeps nothing and a backup its settings."""
    tables = (("a.csv", "events", "csv"), ("b.jsonl", "events", "jsonl"), ("c.parquet", "events", "parquet"),
              ("d.csv", "daily_metrics", "csv"), ("e.parquet", "daily_metrics", "parquet"))  # fmt: skip
    for name, table, form in tables:
        exported(store, home / name, table, form)
    assert taken_out(store, "before", "2020-01-01") == [(0, "untouched")] * 5
    assert [done for _, done in taken_out(store, "before", "2100-01-01")] == ["rewritten"] * 5
    exported(store, home / "a.csv")
    backed_up(store, home / "b")
    store.config.write_text("log_level = 'debug'\n")
    backed_up(store, home / "b")
    done = dict(zip([one.path for one in copies.known(store)], taken_out(store, "all", ""), strict=True))
    assert done[str(home / "a.csv")][1] == "deleted"
    assert done[str(home / "b")][1] == "rewritten"
    assert not (home / "a.csv").exists()
    assert str(home / "a.csv") not in [one.path for one in copies.known(store)]
    with (home / "b").open("rb") as file:
        manifest = check(file)
    assert (manifest.total_rows(), "config.toml" in manifest.files) == (0, True)


def test_what_cannot_be_done_is_said_and_left(store: Layout, home: Path) -> None:
    """Gone, damaged, something else by now, not writable; and what was to be left, or deleted, is."""
    paths = [exported(store, home / f"{name}.csv") for name in ("moved", "other", "cut", "fine")]
    paths[0].unlink()
    paths[1].write_text("something,else\n1,2\n")
    text = paths[2].read_text()
    paths[2].write_text(text[: text.rindex("of two lines")])  # within a quotation
    damaged = backed_up(store, home / "b")
    damaged.write_bytes(damaged.read_bytes()[:-9])
    before = {path: path.read_bytes() for path in (*paths[1:], damaged)}
    done = copies.take_out(store, DISK, intent.target_of("session", "gone"), lambda _done, _all: None)
    assert [one.done for one in done] == ["missing", "sums", "left", "rewritten", "left"]
    assert all(bool(one.why) is (one.done in ("sums", "left")) for one in done)
    assert all(path.read_bytes() == data for path, data in before.items() if path != paths[3])
    assert [one.done for one in copies.look(store, DISK, intent.target_of("session", "here", "leave"))][1:] == [
        "left"
    ] * 4
    done = copies.take_out(store, DISK, intent.target_of("session", "here", "delete"), lambda _done, _all: None)
    assert [one.done for one in done] == ["missing", *["deleted"] * 4]
    assert not any(path.exists() for path in before)
    assert not [path for path in home.iterdir() if path.name.startswith(".")]


def test_a_link_is_followed(store: Layout, home: Path) -> None:
    """The file it leads to is rewritten, not the link replaced."""
    path = exported(store, home / "real.csv")
    link = home / "link.csv"
    link.symlink_to(path)
    entries = exports.known(store)
    exports.complete(store, DISK, entries[-1]["id"], path=str(link))
    assert taken_out(store) == [(3, "rewritten")]
    assert link.is_symlink()
    assert "gone" not in path.read_text()


def test_only_one_at_a_time(store: Layout) -> None:
    """A daemon that goes on with a purge, and the command that asked for it."""
    from telem.storage.disk import LockedError

    with copies.alone(store, DISK), pytest.raises(LockedError), copies.alone(store, DISK):
        pass
    shutil.rmtree(store.snapshots, ignore_errors=True)
