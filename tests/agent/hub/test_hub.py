"""The hub, in a process of its own: who comes in, where the rows go, and that nobody sees another's."""

from __future__ import annotations

import http.client
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from tests.daemons import CLI, LiveDaemon, clean_env, journal_rows, names, telem, wait_for
from tests.otlp import logs

from telem.agent.connect import connect
from telem.agent.errors import AgentError
from telem.agent.hub.hub import address_of
from telem.agent.hub.members import Members, Role
from telem.agent.hub.purging import flags_of
from telem.storage.disk import Disk
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator

PROTOBUF = "application/x-protobuf"


class LiveHub:
    """A running hub, and a way to talk to it as somebody."""

    def __init__(self, home: Path, daemon: LiveDaemon) -> None:
        self.layout = Layout(home)
        self.url = urlsplit(daemon.endpoints["hub"])
        self.members = Members(self.layout.hub_members, Disk())
        self.headers = ""  # of the last answer

    def add(self, name: str, role: Role = Role.MEMBER, quota_bytes: int = 1 << 30) -> tuple[str, Path]:
        """A member's token and folder."""
        member, token = self.members.add(name, role, 0.0, quota_bytes, None)
        return token, self.layout.hub_house(member.id)

    def ask(self, method: str, path: str, token: str = "", body: bytes = b"", **headers: str) -> tuple[int, str]:
        """Status and body of an answer."""
        connection = http.client.HTTPConnection(self.url.hostname or "", self.url.port, timeout=180)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            given["Authorization"] = f"Bearer {token}"
        connection.request(method, path, body, given)
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
        self.headers = str(response.headers)
        connection.close()
        return response.status, text

    def send(self, token: str, name: str, **attributes: str) -> int:
        body = logs({"record.name": name, **attributes}).SerializeToString()
        return self.ask("POST", "/v1/logs", token, body, Content_Type=PROTOBUF)[0]


@pytest.fixture
def hub(home: Path) -> Iterator[LiveHub]:
    with LiveDaemon(home, "--hub", "--hub-listen", "127.0.0.1:0") as daemon:
        yield LiveHub(home, daemon)


def test_a_row_belongs_to_the_token_it_came_with(hub: LiveHub) -> None:
    """Whatever the data say: here Ada's telemetry claims to be Ben's."""
    ada, adas = hub.add("ada")
    ben, bens = hub.add("ben")
    assert hub.send(ada, "adas", **{"user.email": "ben@example.org", "member": "ben"}) == 200
    assert hub.send(ben, "bens") == 200
    assert names(journal_rows(adas)) == ["adas"]
    assert names(journal_rows(bens)) == ["bens"]
    assert adas.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("token", ["", "telem-hub-x", "Bearer", "é"])
def test_without_a_token_that_counts_nothing_is_told(hub: LiveHub, token: str) -> None:
    hub.add("ada")
    for method, path in (("GET", "/"), ("POST", "/v1/logs"), ("GET", "/status"), ("GET", "/team"), ("GET", "/x")):
        status, text = hub.ask(method, path, token.encode().decode("latin-1"))
        assert status == 401, (path, text)
        assert "ada" not in text
    assert hub.ask("GET", "/ping") == (200, "Ok.\n")
    assert not list(hub.layout.hub_houses.glob("*"))


def test_tokens_are_taken_as_clickhouse_clients_send_them(hub: LiveHub) -> None:
    import base64

    token, _ = hub.add("ada")
    basic = base64.b64encode(f"ada:{token}".encode()).decode()
    assert hub.ask("GET", "/status", Authorization=f"Basic {basic}")[0] == 200
    assert hub.ask("GET", "/status", X_ClickHouse_Key=token)[0] == 200
    assert hub.ask("GET", "/status", Authorization="Basic %%%")[0] == 401


