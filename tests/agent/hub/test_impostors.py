"""Somebody pretends to be a member, or says more in a request than is asked for. It shows or takes nothing of hers."""

from __future__ import annotations

import base64
import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.agent.hub.test_hub import forward
from tests.agent.hub.two import CANARY, EMAIL, Two
from tests.daemons import telem
from tests.otlp import logs

from telem.agent.hub.members import TOKEN_PREFIX, Role, digest
from telem.agent.tokens import create
from telem.storage.disk import Disk
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_numbers = itertools.count()
COUNT = b"SELECT count(*), any_value(prompt) FROM user_prompts"
PROTOBUF = "application/x-protobuf"

LIKE_ADAS: dict[str, Callable[[Two], str]] = {
    "digest": lambda two: digest(two.ada),
    "digest as a token": lambda two: TOKEN_PREFIX + digest(two.ada),
    "without its end": lambda two: two.ada[:-1],
    "with more": lambda two: two.ada + "A",
    "in capitals": lambda two: two.ada.upper(),
    "without its prefix": lambda two: two.ada.removeprefix(TOKEN_PREFIX),
    "twice": lambda two: f"{two.ada}, {two.ada}",
    "with a zero byte's escape": lambda two: f"{two.ada}%00",
    "her id": lambda two: two.adas.name,
    "her name": lambda _two: "ada",
    "her agent's own": lambda two: (two.adas / "token").read_text(encoding="ascii").strip(),
    "the hub's own": lambda two: (
        (two.adas.parents[1] / "token").read_text(encoding="ascii").strip()
        if (two.adas.parents[1] / "token").exists()
        else "none"
    ),
    "her program's": lambda two: create(Layout(two.adas), Disk(), f"p{next(_numbers)}"),
    "nothing": lambda _two: "",
    "null": lambda _two: "null",
    "a wildcard": lambda _two: "*",
    "a statement": lambda _two: "' OR 1=1 --",
}
"""What resembles her token, or stands near it on the hub's disk."""

WAYS: dict[str, Callable[[str], tuple[str, dict[str, str]]]] = {
    "bearer": lambda token: ("/", {"Authorization": f"Bearer {token}"}),
    "basic": lambda token: ("/", {"Authorization": "Basic " + base64.b64encode(f"ada:{token}".encode()).decode()}),
    "clickhouse": lambda token: ("/", {"X_ClickHouse_User": "ada", "X_ClickHouse_Key": token}),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", LIKE_ADAS)
def test_what_resembles_a_token_is_none(two: Two, what: str, way: str) -> None:
    path, headers = WAYS[way](LIKE_ADAS[what](two))
    status, text = two.hub.ask("POST", path, "", COUNT, **headers)
    assert status == 401
    assert not two.betrays(text + two.hub.headers)


@pytest.mark.parametrize("way", WAYS)
def test_a_token_that_counted_once_does_not_count_again(two: Two, way: str) -> None:
    """Rotated, revoked, expired: each is refused from the next request on, sent as before."""
    members = two.hub.members
    old, _ = two.hub.add(f"eve-{way}")
    path, headers = WAYS[way](old)
    assert two.hub.ask("POST", path, "", COUNT, **headers)[0] == 200
    _, new = members.rotate(f"eve-{way}", 1.0, None)
    assert two.hub.ask("POST", path, "", COUNT, **headers)[0] == 401
    path, headers = WAYS[way](new)
    assert two.hub.ask("POST", path, "", COUNT, **headers)[0] == 200
    members.revoke(f"eve-{way}", 2.0)
    assert two.hub.ask("POST", path, "", COUNT, **headers)[0] == 401
    _, expired = members.rotate(f"eve-{way}", 1.0, 1.0)  # a day of 1970
    assert two.hub.ask("POST", "/", expired, COUNT)[0] == 401


MIXED: dict[str, Callable[[Two], tuple[str, dict[str, str]]]] = {
    "her name in a basic login": lambda two: (
        "/",
        {"Authorization": "Basic " + base64.b64encode(f"ada:{two.ben}".encode()).decode()},
    ),
    "her id as the user": lambda two: (f"/?user={two.adas.name}", {"Authorization": f"Bearer {two.ben}"}),
    "her name as the user": lambda two: ("/", {"X_ClickHouse_User": "ada", "X_ClickHouse_Key": two.ben}),
    "both by argument": lambda two: (f"/?user=ada&password={two.ben}", {}),
    "a false token by argument": lambda two: ("/?password=x", {"Authorization": f"Bearer {two.ben}"}),
    "her digest by argument": lambda two: (f"/?password={digest(two.ada)}", {"Authorization": f"Bearer {two.ben}"}),
    "her digest as a key": lambda two: (
        "/",
        {"Authorization": f"Bearer {two.ben}", "X_ClickHouse_Key": digest(two.ada), "X_ClickHouse_User": "ada"},
    ),
}


@pytest.mark.parametrize("what", MIXED)
def test_beside_his_own_token_no_name_counts(two: Two, what: str) -> None:
    path, headers = MIXED[what](two)
    status, text = two.hub.ask("POST", path, "", COUNT, **headers)
    assert status == 200
    assert not two.betrays(text)


@pytest.mark.parametrize("role", [Role.MEMBER, Role.COORDINATOR, Role.ADMIN])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/", b"SELECT * FROM events"),
        ("POST", "/", b"SELECT * FROM user_prompts FORMAT JSON"),
        ("POST", "/", b"SELECT * FROM access_log"),
        ("GET", "/status", b""),
        ("GET", "/metrics", b""),
        ("GET", "/me", b""),
        ("GET", "/team", b""),
        ("GET", "/team?dimension=all&format=csv", b""),
        ("GET", "/team?dimension=project", b""),
        ("GET", "/team?dimension=session", b""),
        ("GET", "/team?since=2020-01-01&format=jsonl", b""),
        ("GET", "/team/access", b""),
    ],
)
def test_no_role_shows_another_members_rows(two: Two, role: Role, method: str, path: str, body: bytes) -> None:
    """Of a team of two there is no group to be shown, to coordinators and admins neither."""
    token = roles(two)[role]
    status, text = two.hub.ask(method, path, token, body)
    assert not two.betrays(text + two.hub.headers)
    assert status < 500


