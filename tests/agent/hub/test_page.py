"""The hub's page, in a real browser: each sees her own, coordinators the team's sums, nobody anything foreign."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.agent.hub.test_hub import PROTOBUF, LiveHub
from tests.browser import Page, page_at
from tests.daemons import LiveDaemon
from tests.otlp import logs

from telem.agent.hub import page
from telem.agent.hub.members import Role
from telem.queries import canned

if TYPE_CHECKING:
    from collections.abc import Iterator

PICTURES = os.environ.get("TELEM_TEST_PICTURES")
"""A folder in which pictures of the page are kept, to be looked at."""

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    home = tmp_path_factory.mktemp("hub")
    with LiveDaemon(home, "--mode", "hub", "--hub-listen", "127.0.0.1:0") as daemon:
        yield LiveHub(home, daemon)


@pytest.fixture(scope="module")
def tokens(hub: LiveHub) -> dict[str, str]:
    """Three members with some days of work, one of them with a name for a model that is a piece of HTML."""
    found = {}
    for member, name in enumerate(("ada", "ben", "cleo")):
        found[name], _ = hub.add(name, Role.COORDINATOR if name == "cleo" else Role.MEMBER)
        records: list[dict[str, Any]] = [
            {
                "event.name": "api_request",
                "session.id": f"00000000-0000-4000-8000-00000000{member}{number:03d}",
                "model": ("claude-opus-4-8", "claude-sonnet-4-5", "claude-haiku-4-5")[number % 3],
                "query_source": EVIL,
                "cost_usd": 0.25 * (number % 7) + member,
                "input_tokens": 1200 * number,
                "output_tokens": 300 + number,
            }
            for number in range(30)
        ]
        body = logs(*records).SerializeToString()
        assert hub.ask("POST", "/v1/logs", found[name], body, Content_Type=PROTOBUF)[0] == 200
    return found


async def enter(tab: Page, token: str) -> None:
    await tab.run(f"$('token').value = {json.dumps(token)}; $('enter').requestSubmit()")
    await tab.until("$('wrong').textContent || $('view').querySelector('table, svg')")


async def run_sql(tab: Page, sql: str) -> None:
    await tab.run(f"document.querySelector('textarea').value = {json.dumps(sql)}")
    await tab.run("document.querySelector('#view form').requestSubmit()")


async def view(tab: Page, name: str, until: str = "$('view').querySelector('table')") -> str:
    """The text of a view once it is there."""
    await tab.run(f"$('view').replaceChildren(); [...$('nav').children].find(b => b.textContent === {name!r}).click()")
    await tab.until(f"document.querySelector('.wrong:not(:empty)') || ({until})")
    return str(await tab.run("$('wrong').textContent + $('view').innerText"))


async def test_a_member_sees_her_own_and_only_that(hub: LiveHub, tokens: dict[str, str]) -> None:
    async with page_at(hub.url.geturl() + "/page") as tab:
        await enter(tab, tokens["ada"])
        assert "Team" not in await tab.run("$('nav').innerText")
        costs = str(await tab.run("$('view').innerText"))
        assert "claude-opus-4-8" in costs
        assert "$21.25" in costs  # what ada's requests cost, and no more
        await pictures(tab, "costs")
        sessions = await view(tab, "Sessions")
        assert sessions.count("00000000-0000-4000-8000-00000000") == 30
        assert "00000000-0000-4000-8000-000000001" not in sessions
        await view(tab, "SQL", "$('view').querySelector('textarea')")
        sql = "SELECT query_source, count(*) AS n FROM api_requests GROUP BY 1"
        await run_sql(tab, sql)
        await tab.until("$('view').querySelector('table')")
        assert EVIL in await tab.run("$('view').innerText")
        assert await tab.run("document.images.length") == 0
        await tab.run(
            "document.querySelector('textarea').value = 'SELEC'; document.querySelector('#view form').requestSubmit()"
        )
        await tab.until("document.querySelector('#view .wrong')")
        assert "Code: 62" in await tab.run("document.querySelector('#view .wrong').textContent")
        assert not [one for one in tab.errors if "status of 400" not in one]
        await pictures(tab, "sql")


async def test_every_ready_made_question_can_be_asked_there(hub: LiveHub, tokens: dict[str, str]) -> None:
    """With the values it begins with; each answers with a table or with nothing, none with an error."""
    async with page_at(hub.url.geturl() + "/page") as tab:
        await enter(tab, tokens["ada"])
        await view(tab, "Questions", "$('view').querySelector('select')")
        for number, name in enumerate(canned.load()):
            await tab.run(
                f"(s => {{ s.value = {number}; s.dispatchEvent(new Event('change')); "
                "document.querySelector('#view form').requestSubmit() })(document.querySelector('#view select'))"
            )
            await tab.until("!document.querySelector('#view button').disabled")
            assert not await tab.run("document.querySelector('#view .wrong')?.textContent ?? ''"), name
        assert tab.errors == []
        await pictures(tab, "questions")


async def test_a_coordinator_sees_the_team_in_groups(hub: LiveHub, tokens: dict[str, str]) -> None:
    """And who asked about it, which is written down."""
    async with page_at(hub.url.geturl() + "/") as tab:
        await enter(tab, tokens["cleo"])
        team = await view(tab, "Team")
        assert "members" in team
        assert "ada" not in team
        await pictures(tab, "team")
        assert "GET /team" in await view(tab, "Who asked")
        assert tab.errors == []


async def test_a_wrong_token_is_told_and_forgotten(hub: LiveHub, tokens: dict[str, str]) -> None:
    """Nothing is kept anywhere in the browser, and what runs in the page is only what came with it."""
    async with page_at(hub.url.geturl() + "/page") as tab:
        await enter(tab, "nonsense")
        assert "does not count" in await tab.run("$('wrong').textContent")
        await enter(tab, tokens["ben"])
        assert await tab.run("localStorage.length + sessionStorage.length + document.cookie.length") == 0
        assert await tab.run("document.querySelectorAll('[src], [href]').length") == 0
        refused = "try { document.createElement('script').text = 'bad = 1' } catch (error) { error.message }"
        assert "TrustedScript" in await tab.run(refused)
        await pictures(tab, "members")


async def pictures(tab: Page, name: str) -> None:
    if PICTURES:
        for width in (400, 1200):
            for dark in (False, True):
                await tab.look(Path(PICTURES) / f"{name}-{width}-{'dark' if dark else 'light'}.png", width, dark=dark)


def test_the_page_tells_nothing_and_runs_only_itself(hub: LiveHub) -> None:
    """Without a token it is there; other pages still may not ask, and programs get what they got at /."""
    status, text = hub.ask("GET", "/page")
    assert status == 200
    assert "http" not in re.sub(r"http://www\.w3\.org/2000/svg", "", text)
    assert hub.ask("GET", "/", Accept="text/html")[0] == 200
    assert hub.ask("GET", "/")[0] == 401
    policy = page.answer().headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


def test_only_the_hub_s_own_page_may_ask(hub: LiveHub, tokens: dict[str, str]) -> None:
    own = hub.url.geturl()
    token = tokens["ada"]
    assert hub.ask("POST", "/", token, b"SELECT 1", Origin=own)[0] == 200
    for other in ("https://example.org", "null", f"{own}.example.org", own.replace("127.0.0.1", "localhost")):
        assert hub.ask("POST", "/", token, b"SELECT 1", Origin=other)[0] == 403
    assert hub.ask("GET", "/?query=SELECT%201", token, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors")[0] == 403
    assert hub.ask("GET", "/me", token) == (200, '{"schema":1,"name":"ada","role":"member"}')
