"""The register from the command line."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from tests.daemons import CLI, clean_env, telem

from telem.agent.hub.members import Members
from telem.storage.disk import Disk
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

import subprocess


def member(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CLI, "hub", "member", *arguments, "--home", str(home)],
        capture_output=True, text=True, check=False, timeout=60, env=clean_env(),
    )  # fmt: skip


def test_a_member_comes_is_listed_gets_a_new_token_and_leaves(home: Path) -> None:
    added = member(home, "add", "ada", "--role", "coordinator", "--days", "30")
    assert added.returncode == 0
    token = added.stdout.strip()
    assert "shown this once" in added.stderr
    assert token not in added.stderr
    members = Members(Layout(home).hub_members, Disk())
    assert members.of_token(token, time.time())
    (listed,) = json.loads(member(home, "list", "--json").stdout)["members"]
    assert (listed["name"], listed["role"], listed["last_visit"]) == ("ada", "coordinator", None)
    assert token not in json.dumps(listed)
    fresh = member(home, "rotate", "ada").stdout.strip()
    assert members.of_token(token, time.time()) is None
    assert members.of_token(fresh, time.time())
    revoked = member(home, "revoke", "ada")
    assert "purge --all" in revoked.stderr
    assert members.of_token(fresh, time.time()) is None
    assert "revoked" in member(home, "list").stdout


def test_an_unknown_member_is_an_error_that_says_who_there_is(home: Path) -> None:
    done = member(home, "revoke", "eve")
    assert (done.returncode, done.stdout) == (1, "")
    assert "It knows: nobody yet" in done.stderr
    assert "Nobody yet" in member(home, "list").stderr
    assert telem(home, "status").returncode == 1
