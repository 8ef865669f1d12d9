"""Recovery: an earlier life's journal is made whole; only what is damaged is given up, and it is kept aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.daemons import journal_rows, names
from tests.fakes import FaultyAppender, FaultyDisk

from telem.sanitize.records import SanitizedBatch, Signal
from telem.storage import recovery
from telem.storage.compact import compact
from telem.storage.disk import FILE_MODE, WRITING_MODE, Disk
from telem.storage.journal import Journal, encode, scan
from telem.storage.ledger import Ledger
from telem.storage.recovery import Recovered, recover
from telem.storage.worker import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.storage.conftest import MakeBatch

    from telem.storage.layout import Layout

LOGS = Signal.LOGS
NAMES = ("a", "b", "c", "d")


@pytest.fixture
def segment(layout: Layout, batch: MakeBatch) -> Path:
    """A segment of four batches of two rows each."""
    journal = Journal(layout, LOGS, Disk(), 1)
    for name in NAMES:
        journal.append([batch(f"{name}1", f"{name}2")], 0.0)
    journal.close()
    return layout.segment(LOGS, 1)


def again(layout: Layout, since_us: int = 0) -> Recovered:
    return recover(layout, LOGS, Disk(), since_us)


def left(layout: Layout) -> list[str]:
    return names(journal_rows(layout.home))


def all_names(*without: str) -> list[str]:
    return [f"{name}{number}" for name in NAMES if name not in without for number in (1, 2)]


def ends(path: Path) -> list[int]:
    return [end for _, end, _ in scan(path.read_bytes())]


def test_a_whole_journal_is_left_alone(layout: Layout, segment: Path) -> None:
    """Nothing is rewritten, everything waits for compaction, numbering goes on."""
    before = segment.read_bytes()
    found = again(layout)
    assert segment.read_bytes() == before
    assert (found.next_segment, found.waiting, found.messages) == (2, [1], [])
    assert len(found.commits) == len(NAMES)


def test_a_journal_that_never_was_begins_at_one(layout: Layout) -> None:
    """The first start."""
    found = again(layout)
    assert (found.next_segment, found.waiting, found.commits) == (1, [], [])


def test_a_torn_tail_is_cut_at_any_byte(layout: Layout, segment: Path) -> None:
    """Wherever a crash cut the last batch, the three before it are whole and the rest goes."""
    whole = segment.read_bytes()
    start = ends(segment)[2]
    for size in range(start + 1, len(whole), 97):
        segment.write_bytes(whole[:size])
        found = again(layout)
        assert left(layout) == all_names("d")
        assert segment.stat().st_size == start
        assert found.cut_bytes == size - start
        assert found.messages


@pytest.mark.parametrize(
    "tail",
    [
        b"\0" * 5_000,
        b"{",
        b'{"seg":1,"id":"x"}\n',
        b'{"seg":1,"id":"x"}\n{"seg":1,"i',
        b'{"seg":1,"id":"x"}\n{"commit":{"request":"',
        b'{"seg":1,"id":"x"}\n\0\0\0',
        b"\n",
    ],
)
def test_a_tail_that_nobody_committed_is_cut(layout: Layout, segment: Path, tail: bytes) -> None:
    """Zeros after a power cut, the beginning of a batch: never acknowledged, so never counted."""
    before = segment.read_bytes()
    segment.write_bytes(before + tail)
    found = again(layout)
    assert segment.read_bytes() == before
    assert (found.cut_bytes, found.damaged_bytes) == (len(tail), 0)
    assert not layout.quarantine.exists()


@pytest.mark.parametrize(
    "tail",
    [b"garbage", b"\xff\xfe\n\n{", b'{"commit":{}}\n', b'{"seg":1,"id":"x"}\n{"cOmmit":{"request":"ab","rows":1}}\n'],
)
def test_a_tail_of_which_it_cannot_be_told_is_put_aside(layout: Layout, segment: Path, tail: bytes) -> None:
    """What no crash tears like that may have been acknowledged: it is kept, counted and said."""
    before = segment.read_bytes()
    segment.write_bytes(before + tail)
    found = again(layout)
    assert segment.read_bytes() == before
    assert (found.cut_bytes, found.damaged_bytes) == (0, len(tail))
    (kept,) = layout.quarantine.iterdir()
    assert kept.read_bytes() == tail
    assert "may have been acknowledged" in found.messages[0]


def test_two_damages_of_one_segment_are_both_kept(layout: Layout, segment: Path) -> None:
    """One found at a start, the other before it becomes Parquet."""
    for where in (0, 0):
        data = bytearray(segment.read_bytes())
        start, _, _ = list(scan(bytes(data)))[where]
        data[start + 40] ^= 1
        segment.write_bytes(bytes(data))
        again(layout)
    assert left(layout) == all_names("a", "b")
    assert len(list(layout.quarantine.iterdir())) == 2


@pytest.mark.parametrize("where", range(4))
def test_a_damaged_batch_is_quarantined_and_the_others_stay_readable(layout: Layout, segment: Path, where: int) -> None:
    """A flipped byte in a row costs its batch alone; the bytes are kept aside and the loss is said."""
    data = bytearray(segment.read_bytes())
    start, end, _ = list(scan(bytes(data)))[where]
    data[start + 40] ^= 1
    segment.write_bytes(bytes(data))
    found = again(layout)
    assert left(layout) == all_names(NAMES[where])
    assert found.messages
    assert (found.damaged_bytes, found.cut_bytes) == (end - start, 0)
    (kept,) = layout.quarantine.iterdir()
    assert kept.read_bytes() == bytes(data[start:end])
    assert again(layout).messages == []


@pytest.mark.parametrize("where", [1, 3])
@pytest.mark.parametrize("offset", range(0, 90, 7))
def test_a_damaged_commit_line_costs_its_own_batch_only(layout: Layout, segment: Path, offset: int, where: int) -> None:
    """The batch behind it has its own commit line and is found by it; of the last one everything is kept aside."""
    data = bytearray(segment.read_bytes())
    start, end, _ = list(scan(bytes(data)))[where]
    line = data.rindex(b"\n", 0, end - 1) + 1
    data[min(line + offset, end - 2)] ^= 2
    segment.write_bytes(bytes(data))
    again(layout)
    assert left(layout) in (all_names(NAMES[where]), all_names())  # a flipped digit of the request id is not seen
    if len(left(layout)) < len(all_names()):
        (kept,) = layout.quarantine.iterdir()
        assert kept.read_bytes() == bytes(data[start:end])


def test_a_wholly_damaged_segment_is_put_aside_and_the_numbers_go_on(layout: Layout, segment: Path) -> None:
    """The start must not fail, and what may have been acknowledged must not vanish."""
    segment.write_bytes(b"\xff" * 10_000)
    found = again(layout)
    assert left(layout) == []
    assert (found.next_segment, found.waiting, found.damaged_bytes) == (2, [], 10_000)
    (kept,) = layout.quarantine.iterdir()
    assert kept.read_bytes() == b"\xff" * 10_000


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_recovery_of_any_damage_keeps_every_untouched_batch(data: st.DataObject) -> None:
    """Whatever is overwritten, removed or inserted, each batch whose bytes are intact is found by the scan."""
    batches = [
        SanitizedBatch(LOGS, tuple(b'{"id":"%d"}' % (10 * n + m) for m in range(n + 1)), n, f"{n}" * 32)
        for n in range(4)  # ids so far apart that no flipped digit turns one into another
    ]
    parts = [encode(one, 1) for one in batches]
    victim = data.draw(st.integers(0, 3))
    part = bytearray(parts[victim])
    at = data.draw(st.integers(0, len(part) - 2))  # the last line feed also ends what stands before the next batch
    match data.draw(st.sampled_from(["flip", "cut", "insert"])):
        case "flip":
            part[at] ^= data.draw(st.integers(1, 255))
        case "cut":
            del part[at : at + data.draw(st.integers(1, 50))]
            part += b"" if part.endswith(b"\n") else b"\n"
        case _:
            part[at:at] = data.draw(st.binary(min_size=1, max_size=50))
    text = b"".join([*parts[:victim], bytes(part), *parts[victim + 1 :]])
    pieces = list(scan(text))
    assert [start for start, _, _ in pieces] == [0, *(end for _, end, _ in pieces[:-1])]
    assert pieces[-1][1] == len(text)
    found = [commit.request_id for _, _, commit in pieces if commit]
    assert [one.request_id for one in batches if one is not batches[victim] and one.request_id not in found] == []
    assert len(found) == len(set(found))


def test_young_requests_are_remembered_and_old_ones_forgotten(
    layout: Layout, batch: MakeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commits of the last ten minutes come back, so that a retry after the restart is known; and the last few."""
    monkeypatch.setattr(recovery, "REMEMBER_AT_LEAST", 1)
    journal = Journal(layout, LOGS, Disk(), 1)
    made = [batch(name, at_ns=at * 1_000_000_000) for name, at in (("old", 100), ("young", 900))]
    journal.append(made, 0.0)
    journal.close()
    found = again(layout, since_us=500 * 1_000_000)
    assert [commit.request_id for commit in found.commits] == [made[1].request_id]
    found = again(layout, since_us=5_000 * 1_000_000)  # the clock has jumped
    assert [commit.request_id for commit in found.commits] == [made[1].request_id]


