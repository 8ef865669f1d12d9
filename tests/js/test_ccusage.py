"""ccusage reads the same session logs: its totals are ours, and where they differ it is said why."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.agent.transcripts.synthetic import Session, totals
from tests.agent.transcripts.test_reading import age, counted, read

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def ccusage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, installed into a folder of its own."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("ccusage")
    shutil.copy(HERE / "ccusage" / "package.json", folder)
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot install ccusage here: {done.stderr[-200:]}")
    return folder / "node_modules" / "ccusage" / "src" / "cli.js"


def its_totals(ccusage: Path, folder: Path) -> dict[str, int]:
    """What ccusage says of a configuration folder."""
    command = ["node", str(ccusage), "claude", "daily", "--json", "--offline"]
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "CLAUDE_CONFIG_DIR": str(folder)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=env)
    said: dict[str, Any] = json.loads(done.stdout)["totals"]
    names = {
        "input": "inputTokens",
        "output": "outputTokens",
        "read": "cacheReadTokens",
        "written": "cacheCreationTokens",
    }
    return {name: said[member] for name, member in names.items()}


def our_totals(folder: Path) -> dict[str, int]:
    found = counted(read(folder)[0])
    return {name: found[name] for name in ("input", "output", "read", "written")}


def write(folder: Path, *sessions: Session) -> None:
    for session in sessions:
        age(session.write(folder / "projects" / "-home-dev-book"))


def test_totals_are_the_same(ccusage: Path, tmp_path: Path) -> None:
    """Growing answers, subagents, forks, lines written twice."""
    first = Session(21).talk(12)
    first.answer(tools=2, agent="a0e4290a855d4b814")
    first.lines += first.lines[3:9]
    sessions = (first, Session(22).talk(9), first.fork(23).talk(3))
    write(tmp_path, *sessions)
    assert our_totals(tmp_path) == its_totals(ccusage, tmp_path)
    assert our_totals(tmp_path).items() <= totals(*sessions).items()


def test_a_gateway_without_request_ids(ccusage: Path, tmp_path: Path) -> None:
    """Here a message is counted once; ccusage counts each of its lines, as it knows a request by both ids only."""
    session = Session(24).talk(6)
    for line in session.lines:
        line.pop("requestId", None)
    write(tmp_path, session)
    ours, its = our_totals(tmp_path), its_totals(ccusage, tmp_path)
    assert ours.items() <= totals(session).items()
    lines = [line["message"]["usage"] for line in session.lines if line["type"] == "assistant"]
    assert its["input"] == sum(usage["input_tokens"] for usage in lines)
