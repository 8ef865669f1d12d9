"""Another machine's backup in this folder: each row once, and no number used twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from tests.otlp import GOLDENS, NOW_NS, golden, logs, metrics, raw
from tests.storage.homes import DAY, asked, home_of, next_segment, parquet, record_names, segment

from telem.agent.reserve import reserve
from telem.sanitize.again import Again
from telem.sanitize.decode import decode
from telem.sanitize.gate import Gate
from telem.sanitize.policy import shipped_policy
from telem.sanitize.records import Profile, SanitizedBatch, Signal
from telem.sanitize.redact import Redactor
from telem.storage import import_archive, import_chunks, rollups, tombstones
from telem.storage.archive import ArchiveError
from telem.storage.backup import write_backup
from telem.storage.disk import Disk
from telem.storage.import_archive import Imported, Importer, parse_users
from telem.storage.inventory import parquet_files
from telem.storage.merge import merge
from telem.storage.resanitize import judged
from telem.storage.restore import check
from telem.storage.retire import retire

if TYPE_CHECKING:
    from pathlib import Path

    from tests.storage.conftest import MakeBatch

    from telem.storage.layout import Layout

LOGS = Signal.LOGS
OTHER_KEY = bytes(reversed(range(32)))


@pytest.fixture
def batch(gate: Gate) -> MakeBatch:
    """Like the shared one, but a record of one name is always the same record."""

    def make(*names: str, signal: Signal = LOGS) -> SanitizedBatch:
        records = ({"record.name": name} for name in names)
        request = raw(signal, metrics(*records) if signal is Signal.METRICS else logs(*records, time_ns=NOW_NS))
        return gate.sanitize(decode(request), gate.request_id(request))

    return make


def importer(layout: Layout, **options: Any) -> Importer:
    return Importer(layout, Disk(), lambda signal: reserve(layout, signal), **options)


def archive_of(layout: Layout, path: Path) -> Path:
    with path.open("wb") as file:
        write_backup(layout, Disk(), file)
    return path


def add(layout: Layout, path: Path, *, dry: bool = False, **options: Any) -> Imported:
    with path.open("rb") as file:
        manifest = check(file)
    return importer(layout, **options).add(path, manifest, dry=dry)


@pytest.fixture
def here(home: Path, batch: MakeBatch) -> Layout:
    """This machine: some rows in Parquet, some in the journal."""
    layout = home_of(home / "here")
    parquet(layout, 1, batch("a", "b"))
    segment(layout, 2, batch("c"))
    return layout


@pytest.fixture
def theirs(home: Path, batch: MakeBatch) -> Path:
    """A backup that holds rows of ours (`b`, `c`) and others."""
    layout = home_of(home / "there")
    parquet(layout, 5, batch("b"), batch("x", "y"))
    segment(layout, 6, batch("c"), batch("z"))
    segment(layout, 1, batch("m", signal=Signal.METRICS))
    return archive_of(layout, home / "theirs.tar.zst")


def test_new_rows_are_added_once_and_known_ones_skipped(here: Layout, theirs: Path) -> None:
    """However often it is imported."""
    done = add(here, theirs)
    assert (done.added, done.known) == ({"logs": 3, "metrics": 1}, {"logs": 2, "metrics": 0})
    assert record_names(here) == ["a", "b", "c", "x", "y", "z"]
    again = add(here, theirs)
    assert (again.added, again.known) == ({"logs": 0, "metrics": 0}, {"logs": 5, "metrics": 1})
    assert again.files == []
    assert record_names(here) == ["a", "b", "c", "x", "y", "z"]


def test_a_dry_run_counts_and_writes_nothing(here: Layout, theirs: Path) -> None:
    """Not even a number is taken."""
    before = sorted(here.home.rglob("*"))
    done = add(here, theirs, dry=True)
    assert done.added == {"logs": 3, "metrics": 1}
    after = [path for path in sorted(here.home.rglob("*")) if path.name not in ("WORKER", "snapshots")]
    assert after == [path for path in before if path.name != "WORKER"]


def test_no_journal_uses_the_numbers_of_imported_files(here: Layout, theirs: Path) -> None:
    """Neither the next life's, nor one whose import died between taking a number and publishing."""
    add(here, theirs)
    (first,) = [file.first for file in parquet_files(here, LOGS) if file.first > 1]
    assert first == 3
    assert next_segment(here) == 4
    lost = reserve(here, LOGS)
    assert lost == 4
    assert next_segment(here) == 5
    assert {row[0] for row in asked(here, "SELECT DISTINCT seg FROM raw_logs")} == {1, 2, 3}


