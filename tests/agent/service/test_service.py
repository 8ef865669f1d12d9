"""The service: what its managers are told, and that all of it goes again."""

from __future__ import annotations

import json
import os
import plistlib
import shutil
import stat
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import config_for

from telem.agent import control
from telem.agent.cli import cli
from telem.agent.errors import AgentError
from telem.agent.service import commands, managers, units, upgrade
from telem.agent.service.managers import Launchd, LoginShell, Systemd
from telem.agent.setup.commands import How, setup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telem.agent.config import Config

HOME = Path("/home/ada/data folder/100% $HOME")
PROGRAM = "/opt/x/telem-agent"


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user whose systemctl and launchctl write down what they are told."""
    home = tmp_path / "user"
    (home / "bin").mkdir(parents=True)
    for name in ("systemctl", "launchctl"):
        tool = home / "bin" / name
        tool.write_text(f'#!/bin/sh\necho {name} "$@" >> {home}/told\n[ "$2" = is-active ] && echo active\nexit 0\n')
        tool.chmod(0o755)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"{home}/bin:/usr/bin:/bin")
    for name in ("XDG_CONFIG_HOME", "SHELL", "CLAUDE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Config]:
    made = config_for(tmp_path / "data")
    yield made
    control.stop(made.layout)


def told(user: Path) -> list[str]:
    return (user / "told").read_text().splitlines() if (user / "told").exists() else []


def use(monkeypatch: pytest.MonkeyPatch, kind: type[managers.Manager]) -> None:
    monkeypatch.setattr(managers, "manager", lambda _environ=None: kind(os.environ))


# -- what they are told ---------------------------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    """Also with a data folder whose name has everything that a unit could stumble over."""
    unit = tmp_path / "telem-agent.service"
    unit.write_text(units.systemd_unit("/bin/true", HOME))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", str(unit)],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_says_what_it_should() -> None:
    """Again within a second, but not forever; no more rights than it needs."""
    lines = units.systemd_unit(PROGRAM, HOME).splitlines()
    assert 'ExecStart=/opt/x/telem-agent run --home "/home/ada/data folder/100%% $$HOME"' in lines
    assert {"Restart=on-failure", "RestartSec=500ms", "NoNewPrivileges=yes", "UMask=0077"} <= set(lines)
    assert any(line.startswith("MemoryMax=") for line in lines)


def test_the_property_list_is_one() -> None:
    """Started at login, again after a crash and not after a stop."""
    said = plistlib.loads(units.launchd_plist(PROGRAM, HOME))
    assert said["ProgramArguments"] == [PROGRAM, "run", "--home", str(HOME)]
    assert (said["RunAtLoad"], said["KeepAlive"], said["ThrottleInterval"]) == (True, {"SuccessfulExit": False}, 1)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r")))
def test_a_profile_is_as_it_was_without_our_lines(text: str) -> None:
    """Whether its last line was ended or not; twice is once."""
    block = units.profile_block(PROGRAM, HOME)
    once = units.with_block(text, block)
    assert units.with_block(once, block) == once
    assert units.without_block(once) == units.without_block(text)


def test_the_profile_starts_it_only_if_it_is_there(tmp_path: Path) -> None:
    """In a real shell, with a data folder that needs quoting."""
    tool = tmp_path / "telem-agent"
    profile = tmp_path / ".profile"
    profile.write_text(f"cd {tmp_path}\n" + units.profile_block(str(tool), HOME) + "echo end\n")
    assert subprocess.run(["/bin/sh", str(profile)], capture_output=True, check=True).stdout == b"end\n"
    tool.write_text('#!/bin/sh\nfor word; do echo "$word"; done > called.tmp; mv called.tmp called\n')
    tool.chmod(0o755)
    script = f". {profile}; while [ ! -e called ]; do sleep 0.01; done; cat called"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == ["end", "start", "--home", str(HOME)]


# -- installing and removing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Systemd, Launchd])
def test_install_and_uninstall(
    kind: type[managers.Manager],
    user: Path,
    config: Config,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The file is written and read by the manager; afterwards nothing is left."""
    use(monkeypatch, kind)
    commands.install(config, dry=True)
    assert (told(user), kind(os.environ).is_installed()) == ([], False)
    commands.install(config, dry=False)
    assert "otlp_http_port is set by this shell only" in capsys.readouterr().err  # as 0, by the fixture
    path = kind(os.environ).path
    assert str(config.home) in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    wanted = {
        "systemd": ["daemon-reload", "enable telem-agent.service", "restart telem-agent.service"],
        "launchd": ["bootout", "bootstrap"],
    }[kind.name]
    assert all(any(word in line for line in told(user)) for word in wanted)
    assert commands.status(config, as_json=False)
    assert commands.uninstall(config)
    assert not path.exists()
    assert not config.layout.service.exists()
    assert not commands.uninstall(config)


