"""One member tries to see another's rows, by every way there is through the hub. None may show anything of hers."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from tests.agent.hub.two import CANARY, EMAIL

if TYPE_CHECKING:
    from tests.agent.hub.two import Two

READERS = (
    "read_text", "read_blob", "read_json", "read_json_objects", "read_ndjson", "read_csv", "read_parquet",
    "parquet_scan", "parquet_metadata", "parquet_schema", "parquet_file_metadata", "parquet_kv_metadata", "glob",
    "sniff_csv", "read_duckdb",
)  # fmt: skip

FILES = (
    "{other}/journal/logs/s-000000000001.ndjson",
    "{own}/../{other_id}/journal/logs/*.ndjson",
    "{members}/*/journal/logs/*",
)

STATEMENTS = [
    *(f"SELECT * FROM {reader}('{file}')" for reader in READERS for file in FILES),
    "SELECT * FROM '{other}/journal/logs/s-000000000001.ndjson'",
    "SELECT * FROM read_json('{own}x/../{other_id}/journal/logs/*.ndjson')",
    "SELECT * FROM read_text('{home}/hub/members.json')",
    "SELECT * FROM read_text('{home}/token')",
    "SELECT * FROM read_text('{other}/token')",
    "SELECT * FROM read_text('{other}/key')",
    "ATTACH '{other}/telemetry.duckdb' AS hers",
    "FROM '{other}/telemetry.duckdb'",
    "COPY events TO '{other}/x.csv'",
    "SET allowed_directories = ['{members}/']",
    "SET VARIABLE x = getenv('HOME')",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_views()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT current_setting('allowed_directories')",
    "SELECT getenv('PATH')",
    "SELECT * FROM access_log",
    "SELECT * FROM sanitizer_audit",
    "SELECT * FROM events WHERE \"user\" LIKE '%'",
    "SELECT * FROM raw_logs",
    "SELECT stats(body) FROM events",
    "SELECT * FROM information_schema.tables",
    "SELECT error(x) FROM (SELECT prompt AS x FROM user_prompts)",
    "EXPLAIN ANALYZE SELECT * FROM events",
    "SELECT * FROM query('SELECT * FROM read_text(''{other}/key'')')",
    "SELECT * FROM query_table('{other}/journal/logs/s-000000000001.ndjson')",
    "PRAGMA database_list",
    "CALL pragma_database_size()",
    "SELECT * FROM sessions UNION ALL SELECT * FROM '{other}/parquet/logs/*/*/*.parquet'",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 50) SELECT * FROM r, events",
]
"""What is asked with SQL; {own}, {other}: the folders of the two members."""

REQUESTS = [
    ("GET", "/{other_id}/?query=SELECT%201"),
    ("GET", "/members/{other_id}/journal/logs/s-000000000001.ndjson"),
    ("GET", "/../{other_id}/token"),
    ("GET", "/%2e%2e/{other_id}/token"),
    ("GET", "//{other_id}/?query=SELECT%201"),
    ("GET", "/?query=SELECT+*+FROM+events&member={other_id}"),
    ("GET", "/?query=SELECT+*+FROM+events&user=ada"),
    ("GET", "/?query=SELECT+*+FROM+events&home={other}"),
    ("GET", "/?query=SELECT+*+FROM+events&database={other_id}"),
    ("GET", "/status?member={other_id}"),
    ("GET", "/team?dimension=all"),
    ("GET", "/team?dimension=user"),
    ("GET", "/metrics"),
    ("GET", "/members.json"),
    ("GET", "/hub/members.json"),
    ("POST", "/compact?home={other}"),
    ("GET", "http://ada/?query=SELECT+*+FROM+events"),
    ("GET", "/..%2f{other_id}%2ftoken"),
    ("GET", "/ask/../{other_id}"),
    ("GET", "/status/../../{other_id}/token"),
    ("GET", "/;{other_id}/token"),
    ("GET", "/%00{other_id}"),
    ("GET", "/\\..\\{other_id}\\token"),
    ("GET", "/me?name=ada"),
    ("GET", "/me/{other_id}"),
    ("GET", "/team/access?member={other_id}"),
    ("GET", "/team?dimension=session"),
    ("GET", "/team?dimension=all&format=jsonl&group_size=1"),
    ("GET", "/metrics?member={other_id}"),
    ("GET", "/access_log?member={other_id}"),
    ("GET", "/token"),
    ("POST", "/stop"),
    ("POST", "/wake"),
    ("POST", "/reserve/logs"),
    ("POST", "/mcp"),
    ("GET", "/mcp"),
    ("GET", "/sse"),
    ("PUT", "/?query=SELECT+*+FROM+events&home={other}"),
    ("DELETE", "/members/{other_id}"),
    ("OPTIONS", "/"),
    ("TRACE", "/"),
    ("CONNECT", "ada:443"),
    ("GET", "/?query=SELECT+*+FROM+events&query_id={other_id}&session_id=adas-session&quota_key=ada"),
    ("GET", "/?query=SELECT+*+FROM+{{t:Identifier}}&param_t={other}/journal/logs/s-000000000001.ndjson"),
    ("GET", "/?query=SELECT+{{a:String}}&param_a={other}/token"),
    ("GET", "/?query=SELECT+*+FROM+events+FORMAT+Parquet&default_format=Parquet"),
    ("GET", "/?query=SELECT+CAST(prompt+AS+INT)+FROM+user_prompts"),
    ("GET", "/?query=SELECT+*+FROM+hers.events"),
    ("GET", "/?query=SELECT+*+FROM+nosuch_{other_id}"),
]

HEADERS = [
    {"X_ClickHouse_User": "ada"},
    {"X_Member": "{other_id}"},
    {"X_Forwarded_User": "ada"},
    {"X_Forwarded_For": "127.0.0.1"},
    {"Host": "{other_id}"},
    {"Cookie": "member={other_id}"},
    {"User_Agent": "hub/ada"},
    {"Telem_Agent_Id": "{other_id}"},
    {"X_Telem_Via": "report", "X_Telem_Client": "ada"},
    {"X_ClickHouse_Database": "{other_id}"},
    {"X_Original_URL": "/{other_id}/"},
    {"X_Rewrite_URL": "/{other_id}/"},
    {"Forwarded": "for=127.0.0.1;host={other_id}"},
    {"X_HTTP_Method_Override": "GET"},
    {"Referer": "http://{other_id}/"},
    {"Accept": "application/x-telem-frames"},
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_no_statement_shows_another_members_rows(two: Two, statement: str) -> None:
    asked = two.filled(statement)
    assert not two.betrays(two.ask(two.ben, asked).replace(asked, ""))


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_no_request_shows_another_members_rows(two: Two, method: str, path: str) -> None:
    asked = two.filled(path)
    status, text = two.hub.ask(method, asked, two.ben)
    assert not two.betrays(text.replace(asked, ""))
    assert not two.betrays(two.hub.headers.replace(asked, ""))
    assert status != 500


@pytest.mark.parametrize("headers", HEADERS)
def test_no_header_makes_one_member_another(two: Two, headers: dict[str, str]) -> None:
    given = {name: two.filled(value) for name, value in headers.items()}
    text = two.ask(two.ben, "SELECT count(*), any_value(session_id) FROM user_prompts", **given)
    assert not two.betrays(text)


def test_what_ben_sends_in_adas_name_stays_his(two: Two) -> None:
    forged = {"event.name": "user_prompt", "user.email": EMAIL, "session.id": "forged", "telem.member": two.adas.name}
    assert two.hub.send(two.ben, "forged", **forged) == 200
    assert two.ask(two.ada, "SELECT count(*) FROM events WHERE session_id = 'forged'").strip() == "0"


def test_ben_cannot_tell_a_name_that_exists_from_one_that_does_not(two: Two) -> None:
    """Same status and words, and no more time than chance: neither names nor folders are looked up for him."""
    answers = {}
    for name in (two.adas.name, "m-00000000"):
        path = str(two.adas.parent / name / "journal/logs/s-000000000001.ndjson")
        statement = f"SELECT * FROM read_text('{path}')"
        answers[name] = [
            two.hub.ask("GET", f"/{name}/x", two.ben)[0],
            two.hub.ask("GET", f"/?query={quote('SELECT 1')}&member={name}", two.ben)[1],
            two.ask(two.ben, statement).replace(path, "PATH").replace(name, "NAME"),
        ]
    assert answers[two.adas.name] == answers["m-00000000"]


def test_errors_and_status_name_no_other_member(two: Two) -> None:
    for path in ("/status", "/nothing", "/?query=SELEC"):
        _, text = two.hub.ask("GET", path, two.ben)
        assert "ada" not in text.replace(str(two.bens), "")
        assert two.adas.name not in text
    said = json.loads(two.hub.ask("GET", "/status", two.ben)[1])
    assert said["home"] == str(two.bens)


def test_a_question_that_takes_all_memory_is_his_alone(two: Two) -> None:
    began_s = time.monotonic()
    two.ask(two.ben, "SELECT length(repeat(repeat('x', 100000), 100000))")
    assert CANARY in two.ask(two.ada, "SELECT * FROM events")
    assert time.monotonic() - began_s < 120
