"""Destinations in every state that a doctor tells apart."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.conftest import config_for

from telem.agent.doctor import commands, forwarding
from telem.agent.doctor.finding import Level
from telem.agent.doctor.situation import Situation
from telem.agent.forward import destinations
from telem.agent.forward.cursor import BY_ITS_OWNER, Cursor
from telem.agent.forward.destinations import Destination
from telem.storage.disk import Disk

if TYPE_CHECKING:
    from pathlib import Path

    from telem.agent.config import Config


@pytest.fixture
def config(home: Path, tmp_path: Path) -> Config:
    """Settings of a folder with one destination, to which nothing was sent yet."""
    made = config_for(home)
    (token := tmp_path / "token").write_text("t")
    wanted = Destination("team", "hub", "https://127.0.0.1:1", token_file=str(token))
    destinations.write(made.layout, Disk(), wanted)
    return made


def found(config: Config) -> list[str]:
    """Names of what a doctor finds; each says how to mend it for this destination."""
    bad = [one for one in forwarding.check(Situation(config)) if one.level is not Level.WELL]
    assert all("team" in one.text and "NAME" not in one.mend for one in bad)
    return [one.name for one in bad]


def test_a_destination_without_trouble_is_well(config: Config) -> None:
    assert found(config) == []
    assert [one.text for one in forwarding.check(Situation(config))] == ["team has no trouble"]
    assert "forwarding" in {one.part for one in commands.findings(Situation(config))}


def test_where_nothing_is_forwarded_nothing_is_said(home: Path) -> None:
    assert list(forwarding.check(Situation(config_for(home)))) == []


@pytest.mark.parametrize(
    ("why", "name"),
    [(BY_ITS_OWNER, "forwarding-paused"), ("401 from https://127.0.0.1:1: who are you", "forwarding-stopped")],
)
def test_why_it_stands_still_decides_whose_trouble_it_is(config: Config, why: str, name: str) -> None:
    Cursor(config.layout, Disk(), "team").pause(why)
    assert found(config) == [name]


def test_failures_in_a_row_are_trouble_and_a_few_are_not(config: Config) -> None:
    cursor = Cursor(config.layout, Disk(), "team")
    for _ in range(forwarding.LATE_AFTER - 1):
        cursor.failed("no route")
    cursor.save()
    assert found(config) == []
    cursor.failed("no route")
    cursor.save()
    assert found(config) == ["forwarding-late"]


def test_refused_rows_are_told_beside_the_rest(config: Config) -> None:
    cursor = Cursor(config.layout, Disk(), "team")
    cursor.state = replace(cursor.state, rejected=3)
    cursor.save()
    cursor.pause(BY_ITS_OWNER)
    assert found(config) == ["forwarding-paused", "forwarding-refused"]


@pytest.mark.parametrize("what", ["token", "file", "cursor"])
def test_a_file_that_cannot_be_used_is_named(config: Config, tmp_path: Path, what: str) -> None:
    if what == "token":
        (tmp_path / "token").unlink()
    elif what == "file":
        (config.layout.forward / "team.toml").write_text("kind = 7")
    else:
        Cursor(config.layout, Disk(), "team")
        (config.layout.cursors / "team.json").write_text("{")
    assert found(config) == ["forwarding-broken"]
