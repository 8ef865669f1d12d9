"""What Ben asks to learn whether a name exists: in pairs, one that does, with Ada, and one that does not.

The words of the answers are compared in test_names.py, what they take in bench/names.py.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.agent.hub.two import CANARY, Two
from tests.otlp import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PROTOBUF = (("Content-Type", "application/x-protobuf"),)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request; `name` is what the answer may repeat."""

    name: str
    path: str = "/"
    body: bytes = b""
    token: str = ""
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()


Pair = tuple["Iterator[Asked]", "Iterator[Asked]"]


def pairs(two: Two, requests: int = 1) -> dict[str, Pair]:
    """By kind, what asks for a name that exists and for one that does not."""
    hers, nobody = two.adas.name, "m-" + secrets.token_hex(4)
    file = "journal/logs/s-000000000001.ndjson"
    revoked, _ = two.hub.add("rae")
    two.hub.members.revoke("rae", 1.0)
    two.hub.add("eve")
    _, expired = two.hub.members.rotate("eve", 1.0, 1.0)
    said: dict[str, Callable[[str], Asked]] = {
        "an id in a path": lambda name: Asked(name, f"/{name}/token", method="GET"),
        "an id as an argument": lambda name: Asked(name, f"/?query=SELECT+1&member={name}", method="GET"),
        "a folder, read_text": lambda name: sql(name, f"SELECT * FROM read_text('{two.adas.parent}/{name}/{file}')"),
        "a folder, glob": lambda name: sql(name, f"SELECT * FROM glob('{two.adas.parent}/{name}/journal/*')"),
        "a folder, by its own": lambda name: sql(name, f"SELECT * FROM '{two.bens}/../{name}/parquet/*.parquet'"),
        "a folder, attached": lambda name: sql(name, f"ATTACH '{two.adas.parent}/{name}/telemetry.duckdb' AS x"),
    }  # fmt: skip
    found: dict[str, Pair] = {kind: (cycle([ask(hers)]), cycle([ask(nobody)])) for kind, ask in said.items()}
    own = {
        "a session": ("adas-session", "nine-session", "SELECT count(*) FROM events WHERE session_id = '{}'"),
        "a session, across tables": ("adas-session", "nine-session", "SELECT * FROM sessions WHERE session_id = '{}'"),
        "words of a prompt": (CANARY, CANARY[::-1], "SELECT count(*) FROM user_prompts WHERE prompt LIKE '%{}%'"),
        "a person": (two.stand_in, "email:22222222222w", "SELECT count(*) FROM events WHERE \"user\" = '{}'"),
    }
    for kind, (there, not_there, statement) in own.items():
        found[kind] = cycle([sql(there, statement.format(there))]), cycle([sql(not_there, statement.format(not_there))])
    found["a login's name"] = cycle([login("ada")]), cycle([login("xyz")])
    fresh = [f"telem-hub-{secrets.token_urlsafe(32)}" for _ in range(64)]
    for kind, token in (("nearly", two.ada[:-1] + "-"), ("revoked", revoked), ("expired", expired)):
        found[f"a token, {kind}"] = cycle([Asked(token, token=token)]), cycle([Asked(one, token=one) for one in fresh])
    unused = [secrets.token_hex(10) for _ in range(requests)]
    found["a row's id, sent"] = rows(adas_rows(two, requests)), rows(unused)
    found["a session, purge --dry-run"] = cycle([purge("adas-session")]), cycle([purge("nine-session")])
    return found


def sql(name: str, statement: str) -> Asked:
    """A question in Ben's name."""
    return Asked(name, body=statement.encode())


def login(name: str) -> Asked:
    """A question in Ben's name, with a user's name beside it."""
    return Asked(name, f"/?query={quote('SELECT 1')}&user={name}", method="GET", headers=(("X-ClickHouse-User", name),))


def purge(session: str) -> Asked:
    """What would be purged of a session."""
    body = {"kind": "session", "value": session, "dry_run": True}
    return Asked(session, "/purge", json.dumps(body).encode())


def rows(ids: Sequence[str]) -> Iterator[Asked]:
    """Each id once: of what Ben sent himself he may know."""
    for one in ids:
        body = logs({"event.name": "x", "telem.row_id": one, "record.name": "x"}).SerializeToString()
        yield Asked(one, "/v1/logs", body, headers=PROTOBUF)


def adas_rows(two: Two, count: int) -> list[str]:
    """Ids of rows that Ada has stored."""
    for start in range(0, count, 500):
        many = [{"event.name": "x", "record.name": f"{start + at}"} for at in range(500)]
        body = logs(*many).SerializeToString()
        status, _ = two.hub.ask("POST", "/v1/logs", two.ada, body, Content_Type="application/x-protobuf")
        assert status == 200
    return two.ask(two.ada, "SELECT id FROM events").split()
