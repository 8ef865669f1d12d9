"""The daemon that goes on importing by itself."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from tests.agent.transcripts.synthetic import Session, totals
from tests.agent.transcripts.test_importing import import_claude, stored
from tests.conftest import config_for, running

from telem.agent.transcripts import watching
from telem.agent.transcripts.watching import Watch

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    import pytest


async def until(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 120
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < end_s, "it did not happen in time"
        await asyncio.sleep(0.1)


async def test_what_was_missed_is_filled(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the start what was written while the daemon was down, then what is added while it runs; nothing twice."""
    monkeypatch.setattr(watching, "PAUSE_S", 0.2)
    projects = tmp_path / "projects" / "-home-dev-book"
    session = Session(31).talk(3)
    session.write(projects)
    done = await asyncio.to_thread(import_claude, home, "--watch", "--json", CLAUDE_CONFIG_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    session.talk(2)
    session.write(projects)
    async with running(config_for(home)):
        await until(lambda: stored(home) == totals(session))
        other = Session(32).talk(1)
        other.write(projects)
        await until(lambda: stored(home) == totals(session, other))


async def test_what_is_written_during_an_import_is_imported_too(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may come after the import has read that log, and nothing else may ever change."""
    monkeypatch.setattr(watching, "PAUSE_S", 0.0)
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path))
    (tmp_path / "projects").mkdir()
    again = asyncio.Event()

    async def slow_import(*_: object) -> None:
        if log.exists():
            again.set()
        log.write_text("{}\n", encoding="utf-8")
        await asyncio.sleep(0.2)

    log = tmp_path / "projects" / "book.jsonl"
    watch = Watch(config_for(home, watch_session_logs="on"))
    monkeypatch.setattr(watch, "_import", slow_import)
    running_watch = asyncio.create_task(watch.run())
    async with asyncio.timeout(60):
        await again.wait()
    running_watch.cancel()
    await asyncio.gather(running_watch, return_exceptions=True)


def test_it_is_off_until_it_was_chosen(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By `--watch` or by the setting; `off` wins over both, and `--no-watch` takes the word back."""
    (tmp_path / "projects").mkdir()
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path))
    watch = Watch(config_for(home))
    assert watch.wanted() is None
    assert Watch(config_for(home, watch_session_logs="on")).wanted() == ([tmp_path], "none")
    chosen = import_claude(home, "--watch", "--content", "prompts", CLAUDE_CONFIG_DIR=str(tmp_path))
    assert chosen.returncode == 0, chosen.stderr
    assert watch.wanted() == ([tmp_path], "prompts")
    assert Watch(config_for(home, watch_session_logs="off")).wanted() is None
    import_claude(home, "--no-watch", CLAUDE_CONFIG_DIR=str(tmp_path))
    assert watch.wanted() is None


async def test_where_nothing_can_be_watched_it_looks_from_time_to_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system limits how many folders are watched; and it ends when the folder is gone."""
    monkeypatch.setattr(watching, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr("watchfiles.awatch", refused)
    told = 0
    async for _ in watching.changes([tmp_path]):
        told += 1
        if told == 3:
            await asyncio.to_thread(tmp_path.rmdir)
    assert told == 3


async def test_a_folder_that_goes_away_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then there may be another one: it is looked for anew."""
    monkeypatch.setattr(watching, "NOTIFY_TIMEOUT_MS", 100)
    folder = tmp_path / "projects"
    folder.mkdir()
    async with asyncio.timeout(20):
        told = [None async for _ in _removing(folder)]
    assert told == []


async def _removing(folder: Path) -> AsyncGenerator[None]:
    asyncio.get_running_loop().call_later(0.3, folder.rmdir)
    async for each in watching.changes([folder]):
        yield each


async def refused(*_: object, **__: object) -> AsyncGenerator[None]:
    raise OSError(28, "No space left on device")
    yield  # what makes it a generator
