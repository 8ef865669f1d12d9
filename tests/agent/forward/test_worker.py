"""Forwarding against a receiver that misbehaves in every way: each row that may leave arrives, and none is lost."""

from __future__ import annotations

import random
import signal as signals
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.agent.forward.receiver import (
    CUT,
    OK,
    PORTAL,
    STORED_AND_CUT,
    Receiver,
    Reply,
    Request,
    failure,
    partial,
)
from tests.daemons import clean_env
from tests.storage.homes import DAY, home_of, parquet, record_names, segment

from telem.agent.forward import destinations, follower
from telem.agent.forward.cursor import Cursor
from telem.agent.forward.destinations import Destination
from telem.agent.forward.worker import run
from telem.agent.reserve import reserve
from telem.sanitize.records import Signal
from telem.storage.compact import compact
from telem.storage.disk import Disk
from telem.storage.merge import merge

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.storage.conftest import MakeBatch

    from telem.storage.layout import Layout

LOGS = Signal.LOGS


@pytest.fixture
def layout(home: Path) -> Layout:
    return home_of(home)


def destine(layout: Layout, receiver: Receiver, **options: Any) -> None:
    destinations.write(layout, Disk(), Destination("there", url=receiver.url, **options))


def go(layout: Layout) -> dict[str, Any]:
    """One life of the forwarding process, here."""
    return run(layout, "there", linger_s=0, parent=False)


def until_done(layout: Layout, attempts: int = 50) -> list[dict[str, Any]]:
    """Lives until one finds nothing more to do; what each said."""
    said = []
    for _ in range(attempts):
        said.append(go(layout))
        if said[-1]["state"] == "idle":
            return said
    raise AssertionError(said[-1])


