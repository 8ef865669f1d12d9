"""The sanitizer's counts: added durably, bounded, and read as a table from a shell and by our own questions."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
from tests.daemons import shell
from tests.fakes import FaultyDisk

from telem.queries.run import run
from telem.storage import audit
from telem.storage.catalog import publish
from telem.storage.disk import Disk, DiskFullError
from telem.storage.keys import KeyFileError, load_key, read_key, rotate_key
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

DAY = "2026-11-23"
ALL = "SELECT * FROM sanitizer_audit ORDER BY ALL"


@pytest.fixture
def layout(home: Path) -> Layout:
    return Layout(home)


def test_counts_of_a_day_add_up(layout: Layout) -> None:
    """By rule and attribute; another day is another row."""
    audit.add(layout, Disk(), DAY, {("email", "prompt"): 2, ("pem", "text"): 1})
    audit.add(layout, Disk(), DAY, {("email", "prompt"): 3})
    audit.add(layout, Disk(), "2026-12-01", {("email", "prompt"): 1})
    assert run(layout, ALL).rows == (
        (date(2026, 11, 23), "email", "prompt", 5),
        (date(2026, 11, 23), "pem", "text", 1),
        (date(2026, 12, 1), "email", "prompt", 1),
    )
    assert [path.name for path in audit.months(layout)] == ["2026-11.ndjson", "2026-12.ndjson"]


def test_the_shell_sees_the_same_rows(layout: Layout) -> None:
    """Also when nothing has been counted yet."""
    publish(layout, Disk(), DAY)
    assert shell(layout.home, ALL) == []
    assert run(layout, ALL).rows == ()
    audit.add(layout, Disk(), DAY, {("email", "prompt"): 2})
    row = {"day": DAY, "rule": "email", "attribute": "prompt", "count": 2}
    assert shell(layout.home, ALL) == [row]
    assert run(layout, "SELECT sum(count) FROM sanitizer_audit").rows == ((2,),)


def test_an_empty_home_has_an_empty_table(layout: Layout) -> None:
    """Before the first start there is not even the folder."""
    assert run(layout, ALL).rows == ()


def test_invented_names_are_counted_together(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender cannot make the file grow without end; the sum stays right."""
    monkeypatch.setattr(audit, "ROWS_A_DAY", 3)
    audit.add(layout, Disk(), DAY, {("email", f"a{number}"): 1 for number in range(10)})
    audit.add(layout, Disk(), DAY, {("email", "a0"): 1, ("email", "new"): 1})
    rows = {row[2]: row[3] for row in run(layout, ALL).rows}
    assert rows == {"a0": 2, "a1": 1, "a2": 1, audit.OTHERS: 8}


def test_a_full_disk_leaves_the_old_counts(layout: Layout) -> None:
    """The caller still has the new ones, and tries again."""
    audit.add(layout, Disk(), DAY, {("email", "prompt"): 2})
    with pytest.raises(DiskFullError):
        audit.add(layout, FaultyDisk("write", 1), DAY, {("email", "prompt"): 5})
    assert run(layout, ALL).rows == ((date(2026, 11, 23), "email", "prompt", 2),)


@pytest.mark.parametrize("text", ["not JSON\n", '{"day": "2026-11-01"}\n', "[]\n", "\udcff"])
def test_a_damaged_month_is_put_aside(text: str, layout: Layout) -> None:
    """It is not deleted, and counting goes on."""
    Disk().directory(layout.audit)
    layout.audit_month("2026-11").write_bytes(text.encode("utf-8", "surrogateescape"))
    audit.add(layout, Disk(), DAY, {("email", "prompt"): 2})
    assert run(layout, ALL).rows == ((date(2026, 11, 23), "email", "prompt", 2),)
    aside = layout.quarantine / "sanitizer_audit-2026-11.ndjson"
    assert aside.read_bytes() == text.encode("utf-8", "surrogateescape")


def test_the_files_are_private(layout: Layout) -> None:
    """As everything in the folder."""
    publish(layout, Disk(), DAY)
    audit.add(layout, Disk(), DAY, {("email", "prompt"): 2})
    assert layout.audit.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in layout.audit.iterdir()} == {0o600}


def test_reading_a_key_makes_none(layout: Layout) -> None:
    """A command that only looks leaves no home behind."""
    assert read_key(layout) is None
    assert not layout.key.exists()
    key = load_key(layout, Disk())
    assert read_key(layout) == key
    layout.key.write_bytes(b"\xff\xfe")
    with pytest.raises(KeyFileError):
        read_key(layout)


def test_a_rotated_key_is_another(layout: Layout) -> None:
    """The old one stays only if it is asked for, and private."""
    first = load_key(layout, Disk())
    rotate_key(layout, Disk(), None)
    second = load_key(layout, Disk())
    retired = layout.retired_key(DAY)
    rotate_key(layout, Disk(), retired)
    assert len({first, second, load_key(layout, Disk())}) == 3
    assert bytes.fromhex(retired.read_text().strip()) == second
    assert {path.stat().st_mode & 0o777 for path in (layout.key, retired)} == {0o600}
