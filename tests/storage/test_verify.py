"""Manifest, damage and verify: what was published is known, what has changed since is found and named."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from telem.sanitize.records import Signal
from telem.storage import manifest
from telem.storage.compact import compact
from telem.storage.damage import Watch, put_aside
from telem.storage.disk import Disk
from telem.storage.inventory import covered_segments, parquet_files
from telem.storage.journal import Journal
from telem.storage.merge import merge
from telem.storage.verify import Report, verify, work_bytes
from telem.storage.worker import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.storage.conftest import MakeBatch

    from telem.storage.layout import Layout

LOGS = Signal.LOGS
DAY = "2026-01-30"
SEGMENTS = 3


@pytest.fixture
def published(layout: Layout, batch: MakeBatch) -> Path:
    """Three segments with their rows in Parquet, as the worker leaves them; the first one's file."""
    for number in range(1, SEGMENTS + 1):
        journal = Journal(layout, LOGS, Disk(), number)
        for part in range(3):
            journal.append([batch(f"{number}-{part}-a", f"{number}-{part}-b")], 0.0)
        journal.close()
        run({"job": "compact", "home": str(layout.home), "signal": "logs", "segments": [number], "day": DAY})
    return parquet_files(layout, LOGS)[0].path


def flip(path: Path, at: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(bytes(data))


def found(layout: Layout, *, deep: bool = False) -> Report:
    return verify(layout, deep=deep)


def test_what_was_published_is_whole(layout: Layout, published: Path) -> None:
    """All files and segments are counted, all rows read, and the progress adds up."""
    steps: list[int] = []
    report = verify(layout, deep=True, progress=steps.append)
    assert (report.damaged, report.unlisted) == ([], [])
    assert (report.files, report.segments, report.rows) == (SEGMENTS, SEGMENTS, SEGMENTS * 6)
    assert sum(steps) == report.bytes == work_bytes(layout)


@pytest.mark.parametrize("seed", range(40))
def test_a_single_flipped_bit_is_found_and_its_day_named(layout: Layout, published: Path, seed: int) -> None:
    """Wherever it is in a Parquet file."""
    chance = random.Random(seed)
    flip(published, chance.randrange(published.stat().st_size), chance.randrange(8))
    (damaged,) = found(layout).damaged
    assert (damaged.signal, damaged.day, damaged.path) == (LOGS, DAY, published)


def test_pages_are_checked_when_no_manifest_knows_better(layout: Layout, published: Path) -> None:
    """A flip in the data of a file without entry: its page's checksum says so."""
    layout.manifest(LOGS, DAY).unlink()
    with pq.ParquetFile(published) as file:
        group = file.metadata.row_group(0)
        ids = next(
            group.column(number) for number in range(group.num_columns) if group.column(number).path_in_schema == "id"
        )
        at = ids.data_page_offset + ids.total_compressed_size - 10
    flip(published, at)
    assert found(layout).damaged == []
    assert [one.path for one in found(layout, deep=True).damaged] == [published]


def test_a_flip_in_the_journal_is_found(layout: Layout, published: Path) -> None:
    """In a batch that others follow."""
    flip(layout.segment(LOGS, 2), 50)
    (damaged,) = found(layout).damaged
    assert damaged.path == layout.segment(LOGS, 2)


def test_rows_that_did_not_arrive_are_missed(layout: Layout, published: Path, batch: MakeBatch) -> None:
    """A Parquet file with fewer rows than its segment acknowledged, and nothing else wrong with it."""
    data = layout.segment(LOGS, 1).read_bytes()
    layout.segment(LOGS, 1).write_bytes(data[: len(data) // 2])
    published.unlink()
    compact(layout, LOGS, [1], DAY, Disk())
    layout.segment(LOGS, 1).write_bytes(data)
    layout.manifest(LOGS, DAY).unlink()
    (damaged,) = found(layout, deep=True).damaged
    assert "6" in damaged.why


def test_a_file_that_went_is_missing_and_a_day_that_went_is_not(layout: Layout, published: Path) -> None:
    """Days are deleted on purpose; a single file is not."""
    published.unlink()
    assert [one.why for one in found(layout).damaged] == ["it is missing"]
    for file in parquet_files(layout, LOGS):
        file.path.unlink()
    published.parent.rmdir()
    assert found(layout).damaged == []


def test_a_file_without_an_entry_is_noted_and_not_lost(layout: Layout, published: Path) -> None:
    """As a crash between the file and its entry leaves it."""
    manifest_path = layout.manifest(LOGS, DAY)
    before = manifest_path.read_bytes()
    manifest_path.unlink()
    assert list(manifest.unnoted(layout, LOGS)) == [DAY]
    assert found(layout).unlisted == [(LOGS, DAY)]
    said = run({"job": "note", "home": str(layout.home), "signal": "logs", "day": DAY})
    assert said == {"noted": SEGMENTS}
    assert manifest_path.read_bytes() == before
    manifest_path.write_bytes(b"torn")
    assert list(manifest.unnoted(layout, LOGS)) == [DAY]


@pytest.mark.parametrize("when", ["announced", "exchanged", "noted"])
def test_a_crash_while_a_day_is_replaced_leaves_no_file_in_doubt(
    layout: Layout, published: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the new file has the old one's name: both are known until it is sure which one it is."""
    new = layout.merging(LOGS) / f"ingest_day={DAY}"
    new.mkdir(parents=True)
    compact(layout, LOGS, [1], "2026-02-01", Disk())
    (layout.day(LOGS, "2026-02-01") / published.name).rename(new / published.name)
    data = layout.segment(LOGS, 1).read_bytes()
    layout.segment(LOGS, 1).write_bytes(data[: len(data) // 3])
    (new / published.name).unlink()
    compact(layout, LOGS, [1], "2026-02-01", Disk())
    (layout.day(LOGS, "2026-02-01") / published.name).rename(new / published.name)
    (layout.day(LOGS, "2026-02-01")).rmdir()
    layout.segment(LOGS, 1).write_bytes(data)
    for file in parquet_files(layout, LOGS)[1:]:
        (new / file.path.name).write_bytes(file.path.read_bytes())
    if when == "announced":
        monkeypatch.setattr(Disk, "exchange", crash)
    elif when == "exchanged":
        monkeypatch.setattr(manifest, "note", crash)
    if when == "noted":
        manifest.replace_day(layout, LOGS, DAY, new, Disk())
    else:
        with pytest.raises(CrashError):
            manifest.replace_day(layout, LOGS, DAY, new, Disk())
    assert Watch(layout).look() == []
    assert found(layout).damaged == []
    monkeypatch.undo()
    manifest.note(layout, LOGS, DAY, Disk())
    assert found(layout).damaged == []
    assert all(len(entries) == 1 for entries in manifest.read(layout, LOGS, DAY).values())


class CrashError(Exception):
    """The process ends here."""


def crash(*_: object) -> None:
    raise CrashError


def test_merging_keeps_the_manifest_true(layout: Layout, published: Path) -> None:
    """The new file is in it, the old ones are not."""
    merge(layout, LOGS, DAY, Disk())
    assert len(manifest.read(layout, LOGS, DAY)) == 1
    assert (found(layout, deep=True).damaged, found(layout).unlisted) == ([], [])


@pytest.mark.parametrize("damage", ["empty", "cut", "zeroed tail", "footer"])
def test_a_file_nobody_can_open_is_put_aside_and_made_again_from_its_segments(
    layout: Layout, published: Path, damage: str
) -> None:
    """It is found by its ends alone; its segments are no longer held to be in Parquet."""
    watch = Watch(layout)
    assert watch.look() == []
    data = published.read_bytes()
    match damage:
        case "empty":
            published.write_bytes(b"")
        case "cut":
            published.write_bytes(data[:-100])
        case "zeroed tail":
            published.write_bytes(data[:-50] + b"\0" * 50)
        case _:
            flip(published, len(data) - 40)
    (damaged,) = watch.look()
    assert (damaged.path, damaged.day) == (published, DAY)
    assert watch.look() != []  # until it is put aside
    target = put_aside(layout, damaged, Disk())
    assert target.parent == layout.quarantine
    assert DAY in target.name
    assert (watch.look(), covered_segments(layout, LOGS)) == ([], {2, 3})
    run({"job": "compact", "home": str(layout.home), "signal": "logs", "segments": [1], "day": DAY})
    assert found(layout, deep=True).damaged == []
    assert sum(pq.read_metadata(file.path).num_rows for file in parquet_files(layout, LOGS)) == SEGMENTS * 6
