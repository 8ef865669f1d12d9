"""The ids of forwarded rows: claimed once, also after restarts and when the journal has forgotten them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telem.sanitize.records import SanitizedBatch, Signal
from telem.storage.disk import Disk
from telem.storage.journal import Journal
from telem.storage.layout import Layout
from telem.storage.seen import Seen

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO = "0" * 19 + "1", "f" * 20


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    for signal in Signal:
        layout.journal(signal).mkdir(parents=True)
    return layout


def test_an_id_is_claimed_once_until_it_is_released(layout: Layout) -> None:
    seen = Seen.load(layout)
    assert seen.claim(ONE)
    assert not seen.claim(ONE)
    seen.release()
    assert seen.claim(ONE)
    seen.settle()
    assert not seen.claim(ONE)
    assert seen.claim(TWO)


def test_ids_of_rows_in_the_journal_are_known_after_a_crash(layout: Layout) -> None:
    journal = Journal(layout, Signal.LOGS, Disk(), 1)
    line = b'{"id":"%b","attributes":{"id":"%b"}}' % (ONE.encode(), TWO.encode())
    journal.append([SanitizedBatch(Signal.LOGS, (line,), 0, "r" * 32)], 0.0)
    seen = Seen.load(layout)
    assert not seen.claim(ONE)
    assert seen.claim(TWO)  # only a row's own id counts


def test_saved_ids_outlive_the_journal_and_the_oldest_go(layout: Layout) -> None:
    seen = Seen(layout.seen, limit=2)
    for name in (ONE, TWO, "a" * 20):
        assert seen.claim(name)
        seen.settle()
    seen.save(Disk())
    loaded = Seen.load(layout, limit=2)
    assert [loaded.claim(name) for name in (ONE, TWO, "a" * 20)] == [True, False, False]


def test_a_torn_file_loses_only_its_end(layout: Layout) -> None:
    layout.seen.write_bytes(bytes.fromhex(ONE) + b"torn")
    assert not Seen.load(layout).claim(ONE)
