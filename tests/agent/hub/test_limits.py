"""What a member may send: slowed down or asked to wait, never refused for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telem.agent.hub.limits import Limits, folder_bytes, read_visits
from telem.agent.hub.members import Member, Role
from telem.storage.disk import Disk

if TYPE_CHECKING:
    from pathlib import Path

ADA = Member("m-1", "ada", Role.MEMBER, "", 0.0, quota_bytes=1000)


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(tmp_path: Path, clock: Clock) -> Limits:
    return Limits(lambda name: tmp_path / name, tmp_path / "visits.json", Disk(), bytes_a_minute=500, now_s=clock)


def test_who_sends_too_much_in_a_minute_waits_for_the_next(limits: Limits, clock: Clock) -> None:
    assert limits.refusal(ADA, 400) is None
    clock.now_s += 20
    refused = limits.refusal(ADA, 200)
    assert refused is not None
    assert refused.retry_after_s == "40"
    clock.now_s += 40
    assert limits.refusal(ADA, 200) is None


def test_one_request_larger_than_the_minute_is_let_in_alone(limits: Limits) -> None:
    """It could never be sent otherwise."""
    assert limits.refusal(ADA, 5000) is None
    assert limits.refusal(ADA, 1) is not None


def test_a_full_folder_is_told_and_counted_anew_after_a_while(limits: Limits, clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "m-1" / "journal").mkdir(parents=True)
    file = tmp_path / "m-1" / "journal" / "s"
    file.write_bytes(b"x" * 1000)
    refused = limits.refusal(ADA, 1)
    assert refused is not None
    assert "quota is 1000" in refused.message
    file.write_bytes(b"")
    assert limits.refusal(ADA, 1) is not None
    clock.now_s += 60
    assert limits.refusal(ADA, 1) is None


def test_the_last_visit_is_kept(limits: Limits, tmp_path: Path) -> None:
    limits.write_visits()
    assert not (tmp_path / "visits.json").exists()
    limits.note_visit(ADA)
    limits.write_visits()
    assert list(read_visits(tmp_path / "visits.json")) == ["m-1"]
    (tmp_path / "visits.json").write_bytes(b"torn{")
    assert read_visits(tmp_path / "visits.json") == {}


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert folder_bytes(tmp_path / "none") == 0
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "spare").write_bytes(b"0" * 1000)  # kept back by the daemon
    (tmp_path / "m" / "key").write_bytes(b"0" * 32)
    assert folder_bytes(tmp_path / "m") == 32
