"""The access log: a chain that shows what was changed, removed, put in or cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from telem.storage import access
from telem.storage.disk import Disk
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def entry(statement: str) -> dict[str, Any]:
    return {"time": "2026-11-01T00:00:00Z", "caller": "owner", "via": "http", "statement": statement, "rows": 1}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = Layout(tmp_path / "home")
    for number in range(10):
        access.append(found, Disk(), [entry(f"SELECT {number}"), entry("SELECT 'ä\n'")])
    return found


def test_a_log_that_was_left_alone_is_whole(layout: Layout) -> None:
    """From the first line to the last, whoever wrote them."""
    assert access.verify(layout) == access.Report(20, 1, 20, ())
    assert [said["n"] for _, _, said in access.lines(layout) if said] == list(range(1, 21))
    assert layout.access_file(1).stat().st_mode & 0o777 == 0o600


def change(path: Path, how: Callable[[list[bytes]], list[bytes]]) -> None:
    path.write_bytes(b"".join(how(path.read_bytes().splitlines(keepends=True))))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (lambda lines: [*lines[:4], lines[4].replace(b"SELECT 2", b"SELECT 3"), *lines[5:]], "line 5 is damaged"),
        (lambda lines: lines[:4] + lines[5:], "does not follow line 4 "),
        (lambda lines: [*lines[:4], lines[7], *lines[4:]], "does not follow line 4"),
        (lambda lines: lines[:4][::-1] + lines[4:], "does not follow"),
        (lambda lines: lines[:-3], "its end was cut off"),
        (lambda lines: lines[1:], ""),
        (lambda _lines: [], "ends at line 0"),
    ],
)
def test_what_was_done_to_it_is_found(layout: Layout, how: Callable[[list[bytes]], list[bytes]], words: str) -> None:
    """Only the beginning may be missing: old files go."""
    change(layout.access_file(1), how)
    report = access.verify(layout)
    assert bool(report.problems) == bool(words)
    assert words in " ".join(report.problems)


def test_a_torn_line_spoils_itself_only(layout: Layout) -> None:
    """A crash while writing: the next line begins on a line of its own and goes on with the chain."""
    with layout.access_file(1).open("ab") as file:
        file.write(b'{"n":21,"time":"2026-')
    access.append(layout, Disk(), [entry("SELECT 'after'")])
    report = access.verify(layout)
    assert len(report.problems) == 1
    assert "damaged" in report.problems[0]
    assert report.last == 21


def test_files_are_closed_when_they_are_full_and_the_oldest_go(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain goes on from one to the next, and begins with what is left."""
    monkeypatch.setattr(access, "FILE_LIMIT_BYTES", 100)
    monkeypatch.setattr(access, "FILES_MAX", 3)
    for number in range(6):
        access.append(layout, Disk(), [entry(f"SELECT {number}")])
    assert [path.name for path in access.files(layout)] == ["000005.ndjson", "000006.ndjson", "000007.ndjson"]
    assert access.verify(layout) == access.Report(3, 24, 26, ())
