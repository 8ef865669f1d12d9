"""A disk that is full, and has space again: nothing acknowledged is lost, and what makes space works meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.daemons import LiveDaemon, shell, telem, wait_for
from tests.faults.client import Client, kept
from tests.faults.volume import Volume, mounted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SLOW_S = 60.0


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Volume]:
    with mounted(tmp_path, "256m") as made:
        yield made


def test_a_full_disk_refuses_for_now_loses_nothing_and_goes_on_by_itself(volume: Volume) -> None:
    """503 as long as it is full; questions and purges work; 200 once there is space, without a restart."""
    one, other = Client(1), Client(2, padding=200)
    with LiveDaemon(volume.home) as daemon:
        port = daemon.port("otlp_http")
        assert [one.send(port), other.send(port)] == [200, 200]
        telem(volume.home, "compact")
        volume.fill()
        while other.send(port) == 200:
            pass
        assert {other.send(port) for _ in range(20)} == {503}
        count = "SELECT count(*) AS n FROM raw_logs"
        assert shell(volume.home, count, "-readonly") == [{"n": len(one.acknowledged) + len(other.acknowledged)}]
        assert (
            str(len(other.acknowledged))
            in telem(volume.home, "query", f"{count} WHERE session_id = '{other.session}'").stdout
        )
        purged = telem(volume.home, "purge", "--session", one.session, "--yes")
        assert purged.returncode == 0, purged.stderr
        assert shell(volume.home, count, "-readonly") == [{"n": len(other.acknowledged)}]
        volume.free()
        wait_for(lambda: other.send(port) == 200, SLOW_S)
        assert telem(volume.home, "compact").returncode == 0
    assert kept(volume.home) == dict.fromkeys(other.acknowledged, 1)


def test_a_daemon_starts_on_a_full_disk(volume: Volume) -> None:
    """It answers 503, answers questions, purges, and takes up again."""
    one, other = Client(1), Client(2)
    with LiveDaemon(volume.home) as daemon:
        assert [one.send(daemon.port("otlp_http")), other.send(daemon.port("otlp_http"))] == [200, 200]
    volume.fill()
    with LiveDaemon(volume.home) as daemon:
        port = daemon.port("otlp_http")
        purged = telem(volume.home, "purge", "--session", one.session, "--yes")
        assert purged.returncode == 0, purged.stderr
        assert shell(volume.home, "SELECT count(*) AS n FROM raw_logs", "-readonly") == [{"n": 3}]
        volume.free()
        wait_for(lambda: other.send(port) == 200, SLOW_S)
    assert kept(volume.home) == dict.fromkeys(other.acknowledged, 1)


def test_a_purge_without_a_daemon_works_on_a_full_disk(volume: Volume) -> None:
    """What is to go is often what filled it."""
    one, other = Client(1, padding=100), Client(2)
    with LiveDaemon(volume.home) as daemon:
        for _ in range(20):
            one.send(daemon.port("otlp_http"))
        other.send(daemon.port("otlp_http"))
        telem(volume.home, "compact")
    volume.fill()
    purged = telem(volume.home, "purge", "--session", one.session, "--yes")
    assert purged.returncode == 0, purged.stderr
    assert kept(volume.home) == dict.fromkeys(other.acknowledged, 1)
