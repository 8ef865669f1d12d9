"""The documents say what the code does: generated ones are current, nothing is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from telem.agent import docs, sections
from telem.agent.cli import cli
from telem.agent.config import SETTINGS, Setting

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORY = docs.FOLDER.parent
COMMANDS = {" ".join(words): command for words, command in docs.commands()}
SOURCED = ("telemetry-enabled.env", "telemetry-disabled.env")


@pytest.mark.parametrize("name", docs.DOCUMENTS)
def test_a_generated_document_is_current(name: str) -> None:
    """`make docs` would change nothing."""
    assert name not in docs.stale(), "run: make docs"


def test_a_changed_document_is_found_stale(tmp_path: Path) -> None:
    """A document that was edited by hand, or is missing, is named."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "commands.md").write_text(docs.commands_markdown() + "by hand\n", encoding="utf-8")
    assert docs.stale(tmp_path / "docs") == list(docs.DOCUMENTS)


@pytest.mark.parametrize(("arguments", "status"), [(["--check"], 0), ([], 2), (["--check", "--write"], 2)])
def test_the_tool_checks_or_writes(arguments: list[str], status: int) -> None:
    """It does one of the two, and the check passes here."""
    assert CliRunner().invoke(docs.main, arguments).exit_code == status


def test_writing_makes_them_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After --write, --check is content; before it, it is not."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (tmp_path / ".claude" / "env-config").mkdir(parents=True)
    monkeypatch.setattr(docs, "FOLDER", folder)
    monkeypatch.setattr(docs, "stale", lambda: [name for name in docs.DOCUMENTS if not (folder / name).exists()])
    assert CliRunner().invoke(docs.main, ["--check"]).exit_code == 1
    assert CliRunner().invoke(docs.main, ["--write"]).exit_code == 0
    assert (folder / "commands.md").read_text(encoding="utf-8") == docs.commands_markdown()
    assert CliRunner().invoke(docs.main, ["--check"]).exit_code == 0


def test_without_a_clone_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package has no docs folder to write to."""
    monkeypatch.setattr(docs, "FOLDER", tmp_path / "docs")
    result = CliRunner().invoke(docs.main, ["--write"])
    assert result.exit_code == 1
    assert "clone" in result.output


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_is_documented(setting: Setting) -> None:
    """By name, flag and environment variable, with its sentence."""
    row = next(line for line in docs.settings_markdown().splitlines() if line.startswith(f"| `{setting.name}`"))
    assert all(text in row for text in (f"`{setting.flag}`", f"`{setting.env}`", setting.sentence.replace("|", "\\|")))
    assert setting.sentence.endswith(".")


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_has_help(words: str) -> None:
    """A sentence for the command, and one for each option and flag."""
    command = COMMANDS[words]
    assert (command.help or "").strip()
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            assert option.help, f"{words} {option.opts[0]}"


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_is_documented(words: str) -> None:
    """It has a heading of its own."""
    assert f"\n## {words}\n" in docs.commands_markdown()


def test_the_help_lists_every_command() -> None:
    """What `--help` shows and what is documented is the same."""
    shown = CliRunner().invoke(cli, ["--help"]).output
    assert all(f"  {words.split()[1]} " in shown for words in COMMANDS)


@pytest.mark.parametrize("name", SOURCED)
def test_an_environment_file_can_be_sourced(name: str) -> None:
    """It holds comments and assignments (or `unset`) only, so that a shell and a reader see the same."""
    text = (REPOSITORY / ".claude" / "env-config" / name).read_text(encoding="utf-8")
    for line in text.splitlines():
        assert not line or line.startswith(("#", "unset ")) or line.partition("=")[0].isidentifier(), line


def test_the_environment_file_points_at_the_default_port() -> None:
    """Claude Code is sent to where the daemon listens."""
    text = (REPOSITORY / ".claude" / "env-config" / "telemetry-enabled.env").read_text(encoding="utf-8")
    defaults = {setting.name: setting.default for setting in SETTINGS}
    assert f"OTEL_EXPORTER_OTLP_ENDPOINT=http://{defaults['bind']}:{defaults['otlp_http_port']}" in text.splitlines()


def test_help_tells_every_command_once() -> None:
    """In the section of what it is for, with a whole sentence."""
    listed = [name for names in sections.SECTIONS.values() for name in names]
    assert sorted(listed) == sorted(cli.commands)
    text = CliRunner().invoke(cli, ["--help"]).output
    assert "..." not in text.partition("Begin:")[2]
    assert "Others:" not in text
    assert text.index("  setup ") < text.index("  hub ")