def test_start_stop_and_restart_go_through_the_manager(
    user: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon beside its service would not be looked after."""
    use(monkeypatch, Systemd)
    assert not commands.by_service(config, "start")
    commands.install(config, dry=False)
    for verb in ("start", "restart"):
        assert CliRunner().invoke(cli, [verb, "--home", str(config.home)]).exit_code == 0
    assert told(user)[-2:] == [f"systemctl --user {verb} telem-agent.service" for verb in ("start", "restart")]
    assert control.find(config.layout) is None
    with pytest.raises(AgentError, match="another installation"):
        commands.install(config_for(user / "other"), dry=False)


def test_a_manager_that_refuses_is_quoted(user: Path, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do instead."""
    use(monkeypatch, Systemd)
    (user / "bin" / "systemctl").write_text("#!/bin/sh\necho no bus >&2\nexit 1\n")
    with pytest.raises(AgentError, match="no bus") as raised:
        commands.install(config, dry=False)
    assert "telem-agent start" in raised.value.hint


def test_without_a_manager_the_login_shell_starts_it(
    user: Path, config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in WSL without systemd. The profile keeps what it had, and its rights."""
    use(monkeypatch, LoginShell)
    monkeypatch.setattr(managers, "is_wsl", lambda: True)
    profile = user / ".profile"
    profile.write_bytes(b"export A=1 # \xff")
    profile.chmod(0o600)
    for port in ("OTLP_HTTP", "OTLP_GRPC", "QUERY"):
        monkeypatch.setenv(f"TELEM_AGENT_{port}_PORT", "0")
    commands.install(config, dry=False)
    assert control.find(config.layout) is not None
    assert profile.read_bytes().startswith(b"export A=1 # \xff\n")
    assert stat.S_IMODE(profile.stat().st_mode) == 0o600
    assert "wsl --shutdown" in capsys.readouterr().err
    assert commands.status(config, as_json=True)
    assert json.loads(capsys.readouterr().out)["restarts"] is False
    assert not commands.by_service(config, "stop")
    assert commands.uninstall(config)
    assert profile.read_bytes() == b"export A=1 # \xff"


def test_the_shell_says_which_profile(user: Path) -> None:
    """Another one for zsh; for bash the first of three."""
    assert LoginShell({"SHELL": "/bin/zsh"}).path == user / ".zprofile"
    assert LoginShell({}).path == user / ".profile"
    (user / ".bash_login").touch()
    assert LoginShell({}).path == user / ".bash_login"


def test_lingering_is_hinted_at(user: Path) -> None:
    """Without it a user's services end with the last session."""
    assert any("enable-linger nobody-here" in hint for hint in Systemd({"USER": "nobody-here"}).hints())


# -- upgrade and uninstall -----------------------------------------------------------------------------------------


class _Index(BaseHTTPRequestHandler):
    """A package index with three versions."""

    def do_GET(self) -> None:
        links = "".join(
            f'<a href="/telem_agent-{version}-py3-none-any.whl">telem_agent-{version}-py3-none-any.whl</a>'
            for version in ("0.0.9", "99.1.0", "99.0.5")
        )
        body = f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the library)
        """Say nothing."""


@pytest.fixture
def index() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Index)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/simple"
    server.shutdown()
    server.server_close()


