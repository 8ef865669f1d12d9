"""What coordinators are told: the team's figures, gathered from all members' folders, of no small group.

Each folder is asked in a sandbox of its own; only sums leave it. The figures are kept for some minutes, so that asking
often does not show what one member did a moment ago.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from datetime import date
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from telem.agent.asked import Asked
from telem.agent.errors import AgentError
from telem.queries.render import render
from telem.queries.run import run
from telem.queries.table import Limits, Problem, QueryError
from telem.queries.team import ALL, DIMENSIONS, FIGURES_SQL, Gathered, figures_of, gather, team_table
from telem.storage.layout import Layout

from .members import Role

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from telem.queries.team import MemberFigures

    from .members import Member, Members

KEEP_S = 300.0
PAUSE_A_SECOND = 20.0
"""For each second that gathering took, the figures are kept so long at least: 5 % of a core, however large the team is.
A member's ninety days of 150,000 events, not closed yet, take 1.9 s of CPU.
"""

FOLDER_LIMITS = Limits(rows=1_000_000, seconds=120.0)

_TYPES = {
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "markdown": "text/markdown",
    "table": "text/plain",
}

log = logging.getLogger(__name__)


class Team:
    """Answers `GET /team?since=2026-10-01&dimension=model&format=csv`.

    Args:
        home_of: the folder of a member, by id.
        group_size: the smallest group whose figures are shown.
        note: writes down who asked; every member may read it.
        now_s: a monotonic clock.
    """

    def __init__(
        self,
        members: Members,
        home_of: Callable[[str], Path],
        group_size: int,
        note: Callable[[Asked], None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._members = members
        self._note = note
        self._home_of = home_of
        self._group_size = group_size
        self._gathering = asyncio.Lock()
        self._gathered: Gathered | None = None
        self._gathered_at_s = 0.0
        self._keep_s = KEEP_S
        self._now_s = now_s
        self._anew: asyncio.Task[None] | None = None

    async def answer(self, member: Member, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a coordinator; anybody else is refused. Either is written down."""
        asked = Asked(member.name, "team", f"GET {request.path_qs}", request.query.get("format", "json"))
        try:
            answered = await self._answer(member, request)
            asked.problem = "" if answered.status == HTTPStatus.OK else Problem.REFUSED
        except BaseException:
            asked.problem = Problem.FAILED
            raise
        finally:
            self._note(asked)
        return answered

    async def _answer(self, member: Member, request: web.BaseRequest) -> web.Response:
        if member.role is Role.MEMBER:
            return _text(HTTPStatus.FORBIDDEN, "the team's figures are for coordinators; your own are at /")
        form, dimension = request.query.get("format", "json"), request.query.get("dimension")
        if form not in _TYPES:
            return _text(HTTPStatus.BAD_REQUEST, f"there is no format {form}; there are {', '.join(_TYPES)}")
        if dimension not in (None, ALL, *DIMENSIONS):
            known = ", ".join((ALL, *DIMENSIONS))
            return _text(HTTPStatus.BAD_REQUEST, f"there is no dimension {dimension}; there are {known}")
        try:
            since = date.fromisoformat(request.query["since"]) if "since" in request.query else None
        except ValueError:
            return _text(HTTPStatus.BAD_REQUEST, "since is a day, such as 2026-10-01")
        table = team_table(await self.gathered(), since, dimension)
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        if table.note:
            headers["X-Telem-Note"] = table.note
        return web.Response(
            text=render(table, form, spreadsheet=form == "csv"), content_type=_TYPES[form], headers=headers
        )

    async def gathered(self) -> Gathered:
        """The team's figures, some minutes old. Who asks a little later than that has new ones made, and need not wait.

        Raises:
            AgentError: a folder could not be asked.
        """
        found, age_s = self._gathered, self._now_s() - self._gathered_at_s
        if found is None or age_s >= 2 * self._keep_s:
            return await self._gather()
        if age_s >= self._keep_s and (self._anew is None or self._anew.done()):
            self._anew = asyncio.create_task(self._gather_anew())
        return found

    async def close(self) -> None:
        """Gather no more."""
        if self._anew:
            self._anew.cancel()
            await asyncio.gather(self._anew, return_exceptions=True)

    async def _gather_anew(self) -> None:
        with contextlib.suppress(AgentError):  # it is in the log; whoever asks later is told
            await self._gather()

    async def _gather(self) -> Gathered:
        asked_at_s = self._now_s()
        async with self._gathering:
            if self._gathered is not None and self._gathered_at_s >= asked_at_s:
                return self._gathered  # somebody else's, made while we waited
            began_s = self._now_s()
            figures: list[MemberFigures] = []
            for member in self._members:
                figures += await asyncio.to_thread(self._figures, member)
            self._gathered = await asyncio.to_thread(gather, figures, self._group_size)
            self._gathered_at_s = self._now_s()
            self._keep_s = max(KEEP_S, PAUSE_A_SECOND * (self._gathered_at_s - began_s))
            return self._gathered

    def _figures(self, member: Member) -> list[MemberFigures]:
        home = self._home_of(member.id)
        if not home.exists():
            return []
        try:
            return figures_of(member.id, run(Layout(home), FIGURES_SQL, limits=FOLDER_LIMITS))
        except QueryError as error:
            log.error("the figures of %s cannot be had: %s", member.id, error)  # noqa: TRY400 (said in words)
            raise AgentError(
                "not all folders could be asked, and a part of the team is not the team; ask again"
            ) from error


def _text(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text + "\n", headers={"Cache-Control": "no-store"})