def test_segments_in_parquet_wait_no_more_but_are_remembered(layout: Layout, segment: Path) -> None:
    """A covered segment is not compacted twice, and its requests are still known."""
    compact(layout, LOGS, [1], "2026-01-01", Disk())
    found = again(layout)
    assert (found.waiting, found.next_segment, len(found.commits)) == ([], 2, len(NAMES))
    segment.write_bytes(b"")  # retired
    found = again(layout)
    assert (found.waiting, found.next_segment, found.commits) == ([], 2, [])


@pytest.mark.parametrize("compacted", [False, True])
def test_a_batch_in_two_segments_counts_once(layout: Layout, batch: MakeBatch, compacted: bool) -> None:
    """A sync failed, the segment could not be cut back, and the process died before it could be mended."""
    twice, alone = batch("twice"), batch("alone")
    first, second = Journal(layout, LOGS, Disk(), 1), Journal(layout, LOGS, Disk(), 2)
    first.append([alone, twice], 0.0)
    second.append([twice], 0.0)
    if compacted:
        compact(layout, LOGS, [2], "2026-01-01", Disk())
    found = again(layout)
    assert names(journal_rows(layout.home)) == ["alone", "twice"]
    assert found.waiting == ([1] if compacted else [1, 2])
    assert "stored again elsewhere" in found.messages[0]
    assert again(layout).messages == []