def roles(two: Two) -> dict[Role, str]:
    """A token of each role, of nobody who has anything."""
    if not hasattr(two, "roles"):
        two.roles = {role: two.hub.add(f"of-{role}", role)[0] for role in Role}  # type: ignore[attr-defined]
    found: dict[Role, str] = two.roles  # type: ignore[attr-defined]
    return found


FRAMES: list[dict[str, Any]] = [
    {"sql": "SELECT * FROM read_text('{other}/token')"},
    {"home": "{other}"},
    {"layout": "{other}", "folder": "{other}", "member": "{other_id}"},
    {"params": {"t": {"type": "VARCHAR", "value": "{other}/token"}}},
    {"form": "../{other_id}"},
    {"private": "yes"},
    {"limits": {"rows": 1 << 62, "seconds": 1e9, "memory_mb": 1 << 30, "threads": 1000, "statement_chars": 1 << 40}},
    {"limits": {"rows": -1, "seconds": -1.0}},
    {"limits": {"seconds": float("nan")}},
    {"limits": {"seconds": "long"}},
    {"limits": {"home": "{other}"}},
]
"""What Ben's own program may put into the question that `telem-agent query --on` sends."""


@pytest.mark.parametrize("said", FRAMES)
def test_a_question_in_frames_names_no_other_folder(two: Two, said: dict[str, Any]) -> None:
    whole = {"sql": "SELECT * FROM user_prompts", "params": {}, "limits": {}, "form": "JSON", "overflow": "break"}
    body = two.filled(json.dumps(whole | {"private": True} | said))
    status, text = two.hub.ask("POST", "/ask", two.ben, body.encode())
    assert status in (200, 400), text
    assert not two.betrays(text.replace(body, ""))


PURGES: list[dict[str, Any]] = [
    {"kind": "session", "value": "adas-session"},
    {"kind": "user", "value": EMAIL},
    {"kind": "user", "value": "{stand_in}"},
    {"kind": "session", "value": "x --home {other}"},
    {"kind": "session", "value": "--home={other}"},
    {"kind": "all", "home": "{other}", "member": "{other_id}"},
    {"kind": "all --home {other}"},
    {"kind": ["all"], "value": ""},
    {"kind": "before", "value": "2999-01-01", "dry_run": True, "home": "{other}"},
]


@pytest.mark.parametrize("wanted", PURGES)
def test_a_purge_reaches_nobody_elses_rows(two: Two, wanted: dict[str, Any]) -> None:
    """Also not when what it names is hers."""
    eve, _ = two.hub.add(f"purger-{PURGES.index(wanted)}")
    assert two.hub.send(eve, "eves") == 200
    body = two.filled(json.dumps(wanted)).replace("{stand_in}", two.stand_in)
    _, text = two.hub.ask("POST", "/purge", eve, body.encode())
    assert not two.betrays(text.replace(two.stand_in, "").replace("adas-session", ""))
    assert CANARY in two.ask(two.ada, "SELECT * FROM events")


def test_ids_of_her_rows_neither_hide_nor_show_them(two: Two) -> None:
    """Ben claims the id that a row of hers has, and her agent's id: he has one more row, she has what she had."""
    before = two.ask(two.ada, "SELECT id, count(*) FROM events GROUP BY ALL ORDER BY 1")
    (row_id, _), *_ = (line.split("\t") for line in before.splitlines())
    body = logs({"event.name": "user_prompt", "telem.row_id": row_id, "session.id": "claimed"}).SerializeToString()
    headers = {"Content_Type": PROTOBUF, "Telem_Agent_Id": two.adas.name}
    assert two.hub.ask("POST", "/v1/logs", two.ben, body, **headers)[0] == 200
    assert two.ask(two.ada, "SELECT id, count(*) FROM events GROUP BY ALL ORDER BY 1") == before
    told = two.ask(two.ben, f"SELECT session_id, prompt FROM events WHERE id = '{row_id}'")
    assert told.split()[0] == "claimed"
    assert not two.betrays(told)


def test_bens_own_commands_reach_what_is_his(two: Two, tmp_path: Path) -> None:
    """The command line on his laptop, with her names in every place that takes one."""
    laptop, token = tmp_path / "laptop", tmp_path / "token"
    token.write_text(two.ben)
    url = two.hub.url.geturl()
    assert forward("add", "hub", "--home", str(laptop), "--url", url, "--token-file", str(token)).returncode == 0
    for words in (
        ("query", "--on", "hub", "--sql", "SELECT * FROM events"),
        ("query", "--on", "hub", "--sql", f"SELECT * FROM events WHERE session_id = 'adas-session' OR '{EMAIL}' = ''"),
        ("query", "--on", "hub", "--team"),
        ("query", "cost-analysis", "--on", "hub", "--format", "json"),
        ("query", "--on", two.adas.name, "--sql", "SELECT 1"),
        ("purge", "--user", EMAIL, "--on", "hub", "--yes", "--json"),
    ):
        done = telem(laptop, *words)
        said = (done.stdout + done.stderr).replace(EMAIL, "").replace("adas-session", "")
        assert not two.betrays(said), words
    assert CANARY in two.ask(two.ada, "SELECT * FROM events")
