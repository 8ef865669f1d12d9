"""The JavaScript exporters, of which Claude Code and Gemini CLI are made, over OTLP/JSON."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.daemons import LiveDaemon, journal_rows

from telem.sanitize.records import Signal

HERE = Path(__file__).parent
COUNT = 700  # more than one batch of 512


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages of the lock file, installed into a folder of their own."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("js")
    for name in ("package.json", "package-lock.json", "send.mjs"):
        shutil.copy(HERE / name, folder)
    subprocess.run(
        [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=300,
    )
    return folder


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_what_javascript_exports_is_stored_exactly(compression: str, project: Path, live: LiveDaemon) -> None:
    """Every record once, with its attributes in the types JavaScript has."""
    command = ["node", "send.mjs", live.endpoints["otlp_http"], str(COUNT), compression]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for signal in Signal:
        rows = journal_rows(live.home, signal)
        assert sorted(row["attributes"]["number"] for row in rows) == list(range(COUNT))
        assert len({row["id"] for row in rows}) == COUNT
    first = next(row for row in journal_rows(live.home) if row["attributes"]["number"] == 1)
    assert first["attributes"] == {"number": 1, "text": "n1", "list": [1, 2.5, 3], "yes": True}
    assert first["body"] == "message 1"
