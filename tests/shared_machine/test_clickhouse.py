"""The shared machine's ClickHouse: schema, what is added to it, dashboards and least privilege, on the real engine."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from tests.shared_machine.schema import CLUSTER, FOLDER, SCHEMA, cluster_text, text

if TYPE_CHECKING:
    from pathlib import Path

OPERATIONS = (FOLDER / "clickhouse/initdb.d/20-operations.sql").read_text(encoding="utf-8")
USERS = FOLDER / "clickhouse/users.d/telem-agent.xml"
DASHBOARDS = sorted((FOLDER / "grafana/dashboards").glob("*.json"))

Answer = dict[str, Any]


def split(sql: str) -> list[str]:
    bare = re.sub(r"^--.*$", "", sql, flags=re.MULTILINE)
    return [part.strip() for part in re.split(r";\s*\n", bare) if part.strip()]


def ask(folder: Path, statements: list[str], config: Path | None = None) -> list[Answer]:
    given = json.dumps({"config": str(config or ""), "folder": str(folder / "data"), "statements": statements})
    done = subprocess.run(
        [sys.executable, "-m", "tests.shared_machine.engine"],
        input=given, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return list(json.loads(done.stdout))


def access(statement: str) -> bool:
    """Is it about users, which an engine without an access storage can only parse?"""
    return re.match(r"(CREATE (ROLE|ROW POLICY|QUOTA)|GRANT)\b", statement) is not None


ALTERS = [statement for statement in split(OPERATIONS) if not access(statement)]
VIEW_AS_OWNER = re.compile(r"\nDEFINER = team_reader SQL SECURITY DEFINER\n")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as the containers make it, with the requests of three members on one day and of one on another."""
    folder = tmp_path_factory.mktemp("clickhouse")
    rows = ", ".join(
        f"('2026-11-0{day} 10:00:00', map('event.name', 'api_request', 'session.id', '{who}', 'input_tokens', '10', "
        f"'cost_usd', '0.25'))"
        for day, members in ((2, "abc"), (3, "a"))
        for who in members
    )
    name = "LogAttributes['session.id']"
    # The engine has one user; the column that names the login is given a name from the row instead.
    told = [
        VIEW_AS_OWNER.sub("\n", statement).replace(
            "currentUser()", name if "otel_logs" in statement else "currentUser()"
        )
        for statement in ALTERS
    ]
    answers = ask(
        folder,
        [*split(text()), *told, f"INSERT INTO telemetry.otel_logs (Timestamp, LogAttributes) VALUES {rows}"],
    )
    assert [answer["error"] for answer in answers if "error" in answer] == []
    return folder


def test_the_schema_file_is_current() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == text(), "write it anew: python -m tests.shared_machine.schema"


def test_the_schema_for_several_machines_is_current_and_parses(tmp_path: Path) -> None:
    """There is no second machine here: the engine reads the statements, and does not run them."""
    assert CLUSTER.read_text(encoding="utf-8") == cluster_text(), "write it anew: python -m tests.shared_machine.schema"
    told = split(cluster_text())
    quoted = [statement.replace("\\", "\\\\").replace("'", "\\'") for statement in told]
    answers = ask(tmp_path, [f"SELECT formatQuery('{statement}') AS f" for statement in quoted])
    assert [answer["error"] for answer in answers if "error" in answer] == []
    tables = [statement for statement in told if statement.startswith("CREATE TABLE")]
    assert sum("ENGINE = Replicated" in statement for statement in tables) * 2 == len(tables)
    assert all("ON CLUSTER telemetry" in statement for statement in told if statement.startswith("CREATE"))


def test_roles_policies_and_quotas_are_statements_this_engine_knows(tmp_path: Path) -> None:
    told = [statement for statement in split(OPERATIONS) if access(statement)]
    quoted = [statement.replace("\\", "\\\\").replace("'", "\\'") for statement in told]
    answers = ask(tmp_path, [f"SELECT formatQuery('{statement}') AS f" for statement in quoted])
    assert [answer["error"] for answer in answers if "error" in answer] == []
    assert len(told) > 15


