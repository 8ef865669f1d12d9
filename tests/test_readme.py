"""The commands of the README and of the quickstart are run, in order, in a home of their own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHELL_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ELSEWHERE = ("make ", "pipx ")
"""Commands that set up what this test runs in."""


ASKING = ("telem-agent setup", "telem-agent uninstall")
"""Commands that ask somebody, where here is nobody."""


def commands(page: str) -> list[str]:
    """Lines of a page's shell blocks, without those that install."""
    text = (ROOT / page).read_text(encoding="utf-8")
    lines = [line for block in SHELL_BLOCK.findall(text) for line in block.splitlines()]
    lines = [line for line in lines if line and not line.startswith(ELSEWHERE)]
    return [f"{line} --yes" if line.startswith(ASKING) else line for line in lines]


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
def test_the_commands_of_a_page_run(page: str, tmp_path: Path) -> None:
    """Every command ends well, from `start` to removing the folder, and nothing is left of it."""
    home = tmp_path / "home"
    (home / ".claude").mkdir(parents=True)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("telem-agent", "duckdb"):
        (tools / name).symlink_to(Path(sys.executable).with_name(name))
    work = tmp_path / "work"
    shutil.copytree(ROOT / ".claude", work / ".claude")
    script = "\n".join(["set -eu", f"cd {work}", *commands(page)])
    environment = {
        "HOME": str(home),
        "PATH": f"{tools}:{os.environ['PATH']}",
        **{f"TELEM_AGENT_{name}_PORT": "0" for name in ("OTLP_HTTP", "OTLP_GRPC", "QUERY")},
    }
    if sys.platform == "darwin":
        script = script.replace("~/.local/share", '~/"Library/Application Support"')
    bash = shutil.which("bash") or "/bin/bash"
    done = subprocess.run(
        [bash, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not (home / ".local/share/telem-agent").exists()


def test_the_readme_shows_the_two_commands() -> None:
    """A newcomer finds both in shell blocks."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = "\n".join(SHELL_BLOCK.findall(text)).splitlines()
    assert {"make run", "make test"} <= set(blocks)