def test_imported_files_merge_and_retire_like_others(here: Layout, theirs: Path, monkeypatch: Any) -> None:
    """And the empty segment that held the number goes as every emptied one does."""
    monkeypatch.setattr(import_archive, "ingest_day", lambda *_: DAY)
    path = here.segment(LOGS, 2)
    from telem.storage.compact import compact

    compact(here, LOGS, [2], DAY, Disk())
    add(here, theirs)
    assert merge(here, LOGS, DAY, Disk()) == 1
    assert record_names(here) == ["a", "b", "c", "x", "y", "z"]
    later_s = path.stat().st_mtime + 1e6
    retire(here, LOGS, later_s, Disk())
    retire(here, LOGS, later_s + 1e6, Disk())
    assert [found.name for found in here.journal(LOGS).iterdir()] == []
    assert next_segment(here) == 4


def test_an_interrupted_import_is_completed_by_the_next(here: Layout, theirs: Path, monkeypatch: Any) -> None:
    """What was published by then is known; the rest is added."""
    monkeypatch.setattr(import_chunks, "CHUNK_ROWS", 1)  # each file of the archive is a chunk of its own
    taken: list[Signal] = []

    def failing(signal: Signal) -> int:
        if taken:
            raise OSError("told to fail")
        taken.append(signal)
        return reserve(here, signal)

    with theirs.open("rb") as file:
        manifest = check(file)
    with pytest.raises(OSError, match="told to fail"):
        Importer(here, Disk(), failing).add(theirs, manifest)
    assert len(record_names(here)) == 4
    add(here, theirs)
    assert record_names(here) == ["a", "b", "c", "x", "y", "z"]
    assert list(here.snapshots.iterdir()) == []


def test_a_large_file_is_taken_in_parts(here: Layout, home: Path, batch: MakeBatch, monkeypatch: Any) -> None:
    """Row groups together up to a chunk's rows, a larger one alone; each part is published before the next is read."""
    monkeypatch.setattr(import_chunks, "CHUNK_ROWS", 4)
    there = home_of(home / "large")
    many = [f"r{number:02d}" for number in range(14)]
    path = parquet(there, 1, batch("b", *many), batch("c"))
    table = pq.read_table(path, partitioning=None)
    with pq.ParquetWriter(path, table.schema) as writer:  # 2, 2 | 1 | 6 | 3, 1 | 1
        for first, end in ((0, 2), (2, 4), (4, 5), (5, 11), (11, 14), (14, 15), (15, 16)):
            writer.write_table(table.slice(first, end - first))
    assert [(part.start, part.stop) for part in import_chunks.parts_of(path)] == [
        (0, 4), (4, 5), (5, 11), (11, 15), (15, 16),
    ]  # fmt: skip
    archive = archive_of(there, home / "large.tar.zst")
    assert add(here, archive, dry=True).added == {"logs": 14}
    done = add(here, archive)
    assert (done.added, done.known) == ({"logs": 14}, {"logs": 2})
    assert record_names(here) == ["a", "b", "c", *many]
    sizes = [pq.read_metadata(file).num_rows for file in done.files]
    assert sum(sizes) == 14
    assert max(sizes) == 6
    assert add(here, archive).known == {"logs": 16}


