"""What users are told to type is what their shell finds."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from telem.agent import program

if TYPE_CHECKING:
    import pytest


def a_venv(folder: Path) -> Path:
    (folder / "bin").mkdir(parents=True)
    for name in ("python", "telem-agent"):
        (folder / "bin" / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (folder / "bin" / name).chmod(0o755)
    return folder / "bin"


def test_by_name_where_the_shell_finds_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = a_venv(tmp_path / "here")
    monkeypatch.setattr(sys, "executable", str(here / "python"))
    monkeypatch.setenv("PATH", str(here))
    assert program.typed() == "telem-agent"
    linked = tmp_path / "on-path"
    linked.mkdir()
    (linked / "telem-agent").symlink_to(here / "telem-agent")
    monkeypatch.setenv("PATH", str(linked))
    assert (program.path(), program.typed()) == (str(linked / "telem-agent"), "telem-agent")


def test_by_its_path_where_the_shell_finds_another_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, other = a_venv(tmp_path / "here" / ".venv"), a_venv(tmp_path / "other")
    monkeypatch.setattr(sys, "executable", str(here / "python"))
    monkeypatch.chdir(tmp_path / "here")
    for path in (str(other), os.devnull):
        monkeypatch.setenv("PATH", path)
        assert program.path() == str(here / "telem-agent")
        assert program.typed() == str(Path(".venv") / "bin" / "telem-agent")