def test_a_newer_version_is_found(index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By asking the index that was named, through pip; a script can tell by the status."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy") or name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    done = CliRunner().invoke(cli, ["upgrade", "--check", "--index-url", index, "--json"])
    said = json.loads(done.stdout)
    assert (said["newest"], said["is_newest"], done.exit_code) == ("99.1.0", False, 1)
    done = CliRunner().invoke(cli, ["upgrade", "--check", "--index-url", index])
    assert "telem-agent restart" in done.output


def test_versions_are_compared_as_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten is more than nine, a candidate less than its release."""
    found = ["0.9.0", "0.10.0", "0.10.1rc1", "0.10"]
    assert max(found[:3], key=upgrade._numbers) == "0.10.1rc1"
    assert upgrade._numbers("1.0.0") > upgrade._numbers("1.0.0rc2")
    monkeypatch.setattr(upgrade, "available", lambda _: ["0.0.1"])
    assert upgrade.check("", as_json=False)


def test_an_index_that_does_not_answer_is_an_error() -> None:
    """In one line."""
    with pytest.raises(AgentError, match="did not say"):
        upgrade.available("http://127.0.0.1:9/simple")


def test_how_it_is_upgraded_depends_on_how_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """pipx, uv, or pip."""
    monkeypatch.setattr(sys, "prefix", "/home/a/.local/share/pipx/venvs/telem-agent")
    assert (upgrade.how(), upgrade.removal()) == ("pipx upgrade telem-agent", "pipx uninstall telem-agent")
    monkeypatch.setattr(sys, "prefix", "/home/a/.local/share/uv/tools/telem-agent")
    assert (upgrade.how(), upgrade.removal()) == ("uv tool upgrade telem-agent", "uv tool uninstall telem-agent")
    monkeypatch.setattr(sys, "prefix", "/venv")
    assert upgrade.removal().endswith("-m pip uninstall telem-agent")


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_uninstall_takes_everything_back_and_leaves_the_data(
    user: Path, config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Settings of clients, service, daemon; the data only with --data."""
    use(monkeypatch, Systemd)
    (user / ".claude").mkdir()
    (user / ".claude" / "settings.json").write_bytes(b'{"a": 1}')
    before = everything(user)
    fixed = config_for(config.home, otlp_http_port=4318)
    assert setup(fixed, ["claude", "codex"], None, How(yes=True), replace=False)
    commands.install(config, dry=False)
    (user / "told").unlink()
    flags = ["uninstall", "--home", str(config.home)]
    assert CliRunner().invoke(cli, flags).exit_code == 1  # nobody to ask
    assert CliRunner().invoke(cli, [*flags, "--dry-run"]).exit_code == 0
    assert config.layout.service.exists()
    done = CliRunner().invoke(cli, [*flags, "--yes"])
    assert done.exit_code == 0, done.output
    assert "uninstall --data" in done.output
    (user / "told").unlink()
    assert everything(user) == before
    assert config.home.exists()
    assert "nothing to take back" in CliRunner().invoke(cli, [*flags, "--dry-run"]).output
    assert CliRunner().invoke(cli, [*flags, "--yes", "--data"]).exit_code == 0
    assert not config.home.exists()


def test_a_folder_that_is_not_ours_is_not_removed(tmp_path: Path, user: Path) -> None:
    """A wrong --home must not cost anybody their documents."""
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "letter").write_text("x")
    done = CliRunner().invoke(cli, ["uninstall", "--home", str(tmp_path / "documents"), "--data", "--yes"])
    assert done.exit_code == 1
    assert (tmp_path / "documents" / "letter").exists()