def test_a_revoked_member_is_out_at_once(hub: LiveHub) -> None:
    token, home = hub.add("ada")
    assert hub.send(token, "one") == 200
    hub.members.revoke("ada", 1.0)
    assert hub.send(token, "two") == 401
    assert names(journal_rows(home)) == ["one"]


def test_web_pages_and_unknown_paths_are_refused(hub: LiveHub) -> None:
    token, _ = hub.add("ada")
    assert hub.ask("GET", "/status", token, Origin="https://example.org")[0] == 403
    assert hub.ask("GET", "/compact", token)[0] == 404
    assert hub.ask("POST", "/compact", token)[0] == 404


def test_a_full_quota_asks_to_come_again(hub: LiveHub) -> None:
    token, home = hub.add("ada", quota_bytes=10)
    assert hub.send(token, "one") == 200
    hub_two, _ = hub.add("ben", quota_bytes=10)
    (home.parent / hub.members.named("ben").id).mkdir(mode=0o700)
    (home.parent / hub.members.named("ben").id / "filler").write_bytes(b"x" * 20)
    status, text = hub.ask("POST", "/v1/logs", hub_two, b"", Content_Type=PROTOBUF)
    assert status == 429
    assert "quota" in text


def test_what_the_agent_refuses_is_refused_in_its_words(hub: LiveHub) -> None:
    token, _ = hub.add("ada")
    status, text = hub.ask("POST", "/v1/logs", token, b"{", Content_Type="application/json")
    assert status == 400
    assert json.loads(text)["message"]


def test_an_agent_that_was_killed_is_started_again(hub: LiveHub) -> None:
    token, home = hub.add("ada")
    assert hub.send(token, "one") == 200
    pid = json.loads((home / "daemon.json").read_text(encoding="utf-8"))["pid"]
    subprocess.run(["kill", "-9", str(pid)], check=True)
    statuses = [hub.send(token, "two") for _ in range(2)]  # the first may still meet it as it dies: 503, come again
    assert statuses[0] in (200, 503)
    assert statuses[1] == 200
    assert set(names(journal_rows(home))) == {"one", "two"}


def test_coordinators_are_told_of_groups_and_members_of_nobody(hub: LiveHub) -> None:
    """Three used the usual model, one of them also another, which is not shown by itself."""
    tokens = [hub.add(name)[0] for name in ("ada", "ben", "cat")]
    coordinator, _ = hub.add("coordinator", Role.COORDINATOR)
    usual = {"event.name": "api_request", "model": "claude-sonnet-4-5", "cost_usd": "0.25", "session.id": "s"}
    for token in tokens:
        assert hub.send(token, "x", **usual) == 200
    assert hub.send(tokens[0], "x", **usual | {"model": "claude-opus-4-5"}) == 200
    assert hub.ask("GET", "/team", tokens[0])[0] == 403
    status, text = hub.ask("GET", "/team?format=jsonl", coordinator)
    assert status == 200, (text, (hub.layout.logs / "daemon.log").read_text(encoding="utf-8"))
    rows = [json.loads(line) for line in text.splitlines()]
    (total,) = [row for row in rows if row["dimension"] == "all"]
    assert (total["members"], total["requests"], total["cost_usd"]) == (3, 4, 1)
    models = {row["value"]: (row["members"], row["requests"]) for row in rows if row["dimension"] == "model"}
    assert models == {"(other)": (3, 4)}
    assert "opus" not in text
    assert "m-" not in text
    csv = hub.ask("GET", "/team?format=csv&dimension=all&since=2020-01-01", coordinator)[1]
    assert csv.startswith("from_day,to_day,dimension")
    assert hub.ask("GET", "/metrics", tokens[0])[0] == 403
    metrics = hub.ask("GET", "/metrics", coordinator)[1]
    assert "telem_hub_requests_total 4\n" in metrics
    assert 'claude_code_cost_usage_USD_total{model=""} 1.0' in metrics
    assert 'team_cost_usage_USD_total{model="(other)"} 1.0' in metrics
    assert "opus" not in metrics
    noted = [json.loads(line) for line in hub.ask("GET", "/team/access", tokens[1])[1].splitlines()]
    assert [(one["caller"], one["outcome"]) for one in noted[:2]] == [("ada", "refused"), ("coordinator", "answered")]
    for wrong in ("format=xml", "dimension=user", "since=yesterday"):
        assert hub.ask("GET", f"/team?{wrong}", coordinator)[0] == 400


