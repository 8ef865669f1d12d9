"""Broken set-ups, made and found; a healthy one, in which nothing is found."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import time
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner
from tests.daemons import LiveDaemon, journal_rows
from tests.otlp import logs, metrics

from telem.agent import control, mounts
from telem.agent.cli import cli
from telem.agent.config import load
from telem.agent.doctor import commands, daemon, data, live, machine, ports, records
from telem.agent.doctor.finding import Level
from telem.agent.doctor.situation import Situation, look
from telem.agent.service import managers
from telem.agent.setup import claude
from telem.agent.setup.commands import How, setup
from telem.agent.setup.jsontext import JsonText

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.protobuf.message import Message

BAD = (Level.PROBLEM, Level.WARNING)
MODEL = {"model": "claude-sonnet-4-5", "session.id": "0b0e4a52-4c5f-4a7e-9d6a-1d0c3c2f5a10"}


def post(endpoint: str, signal: str, message: Message) -> None:
    headers = {"Content-Type": "application/x-protobuf"}
    with urlopen(Request(f"{endpoint}/v1/{signal}", message.SerializeToString(), headers), timeout=60) as answer:
        assert answer.status == 200


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDaemon]:
    """A daemon to which Claude Code has sent a session."""
    with LiveDaemon(tmp_path_factory.mktemp("doctor") / "home") as started:
        events = [{**MODEL, "event.name": "api_request", "cost_usd": 0.1, "n": number} for number in range(30)]
        post(started.endpoints["otlp_http"], "logs", logs(*events))
        post(started.endpoints["otlp_http"], "metrics", metrics(MODEL))
        yield started


class World:
    """A user account whose clients are set up, and what a doctor finds in it."""

    def __init__(self, user: Path, running: LiveDaemon) -> None:
        self.user = user
        self.running = running
        tools = user / "bin"
        tools.mkdir(parents=True)
        for name in ("telem-agent", "duckdb"):
            (tools / name).symlink_to(Path(sys.executable).with_name(name))
        self.environ = {"HOME": str(user), "PATH": f"{tools}:/usr/bin:/bin"}
        self.flags = {"home": str(running.home)}
        self.claude = user / ".claude" / "settings.json"
        self.codex = user / ".codex" / "config.toml"
        self.gemini = user / ".gemini" / "settings.json"
        self.cwd = user / "book"
        self.cwd.mkdir()

    def situation(self, **changed: Any) -> Situation:
        found = look(self.flags)
        return replace(found, environ=self.environ, cwd=self.cwd, **changed)

    def names(self, situation: Situation | None = None) -> list[str]:
        found = commands.findings(situation or self.situation())
        assert all(finding.mend for finding in found if finding.level is not Level.WELL)
        return [finding.name for finding in found if finding.level is not Level.WELL]

    def env(self, **variables: str | None) -> None:
        """Change variables of Claude Code's settings."""
        text = JsonText(self.claude.read_text())
        for name, value in variables.items():
            text = text.remove("env", name) if value is None else text.set(("env", name), value)
        self.claude.write_text(text.text)


