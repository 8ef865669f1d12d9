"""A hub for all tests of a module that only try to see more than they may."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.agent.hub.test_hub import LiveHub
from tests.agent.hub.two import Two
from tests.daemons import LiveDaemon

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def two() -> Iterator[Two]:
    home = Path(tempfile.mkdtemp(prefix="telem-"))
    with LiveDaemon(home, "--mode", "hub", "--hub-listen", "127.0.0.1:0") as daemon:
        yield Two(LiveHub(home, daemon))
    shutil.rmtree(home)