def test_rows_are_forwarded_once_and_asked_for_from_the_laptop(hub: LiveHub, tmp_path: Path) -> None:
    """From a laptop's door to its owner's question on the hub, with the commands she types."""
    token, home = hub.add("ada")
    lead, _ = hub.add("lead", Role.COORDINATOR)
    laptop = tmp_path / "laptop"
    for name, text in (("token", token), ("lead", lead)):
        (tmp_path / name).write_text(text + "\n", encoding="ascii")
    with LiveDaemon(laptop) as daemon:
        body = logs(*({"event.name": "api_request", "record.name": str(n), "cost_usd": 0.25} for n in range(30)))
        connection = connect(daemon.endpoints["otlp_http"], 60)
        connection.request("POST", "/v1/logs", body.SerializeToString(), {"Content-Type": PROTOBUF})
        assert connection.getresponse().status == 200
        connection.close()
        for name, file in (("team", "token"), ("lead", "lead")):
            flags = ("--home", str(laptop), "--url", hub.url.geturl(), "--token-file", str(tmp_path / file))
            assert forward("add", name, *flags, "--since", "now" if name == "lead" else "2020-01-01").returncode == 0
        wait_for(lambda: home.exists() and len(journal_rows(home)) == 30, 120)
        ids = [row["id"] for row in journal_rows(laptop)]
        assert [row["id"] for row in journal_rows(home)] == ids
        sql = ("--sql", "SELECT count(DISTINCT id) AS n, sum(cost_usd) AS usd FROM api_requests", "--format", "csv")
        assert telem(laptop, "query", *sql, "--on", "team").stdout == telem(laptop, "query", *sql).stdout
        assert "30,7.5" in telem(laptop, "query", *sql, "--on", "team").stdout
        refused = telem(laptop, "query", "--on", "team", "--team").stderr
        assert "for coordinators" in refused
        assert "--role coordinator" in refused
        told = telem(laptop, "query", "--on", "lead", "--team", "--format", "csv")
        assert told.stdout.startswith("from_day")
        assert "withheld" in told.stderr
        unknown = telem(laptop, "query", *sql, "--on", "nobody")
        assert (unknown.returncode, "There are: lead, team" in unknown.stderr) == (1, True)


def test_a_member_purges_on_the_hub_what_is_hers(hub: LiveHub, tmp_path: Path) -> None:
    ada, adas = hub.add("ada")
    ben, bens = hub.add("ben")
    for token in (ada, ben):
        for session in ("kept", "gone"):
            assert hub.send(token, session, **{"event.name": "user_prompt", "session.id": session}) == 200
    laptop = tmp_path / "laptop"
    (tmp_path / "token").write_text(ada, encoding="ascii")
    flags = ("--home", str(laptop), "--url", hub.url.geturl(), "--token-file", str(tmp_path / "token"))
    assert forward("add", "team", *flags).returncode == 0
    dry = telem(laptop, "purge", "--session", "gone", "--on", "team", "--dry-run")
    assert "1 of logs" in dry.stderr
    done = telem(laptop, "purge", "--session", "gone", "--on", "team", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"]["logs"] == 1
    counts = [hub.ask("POST", "/", token, b"SELECT session_id FROM user_prompts ORDER BY 1")[1] for token in (ada, ben)]
    assert counts == ["kept\n", "gone\nkept\n"]
    assert hub.send(ada, "again", **{"event.name": "user_prompt", "session.id": "gone"}) == 200
    assert hub.ask("POST", "/", ada, b"SELECT count(*) FROM user_prompts")[1] == "1\n"
    assert adas != bens


@pytest.mark.parametrize(
    "wanted", [None, [], {}, {"kind": "home", "value": "x"}, {"kind": "all", "value": "x"}, {"kind": "session"}]
)
def test_a_purge_of_something_else_is_refused(wanted: object) -> None:
    with pytest.raises(ValueError, match="say one of"):
        flags_of(wanted)
    assert flags_of({"kind": "session", "value": "--all"}) == ["--session=--all"]


def forward(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CLI, "forward", *arguments], capture_output=True, text=True, check=False, timeout=120, env=clean_env()
    )