@pytest.fixture
def world(tmp_path: Path, running: LiveDaemon, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path / "user", running)
    for name in list(os.environ):
        if name.startswith(("OTEL_", "CLAUDE_", "CODEX_", "GEMINI_", "TELEM_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name, value in made.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(claude, "managed_paths", lambda: [made.user / "managed-settings.json"])
    monkeypatch.chdir(made.cwd)
    config = load({"home": str(running.home), "otlp_http_port": 0})
    assert setup(config, ["claude", "codex", "gemini"], None, How(yes=True), replace=False)
    shutil.rmtree(config.layout.setup)
    return made


def test_a_healthy_setup_raises_no_alarm(world: World) -> None:
    """Nothing but what is well, in under two seconds of work."""
    began_s = time.process_time()
    found = commands.findings(world.situation())
    assert [finding for finding in found if finding.level is not Level.WELL] == []
    assert {finding.part for finding in found} >= {
        "daemon",
        "data",
        "Claude Code",
        "Codex CLI",
        "Gemini CLI",
        "records",
    }
    assert time.process_time() - began_s < 2


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def broken_json(world: World) -> None:
    rewrite(world.claude, '"env"', '// mine\n  "env"')


def project_file(text: str) -> Callable[[World], None]:
    def write(world: World) -> None:
        (world.cwd / ".claude").mkdir()
        (world.cwd / ".claude" / "settings.json").write_text(text)

    return write


def managed(world: World) -> None:
    env = {"env": {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://otel.example.com"}}
    (world.user / "managed-settings.json").write_text(json.dumps(env))


def claude_version(world: World) -> None:
    program = world.user / "versions" / "2.1.120"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (world.user / "bin" / "claude").symlink_to(program)


def moved_hook(world: World) -> None:
    rewrite(world.claude, "bin/telem-agent", "gone/telem-agent")


def no_hook(world: World) -> None:
    world.claude.write_text(JsonText(world.claude.read_text()).remove("hooks", "UserPromptSubmit").text)


def all_hooks_off(world: World) -> None:
    world.claude.write_text(JsonText(world.claude.read_text()).set(("disableAllHooks",), True).text)


def shell_only(world: World) -> None:
    world.environ |= JsonText(world.claude.read_text()).get("env")
    world.claude.write_text(JsonText(world.claude.read_text()).remove("env").text)


def env(**variables: str | None) -> Callable[[World], None]:
    return lambda world: world.env(**variables)


def shell(**variables: str) -> Callable[[World], None]:
    return lambda world: world.environ.update(variables)


CLIENTS: list[tuple[str, Callable[[World], object]]] = [
    ("claude-not-set-up", lambda world: world.claude.unlink()),
    ("claude-not-set-up", env(CLAUDE_CODE_ENABLE_TELEMETRY="0")),
    ("claude-settings-broken", broken_json),
    ("claude-settings-broken", lambda world: rewrite(world.claude, "\n}", ",\n}")),
    ("claude-settings-broken", project_file("{,}")),
    ("claude-other-port", env(OTEL_EXPORTER_OTLP_ENDPOINT="http://localhost:9")),
    ("claude-other-port", env(OTEL_EXPORTER_OTLP_LOGS_ENDPOINT="http://127.0.0.1:9/v1/logs")),
    ("claude-elsewhere", env(OTEL_EXPORTER_OTLP_ENDPOINT="https://otel.example.com")),
    ("claude-bad-endpoint", env(OTEL_EXPORTER_OTLP_ENDPOINT="127.0.0.1:4318")),
    ("claude-bad-endpoint", env(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:port")),
    ("claude-bad-protocol", env(OTEL_EXPORTER_OTLP_PROTOCOL="http")),
    ("claude-grpc", env(OTEL_EXPORTER_OTLP_METRICS_PROTOCOL="grpc")),
    ("claude-exporter-missing", env(OTEL_LOGS_EXPORTER="console")),
    ("claude-exporter-missing", env(OTEL_METRICS_EXPORTER=None)),
    ("claude-managed", managed),
    (
        "claude-project-ignored",
        project_file('{"env": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:1", "OTEL_RESOURCE_ATTRIBUTES": "a=b"}}'),
    ),
    ("claude-proxy", shell(HTTP_PROXY="http://proxy:3128")),
    ("claude-sends-content", env(OTEL_LOG_USER_PROMPTS="1")),
    ("claude-sends-content", shell(OTEL_LOG_RAW_API_BODIES="file:/tmp/bodies")),
    ("claude-no-sessions", env(OTEL_METRICS_INCLUDE_SESSION_ID="false")),
    ("claude-hook-missing", no_hook),
    ("claude-hook-gone", moved_hook),
    ("claude-hooks-off", all_hooks_off),
    (
        "claude-hooks-off",
        lambda world: (world.user / "managed-settings.json").write_text('{"allowManagedHooksOnly": true}'),
    ),
    ("claude-shell-only", shell_only),
    ("claude-rare-metrics", env(OTEL_METRIC_EXPORT_INTERVAL="600000")),
    ("claude-traces-nowhere", env(OTEL_TRACES_EXPORTER="otlp")),
    ("client-defect", claude_version),
    ("neighbour-not-set-up", lambda world: world.codex.write_text('[otel]\nexporter = "none"\n')),
    ("neighbour-not-set-up", lambda world: world.gemini.write_text("{}")),
    ("neighbour-settings-broken", lambda world: world.codex.write_text("[otel\n")),
    ("neighbour-settings-broken", lambda world: world.gemini.write_text("{'a': 1}")),
    ("neighbour-other-port", lambda world: rewrite(world.gemini, "127.0.0.1:", "127.0.0.1:9/")),
    ("neighbour-elsewhere", lambda world: rewrite(world.codex, "127.0.0.1", "otel.example.com")),
    ("neighbour-elsewhere", lambda world: rewrite(world.gemini, '"local"', '"gcp"')),
    ("neighbour-elsewhere", lambda world: rewrite(world.gemini, "127.0.0.1:", "[:")),
    ("codex-path", lambda world: rewrite(world.codex, "/v1/logs", "")),
    ("neighbour-sends-prompts", lambda world: rewrite(world.gemini, "false", "true")),
    ("neighbour-sends-prompts", lambda world: rewrite(world.codex, "= false", "= true")),
    ("gemini-variables", shell(GEMINI_TELEMETRY_ENABLED="false")),
    ("no-duckdb-shell", lambda world: (world.user / "bin" / "duckdb").unlink()),
    ("not-on-path", shell(PATH="/nowhere")),
]


@pytest.mark.parametrize(
    ("name", "spoil"), CLIENTS, ids=[f"{number}-{name}" for number, (name, _) in enumerate(CLIENTS)]
)
def test_a_broken_client_is_found(
    world: World, name: str, spoil: Callable[[World], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name, with what mends it, and without a flood of others."""
    spoil(world)
    told = records.Arrived(time.time(), time.time(), 30, "2.1.330")  # asking the tables takes most of the time
    both = {("logs", "claude_code"): told, ("metrics", "claude_code"): told}
    monkeypatch.setattr(records, "arrived", lambda _: both)
    monkeypatch.setattr(machine, "beside", lambda name: world.user / "venv" / "bin" / name)
    found = world.names()
    assert name in found
    assert len([other for other in found if other != name]) <= 3, found


def test_another_installation_is_found(world: World) -> None:
    """Two of them: one on the path, the other running."""
    (world.user / "bin" / "telem-agent").unlink()
    (world.user / "bin" / "telem-agent").write_text("#!/bin/sh\n")
    (world.user / "bin" / "telem-agent").chmod(0o755)
    assert "another-telem-agent" in world.names()


def test_a_missing_package_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that is too old."""
    wanted = ["click>=999", "no-such-package>=1", 'colorama>=1; extra == "x"', "orjson>=3.10"]
    monkeypatch.setattr(metadata, "requires", lambda _: wanted)
    assert [name for name, _ in machine.missing_packages()] == ["click", "no-such-package"]
    found = [finding.name for finding in machine.check(Situation(load({"home": "/nowhere"}, {})))]
    assert found.count("package-missing") == 2


# -- the daemon ----------------------------------------------------------------------------------------------------


@pytest.fixture
def quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A home without a daemon, and a user without clients."""
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    return {"home": str(tmp_path / "home")}


def found_in(flags: dict[str, str], **changed: Any) -> list[str]:
    situation = look(flags)
    checked = [*daemon.check(replace(situation, **changed)), *data.check(replace(situation, **changed))]
    return [finding.name for finding in checked if finding.level is not Level.WELL]


def test_a_stopped_daemon_and_who_holds_its_port(quiet: dict[str, str]) -> None:
    """With the process's name and number."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        flags = {**quiet, "otlp_http_port": str(port), "otlp_grpc_port": "0", "query_port": "0"}
        found = list(daemon.check(look(flags)))
        assert [finding.name for finding in found] == ["daemon-stopped", "port-held"]
        assert f"process {os.getpid()}" in found[1].text
    assert ports.is_free("127.0.0.1", port)
    assert ports.holder_of(port).pid == 0


def test_broken_settings_and_policy_are_findings(quiet: dict[str, str]) -> None:
    """The doctor goes on with the defaults."""
    home = Path(quiet["home"])
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text("no_such_setting = 1\n")
    (home / "sanitize.toml").write_text("[drop\n")
    found = found_in(quiet)
    assert {"config-broken", "policy-broken", "daemon-stopped"} <= set(found)


def test_a_daemon_that_does_not_answer(quiet: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds the folder; nobody listens on its port."""
    gone = control.Running(1, {"query": "http://127.0.0.1:9"}, 0.0)
    monkeypatch.setattr(control, "find", lambda _: gone)
    Path(quiet["home"]).mkdir(mode=0o700)
    (Path(quiet["home"]) / "token").write_text("x")
    assert "daemon-silent" in found_in(quiet)


def test_a_service_that_cannot_look_after_it(quiet: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its program is gone, its file is gone, it has given up; and one that is as it should be."""
    home, user = Path(quiet["home"]), Path(os.environ["HOME"])
    home.mkdir(mode=0o700)
    user.mkdir()
    tools = user / "bin"
    tools.mkdir()
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.setattr(managers, "manager", managers.Systemd)
    for program, state, name in (("/gone", "active", "service-gone"), (sys.executable, "failed", "service-failed")):
        (tools / "systemctl").write_text(f"#!/bin/sh\necho {state}\n")
        (tools / "systemctl").chmod(0o755)
        (home / "service.json").write_text(json.dumps({"program": program}))
        assert "service-gone" in found_in(quiet)  # no unit yet
        unit = managers.Systemd(os.environ).path
        unit.parent.mkdir(parents=True)
        unit.write_text("x")
        assert name in found_in(quiet)
        shutil.rmtree(unit.parent)
    (tools / "systemctl").write_text("#!/bin/sh\necho active\n")
    unit.parent.mkdir()
    unit.write_text("x")
    assert not {"service-gone", "service-failed"} & set(found_in(quiet))


STATUS: list[tuple[str, dict[str, Any]]] = [
    ("daemon-older", {"versions": {"telem-agent": "0.0.1"}}),
    ("requests-refused", {"signals": {"logs": {"requests": 3, "refused": 1, "failed": 0}}}),
    ("wrong-port", {"misdialled": {"gRPC on the HTTP port": 2}}),
    ("recovered", {"recovery": ["a tail was cut"]}),
    ("sanitizer-off", {"sanitizer": {"profile": "off"}}),
    ("sanitizer-errors", {"sanitizer": {"errors": 3}}),
    ("policy-broken", {"sanitizer": {"policy_error": "line 3"}}),
]


@pytest.mark.parametrize(("name", "said"), STATUS)
def test_what_the_daemon_says_of_itself(world: World, name: str, said: dict[str, Any]) -> None:
    """Each thing it says is a finding of its own."""
    situation = world.situation()
    situation.status |= said
    assert name in [finding.name for finding in daemon.check(situation)]


def test_a_port_that_was_changed_since_the_start(world: World) -> None:
    """The daemon still listens where it did."""
    situation = world.situation()
    situation.config = replace(situation.config, otlp_http_port=14318)
    assert "daemon-elsewhere" in [finding.name for finding in daemon.check(situation)]


# -- data and records ----------------------------------------------------------------------------------------------


def test_rights_that_are_too_wide_are_mended(quiet: dict[str, str]) -> None:
    """By --fix, and only they."""
    home = Path(quiet["home"])
    home.mkdir()
    home.chmod(0o755)
    (home / "key").write_bytes(b"x")
    (home / "key").chmod(0o644)
    (finding,) = data.check(look(quiet))
    assert finding.name == "data-open"
    assert finding.fix
    finding.fix()
    assert (home.stat().st_mode & 0o777, (home / "key").stat().st_mode & 0o777) == (0o700, 0o600)
    assert [finding.name for finding in data.check(look(quiet))] == [""]


def test_a_folder_that_is_not_ours(quiet: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Left by a sudo, or closed."""
    home = Path(quiet["home"])
    home.mkdir(mode=0o700)
    home.chmod(0o500)
    assert "data-foreign" in found_in(quiet)
    home.chmod(0o700)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    (finding,) = data.check(look(quiet))
    assert (finding.name, finding.mend) == ("data-foreign", f"`sudo chown -R 12345 {home}`")


@pytest.mark.parametrize(("free", "name"), [(10 << 20, "disk-full"), (500 << 20, "disk-nearly-full")])
def test_little_room(quiet: dict[str, str], free: int, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps of it."""
    Path(quiet["home"]).mkdir(mode=0o700)
    usage = type(shutil.disk_usage("/"))(1 << 40, 1 << 39, free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert name in found_in(quiet)


def test_a_network_file_system(quiet: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The innermost mount counts."""
    Path(quiet["home"]).mkdir(mode=0o700)
    monkeypatch.setattr(mounts, "mounts", lambda: {"/": "ext4", str(Path(quiet["home"]).resolve()): "nfs4"})
    assert "network-file-system" in found_in(quiet)


def test_data_without_a_key_or_a_catalog(world: World, quiet: dict[str, str]) -> None:
    """The one changes stand-ins, the other keeps shells out."""
    home = Path(quiet["home"])
    shutil.copytree(world.running.home, home, ignore=shutil.ignore_patterns("LOCK", "telemetry.*", "token"))
    (home / "key").unlink()
    (home / "quarantine").mkdir()
    (home / "quarantine" / "piece").write_text("x")
    for path in (home / "journal" / "logs").iterdir():
        os.utime(path, (1, 1))
    (home / "journal" / "logs" / "s-999999999999.ndjson").write_text("")
    status: dict[str, Any] = {"signals": {}}
    up = control.Running(1, {}, 2.0)
    found = [finding.name for finding in data.check(replace(look(quiet), running=up, status=status))]
    assert set(found) == {"key-gone", "catalog-gone", "quarantine", "journal-stuck"}


def test_records_that_are_missing(world: World, quiet: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """None at all; events without metrics; records of the future; silence while a session is at work."""
    assert [finding.name for finding in records.check(look(quiet))] == ["no-records-yet"]
    situation = world.situation()
    now_s = situation.now_s
    told = records.Arrived(now_s - 7200, now_s + 7200, 50, "2.1.330")
    monkeypatch.setattr(records, "arrived", lambda _: {("logs", "claude_code"): told})
    (world.user / ".claude" / "projects" / "x").mkdir(parents=True)
    (world.user / ".claude" / "projects" / "x" / "s.jsonl").write_text("secret")
    situation.running = replace(situation.running, started_at_s=now_s - 9000) if situation.running else None
    names = [finding.name for finding in records.check(situation) if finding.name]
    assert names == ["no-metrics", "silence", "clock"]


def test_tables_that_cannot_be_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finding, not a traceback."""
    monkeypatch.setattr(records, "arrived", lambda _: 1 / 0)
    assert "unreadable" in world.names()


def test_the_installed_version_is_read_without_starting_it(world: World) -> None:
    """From the link's target, or the package beside."""
    assert records.installed_version(world.situation()) == ""
    claude_version(world)
    assert records.installed_version(world.situation()) == "2.1.120"
    (world.user / "bin" / "claude").unlink()
    package = world.user / "node_modules" / "claude-code"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"name": "x", "version": "2.0.64"}')
    (package / "cli.js").write_text("")
    (package / "cli.js").chmod(0o755)
    (world.user / "bin" / "claude").symlink_to(package / "cli.js")
    assert "client-defect" in world.names()


# -- the command ---------------------------------------------------------------------------------------------------


def test_live_sends_finds_and_does_not_count(world: World) -> None:
    """Through door, sanitizer, journal and SQL, and out again."""
    situation = world.situation()
    live.send(situation.endpoint, "11111111-2222-4333-8444-555555555555")
    stored = live.find(situation, "11111111-2222-4333-8444-555555555555")
    assert stored
    assert "a made-up address" in stored
    assert live.SECRET not in stored
    found = list(live.check(situation))
    assert [finding.level for finding in found] == [Level.WELL, Level.WELL], found
    assert [row["session_id"] for row in journal_rows(world.running.home) if row["event_name"] == live.EVENT] == []


def test_live_tells_what_is_wrong(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused, lost, or stored with what should have gone."""
    situation = world.situation()
    for answer, names in (
        (None, ["test-event-lost"]),
        (f'"{live.SECRET}"', ["test-event-unsanitized", "test-event-stays"]),
    ):
        monkeypatch.setattr(live, "find", lambda *_, said=answer: said)
        assert [finding.name for finding in live.check(situation)] == names
    assert situation.running
    situation.running = replace(situation.running, endpoints={"otlp_http": "http://127.0.0.1:9"})
    assert [finding.name for finding in live.check(situation)] == ["test-event-refused"]


def test_the_command(world: World) -> None:
    """In words and in JSON, under both names, with a status that scripts can use."""
    flags = ["--home", str(world.running.home)]
    done = CliRunner().invoke(cli, ["doctor", *flags, "--json", "--live"])
    said = json.loads(done.stdout)
    assert (done.exit_code, said["schema"], said["well"]) == (0, 1, True), done.output
    world.env(OTEL_EXPORTER_OTLP_PROTOCOL="smoke signals")
    done = CliRunner().invoke(cli, ["verify-setup", *flags])
    assert done.exit_code == 1
    assert "-> telem-agent setup --client claude" in done.output
    assert "The protocol is one that it does not know" not in done.output
    done = CliRunner().invoke(cli, ["doctor", *flags, "--explain"])
    assert "The protocol is one that it does not know" in done.output


def test_fix_starts_the_daemon(quiet: dict[str, str]) -> None:
    """And closes what was open."""
    home = Path(quiet["home"])
    home.mkdir()
    home.chmod(0o750)
    (home / "config.toml").write_text("otlp_http_port = 0\notlp_grpc_port = 0\nquery_port = 0\n")
    try:
        done = CliRunner().invoke(cli, ["doctor", "--home", str(home), "--fix"])
        assert "fixed: started" in done.output
        assert home.stat().st_mode & 0o777 == 0o700
        assert "daemon: runs" in done.output
    finally:
        control.stop(load({"home": str(home)}, {}).layout)


def test_every_trouble_is_provoked_here() -> None:
    """Each one the doctor knows has a test that makes it, in this folder."""
    text = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert [trouble.name for trouble in commands.TROUBLES if f'"{trouble.name}"' not in text] == []
    assert len(commands.TROUBLES) >= 25
