"""A user account of its own: no client, no settings, nothing of this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.conftest import config_for

from telem.agent.setup.commands import How

if TYPE_CHECKING:
    from pathlib import Path

    from telem.agent.config import Config

YES = How(yes=True)
ENDPOINT = "http://127.0.0.1:4318"


@pytest.fixture(autouse=True)
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's home folder, empty; nothing in the environment says otherwise."""
    user = tmp_path / "user"
    user.mkdir()
    for name in list(os.environ):
        if name.startswith(("OTEL_", "CLAUDE_", "CODEX_", "GEMINI_", "TELEM_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(user))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return user


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A data folder in which no daemon runs, on the usual port."""
    return config_for(tmp_path / "data", otlp_http_port=4318)


@pytest.fixture
def claude_settings(account: Path) -> Path:
    """Where Claude Code's settings would be."""
    (account / ".claude").mkdir()
    return account / ".claude" / "settings.json"