def test_status_on_the_hubs_machine_names_members_and_no_token(home: Path) -> None:
    with LiveDaemon(home, "--mode", "hub", "--hub-listen", "127.0.0.1:0") as daemon:
        hub = LiveHub(home, daemon)
        token, _ = hub.add("ada")
        hub.send(token, "one")
        said = json.loads(telem(home, "status", "--json").stdout)
        assert [(member["name"], member["open"]) for member in said["members"]] == [("ada", True)]
        assert "ada" in telem(home, "status").stdout
        assert token not in json.dumps(said)
        pid = json.loads((hub.layout.hub_house(said["members"][0]["id"]) / "daemon.json").read_text())["pid"]
    assert not Path(f"/proc/{pid}").exists() or not Path("/proc").exists()


@pytest.mark.parametrize("text", ["", "8443", "host", "host:x", ":8443", "host:99999"])
def test_an_address_that_is_none_says_what_to_give(text: str) -> None:
    with pytest.raises(AgentError, match="hub_listen"):
        address_of(text)
    assert address_of("[::1]:8443") == ("::1", 8443)


def test_what_is_set_for_the_hub_holds_for_its_members(home: Path) -> None:
    """Its file makes it a hub; its retention and policy are those of each member's agent, also once changed.

    It is the same with the environment, but what makes it a hub there makes none of its members' agents.
    """
    (home / "config.toml").write_text('retention_logs_days = 7\n[hub]\nlisten = "127.0.0.1:0"\n', encoding="utf-8")
    (home / "sanitize.toml").write_text('known_values = ["kestrel-over-the-quay"]\n', encoding="utf-8")
    with LiveDaemon(home, env={"TELEM_AGENT_MODE": "hub", "TELEM_AGENT_SIZE_LIMIT_GB": "7"}) as daemon:
        hub = LiveHub(home, daemon)
        token, _ = hub.add("ada")
        assert hub.send(token, "one", prompt="kestrel-over-the-quay") == 200
        said = json.loads(hub.ask("GET", "/status", token)[1])
        assert said["retention"]["days"] == {"logs": 7, "metrics": 90, "traces": 90}
        assert said["retention"]["size_limit_bytes"] == 7_000_000_000
        assert "kestrel" not in hub.ask("POST", "/", token, b"SELECT * FROM raw_logs")[1]
        (home / "sanitize.toml").write_text('known_values = ["lapwing-by-the-lock"]\n', encoding="utf-8")

        def counts() -> bool:
            assert hub.send(token, "more", prompt="lapwing-by-the-lock") == 200
            return "known-value" in hub.ask("POST", "/", token, b"SELECT list(prompt) FROM raw_logs")[1]

        wait_for(counts)


def test_a_hub_whose_policy_cannot_be_used_does_not_start(home: Path) -> None:
    """Its members' agents could not either, and the first of them to be told would be a laptop."""
    (home / "sanitize.toml").write_text("known_values = 5\n", encoding="utf-8")
    with pytest.raises(AssertionError, match=r"sanitize\.toml: .*known_values"):
        LiveDaemon(home, "--hub", "--hub-listen", "127.0.0.1:0").stop()
