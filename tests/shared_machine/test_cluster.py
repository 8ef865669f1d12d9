"""The schema for several machines, as far as one process with ClickHouse's engine can go: see cluster.py."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from telem.queries import canned

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("chdb", reason="the ClickHouse engine has no wheel for this platform")


def test_every_ready_made_question_over_two_shards(tmp_path: Path) -> None:
    """Rows lie on both; what was imported and exported is compared across them; answers are those of DuckDB."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.shared_machine.cluster", str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["wrong"] == {}
    assert said["answered"] == len(canned.load())
    assert min(said["rows"]["otel_logs"]) > 0
    assert len(said["rows"]["otel_logs"]) == 2