def test_groups_below_three_are_not_in_the_teams_view(filled: Path) -> None:
    (answer,) = ask(filled, ["SELECT day, members, requests, toString(cost_usd) AS usd FROM telemetry.team_daily"])
    assert answer["rows"] == [{"day": "2026-11-02", "members": 3, "requests": 3, "usd": "0.75"}]


def test_rows_go_after_ninety_days_and_repeated_inserts_are_known(filled: Path) -> None:
    tables = re.findall(r"ALTER TABLE (telemetry\.\w+) MODIFY TTL", OPERATIONS)
    assert len(tables) == 5
    made_by = "SELECT create_table_query AS q FROM system.tables WHERE concat(database, '.', name) = "
    for answer in ask(filled, [f"{made_by}'{table}'" for table in tables]):
        made = answer["rows"][0]["q"]
        assert "toIntervalDay(90)" in made
        assert "non_replicated_deduplication_window = 10000" in made


def test_every_query_of_the_dashboards_runs(filled: Path) -> None:
    queries = [
        target["rawSql"].replace("$__fromTime", "toDateTime('2026-11-01 00:00:00')").replace(
            "$__toTime", "toDateTime('2026-12-01 00:00:00')")
        for path in DASHBOARDS
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]
        for target in panel["targets"]
    ]  # fmt: skip
    assert len(queries) >= 8
    answers = ask(filled, ["USE telemetry", *queries])
    assert [answer["error"] for answer in answers if "error" in answer] == []
    assert all(answer["rows"] for answer in answers[1:])


def as_coordinator(folder: Path, data: Path) -> Path:
    """A configuration in which the engine's only user has the rights of one of ours."""
    tree = ET.parse(USERS)
    reader = tree.getroot().find("profiles/reader")
    grants = tree.getroot().find("users/coordinator_login/grants")
    assert reader is not None
    assert grants is not None
    reader.tag = "default"
    users = folder / "users.xml"
    users.write_text(
        f"<clickhouse><profiles>{ET.tostring(reader, encoding='unicode')}</profiles><users><default><password/>"
        f"<networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>"
        f"{ET.tostring(grants, encoding='unicode')}</default></users><quotas><default/></quotas></clickhouse>",
        encoding="utf-8",
    )
    config = folder / "config.xml"
    config.write_text(
        f"<clickhouse><users_config>{users}</users_config><path>{data}/</path></clickhouse>",
        encoding="utf-8",
    )
    return config


def test_a_coordinator_may_read_the_teams_view_and_nothing_else(filled: Path, tmp_path: Path) -> None:
    """The view runs as its definer on a server; here it runs as the caller, who is refused the table below it."""
    refused = [
        "SELECT * FROM telemetry.otel_logs",
        "SELECT count() FROM telemetry.otel_traces",
        "SELECT * FROM telemetry.events",
        "INSERT INTO telemetry.otel_logs (Timestamp) VALUES (now64(9))",
        "DROP TABLE telemetry.otel_logs",
        "ALTER TABLE telemetry.otel_logs DELETE WHERE 1",
        "CREATE TABLE telemetry.x (a Int8) ENGINE = Memory",
        "SELECT * FROM file('/etc/passwd', LineAsString)",
        "SELECT * FROM url('http://127.0.0.1:1/', LineAsString)",
        "SET max_memory_usage = 100000000000",
        "SET allow_ddl = 1",
        "SELECT * FROM system.query_log",
    ]
    answers = ask(filled, refused, as_coordinator(tmp_path, filled / "data"))
    assert [statement for statement, answer in zip(refused, answers, strict=True) if "ok" in answer] == []
    assert sum("497" in answer["error"] or "ACCESS_DENIED" in answer["error"] for answer in answers) >= 8
