"""A folder that receives from a forwarder: rows keep their ids, and are stored once however often they come."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.conftest import config_for, running
from tests.daemons import journal_rows, names
from tests.otlp import logs, raw

from telem.agent.forwarded import ROW_ID
from telem.sanitize.records import Signal

if TYPE_CHECKING:
    from pathlib import Path

    from telem.agent.daemon import Daemon
    from telem.sanitize.records import RawRequest


def row_id(number: int) -> str:
    return f"{number:020x}"


def request(*numbers: int, at: int = 0) -> RawRequest:
    """Rows as a forwarder sends them; `at` makes another request of the same rows."""
    rows: list[dict[str, Any]] = [{"record.name": str(number), ROW_ID: row_id(number)} for number in numbers]
    message = logs(*rows, time_ns=1_790_000_000_000_000_000)
    message.resource_logs[0].resource.dropped_attributes_count = at
    return raw(Signal.LOGS, message)


async def accept(daemon: Daemon, *requests: RawRequest) -> None:
    for one in requests:
        await daemon.ingest.accept(one)


async def test_rows_keep_their_ids_and_come_once_however_they_are_cut(home: Path) -> None:
    async with running(config_for(home, accept_row_ids=1)) as daemon:
        await accept(daemon, request(1, 2), request(1, 2, at=1), request(2, 3, at=2))
    rows = journal_rows(home)
    assert names(rows) == ["1", "2", "3"]
    assert [row["id"] for row in rows] == [row_id(number) for number in (1, 2, 3)]
    assert all(ROW_ID not in row["attributes"] for row in rows)


async def test_a_restart_remembers_them(home: Path) -> None:
    for at in range(3):
        async with running(config_for(home, accept_row_ids=1)) as daemon:
            await accept(daemon, request(1, at=at))
    assert names(journal_rows(home)) == ["1"]


async def test_imported_rows_are_compared_with_exported_ones_here_too(home: Path) -> None:
    """As where they come from: while this folder is there, views count what was exported and imported once."""

    def told(number: int, scope: str) -> RawRequest:
        message = logs({"event.name": "api_request", "request_id": "req_1", ROW_ID: row_id(number)})
        message.resource_logs[0].scope_logs[0].scope.name = scope
        return raw(Signal.LOGS, message)

    async with running(config_for(home, accept_row_ids=1)) as daemon:
        await accept(daemon, told(1, "com.anthropic.claude_code.events"))
        assert not daemon.layout.transcripts.exists()
        await accept(daemon, told(2, "telem-agent.transcript"))
        assert daemon.layout.transcripts.exists()


async def test_many_at_once_store_a_row_once(home: Path) -> None:
    async with running(config_for(home, accept_row_ids=1)) as daemon:
        await asyncio.gather(*(daemon.ingest.accept(request(1, 2, at=at)) for at in range(20)))
    assert sorted(names(journal_rows(home))) == ["1", "2"]


async def test_what_could_not_be_stored_may_come_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(config_for(home, accept_row_ids=1)) as daemon:
        with monkeypatch.context() as patch:

            def fail(*_: object) -> None:
                raise OSError(5, "no")

            patch.setattr(daemon.ingest.committers[Signal.LOGS].journal, "append", fail)
            with pytest.raises(OSError, match="no"):
                await accept(daemon, request(1))
        await accept(daemon, request(1))
    assert names(journal_rows(home)) == ["1"]


async def test_an_id_that_is_none_is_an_attribute_like_any(home: Path) -> None:
    message = logs({"record.name": "x", ROW_ID: "../../etc"}, {"record.name": "y", ROW_ID: 7})
    async with running(config_for(home, accept_row_ids=1)) as daemon:
        await accept(daemon, raw(Signal.LOGS, message))
    assert names(journal_rows(home)) == ["x", "y"]
    assert "/" not in "".join(row["id"] for row in journal_rows(home))


async def test_noise_was_judged_where_the_row_comes_from(home: Path) -> None:
    """The second start-up record of a session is noise; one that another agent kept is kept."""
    noise = {"event.name": "managed_settings_resolved", "session.id": "s"}
    rows = [
        {"record.name": name, **noise, **extra} for name, extra in (("a", {}), ("b", {}), ("c", {ROW_ID: row_id(7)}))
    ]
    async with running(config_for(home, accept_row_ids=1)) as daemon:
        await accept(daemon, raw(Signal.LOGS, logs(*rows, body="claude_code.managed_settings_resolved")))
    assert names(journal_rows(home)) == ["a", "c"]


async def test_an_ordinary_agent_chooses_its_ids_itself(home: Path) -> None:
    async with running(config_for(home)) as daemon:
        await accept(daemon, request(1), request(1, at=1))
    rows = journal_rows(home)
    assert names(rows) == ["1", "1"]
    assert row_id(1) not in {row["id"] for row in rows}
