"""Goes on importing by itself: at the daemon's start, for what was missed while it was down, and after logs changed.

The daemon only waits; the import runs in a process of its own, at low priority, a while after the last change. By then
the client has exported what it was going to export, which is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from telem.agent.interpreter import PYTHON
from telem.storage.disk import Disk

from .folders import PROJECTS, SUFFIX, config_folders
from .progress import Progress

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from telem.agent.config import Config

PAUSE_S = 120.0
"""From a change to the import: longer than lines are left to settle, and at most so many imports an hour."""

LOOK_EVERY_S = 60.0
"""Has somebody asked for it, or are there logs now? And, where changes cannot be watched, the time between two runs."""

IMPORT_TIMEOUT_S = 3600.0
NOTIFY_TIMEOUT_MS = 10_000

log = logging.getLogger(__name__)


class Watch:
    """Runs until it is cancelled."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.runs = 0
        self.last: dict[str, Any] = {}  # what came of the last run

    async def run(self) -> None:
        """Wait until it is wanted, catch up, then follow the logs."""
        while True:
            wanted = self.wanted()
            if wanted is None:
                await asyncio.sleep(LOOK_EVERY_S)
                continue
            folders, content = wanted
            changed = asyncio.Event()
            watching = asyncio.create_task(_tell([folder / PROJECTS for folder in folders], changed))
            try:
                await asyncio.sleep(0)  # it watches from here: what is written during the import is not missed
                await self._import(folders, content)
                while await changed.wait():
                    await asyncio.sleep(PAUSE_S)
                    if watching.done() or self.wanted() != wanted:
                        break
                    changed.clear()
                    await self._import(folders, content)
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)

    def wanted(self) -> tuple[list[Path], str] | None:
        """Configuration folders to follow, and whether with prompts; None when it is not wanted or there are none."""
        asked = self._config.watch_session_logs
        if asked == "off":
            return None
        said = {}
        with contextlib.suppress(OSError, ValueError):
            said = orjson.loads(Progress(self._config.layout.transcripts, Disk()).watch.read_bytes())
        if not said and asked != "on":
            return None
        folders = [Path(folder) for folder in said.get("folders", [])] or config_folders()
        folders = [folder for folder in folders if (folder / PROJECTS).is_dir()]
        return (folders, str(said.get("content", "none"))) if folders else None

    async def _import(self, folders: list[Path], content: str) -> None:
        command = [*PYTHON, "telem", "import", "claude", "--home", str(self._config.home), "--json"]
        command += ["--content", content, "--background", *map(str, folders)]
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(IMPORT_TIMEOUT_S):
                output, errors = await process.communicate()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
            raise
        self.runs += 1
        if process.returncode:
            log.warning("session logs were not imported: %s", errors.decode("utf-8", "replace").strip())
            return
        self.last = orjson.loads(output.splitlines()[-1])
        if self.last["taken"]:
            log.info("imported from session logs: %s", self.last["taken"])


async def _tell(folders: list[Path], changed: asyncio.Event) -> None:
    """Set the event at every change, and when there is nothing to watch any more."""
    try:
        async with contextlib.aclosing(changes(folders)) as found:
            async for _ in found:
                changed.set()
    finally:
        changed.set()


async def changes(folders: list[Path]) -> AsyncGenerator[None]:
    """Tell when a log below these folders has changed, or may have; ends when one of the folders is gone."""
    from watchfiles import awatch

    try:
        async for found in awatch(
            *folders,
            watch_filter=lambda _change, path: path.endswith(SUFFIX),
            rust_timeout=NOTIFY_TIMEOUT_MS,
            yield_on_timeout=True,
            ignore_permission_denied=True,
        ):
            if not all(folder.is_dir() for folder in folders):
                return
            if found:
                yield
    except (OSError, RuntimeError) as error:  # too many folders for the system's limit, or they are gone
        log.warning("session logs cannot be watched (%s); they are looked at from time to time", error)
    while all(folder.is_dir() for folder in folders):
        await asyncio.sleep(LOOK_EVERY_S)
        yield