def test_the_same_request_after_the_ledger_forgot_it_is_no_copy(layout: Layout, batch: MakeBatch) -> None:
    """Whoever sends the same bytes every hour means each of them."""
    journal = Journal(layout, LOGS, Disk(), 1)
    journal.append([batch("hourly", at_ns=1_000 * 10**9)], 0.0)
    journal.append([batch("hourly", at_ns=4_600 * 10**9)], 0.0)
    assert again(layout).messages == []
    assert left(layout) == ["hourly", "hourly"]


def test_a_segment_that_cannot_be_made_whole_does_not_keep_the_daemon_from_starting(
    layout: Layout, segment: Path
) -> None:
    """It is said, and it does not become Parquet as it is."""
    segment.write_bytes(segment.read_bytes()[:-20])
    found = recover(layout, LOGS, FaultyDisk("cut", 1), 0)
    assert (found.waiting, "waits for the next start" in found.messages[0]) == ([], True)
    assert again(layout).waiting == [1]


@pytest.fixture
def older(layout: Layout, segment: Path, batch: MakeBatch, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same segment, with a younger one behind it and a start that reads only that."""
    Journal(layout, LOGS, Disk(), 2).append([batch("young")], 0.0)
    monkeypatch.setattr(recovery, "READ_BYTES", 1)
    return segment


def test_an_older_segment_is_not_read_at_the_start_but_before_it_becomes_parquet(layout: Layout, older: Path) -> None:
    """A start after a crash does not wait for gigabytes; damage in them is found all the same."""
    data = bytearray(older.read_bytes())
    data[40] ^= 1
    older.write_bytes(bytes(data))
    found = again(layout)
    assert (found.waiting, found.messages, len(found.commits)) == ([1, 2], [], 1)
    said = run({"job": "compact", "home": str(layout.home), "signal": "logs", "segments": [1, 2], "day": "2026-01-01"})
    assert "damaged bytes moved" in said["damage"][0]
    assert left(layout) == [*all_names("a"), "young"]
    assert layout.quarantine.exists()


@pytest.mark.parametrize("tail", [b"\0" * 100, b'{"seg":1,"id":"x"}\n', b'{"seg":1}\n{"commit":{"request":"'])
def test_an_older_segment_that_ends_badly_is_read(layout: Layout, older: Path, tail: bytes) -> None:
    """Its end shows that it was not closed in good order."""
    whole = older.read_bytes()
    older.write_bytes(whole + tail)
    assert again(layout).cut_bytes == len(tail)
    assert older.read_bytes() == whole


def test_what_could_not_be_cut_back_is_cut_at_the_next_start(layout: Layout, batch: MakeBatch) -> None:
    """A sync fails, cutting back fails, and the process dies: the next segment says where the one before should end."""
    disk = FaultyDisk("retreat", 1)
    journal = Journal(layout, LOGS, disk, 1)
    journal.append([batch("good")], 0.0)
    real, fails = FaultyAppender.sync, iter([True, False, False])

    def sync(appender: FaultyAppender) -> None:
        if next(fails):
            raise OSError(5, "told to fail")
        real(appender)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FaultyAppender, "sync", sync)
        journal.append([batch("twice")], 0.0)
    assert (journal.unmended, journal.closed) == (True, [])
    assert names(journal_rows(layout.home)) == ["good", "twice", "twice"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recovery, "_drop_copies", lambda _: None)
        found = again(layout)
    assert names(journal_rows(layout.home)) == ["good", "twice"]
    assert (found.waiting, again(layout).messages) == ([1, 2], [])


def test_what_was_being_written_is_written_anew_and_what_was_closed_is_not(layout: Layout, batch: MakeBatch) -> None:
    """After a kill only the segment that was open costs a start something; after a stop none does."""
    journal = Journal(layout, LOGS, Disk(), 1)
    journal.append([batch("closed")], 0.0)
    journal.close()
    journal.append([batch("open")], 0.0)
    paths = [layout.segment(LOGS, number) for number in (1, 2)]
    before = [path.stat().st_ino for path in paths]
    assert [path.stat().st_mode & 0o777 for path in paths] == [FILE_MODE, WRITING_MODE]
    assert again(layout).waiting == [1, 2]
    after = [path.stat().st_ino for path in paths]
    assert (after[0] == before[0], after[1] == before[1]) == (True, False)
    assert [path.stat().st_mode & 0o777 for path in paths] == [FILE_MODE, FILE_MODE]
    assert names(journal_rows(layout.home)) == ["closed", "open"]
    again(layout)
    assert [path.stat().st_ino for path in paths] == after


def test_what_cannot_be_written_anew_is_neither_known_nor_forgotten(layout: Layout, batch: MakeBatch) -> None:
    """Nobody knows whether its requests are on the medium: their retries are not answered, and not stored twice."""
    one = batch("open")
    Journal(layout, LOGS, Disk(), 1).append([one], 0.0)
    found = recover(layout, LOGS, FaultyDisk("write", 1), 0)
    assert (found.waiting, found.commits, found.doubted) == ([], [], {one.request_id})
    found = again(layout)
    assert (found.waiting, len(found.commits), found.doubted) == ([1], 1, set())


def test_a_row_that_lost_its_request_is_known_by_itself(layout: Layout, batch: MakeBatch) -> None:
    """It can be read, and not be put aside: stored again it would be there twice."""
    torn, other = batch("torn"), batch("other")
    ledger = Ledger()
    layout.segment(LOGS, 1).write_bytes(encode(torn, 1).replace(b'{"commit":{"request":"', b'{"commit":{"requesu":"'))
    ledger.doubted_rows = recover(layout, LOGS, FaultyDisk("write", 1), 0).doubted_rows
    assert names(journal_rows(layout.home)) == ["torn"]
    assert (ledger.doubts(torn.lines), ledger.doubts(other.lines)) == (True, False)
    ledger.doubted_rows = again(layout).doubted_rows
    assert names(journal_rows(layout.home)) == []
    assert not ledger.doubts(torn.lines)


def test_a_segment_is_mended_as_soon_as_the_medium_allows(layout: Layout, batch: MakeBatch) -> None:
    """Then it becomes Parquet like any other."""
    disk = FaultyDisk("torn", 2)
    journal = Journal(layout, LOGS, disk, 1)
    journal.append([batch("good")], 0.0)
    with pytest.raises(OSError, match="leave half"):
        journal.append([batch("torn")], 0.0)
    assert (journal.unmended, journal.closed) == (True, [])
    journal.mend()
    assert (journal.unmended, journal.closed) == (False, [1])
    assert names(journal_rows(layout.home)) == ["good"]


@pytest.mark.parametrize("instead", [b"\x0b", b"", b"x", b"{", b"\0"])
@pytest.mark.parametrize("where", range(4))
def test_a_damaged_line_feed_after_a_commit_costs_nothing(
    layout: Layout, segment: Path, where: int, instead: bytes
) -> None:
    """Both batches that it parted are whole; the line feed is put back, so that readers see them."""
    data = segment.read_bytes()
    end = ends(segment)[where]
    segment.write_bytes(data[: end - 1] + instead + data[end:])
    again(layout)
    assert left(layout) == all_names()
    assert segment.read_bytes() == data
    assert again(layout).messages == []
