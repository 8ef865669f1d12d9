"""Setting up clients: what is in their files afterwards, and that all of it can be taken back."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shutil
import stat
import subprocess
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.agent.setup.conftest import ENDPOINT, YES
from tests.conftest import config_for
from tests.daemons import CLI

from telem.agent import program
from telem.agent.cli import cli
from telem.agent.errors import AgentError
from telem.agent.setup import claude, commands, environment, files, variables
from telem.agent.setup.commands import CLIENTS, How
from telem.agent.setup.project import pairs
from telem.agent.setup.record import records
from telem.agent.setup.variables import Content

if TYPE_CHECKING:
    from pathlib import Path

    from telem.agent.config import Config

ALL = list(CLIENTS)
NOBODY_SETS = (None, b"")

JSON_FILES: dict[str, bytes] = {
    "one line": b'{"model":"opus","env":{"MY":"1"}}',
    "no end of line": b'{\n  "model": "opus"\n}',
    "tabs": b'{\n\t"env": {\n\t\t"MY": "1"\n\t},\n\t"z": [1,\n 2]\n}\n',
    "odd indentation": b'{\n      "env" : {"MY":"1"\n },\n "b":\n\n   2\n }  \n\n',
    "CRLF": b'{\r\n  "model": "opus",\r\n  "env": {\r\n    "MY": "1"\r\n  }\r\n}\r\n',
    "BOM": b'\xef\xbb\xbf{\n  "model": "opus"\n}\n',
    "empty": b"",
    "blank": b" \n\n",
    "empty object": b"{}",
    "not ASCII": '{\n  "name": "Zoë 😀 \\u00e9"\n}\n'.encode(),
    "other hooks": json.dumps(
        {"hooks": {"SessionStart": [{"hooks": [{"type": "command", "command": "true"}]}]}}
    ).encode(),
}
TOML_FILES: dict[str, bytes] = {
    "comments": b'# mine\nmodel = "gpt-5"   # why\n\n[otel] # here\nenvironment = "dev"\n\n[mcp_servers.x]\na = "y"\n',
    "CRLF": b'model = "gpt-5"\r\n\r\n[otel]\r\nenvironment = "dev"\r\n',
    "BOM": b'\xef\xbb\xbfmodel = "gpt-5"\n',
    "no end of line": b'model = "gpt-5"',
    "none": b'[otel]\nexporter = "none"\n',
    "inline": b'otel = { environment = "dev" }\n',
    "empty": b"",
}
FILES = [
    *(("claude", name, data) for name, data in JSON_FILES.items()),
    *(("gemini", name, data) for name, data in JSON_FILES.items()),
    ("gemini", "comments", b'{\n  // mine\n  "theme": "dark", /* why */\n  "ui": {} // the last\n}\n'),
    *(("codex", name, data) for name, data in TOML_FILES.items()),
]


def path_of(client: str) -> Path:
    found: Path = CLIENTS[client].settings_path(os.environ)
    return found


def put(client: str, data: bytes) -> Path:
    path = path_of(client)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def set_up(config: Config, *clients: str, content: Content | None = None, replace: bool = False) -> bool:
    return commands.setup(config, clients or ALL, content, YES, replace=replace)


def loaded(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8-sig")
    return tomllib.loads(text) if path.suffix == ".toml" else dict(json.loads(text))


@pytest.mark.parametrize(("client", "name", "data"), FILES, ids=[f"{client}: {name}" for client, name, _ in FILES])
def test_setup_keeps_what_was_there_and_undo_brings_every_byte_back(
    config: Config, client: str, name: str, data: bytes
) -> None:
    """Whatever the file looked like. Its rights stay too, and a second set-up finds nothing to do."""
    path = put(client, data)
    path.chmod(0o640)
    assert set_up(config, client)
    changed = path.read_bytes()
    assert changed != data
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert (b"\r\n" in data) <= (b"\n" not in changed.replace(b"\r\n", b""))
    assert (data[:3] == b"\xef\xbb\xbf") == (changed[:3] == b"\xef\xbb\xbf")
    if client != "gemini" or "comments" not in name:
        before = loaded_bytes(path.suffix, data)
        assert all(item in json.dumps(loaded(path)) for item in leaves(before))
    assert set_up(config, client)
    assert (path.read_bytes(), len(records(config.layout))) == (changed, 1)
    assert commands.take_back(config, [], YES)
    assert path.read_bytes() == data
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(config.layout.setup.iterdir()) == []


def loaded_bytes(suffix: str, data: bytes) -> dict[str, Any]:
    text = data.decode("utf-8-sig")
    if suffix == ".toml":
        return tomllib.loads(text)
    return dict(json.loads(text)) if text.strip() else {}


def leaves(value: Any) -> list[str]:
    """Every value that is no container and not ours to replace, as JSON."""
    if isinstance(value, dict):
        return [leaf for key, item in value.items() if key != "exporter" for leaf in leaves(item)]
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, list) else [json.dumps(value)]


def test_files_that_are_not_there_are_made_and_go_again(config: Config, account: Path) -> None:
    """With their folders."""
    assert set_up(config)
    assert all(path_of(client).stat().st_mode & 0o777 == 0o600 for client in ALL)
    assert commands.take_back(config, [], YES)
    assert list(account.iterdir()) == []


def test_a_symbolic_link_stays_one(config: Config, account: Path) -> None:
    """Dotfiles often are: what it leads to is changed, also when that is not there yet."""
    real = account / "dotfiles" / "claude.json"
    real.parent.mkdir()
    real.write_bytes(b'{"model": "opus"}')
    (account / ".claude").mkdir()
    link = account / ".claude" / "settings.json"
    link.symlink_to(real)
    dangling = account / ".gemini" / "settings.json"
    dangling.parent.mkdir()
    dangling.symlink_to(account / "dotfiles" / "gemini.json")
    assert set_up(config, "claude", "gemini")
    assert link.is_symlink()
    assert loaded(real)["env"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == ENDPOINT
    assert loaded(account / "dotfiles" / "gemini.json")["telemetry"]["enabled"] is True
    assert commands.take_back(config, [], YES)
    assert (real.read_bytes(), link.is_symlink(), dangling.is_symlink()) == (b'{"model": "opus"}', True, True)
    assert not (account / "dotfiles" / "gemini.json").exists()


def test_another_name_for_the_same_file_says_the_same(config: Config, account: Path, claude_settings: Path) -> None:
    """A hard link is not cut."""
    claude_settings.write_bytes(b"{}")
    (account / "same.json").hardlink_to(claude_settings)
    assert set_up(config, "claude")
    assert (account / "same.json").read_bytes() == claude_settings.read_bytes() != b"{}"
    assert commands.take_back(config, [], YES)
    assert (account / "same.json").read_bytes() == b"{}"


REFUSED = [
    ("claude", b'{\n  "a": 1,\n}\n', "line 2, column 9"),
    ("claude", b'{\n  "a": 1 // why\n}\n', "line 2, column 10"),
    ("claude", b'{"env": "x"}', "env is not an object"),
    ("claude", b'{"hooks": {"SessionStart": {}}}', "SessionStart is not a list"),
    ("claude", b"\xff\xfe{}", "not UTF-8"),
    ("claude", b"[]", "not an object"),
    ("gemini", b'{\n "a": 1,\n}\n', "line 2, column 8"),
    ("gemini", b'{"telemetry": []}', "telemetry is not an object"),
    ("codex", b"a = \n", "line 1"),
    ("codex", b"otel = 3\n", "not a table"),
]


@pytest.mark.parametrize(("client", "data", "said"), REFUSED)
def test_what_cannot_be_read_is_refused_and_untouched(
    config: Config, client: str, data: bytes, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the place, and without a record."""
    path = put(client, data)
    assert not set_up(config, client)
    text = capsys.readouterr().err
    assert said in text
    assert str(path) in text
    assert path.read_bytes() == data
    assert records(config.layout) == []


