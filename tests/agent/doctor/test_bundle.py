"""The support archive: what helps is in it, nothing that is private."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from telem.agent.cli import cli

if TYPE_CHECKING:
    from pathlib import Path

SECRETS = (
    "hunter2",
    "ghp_FAKEFAKEFAKEFAKEFAKEFAKEFAKEFAKEFAKE",
    "ada@example.com",
    "sk-mine",
    "Bearer abc",
    "the-plan",
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    user = tmp_path / "user"
    (user / ".claude").mkdir(parents=True)
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://ada:hunter2@127.0.0.1:4318",
        "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer abc",
        "MY_KEY": "sk-mine",
    }
    (user / ".claude" / "settings.json").write_text(json.dumps({"env": env, "permissions": {"allow": ["the-plan"]}}))
    (user / ".codex").mkdir()
    (user / ".codex" / "config.toml").write_text("[otel\n")
    monkeypatch.setenv("HOME", str(user))
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    folder = tmp_path / "home"
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "daemon.log").write_text(f"a token {SECRETS[1]}\nof ada@example.com\nfine\n")
    (folder / "config.toml").write_text('profile = "strict"\n')
    (folder / "sanitize.toml").write_text('known_values = ["the-plan"]\nprofile = "standard"\n')
    (folder / "key").write_bytes(b"k" * 32)
    return folder


def test_it_holds_what_helps_and_no_secret(home: Path, tmp_path: Path) -> None:
    """Through the sanitizer, closed to others, with a list of what is in it."""
    path = tmp_path / "out.zip"
    done = CliRunner().invoke(cli, ["bundle", "--home", str(home), "--output", str(path)])
    assert done.exit_code == 0, done.output
    assert path.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(path) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    everything = "\n".join(texts.values())
    assert [secret for secret in SECRETS if secret in everything] == []
    assert "k" * 32 not in everything
    assert {"doctor.json", "versions.json", "clients.json", "logs/daemon.log", "config.toml"} <= set(texts)
    assert "fine" in texts["logs/daemon.log"]
    assert "127.0.0.1:4318" in texts["clients.json"]
    assert json.loads(texts["doctor.json"])["schema"] == 1
    assert all(name in done.output for name in texts)


def test_it_overwrites_nothing(home: Path, tmp_path: Path) -> None:
    """And says so; in JSON it names its files."""
    path = tmp_path / "out.zip"
    flags = ["bundle", "--home", str(home), "--output", str(path), "--json"]
    said = json.loads(CliRunner().invoke(cli, flags).stdout)
    assert (said["schema"], said["path"]) == (1, str(path))
    assert CliRunner().invoke(cli, flags).exit_code == 1