@pytest.fixture
def three(layout: Layout, batch: MakeBatch, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Rows in a Parquet file of two segments, in a closed and in an open segment; requests of at most 10 rows."""
    monkeypatch.setattr(follower, "BATCH_ROWS", 10)
    for number in (1, 2):
        segment(layout, number, batch(*(f"r{number}-{index:02d}" for index in range(25))))
    compact(layout, LOGS, [1, 2], DAY, Disk())
    for number in (1, 2):
        Disk().empty(layout.segment(LOGS, number))
    for number in (3, 4):
        segment(layout, number, batch(*(f"r{number}-{index:02d}" for index in range(25))))
    return record_names(layout)


def test_everything_that_is_stored_leaves_once(layout: Layout, three: list[str]) -> None:
    """From Parquet and journal, in the order of segments; a second life has nothing to do."""
    with Receiver() as receiver:
        destine(layout, receiver)
        assert go(layout) | {"seen": None} == {"state": "idle", "sent": 100, "seen": None}
        assert receiver.names() == three
        assert set(receiver.row_ids().values()) == {1}
        order = [name.partition("-")[0] for request in receiver.stored for name in request.names()]
        assert [name for name in order if name in ("r3", "r4")] == sorted(
            name for name in order if name in ("r3", "r4")
        )
        requests = len(receiver.requests)
        assert go(layout)["sent"] == 0
        assert len(receiver.requests) == requests


def test_rows_that_come_later_leave_too(layout: Layout, three: list[str], batch: MakeBatch) -> None:
    """Into the open segment's successor, and after it became Parquet and was merged."""
    with Receiver() as receiver:
        destine(layout, receiver)
        go(layout)
        segment(layout, 5, batch("later"))
        go(layout)
        compact(layout, LOGS, [3, 4, 5], DAY, Disk())
        merge(layout, LOGS, DAY, Disk())
        for number in (3, 4, 5):
            Disk().empty(layout.segment(LOGS, number))
        segment(layout, 6, batch("last"))
        go(layout)
        assert receiver.names() == sorted([*three, "later", "last"])
        assert set(receiver.row_ids().values()) == {1}


def nth(*numbers: int, then: Reply) -> Callable[[Request], Reply]:
    return lambda request: then if request.number in numbers else OK


@pytest.mark.parametrize(
    "reply",
    [
        failure(503),
        failure(429),
        failure(502),
        failure(504),
        failure(500),
        failure(302, Location="http://x/"),
        PORTAL,
        CUT,
    ],
    ids=["503", "429", "502", "504", "500", "redirect", "portal", "cut"],
)
def test_what_is_not_taken_now_is_sent_again_later(layout: Layout, three: list[str], reply: Reply) -> None:
    """Nothing is lost, nothing comes twice, and each failure ends a life with a reason."""
    with Receiver(nth(1, 2, 3, 7, 8, 11, then=reply)) as receiver:
        destine(layout, receiver)
        said = until_done(layout)
        assert {one["state"] for one in said[:-1]} == {"later"}
        assert all(one["error"] for one in said[:-1])
        assert receiver.names() == three
        assert set(receiver.row_ids().values()) == {1}


def test_an_answer_that_got_lost_brings_the_same_ids_again(layout: Layout, three: list[str]) -> None:
    """The receiver stored it and was cut off: it can tell by the ids, for they are the same."""
    with Receiver(nth(2, 5, then=STORED_AND_CUT)) as receiver:
        destine(layout, receiver)
        until_done(layout)
        assert receiver.names() == three
        assert sum(count - 1 for count in receiver.row_ids().values()) <= 20


def test_a_segment_may_become_parquet_in_the_middle(layout: Layout, three: list[str]) -> None:
    """Half of it was sent from the journal; the rest comes from the merged file, and only the rest."""
    with Receiver(lambda request: OK if request.number <= 7 else failure(503)) as receiver:
        destine(layout, receiver)
        assert go(layout)["state"] == "later"
        assert 50 < len(receiver.names()) < 75  # in the middle of segment 3
        compact(layout, LOGS, [3, 4], DAY, Disk())
        merge(layout, LOGS, DAY, Disk())
        for number in (3, 4):
            Disk().empty(layout.segment(LOGS, number))
        receiver.script = lambda _request: OK
        until_done(layout)
        assert receiver.names() == three
        assert set(receiver.row_ids().values()) == {1}


def test_when_to_come_again_is_the_destination_s_to_say(layout: Layout, three: list[str]) -> None:
    """Both forms of Retry-After; without one it is ours."""
    replies = iter(
        [failure(503, Retry_After="7"), failure(429, Retry_After="Wed, 21 Oct 2099 07:28:00 GMT"), failure(503)]
    )
    with Receiver(lambda _request: next(replies)) as receiver:
        destine(layout, receiver)
        assert go(layout)["after_s"] == 7.0
        assert go(layout)["after_s"] > 1e9
        said = go(layout)
        assert (said["after_s"], said["failures"]) == (None, 3)


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_one_bad_record_does_not_keep_the_others(layout: Layout, three: list[str], status: int) -> None:
    """It is found by halving, noted by its id, and sent again when its owner says so."""
    bad = {"r1-07", "r3-00"}

    def script(request: Request) -> Reply:
        return failure(status) if bad & set(request.names()) else OK

    with Receiver(script) as receiver:
        destine(layout, receiver)
        assert go(layout)["sent"] == 98
        assert receiver.names() == [name for name in three if name not in bad]
        cursor = Cursor(layout, Disk(), "there")
        assert [(found["status"], found["segment"]) for found in cursor.rejected()] == [(status, 1), (status, 3)]
        assert "r1-07" not in cursor.rejected_path.read_text()
        assert run(layout, "there", retry=True, parent=False)["sent"] == 0
        assert len(cursor.rejected()) == 2
        receiver.script = lambda _request: OK
        assert run(layout, "there", retry=True, parent=False)["sent"] == 2
        assert Cursor(layout, Disk(), "there").rejected() == []
        assert receiver.names() == three
        assert set(receiver.row_ids().values()) == {1}


def test_a_destination_that_refuses_everything_is_not_hammered(layout: Layout, three: list[str]) -> None:
    """After some dozen single records it stops, loudly, with all else still to be sent."""
    with Receiver(lambda _request: failure(400)) as receiver:
        destine(layout, receiver)
        said = go(layout)
        assert said["state"] == "paused"
        assert "refuses every record" in said["error"]
        assert len(receiver.requests) < 100


@pytest.mark.parametrize("status", [401, 403, 404])
def test_wrong_credentials_and_paths_stop_it(layout: Layout, three: list[str], status: int) -> None:
    """Nothing is dropped, nothing is tried again until somebody has looked."""
    with Receiver(lambda _request: failure(status)) as receiver:
        destine(layout, receiver)
        assert go(layout)["state"] == "paused"
        assert go(layout)["state"] == "paused"
        assert len(receiver.requests) == 1
        cursor = Cursor(layout, Disk(), "there")
        assert str(status) in cursor.paused
        cursor.resume()
        receiver.script = lambda _request: OK
        until_done(layout)
        assert receiver.names() == three


def test_partly_taken_is_not_sent_again(layout: Layout, three: list[str]) -> None:
    """OTLP forbids it; it is counted, with the reason."""
    with Receiver(nth(1, then=partial(4))) as receiver:
        destine(layout, receiver)
        assert go(layout)["sent"] == 96
        state = Cursor(layout, Disk(), "there").state
        assert state.rejected == 4
        assert set(receiver.row_ids().values()) == {1}


def test_a_record_that_makes_it_fail_is_given_up_in_the_end(layout: Layout, three: list[str]) -> None:
    """500 may be a passing fault; answered so nine times in a row, it is the record."""
    with Receiver(lambda request: failure(500) if "r2-03" in request.names() else OK) as receiver:
        destine(layout, receiver)
        until_done(layout)
        assert receiver.names() == [name for name in three if name != "r2-03"]
        assert len(Cursor(layout, Disk(), "there").rejected()) == 1


def test_a_500_after_a_long_outage_is_not_the_record_s_fault(layout: Layout, three: list[str]) -> None:
    """Only answers of 500 count, and only in a row."""
    with Receiver(
        lambda request: OK if request.number > 23 else failure(500 if request.number % 8 else 503)
    ) as receiver:
        destine(layout, receiver)
        until_done(layout)
        assert receiver.names() == three
        assert Cursor(layout, Disk(), "there").rejected() == []


def test_rows_of_a_late_import_leave_too(layout: Layout, three: list[str], batch: MakeBatch) -> None:
    """Their number was taken, and empty, when the cursor passed it."""
    number = reserve(layout, LOGS)
    segment(layout, number + 1, batch("after"))
    with Receiver() as receiver:
        destine(layout, receiver)
        go(layout)
        segment_path = layout.segment(LOGS, number)
        segment_path.unlink()
        parquet(layout, number, batch("imported"))
        go(layout)
        go(layout)
        assert receiver.names() == sorted([*three, "after", "imported"])
        assert set(receiver.row_ids().values()) == {1}


def test_what_may_leave_is_asked_anew_when_it_was_edited(layout: Layout, three: list[str]) -> None:
    """In the middle of a long catching up: from the next request on the new rules hold."""
    with Receiver() as receiver:

        def script(request: Request) -> Reply:
            if request.number == 3:
                destine(layout, receiver, attributes_deny=("record.name",))
            return OK

        receiver.script = script
        destine(layout, receiver)
        assert go(layout) | {"sent": 30} == {"state": "idle", "sent": 30, "seen": None}
        until_done(layout)
        named = ["record.name" in record for request in receiver.stored for record in request.records]
        assert named == [True] * 30 + [False] * 70
        assert set(receiver.row_ids().values()) == {1}


def test_two_processes_never_serve_one_destination(layout: Layout, three: list[str]) -> None:
    """The second one says so and goes."""
    Disk().directory(layout.cursors)
    lock = Disk().lock(layout.cursors / "there.lock")
    with Receiver() as receiver:
        destine(layout, receiver)
        assert go(layout)["state"] == "busy"
        lock.release()
        assert go(layout)["state"] == "idle"


def test_only_what_happened_since_leaves(layout: Layout, three: list[str], batch: MakeBatch) -> None:
    """Older rows are passed over."""
    with Receiver() as receiver:
        destine(layout, receiver, since="2100-01-01")
        assert go(layout)["sent"] == 0
        assert receiver.requests == []


def test_credentials_come_from_files_and_variables(
    layout: Layout, three: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And go with every request; a missing one is a reason to wait, not to send without."""
    token, headers = tmp_path / "token", tmp_path / "headers"
    with Receiver() as receiver:
        destine(layout, receiver, token_file=str(token), header_file=str(headers))
        assert "cannot be read" in go(layout)["error"]
        token.write_text("s3cret\n")
        headers.write_text("X-Scope: me\n\n")
        go(layout)
        assert {request.headers["authorization"] for request in receiver.requests} == {"Bearer s3cret"}
        assert receiver.requests[0].headers["x-scope"] == "me"
        destine(layout, receiver, token_env="TEST_FORWARD_TOKEN")
        assert "has no TEST_FORWARD_TOKEN" in go(layout)["error"]
        monkeypatch.setenv("TEST_FORWARD_TOKEN", "other")
        assert go(layout)["state"] == "idle"


def test_killed_at_any_moment_the_union_is_complete(layout: Layout, batch: MakeBatch) -> None:
    """Kill -9 at random: every row arrives, and only what was under way comes twice, with the same ids."""
    for number in range(1, 7):
        segment(layout, number, *(batch(*(f"{number}-{part}-{index}" for index in range(50))) for part in range(8)))
    compact(layout, LOGS, [1, 2, 3], DAY, Disk())
    expected = record_names(layout)
    chance = random.Random(7)
    code = (
        "import sys\nfrom pathlib import Path\nfrom telem.agent.forward import follower, worker\n"
        "from telem.storage.layout import Layout\nfollower.BATCH_ROWS = 40\n"
        "worker.run(Layout(Path(sys.argv[1])), 'there', linger_s=0, parent=False)\n"
    )
    kills = 0

    def slow(_request: Request) -> Reply:
        time.sleep(0.002)
        return OK

    with Receiver(slow) as receiver:
        destine(layout, receiver)
        for _ in range(60):
            process = subprocess.Popen([sys.executable, "-c", code, str(layout.home)], env=clean_env())
            already = len(receiver.requests)
            end_s = time.monotonic() + 60
            while process.poll() is None and len(receiver.requests) == already and time.monotonic() < end_s:
                time.sleep(0.005)
            time.sleep(chance.random() * 0.15)
            if process.poll() is not None:
                break
            process.send_signal(signals.SIGKILL)
            process.wait()
            kills += 1
        assert kills >= 3
        until_done(layout)
        assert receiver.names() == expected
        assert sum(count - 1 for count in receiver.row_ids().values()) <= 40 * kills