def test_a_read_only_file_is_refused_and_untouched(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    """Its owner closed it; the others are set up all the same."""
    path = put("claude", b'{"model": "opus"}')
    path.chmod(0o444)
    assert not set_up(config)
    assert "is read-only" in capsys.readouterr().err
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b'{"model": "opus"}', 0o444)
    assert {record.client for record in records(config.layout)} == {"codex", "gemini"}
    assert commands.take_back(config, [], YES)
    assert not path_of("codex").exists()


def test_a_folder_in_place_of_the_file_is_refused(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    """And named; the other clients are set up all the same."""
    path_of("claude").mkdir(parents=True)
    assert not set_up(config)
    assert "no file of settings" in capsys.readouterr().err
    assert {record.client for record in records(config.layout)} == {"codex", "gemini"}


DOCUMENTS: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
KNOWN = st.sampled_from(["env", "hooks", "SessionStart", "OTEL_LOGS_EXPORTER", "telemetry", "enabled", "x"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(KNOWN, DOCUMENTS | st.dictionaries(KNOWN, DOCUMENTS, max_size=3), max_size=4),
    st.sampled_from([None, 1, 4, "\t"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["claude", "gemini"]),
)
def test_any_settings_survive(config: Config, document: dict[str, Any], indent: Any, end: str, client: str) -> None:
    """Set up and taken back, or refused: in every case all bytes are there again."""
    data = (json.dumps(document, indent=indent, ensure_ascii=False).replace("\n", end) + end).encode()
    path = put(client, data)
    if set_up(config, client):
        found = loaded(path)
        assert all(
            found[name] == value for name, value in document.items() if name not in ("env", "hooks", "telemetry")
        )
        assert commands.take_back(config, [], YES)
    assert path.read_bytes() == data
    assert records(config.layout) == []


# -- what is set ---------------------------------------------------------------------------------------------------


def test_what_claude_code_gets(config: Config, claude_settings: Path) -> None:
    """The exporter, and the hook on two events, by a command that cannot fail."""
    assert set_up(config, "claude")
    found = loaded(claude_settings)
    assert found["env"] == variables.exporter(ENDPOINT)
    assert found["env"]["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/protobuf"
    hooks = [found["hooks"][event][0]["hooks"][0] for event in ("SessionStart", "UserPromptSubmit")]
    assert hooks[0] == hooks[1]
    assert hooks[0]["command"].endswith(f"telem-agent hook --home {config.home} 2>/dev/null || :")


def test_claude_config_dir_is_honoured(config: Config, account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the client does."""
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(account / "elsewhere"))
    (account / "elsewhere").mkdir()
    assert commands.found() == ["claude"]
    assert set_up(config, "claude")
    assert (account / "elsewhere" / "settings.json").exists()
    assert not (account / ".claude").exists()


def test_a_moved_program_gets_its_hook_renewed(
    config: Config, claude_settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its place, beside hooks of others; never a second one."""
    theirs = {"type": "command", "command": "make lint"}
    claude_settings.write_text(json.dumps({"hooks": {"SessionStart": [{"hooks": [theirs]}]}}))
    assert set_up(config, "claude")
    monkeypatch.setattr(program, "path", lambda: "/opt/new place/telem-agent")
    assert set_up(config, "claude")
    groups = loaded(claude_settings)["hooks"]["SessionStart"]
    assert [hook["command"].split(" hook")[0] for group in groups for hook in group["hooks"]] == [
        "make lint",
        "'/opt/new place/telem-agent'",
    ]
    assert commands.take_back(config, [], YES)
    assert loaded(claude_settings) == {"hooks": {"SessionStart": [{"hooks": [theirs]}]}}


@pytest.mark.parametrize("where", ["settings", "shell"])
def test_behind_a_proxy_loopback_is_spared(
    config: Config, claude_settings: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Hosts of the user's own stay in NO_PROXY, also those of the shell, which settings replace."""
    monkeypatch.setenv("no_proxy", ".corp.example")
    env = {"HTTPS_PROXY": "http://proxy:3128"}
    if where == "shell":
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
        env = {}
    claude_settings.write_text(json.dumps({"env": env}))
    assert set_up(config, "claude")
    found = loaded(claude_settings)["env"]
    assert found["NO_PROXY"] == found["no_proxy"] == ".corp.example,127.0.0.1,localhost"


def test_without_a_proxy_no_proxy_is_left_alone(config: Config, claude_settings: Path) -> None:
    """It would replace the shell's."""
    assert set_up(config, "claude")
    assert "NO_PROXY" not in loaded(claude_settings)["env"]


@pytest.mark.parametrize("level", list(Content))
def test_content_is_sent_only_as_far_as_it_was_asked_for(config: Config, level: Content) -> None:
    """Each client has switches of its own."""
    assert set_up(config, content=level)
    env = loaded(path_of("claude"))["env"]
    on = {name for name in env if name.startswith("OTEL_LOG_") and env[name] == "1"}
    wanted = {
        Content.NONE: set(),
        Content.PROMPTS: {"OTEL_LOG_USER_PROMPTS"},
        Content.FULL: {
            "OTEL_LOG_USER_PROMPTS",
            "OTEL_LOG_ASSISTANT_RESPONSES",
            "OTEL_LOG_TOOL_DETAILS",
            "OTEL_LOG_TOOL_CONTENT",
        },
    }
    assert on == wanted[level]
    assert loaded(path_of("codex"))["otel"]["log_user_prompt"] is (level is not Content.NONE)
    assert loaded(path_of("gemini"))["telemetry"]["logPrompts"] is (level is not Content.NONE)


def test_switches_the_user_set_stay_unless_told_otherwise(
    config: Config, claude_settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And are named, with what they send."""
    claude_settings.write_text('{"env": {"OTEL_LOG_USER_PROMPTS": "1"}}')
    assert set_up(config, "claude")
    assert "OTEL_LOG_USER_PROMPTS=1 stays" in capsys.readouterr().err
    assert loaded(claude_settings)["env"]["OTEL_LOG_USER_PROMPTS"] == "1"
    assert set_up(config, "claude", content=Content.NONE)
    assert loaded(claude_settings)["env"]["OTEL_LOG_USER_PROMPTS"] == "0"


def test_codex_has_one_exporter_with_its_whole_path(config: Config) -> None:
    """An exporter that serves is left as its owner wrote it."""
    mine = '[otel.exporter.otlp-http]\nendpoint = "http://localhost:4318/v1/logs"\nprotocol = "json"\n'
    path = put("codex", mine.encode())
    assert set_up(config, "codex")
    found = loaded(path)["otel"]
    assert found["exporter"] == {"otlp-http": {"endpoint": f"{ENDPOINT}/v1/logs", "protocol": "binary"}}
    assert found["metrics_exporter"]["otlp-http"]["endpoint"] == f"{ENDPOINT}/v1/metrics"
    assert commands.take_back(config, [], YES)
    assert path.read_text() == mine
    put("codex", mine.replace("localhost", "127.0.0.1").replace("json", "binary").encode())
    assert set_up(config, "codex")
    assert mine.replace("localhost", "127.0.0.1").replace("json", "binary") in path.read_text()


ELSEWHERE = [
    ("claude", '{"env": {"CLAUDE_CODE_ENABLE_TELEMETRY": "1", "OTEL_EXPORTER_OTLP_ENDPOINT": "https://u:pw@otel.example.com?k=pw"}}'),
    ("claude", '{"env": {"CLAUDE_CODE_ENABLE_TELEMETRY": "1", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "https://otel.example.com/v1/logs"}}'),
    ("codex", '[otel]\nexporter = { otlp-grpc = { endpoint = "https://otel.example.com" } }\n'),
    ("codex", '[otel.metrics_exporter.otlp-http]\nendpoint = "https://otel.example.com/m"\nprotocol = "binary"\n'),
    ("gemini", '{"telemetry": {"enabled": true, "otlpEndpoint": "https://otel.example.com"}}'),
]  # fmt: skip


@pytest.mark.parametrize(("client", "text"), ELSEWHERE)
def test_who_receives_already_does_not_lose_it_silently(
    config: Config, client: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is left alone, said without credentials and with what to do; with --replace it is changed, and can go back."""
    path = put(client, text.encode())
    assert not set_up(config, client)
    said = capsys.readouterr().err
    assert "otel.example.com" in said
    assert "pw" not in said
    assert "--replace" in said
    assert path.read_text() == text
    assert set_up(config, client, replace=True)
    assert "otel.example.com" not in path.read_text()
    assert commands.take_back(config, [], YES)
    assert path.read_text() == text


@pytest.mark.parametrize("target", [{"target": "gcp"}, {"outfile": "/tmp/t.log"}])
def test_gemini_has_other_places_to_send_to(config: Config, target: dict[str, str]) -> None:
    """They are respected too."""
    path = put("gemini", json.dumps({"telemetry": {"enabled": True, **target}}).encode())
    assert not set_up(config, "gemini")
    assert loaded(path) == {"telemetry": {"enabled": True, **target}}


def test_a_shell_that_exports_elsewhere_is_noticed(
    config: Config, claude_settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings win over the shell, so setting them would take its place."""
    monkeypatch.setenv("CLAUDE_CODE_ENABLE_TELEMETRY", "1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    assert not set_up(config, "claude")
    assert not claude_settings.exists()


def test_another_port_is_not_another_receiver(config: Config, tmp_path: Path, claude_settings: Path) -> None:
    """What an earlier set-up wrote may be written anew."""
    assert set_up(config)
    moved = config_for(tmp_path / "data", otlp_http_port=14318)
    assert set_up(moved)
    assert loaded(claude_settings)["env"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://127.0.0.1:14318"
    assert len(records(config.layout)) == 6
    assert commands.take_back(config, [], YES)
    assert not claude_settings.exists()


# -- taking back ---------------------------------------------------------------------------------------------------


def test_undo_leaves_what_others_changed_meanwhile(
    config: Config, claude_settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only what is still as it was set goes."""
    claude_settings.write_text('{\n  "model": "opus",\n  "env": {\n    "OTEL_LOGS_EXPORTER": "console"\n  }\n}\n')
    assert set_up(config, "claude")
    found = loaded(claude_settings)
    found["permissions"] = {"allow": ["Bash(ls)"]}
    found["env"]["OTEL_METRIC_EXPORT_INTERVAL"] = "60000"
    claude_settings.write_text(json.dumps(found, indent=2))
    assert commands.take_back(config, [], YES)
    assert loaded(claude_settings) == {
        "model": "opus",
        "env": {"OTEL_LOGS_EXPORTER": "console", "OTEL_METRIC_EXPORT_INTERVAL": "60000"},
        "permissions": {"allow": ["Bash(ls)"]},
    }
    assert "env.OTEL_METRIC_EXPORT_INTERVAL" in capsys.readouterr().err


def test_undo_of_a_file_that_others_spoiled_keeps_the_record(config: Config, claude_settings: Path) -> None:
    """It can be done when the file is mended."""
    assert set_up(config, "claude")
    good = claude_settings.read_bytes()
    claude_settings.write_bytes(b"{oops")
    assert not commands.take_back(config, [], YES)
    assert claude_settings.read_bytes() == b"{oops"
    claude_settings.write_bytes(good)
    assert commands.take_back(config, [], YES)
    assert not claude_settings.exists()


def test_undo_of_one_client(config: Config, claude_settings: Path) -> None:
    """The others stay."""
    assert set_up(config)
    assert commands.take_back(config, ["codex"], YES)
    assert not path_of("codex").exists()
    assert claude_settings.exists()


def test_undo_without_its_records_takes_out_what_setup_puts_in(config: Config, claude_settings: Path) -> None:
    """The data folder was removed by hand: settings and hooks of ours would stay behind for ever."""
    theirs = {"hooks": [{"type": "command", "command": "make lint"}]}
    claude_settings.write_text(json.dumps({"model": "opus", "hooks": {"SessionStart": [theirs]}}))
    put("codex", b'model = "gpt-5"\n')
    put("gemini", b'{\n  // mine\n  "theme": "dark"\n}\n')
    assert set_up(config)
    shutil.rmtree(config.layout.home)
    assert {plan.client for plan in commands.leftovers([])} == set(ALL)
    assert commands.take_back(config, [], YES)
    assert loaded(claude_settings) == {"model": "opus", "hooks": {"SessionStart": [theirs]}}
    assert path_of("codex").read_bytes().strip() == b'model = "gpt-5"'
    assert path_of("gemini").read_bytes() == b'{\n  // mine\n  "theme": "dark"\n}\n'
    assert commands.leftovers([]) == []


def test_settings_made_by_hand_are_no_leftover(config: Config) -> None:
    """In the same form as ours: setup finds nothing to do, so undo has nothing to take back."""
    assert set_up(config, "codex", "gemini")
    before = {client: path_of(client).read_bytes() for client in ("codex", "gemini")}
    shutil.rmtree(config.layout.home)
    assert set_up(config, "codex", "gemini")
    assert commands.take_back(config, [], YES)
    assert {client: path_of(client).read_bytes() for client in ("codex", "gemini")} == before
    assert commands.take_back(config, ["codex"], YES)
    assert path_of("codex").read_bytes() == b""


def test_what_is_not_ours_is_no_leftover(config: Config, claude_settings: Path) -> None:
    """A collector on this machine with settings of its own stays."""
    env = {"CLAUDE_CODE_ENABLE_TELEMETRY": "1", "OTEL_EXPORTER_OTLP_ENDPOINT": "https://otel.example.com"}
    claude_settings.write_text(json.dumps({"env": env}))
    put("codex", b'[otel]\nexporter = { otlp-grpc = { endpoint = "http://localhost:4317" } }\n')
    put("gemini", b'{"telemetry": {"enabled": true, "otlpEndpoint": "http://localhost:4317", "otlpProtocol": "grpc"}}')
    assert commands.leftovers([]) == []


def test_undo_in_json(config: Config, claude_settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was done to each client."""
    assert set_up(config, "claude")
    capsys.readouterr()
    assert commands.take_back(config, [], How(yes=True, as_json=True))
    said = json.loads(capsys.readouterr().out)
    assert (said["schema"], [(one["client"], one["taken_back"]) for one in said["clients"]]) == (1, [("claude", True)])


def test_undo_without_a_setup_has_nothing_to_do(config: Config) -> None:
    """And says so."""
    assert commands.take_back(config, [], YES)


def test_a_file_removed_meanwhile_stays_removed(config: Config, claude_settings: Path) -> None:
    """Undo brings nothing back that its owner threw away."""
    claude_settings.write_bytes(b"{}")
    assert set_up(config, "claude")
    claude_settings.unlink()
    assert commands.take_back(config, [], YES)
    assert not claude_settings.exists()


def test_a_file_changed_at_the_same_moment_is_left_alone(
    config: Config, claude_settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients write their settings too."""
    claude_settings.write_bytes(b"{}")
    plan = CLIENTS["claude"].plan(commands.wanted(config, None, replace=False), os.environ)
    claude_settings.write_bytes(b'{"a": 1}')
    monkeypatch.setitem(CLIENTS, "claude", type("Late", (), {"plan": staticmethod(lambda *_: plan)}))
    with pytest.raises(AgentError, match="at the same moment"):
        set_up(config, "claude")
    assert claude_settings.read_bytes() == b'{"a": 1}'
    assert records(config.layout) == []


# -- how it is asked -----------------------------------------------------------------------------------------------


def test_nothing_is_changed_without_a_word(config: Config, claude_settings: Path) -> None:
    """Dry, or with nobody to ask."""
    assert commands.setup(config, ["claude"], None, How(dry=True), replace=False)
    with pytest.raises(AgentError, match="nobody is here to ask"):
        commands.setup(config, ["claude"], None, How(), replace=False)
    assert not claude_settings.exists()
    assert not config.layout.setup.exists() or records(config.layout) == []


def test_the_difference_shows_no_secret(
    config: Config, claude_settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines around a change may hold keys."""
    claude_settings.write_text('{\n  "env": {\n    "ANTHROPIC_API_KEY": "sk-ant-hidden"\n  }\n}\n')
    assert commands.setup(config, ["claude"], None, How(dry=True), replace=False)
    said = capsys.readouterr()
    assert "OTEL_LOGS_EXPORTER" in said.out
    assert "ANTHROPIC_API_KEY" in said.out
    assert "sk-ant-hidden" not in said.out + said.err


def test_in_json(config: Config, claude_settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a schema version; the state says what was done."""
    for how, state in ((How(dry=True, as_json=True), "would change"), (How(yes=True, as_json=True), "changed")):
        assert commands.setup(config, ["claude"], None, how, replace=False)
        said = json.loads(capsys.readouterr().out)
        assert (said["schema"], said["clients"][0]["state"]) == (1, state)
        assert said["clients"][0]["path"] == str(claude_settings)


def test_without_any_client_it_says_so(config: Config) -> None:
    """And how to go on."""
    with pytest.raises(AgentError, match="neither Claude Code"):
        commands.setup(config, [], None, YES, replace=False)


def test_what_is_printed_can_be_put_in_by_hand(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    """It is what setup would set."""
    assert set_up(config)
    capsys.readouterr()
    for client in ALL:
        commands.print_settings(config, [client], None)
        text = capsys.readouterr().out.partition("\n")[2]
        shown = tomllib.loads(text) if client == "codex" else json.loads(text)
        assert shown == loaded(path_of(client))


def test_a_free_port_must_be_known(tmp_path: Path) -> None:
    """Otherwise the daemon has to run."""
    with pytest.raises(AgentError, match="not known"):
        commands.endpoint(config_for(tmp_path / "none"))
    assert commands.endpoint(config_for(tmp_path / "none", otlp_http_port=99, bind="::1")) == "http://[::1]:99"


def test_the_command_line_leads_there(config: Config, claude_settings: Path, tmp_path: Path) -> None:
    """`setup`, its subcommand, and flags that contradict each other."""
    flags = ["setup", "--home", str(config.home), "--otlp-http-port", "4318"]
    done = CliRunner().invoke(cli, [*flags, "--yes", "--client", "claude", "--content", "prompts"])
    assert done.exit_code == 0, done.output
    assert loaded(claude_settings)["env"]["OTEL_LOG_USER_PROMPTS"] == "1"
    assert CliRunner().invoke(cli, [*flags, "--print", "--undo"]).exit_code == 2
    assert CliRunner().invoke(cli, [*flags, "--undo", "--yes"]).exit_code == 0
    assert not claude_settings.exists()
    with contextlib.chdir(tmp_path):
        assert CliRunner().invoke(cli, [*flags[:3], "project", "--tag", "chapter=ch07", "--yes"]).exit_code == 0
    assert (tmp_path / ".claude" / "settings.json").exists()
    claude_settings.write_text("{,}")
    assert CliRunner().invoke(cli, [*flags, "--yes"]).exit_code == 1


@pytest.mark.parametrize(("answer", "status"), [(b"n\n", 1), (b"\n", 0)])
def test_one_question(config: Config, claude_settings: Path, answer: bytes, status: int) -> None:
    """In a terminal: the change is shown, and made or not made as the answer says."""
    ours, theirs = pty.openpty()
    command = [*CLI, "setup", "--home", str(config.home), "--client", "claude"]
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        os.write(ours, answer)
        said = process.communicate(timeout=60)[0].decode()
    for descriptor in (ours, theirs):
        os.close(descriptor)
    assert (process.returncode, said.count("[Y/n]")) == (status, 1)
    assert '+    "OTEL_LOGS_EXPORTER"' in said
    assert claude_settings.exists() is (status == 0)


# -- projects and shells -------------------------------------------------------------------------------------------


def test_tags_of_a_project(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the top of its repository; tags join those that are there, and can go."""
    top = tmp_path / "book"
    (top / ".git").mkdir(parents=True)
    (top / "docs").mkdir()
    monkeypatch.chdir(top / "docs")
    assert commands.setup_project(config, pairs(["chapter=ch07", "team=The A, B=C Team"]), YES, local=False)
    path = top / ".claude" / "settings.json"
    value = loaded(path)["env"]["OTEL_RESOURCE_ATTRIBUTES"]
    assert value == "chapter=ch07,team=The A%2C B%3DC Team"
    assert commands.setup_project(config, pairs(["chapter=", "x.y=ü"]), YES, local=False)
    assert loaded(path)["env"]["OTEL_RESOURCE_ATTRIBUTES"] == "team=The A%2C B%3DC Team,x.y=%C3%BC"
    other = tmp_path / "site"
    (other / ".git").mkdir(parents=True)
    monkeypatch.chdir(other)
    assert commands.setup_project(config, {"team": "web"}, YES, local=False)
    assert commands.take_back_project(config, YES)
    assert not (other / ".claude").exists()
    monkeypatch.chdir(top / "docs")
    assert loaded(path)["env"]["OTEL_RESOURCE_ATTRIBUTES"]
    assert commands.take_back_project(config, YES)
    assert not (top / ".claude").exists()
    assert commands.setup_project(config, {"a": "b"}, YES, local=True)
    assert (top / ".claude" / "settings.local.json").exists()


@pytest.mark.parametrize("text", ["chapter", "=x", "a b=c", "ü=x"])
def test_what_is_no_tag_is_refused(text: str) -> None:
    """With what one looks like."""
    with pytest.raises(AgentError, match="KEY=VALUE"):
        pairs([text])


def test_the_files_for_shells_say_what_setup_sets(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    """One table stands behind all of them."""
    lines = environment.enabled().splitlines()
    assert {line for line in lines if line and not line.startswith("#")} - {
        "NO_PROXY=127.0.0.1,localhost",
        "no_proxy=127.0.0.1,localhost",
    } == {f"{name}={value}" for name, value in variables.exporter(ENDPOINT).items()}
    commands.print_env(config, None)
    assert capsys.readouterr().out.splitlines() == [
        f"export {name}={value}" for name, value in variables.exporter(ENDPOINT).items()
    ]
    off = environment.disabled()
    assert all(name in off for name in (*variables.exporter(ENDPOINT), *variables.content(Content.FULL)))


def test_managed_settings_are_looked_for_where_they_lie() -> None:
    """The main file first."""
    assert claude.managed_paths()[0].name == "managed-settings.json"


def test_files_too_large_for_settings_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's settings have 16 MiB."""
    monkeypatch.setattr(files, "SIZE_LIMIT_BYTES", 3)
    (tmp_path / "x").write_bytes(b"{   }")
    with pytest.raises(AgentError, match="left alone"):
        files.read_file(tmp_path / "x")
