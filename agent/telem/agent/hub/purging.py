"""`POST /purge`: a member takes out what is hers on the hub. Her own folder is purged, by the ordinary command."""

from __future__ import annotations

import asyncio
import logging
import os
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from telem.agent import body
from telem.agent.config import without_settings
from telem.agent.interpreter import PYTHON

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .members import Member

KINDS = ("session", "user", "before", "all")
REQUEST_LIMIT_BYTES = 4096
TIMEOUT_S = 600.0

log = logging.getLogger(__name__)


class Purging:
    """Answers `{"kind": "session", "value": "…", "dry_run": false}` with what the command says.

    Args:
        home_of: the folder of a member, by id.
    """

    def __init__(self, home_of: Callable[[str], Path]) -> None:
        self._home_of = home_of

    async def answer(self, member: Member, request: web.BaseRequest) -> web.StreamResponse:
        """Purge the caller's own folder, whatever she names."""
        try:
            wanted = flags_of(orjson.loads(await body.read(request, REQUEST_LIMIT_BYTES)))
        except ValueError as error:
            return _text(HTTPStatus.BAD_REQUEST, f"{error}")
        home = self._home_of(member.id)
        if not home.exists():
            return _text(HTTPStatus.NOT_FOUND, "nothing of yours has come here")
        command = [*PYTHON, "telem", "purge", "--home", str(home), "--yes", "--json", *wanted]
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=without_settings(os.environ),
        )
        try:
            async with asyncio.timeout(TIMEOUT_S):
                said, errors = await process.communicate()
        except BaseException:
            process.kill()
            await process.wait()
            raise
        log.info("%s purged (%s): status %d", member.id, wanted[0], process.returncode)
        if process.returncode:
            text = errors.decode("utf-8", "replace").strip()
            return _text(HTTPStatus.SERVICE_UNAVAILABLE, text.replace(str(home), "your folder"))
        return web.Response(body=said, content_type="application/json", headers={"Cache-Control": "no-store"})


def flags_of(wanted: Any) -> list[str]:
    """The command's flags for what is asked.

    Raises:
        ValueError: it asks for something else than one of `KINDS`.
    """
    kind, value = (wanted.get("kind"), wanted.get("value", "")) if isinstance(wanted, dict) else (None, "")
    if kind not in KINDS or not isinstance(value, str) or bool(value) is (kind == "all"):
        raise ValueError(f"say one of {', '.join(KINDS)} as kind, and what is meant as value")
    flags = ["--all"] if kind == "all" else [f"--{kind}={value}"]
    return [*flags, "--dry-run"] if wanted.get("dry_run") else flags


def _text(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text + "\n", headers={"Cache-Control": "no-store"})
