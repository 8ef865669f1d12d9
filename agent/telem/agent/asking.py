"""How our own programs ask: the running daemon if there is one, else a child of their own; noted in either case.

asking.prepare("mcp")      once, in the entry point of a command; from then on `telem.queries.commands.ask` does so
"""

from __future__ import annotations

import contextlib
import getpass
import http.client
from functools import cache
from typing import TYPE_CHECKING

from telem.queries import run as asking
from telem.queries.sandbox.frames import Frame, FrameError, Kind, error_of, read_frame
from telem.queries.table import Problem, QueryError
from telem.storage.disk import Disk

from . import control
from .asked import Asked
from .connect import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from telem.queries.sandbox.frames import Question
    from telem.storage.layout import Layout

    from .forward.destinations import Destination

EXTRA_S = 40.0
"""Beyond the time that a question may take: for its turn, and for a child to start."""


def prepare(via: str, client: str = "") -> None:
    """Let every question of this process go to the daemon of its home.

    `via` says which program asks, `client` for whom, as that one calls itself: texts for the access log.
    """
    asking.use(lambda layout, question: answer(layout, question, via, client))


def prepare_on(layout: Layout, name: str) -> None:
    """Let every question of this process go to a hub, as the member whose token this home has for it.

    Raises:
        AgentError: there is no such destination, or it is no hub.
    """
    from . import remote

    global _hub  # noqa: PLW0603 (who is asked is one decision for the whole process, made by its entry point)
    _hub = remote.hub(layout, name)


_hub: Destination | None = None


def _by_hub(destination: Destination, question: Question) -> Generator[Frame]:
    from . import remote  # with TLS, which only hubs need

    timeout_s = question.limits.seconds + EXTRA_S
    with remote.asked(destination, "POST", "/ask", question.frame().payload, timeout_s) as response:
        if response.status != http.client.OK:
            raise remote.refused(destination, response)
        yield from _frames(response)


def answer(layout: Layout, question: Question, via: str, client: str = "") -> Generator[Frame]:
    """The answer of the running daemon, or of a child of ours when none runs.

    Raises:
        QueryError: no answer, or no more of it.
    """
    if _hub is not None:
        yield from _by_hub(_hub, question)
        return
    running = control.find(layout)
    if running is None or "query" not in running.endpoints:
        yield from _by_own_child(layout, question, Asked(_user(), via, question.sql, question.form, address=client))
        return
    connection = connect(running.endpoints["query"], question.limits.seconds + EXTRA_S)
    try:
        token = layout.token.read_text(encoding="ascii").strip()
        headers = {"Authorization": f"Bearer {token}", "X-Telem-Via": via, "X-Telem-Client": client}
        connection.request("POST", "/ask", question.frame().payload, headers)
        response = connection.getresponse()
        if response.status != http.client.OK:
            said = response.read().decode("utf-8", "replace").strip()
            raise QueryError(f"Process {running.pid} answered {response.status}: {said}", "", Problem.WORKER)
        yield from _frames(response)
    except (OSError, http.client.HTTPException, FrameError) as error:
        message = f"Process {running.pid} holds the data folder and did not answer to the end: {error!r}."
        raise QueryError(message, "Look at its log: telem-agent logs", Problem.WORKER) from error
    finally:
        connection.close()


def _frames(response: http.client.HTTPResponse) -> Generator[Frame]:
    while frame := read_frame(response.read1):
        if frame.kind is Kind.ERROR:
            raise error_of(frame)
        yield frame


def _by_own_child(layout: Layout, question: Question, asked: Asked) -> Generator[Frame]:
    try:
        for frame in asking.by_own_children(layout, question):
            asked.count(frame)
            yield frame
    except QueryError as error:
        asked.problem = error.problem
        raise
    except GeneratorExit:
        asked.problem = "gone"
        raise
    finally:
        _note(layout, asked)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "cli"


def _note(layout: Layout, asked: Asked) -> None:
    """Write a question down. Asking about a folder that is not there makes none; what cannot be written is left."""
    if not layout.home.exists():
        return
    from telem.storage import access

    from .access_log import entry

    with contextlib.suppress(OSError):
        access.append(layout, Disk(), [entry(asked, _sanitizer(layout))])


@cache
def _sanitizer(layout: Layout) -> Callable[[str], str]:
    from telem.sanitize.policy import PolicyError

    from .config import load
    from .sanitize_commands import redactor_for

    try:
        return redactor_for(load({"home": str(layout.home)})).sanitized
    except PolicyError:
        return lambda _text: "[REDACTED:sanitizer-error]"
