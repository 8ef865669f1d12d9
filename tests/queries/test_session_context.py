"""Where a session worked: told by the hook, joined to what the client sent of that moment."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from tests.otlp import logs, raw
from tests.queries import golden

from telem.queries.commands import ask
from telem.sanitize.records import Signal

if TYPE_CHECKING:
    from pathlib import Path

    from telem.sanitize.records import RawRequest
    from telem.storage.layout import Layout

BEGIN_NS = int(dt.datetime.now(dt.UTC).timestamp()) * 10**9 - 3600 * 10**9
MINUTE_NS = 60 * 10**9
SESSION = "0b0e4a52-4c5f-4a7e-9d6a-1d0c3c2f5a10"


def at(minute: float) -> int:
    return BEGIN_NS + int(minute * MINUTE_NS)


def told(minute: float, session: str = SESSION, scope: str = "telem-agent.hook", **place: str) -> RawRequest:
    """What the hook posts."""
    request = logs(
        {"event.name": "session_context", "session.id": session, **place},
        body="claude_code.session_context",
        time_ns=at(minute),
    )
    request.resource_logs[0].scope_logs[0].scope.name = scope
    return raw(Signal.LOGS, request)


def cost(minute: float, usd: float, session: str = SESSION, **tags: str) -> RawRequest:
    """An answered request of the client."""
    attributes: dict[str, Any] = {"event.name": "api_request", "session.id": session, "model": "claude-sonnet-4-5"}
    return raw(Signal.LOGS, logs({**attributes, "cost_usd": usd, **tags}, time_ns=at(minute)))


@pytest.fixture
def store(tmp_path: Path) -> Layout:
    """A session that begins on main, changes to a branch, and goes back; one that says its own branch; one untold."""
    main = {"git.branch": "main", "project": "book", "vcs.repository.url.full": "https://github.com/example-org/book"}
    return golden.keep(
        tmp_path,
        cost(0, 1),  # before the hook told anything: the first place counts
        told(1, cwd="/src/book", **main),
        cost(2, 2),
        told(3, cwd="/src/book", **main),  # a prompt without a change
        told(4, cwd="/src/book/docs", worktree="fix", **main | {"git.branch": "fix-7", "chapter": "ch07"}),
        cost(5, 4),
        told(6, cwd="/src/book", **main),
        cost(7, 8),
        told(1, session="22222222-4c5f-4a7e-9d6a-1d0c3c2f5a10", **main),
        cost(2, 16, session="22222222-4c5f-4a7e-9d6a-1d0c3c2f5a10", **{"git.branch": "tagged"}),
        cost(2, 32, session="33333333-4c5f-4a7e-9d6a-1d0c3c2f5a10"),
        told(1, session="33333333-4c5f-4a7e-9d6a-1d0c3c2f5a10", scope="somebody", **main),
    )


def test_cost_by_branch_follows_the_session(store: Layout) -> None:
    """Each request counts for the branch of its moment; a tag of its own wins; what nobody told stays unknown."""
    found = ask(store, "cost-analysis", {"by": "branch"})
    assert {row[0]: float(str(row[6])) for row in found.rows} == {"main": 11, "fix-7": 4, "tagged": 16, None: 32}
    by_chapter = ask(store, "cost-analysis", {"by": "chapter"})
    assert {row[0]: float(str(row[6])) for row in by_chapter.rows} == {"ch07": 4, None: 59}


def test_a_row_for_each_change(store: Layout) -> None:
    """Telling the same again makes no row; rows of a session follow each other without gap or overlap."""
    found = ask(
        store,
        f"""SELECT branch, worktree, cwd, valid_from = '1970-01-01 00:00:00+00'::TIMESTAMPTZ,
        valid_until IS NOT DISTINCT FROM coalesce(lead(valid_from) OVER (ORDER BY time), valid_until)
        FROM session_context WHERE session_id = '{SESSION}' ORDER BY time""",
    )
    assert [tuple(row) for row in found.rows] == [
        ("main", None, "/src/book", True, True),
        ("fix-7", "fix", "/src/book/docs", False, True),
        ("main", None, "/src/book", False, True),
    ]


def test_sessions_know_their_place_and_are_not_made_by_it(store: Layout) -> None:
    """The last place stands in `sessions`; telling a place is no use, so it makes neither sessions nor users."""
    found = ask(store, "SELECT project, repository, branch, requests FROM sessions WHERE requests = 4")
    assert [tuple(row) for row in found.rows] == [("book", "https://github.com/example-org/book", "main", 4)]
    assert ask(store, "SELECT count(*) FROM usage_facts").rows[0][0] == 7  # six requests, and the impostor's event


def test_only_our_own_records_are_believed(store: Layout) -> None:
    """An event of that name from another sender tells no place."""
    found = ask(store, "SELECT count(DISTINCT session_id) FROM session_context")
    assert found.rows[0][0] == 2
