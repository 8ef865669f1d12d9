"""A daemon without a port: Unix sockets in a private folder."""

from __future__ import annotations

import stat
import tempfile
from pathlib import Path

import pytest
from tests.conftest import config_for
from tests.daemons import LiveDaemon, journal_rows, names, telem
from tests.otlp import logs

from telem.agent.connect import connect
from telem.agent.errors import PortError
from telem.agent.sockets import listen

HEADERS = {"Content-Type": "application/x-protobuf"}


def post(endpoint: str, name: str) -> int:
    connection = connect(endpoint, 10)
    connection.request("POST", "/v1/logs", logs({"record.name": name}).SerializeToString(), HEADERS)
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_daemon_on_sockets_receives_answers_and_can_be_asked(home: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="telem-") as folder, LiveDaemon(home, "--sockets", f"{folder}/s") as daemon:
        assert daemon.endpoints["otlp_http"] == f"unix:{folder}/s/otlp_http"
        assert stat.S_IMODE(Path(folder, "s").stat().st_mode) == 0o700
        assert post(daemon.endpoints["otlp_http"], "one") == 200
        assert names(journal_rows(home)) == ["one"]
        status = telem(home, "status")
        assert status.returncode == 0, status.stderr
        assert f"unix:{folder}/s/query" in status.stdout


def test_what_an_ended_daemon_left_is_no_obstacle(home: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="telem-") as folder:
        with LiveDaemon(home, "--sockets", folder) as daemon:
            daemon.kill()
        with LiveDaemon(home, "--sockets", folder) as daemon:
            assert post(daemon.endpoints["otlp_http"], "two") == 200


async def test_a_path_that_is_too_long_is_an_error_that_says_so(home: Path) -> None:
    from contextlib import AsyncExitStack

    async with AsyncExitStack() as stack:
        with pytest.raises(PortError, match="cannot be made") as caught:
            listen(config_for(home, sockets=str(home / ("x" * 120))), stack, {})
    assert "at most 90 bytes" in caught.value.hint
