"""Every ready-made question gives the same rows on a laptop and on the hub it forwards to, over the same events."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from tests.agent.hub.test_hub import LiveHub
from tests.daemons import LiveDaemon
from tests.queries import golden
from tests.queries.answers import opened, variants
from tests.queries.values import plain, same
from tests.storage.homes import asked

from telem.agent import asking
from telem.agent.forward import destinations
from telem.agent.forward.destinations import Destination
from telem.agent.forward.worker import run
from telem.queries import canned
from telem.queries import run as questions
from telem.storage.disk import Disk
from telem.storage.keys import load_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Ask = Callable[[str, dict[str, object]], list[list[Any]]]

OF_THE_MACHINE = ("redactions",)
"""What a machine's own sanitizer found: counts that are no events, and stay where they were counted."""

QUESTIONS = [name for name in canned.load() if name not in OF_THE_MACHINE]
VARIANTS_MAX = 3


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ask, Ask]]:
    """Two ways to ask: a laptop with the golden store, and the hub to which all of it was forwarded."""
    folder = tmp_path_factory.mktemp("both")
    here = golden.build(folder / "here")
    load_key(here, Disk())
    (folder / "hub").mkdir(mode=0o700)
    with LiveDaemon(folder / "hub", "--mode", "hub", "--hub-listen", "127.0.0.1:0") as daemon:
        hub = LiveHub(folder / "hub", daemon)
        token, there = hub.add("ada")
        there.mkdir(mode=0o700, parents=True)
        (there / "sanitize.toml").write_text("noise = 'keep'\n")  # what the laptop kept, it is to keep
        path = folder / "token"
        path.write_text(token)
        destinations.write(here, Disk(), Destination("hub", url=daemon.endpoints["hub"], token_file=str(path)))
        assert run(here, "hub", linger_s=0, parent=False)["state"] == "idle"
        connection = opened(here)

        def ask_here(sql: str, bound: dict[str, object]) -> list[list[Any]]:
            return [[plain(value) for value in row] for row in connection.execute(sql, bound).fetchall()]

        def ask_there(sql: str, bound: dict[str, object]) -> list[list[Any]]:
            asking.prepare("cli")
            asking.prepare_on(here, "hub")
            return [[plain(value) for value in row] for row in questions.run(here, sql, bound).rows]

        expected = asked(here, "SELECT count(*) FROM raw_logs")
        assert [tuple(row) for row in ask_there("SELECT count(*) FROM raw_logs", {})] == expected
        yield ask_here, ask_there
        connection.close()


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_hub_answers_as_the_laptop_does(both: tuple[Ask, Ask], name: str) -> None:
    """In several variants, from the beginning and from a moment in their midst."""
    query = canned.load()[name]
    chosen = variants(query)[:VARIANTS_MAX]
    asks = [(params, None) for params in chosen] + [(chosen[0], dt.datetime(2026, 11, 23, 3, 21, tzinfo=dt.UTC))]
    for params, since in asks:
        bound = query.bind(params, since)
        ours, theirs = (ask(query.sql, bound) for ask in both)
        assert ours or since, "an answer without rows proves nothing"
        assert len(ours) == len(theirs)
        assert same(ours, theirs), f"{name} {params} since {since}:\nlaptop {ours}\nhub    {theirs}"