def test_two_imports_at_once_add_each_row_once(here: Layout, theirs: Path) -> None:
    """They take turns, and each looks anew at what there is."""
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _number: add(here, theirs), range(2)))
    assert sum(found.added["logs"] for found in done) == 3
    assert record_names(here) == ["a", "b", "c", "x", "y", "z"]


def test_rows_that_are_twice_in_the_archive_are_added_once(here: Layout, home: Path, batch: MakeBatch) -> None:
    """A client that sent a request again after an hour left two copies over there."""
    there = home_of(home / "twice")
    parquet(there, 1, batch("x"))
    segment(there, 2, batch("x"), batch("y"))
    done = add(here, archive_of(there, home / "twice.tar.zst"))
    assert (done.added, done.known) == ({"logs": 2}, {"logs": 1})
    assert record_names(here) == ["a", "b", "c", "x", "y"]


def test_purged_rows_do_not_come_back(here: Layout, home: Path, gate: Gate) -> None:
    """They are counted, and left out."""
    there = home_of(home / "purged")
    said = {"x": {"session.id": "s-1"}, "y": {"user.id": "u-1"}, "z": {"session.id": "s-2"}}
    made = [{"record.name": name, **attributes} for name, attributes in said.items()]
    request = raw(LOGS, logs(*made, time_ns=NOW_NS))
    segment(there, 1, gate.sanitize(decode(request), gate.request_id(request)))
    ((user,),) = asked(there, "SELECT user_id FROM raw_logs WHERE user_id IS NOT NULL")
    key = bytes(32)
    for kind, value in (("session", "s-1"), ("user", str(user))):
        tombstones.add(here, Disk(), key, kind, value)
    done = add(here, archive_of(there, home / "p.tar.zst"), tombs=tombstones.read(here, key))
    assert done.purged == {"logs": 2}
    assert record_names(here) == ["a", "b", "c", "z"]


def test_rows_are_sanitized_by_this_machine_s_rules(here: Layout, home: Path, gate: Gate) -> None:
    """Also those of a machine that stored everything as it came."""
    off = Gate(Redactor(shipped_policy(Profile.OFF), OTHER_KEY), OTHER_KEY)
    there = home_of(home / "off")
    token = "ghp_" + "a1B2" * 9
    request = raw(LOGS, logs({"event.name": "user_prompt", "prompt": f"take {token}", "other": token}, time_ns=NOW_NS))
    parquet(there, 1, off.sanitize(decode(request), off.request_id(request)))
    assert token in str(asked(there, "SELECT prompt, attributes FROM raw_logs"))
    redactor = gate.redactor
    add(
        here,
        archive_of(there, home / "off.tar.zst"),
        judge=lambda signal, table: judged(table, Again(signal, redactor))[0],
    )
    found = str(asked(here, "SELECT * FROM raw_logs"))
    assert token not in found
    assert "take [REDACTED" in found


def test_rows_that_were_given_up_here_do_not_come_back(here: Layout, home: Path) -> None:
    """An old backup of this folder: the totals of its closed days have those rows, which would count twice."""
    old = archive_of(here, home / "own.tar.zst")
    for path in here.parquet(LOGS).rglob("*.parquet"):
        path.unlink()
    closed = replace(rollups.read(here), closed="2026-02-01")
    rollups.write(here, Disk(), rollups.give_up(closed, LOGS, "2026-02-01", 0.0))
    done = add(here, old)
    assert (done.added, done.known, done.expired) == ({"logs": 0}, {"logs": 1}, {"logs": 2})
    assert record_names(here) == ["c"]
    other = home_of(home / "other")
    assert add(other, old).added == {"logs": 3}


