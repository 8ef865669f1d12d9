"""A hub in every state that a doctor tells apart."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.agent.hub.test_certificate import certificate, flags_of, needs_openssl
from tests.conftest import config_for
from tests.daemons import LiveDaemon, wait_for

from telem.agent.doctor import commands, hub
from telem.agent.doctor.finding import Level
from telem.agent.doctor.situation import Situation, look
from telem.agent.hub.members import Members, Role
from telem.storage.disk import Disk

if TYPE_CHECKING:
    from pathlib import Path

DAY_S = 86_400.0


def found(situation: Situation) -> list[str]:
    return [one.name for one in hub.check(situation) if one.level is not Level.WELL]


def test_a_hub_is_looked_at_as_one(home: Path) -> None:
    """Its clients are elsewhere; its door answers, and it says which version it is."""
    with LiveDaemon(home, "--hub", "--hub-listen", "127.0.0.1:0"):
        Members(look({"home": str(home)}).config.layout.hub_members, Disk()).add("ada", Role.MEMBER, 0.0, 1 << 30, None)
        situation = look({"home": str(home)})
        said = commands.findings(situation, with_live=True)
        assert {one.part for one in said} <= {"daemon", "data", "hub", "machine"}
        assert [one.text for one in said if one.level is Level.PROBLEM] == []
        assert not any("None" in one.text for one in said)
        assert any("answers, without TLS of its own" in one.text for one in said if one.part == "hub")
        assert situation.running
        silent = replace(situation.running, endpoints={"hub": "http://127.0.0.1:1"})
        assert found(replace(situation, running=silent)) == ["hub-silent"]


def test_members_who_are_about_to_be_kept_out_are_named(home: Path) -> None:
    """Full folders and tokens that run out; who is revoked is nobody's trouble."""
    config = config_for(home, mode="hub")
    members = Members(config.layout.hub_members, Disk())
    now_s = time.time()
    assert found(Situation(config)) == ["hub-empty"]
    ada, _ = members.add("ada", Role.MEMBER, now_s, 1000, None)
    members.add("ben", Role.MEMBER, now_s, 1000, 13.0)
    members.add("eve", Role.MEMBER, now_s, 1000, 1.0)
    members.add("kim", Role.MEMBER, now_s, 1000, 30.0)
    members.revoke("eve", now_s)
    full = {"hub": {}, "members": [{"id": ada.id, "bytes": 900}]}
    assert found(Situation(config, status=full)) == ["hub-member-full", "hub-token-due"]
    later = Situation(config, now_s=now_s + 14 * DAY_S)
    assert [one.text.split(" on ")[0] for one in hub.check(later)] == ["the token of ben ran out"]


@needs_openssl
def test_a_certificate_is_told_of_before_and_after_it_runs_out(home: Path, tmp_path: Path) -> None:
    """As the door shows it, whoever signed it."""
    chain, key = certificate(tmp_path)
    with LiveDaemon(home, *flags_of(chain, key)):
        situation = look({"home": str(home)})
        assert found(situation) == ["hub-certificate-due", "hub-empty"]
        assert found(replace(situation, now_s=situation.now_s - 20 * DAY_S)) == ["hub-empty"]
        asked, gone = str(tmp_path / "asked"), str(tmp_path / "gone")
        for command in (
            ("req", "-new", "-key", str(key), "-subj", "/CN=hub", "-out", asked),
            ("x509", "-req", "-in", asked, "-signkey", str(key), "-days", "-1", "-out", gone),
        ):
            subprocess.run(["openssl", *command], check=True, capture_output=True)
        shutil.copy(gone, chain)
        wait_for(lambda: found(situation) == ["hub-certificate", "hub-empty"])
