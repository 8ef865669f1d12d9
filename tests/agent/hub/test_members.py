"""The register: tokens shown once, names unique, changes seen at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from telem.agent.errors import AgentError
from telem.agent.hub.members import ID, TOKEN_PREFIX, Member, Members, Role
from telem.storage.disk import Disk

if TYPE_CHECKING:
    from pathlib import Path

NOW_S = 1_790_000_000.0
GIB = 1 << 30


@pytest.fixture
def members(tmp_path: Path) -> Members:
    return Members(tmp_path / "hub" / "members.json", Disk())


def add(members: Members, name: str = "ada", role: Role = Role.MEMBER, days: float | None = None) -> tuple[Member, str]:
    return members.add(name, role, NOW_S, GIB, days)


def test_a_token_lets_its_member_in_and_is_not_kept(members: Members, tmp_path: Path) -> None:
    member, token = add(members)
    assert members.of_token(token, NOW_S) == member
    assert token.startswith(TOKEN_PREFIX)
    kept = b"".join(path.read_bytes() for path in (tmp_path / "hub").iterdir())
    assert token.encode() not in kept
    assert token.removeprefix(TOKEN_PREFIX).encode() not in kept


@pytest.mark.parametrize("token", ["", "x", TOKEN_PREFIX, "é", "\ud800"])
def test_no_other_token_lets_anybody_in(members: Members, token: str) -> None:
    add(members)
    members.revoke("ada", NOW_S)
    assert members.of_token(token, NOW_S) is None


def test_a_token_ends_when_it_expires_is_rotated_or_revoked(members: Members) -> None:
    member, first = add(members, days=2)
    assert members.of_token(first, NOW_S + 2 * 86_400 - 1)
    assert members.of_token(first, NOW_S + 2 * 86_400) is None
    _, second = members.rotate("ada", NOW_S, None)
    assert members.of_token(first, NOW_S) is None
    assert members.of_token(second, NOW_S + 1e9)
    members.revoke(member.id, NOW_S)
    assert members.of_token(second, NOW_S) is None
    _, third = members.rotate("ada", NOW_S, None)
    found = members.of_token(third, NOW_S)
    assert found is not None
    assert (found.id, found.name, found.role) == (member.id, "ada", Role.MEMBER)


def test_a_change_by_another_process_counts_at_once(members: Members, tmp_path: Path) -> None:
    _, token = add(members)
    other = Members(tmp_path / "hub" / "members.json", Disk())
    assert other.of_token(token, NOW_S)
    members.revoke("ada", NOW_S)
    assert other.of_token(token, NOW_S) is None
    assert [one.name for one in other] == ["ada"]


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../ada", "a/b", "a\\b", "/etc", "~", "-x", ".ada", "x" * 64, "a b", "ada ", "ada\n", "a\0b", "ä"],
)
def test_a_name_that_could_be_a_path_is_refused(members: Members, name: str) -> None:
    with pytest.raises(AgentError, match="no name for a member"):
        add(members, name)


def test_a_name_that_is_an_id_is_refused(members: Members) -> None:
    """Else `revoke` could mean somebody else than was named."""
    member, _ = add(members)
    for name in (member.id, "m-00000000"):
        with pytest.raises(AgentError, match="no name for a member"):
            add(members, name)


def test_folders_are_named_by_ids_whatever_the_names_look_like(members: Members) -> None:
    names = ("ada", "ADA", "ada.", "a..b", "members", "m-", "m-xyz")
    ids = {add(members, name)[0].id for name in names}
    assert len(ids) == len(names)
    assert all(ID.fullmatch(one) for one in ids)


def test_a_name_is_given_once(members: Members) -> None:
    add(members)
    with pytest.raises(AgentError, match="already"):
        add(members)
    with pytest.raises(AgentError, match="no member 'eve'") as caught:
        members.named("eve")
    assert caught.value.hint == "It knows: ada"


def test_the_file_is_its_owners_only(members: Members, tmp_path: Path) -> None:
    add(members)
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "hub").iterdir()} == {0}


def test_a_register_of_another_version_is_not_guessed_at(members: Members, tmp_path: Path) -> None:
    add(members)
    path = tmp_path / "hub" / "members.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"schema": 1', '"schema": 9'), encoding="utf-8")
    time.sleep(0.01)
    with pytest.raises(AgentError, match="another version"):
        list(members)