def test_every_column_arrives_as_it_was(home: Path, gate: Gate) -> None:
    """All captured requests, from Parquet and from the journal; only the segment is another."""
    there, here = home_of(home / "there"), home_of(home / "here")
    for number, name in enumerate(GOLDENS, 1):
        request = golden(name)
        made = gate.sanitize(decode(request), gate.request_id(request))
        (parquet if number % 2 else segment)(there, number, made)
    add(here, archive_of(there, home / "a.tar.zst"))
    for signal in Signal:
        rows = asked(there, f"SELECT * EXCLUDE (seg, ingest_day) FROM raw_{signal} ORDER BY id")
        twice = asked(there, f"SELECT count(*) - count(DISTINCT id) FROM raw_{signal}")
        imported = asked(here, f"SELECT * EXCLUDE (seg, ingest_day) FROM raw_{signal} ORDER BY id")
        assert len(imported) == len(rows) - int(str(twice[0][0]))
        assert set(map(str, imported)) <= set(map(str, rows))


def test_people_can_be_given_our_stand_ins(here: Layout, home: Path) -> None:
    """In columns and in JSON; without that, they stay who they are under the other key."""
    gate = Gate(Redactor(shipped_policy(Profile.STANDARD), OTHER_KEY), OTHER_KEY)
    there = home_of(home / "there")
    request = raw(LOGS, logs({"user.email": "ada@example.com", "event.name": "user_prompt"}))
    segment(there, 1, gate.sanitize(decode(request), gate.request_id(request)))
    ((stand_in,),) = asked(there, "SELECT user_email FROM raw_logs")
    ours = "email:7f3kq2mz5wfq"
    with pytest.raises(ValueError, match="not two stand-ins"):
        parse_users([f"{stand_in}={ours}"])  # its check digits are wrong
    from telem.sanitize.pseudonym import Pseudonyms

    ours = Pseudonyms(bytes(32)).of("email", "ada@example.com")
    add(here, archive_of(there, home / "a.tar.zst"), users=parse_users([f"{stand_in}={ours}"]))
    assert asked(here, "SELECT user_email FROM raw_logs WHERE user_email IS NOT NULL") == [(ours,)]


@pytest.mark.parametrize("pair", ["", "a=b", "email:7f3kq2mz5wfq", "=email:7f3kq2mz5wfq"])
def test_pairs_that_are_none_are_refused(pair: str) -> None:
    """With the form that is expected."""
    with pytest.raises(ValueError, match="stand-ins of one kind"):
        parse_users([pair])


def test_rows_of_a_newer_program_are_refused(here: Layout, home: Path, batch: MakeBatch) -> None:
    """A newer folder, or a column that is not known here: nothing is imported, rather than half of it."""
    there = home_of(home / "there")
    path = parquet(there, 1, batch("x"))
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.append_column("novel", table.column("id")), path)
    with pytest.raises(ArchiveError, match="novel"):
        add(here, archive_of(there, home / "a.tar.zst"))
    newer = there.parquet(LOGS) / "v=999" / f"ingest_day={DAY}"
    newer.mkdir(parents=True)
    path.rename(newer / path.name)
    with pytest.raises(ArchiveError, match="upgrade"):
        add(here, archive_of(there, home / "b.tar.zst"))
    assert record_names(here) == ["a", "b", "c"]


def test_rows_of_an_older_program_lack_columns(here: Layout, home: Path, batch: MakeBatch) -> None:
    """What was not known then is NULL now."""
    there = home_of(home / "there")
    path = parquet(there, 1, batch("x"))
    pq.write_table(pq.read_table(path, partitioning=None).drop_columns(["sample_ratio", "source"]), path)
    add(here, archive_of(there, home / "a.tar.zst"))
    assert record_names(here) == ["a", "b", "c", "x"]


def test_what_happened_before_a_purged_time_does_not_come_back(here: Layout, home: Path, batch: MakeBatch) -> None:
    """However another machine came to know it."""
    there = home_of(home / "before")
    segment(there, 1, batch("x"), batch("y"))
    key = bytes(32)
    tombstones.add_before(here, Disk(), key, 1 << 60)
    done = add(here, archive_of(there, home / "b.tar.zst"), tombs=tombstones.read(here, key))
    assert (done.added, done.purged) == ({"logs": 0}, {"logs": 2})
