"""Homes to ask questions of: one filled with captured payloads, one without any."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.queries import facts, golden

if TYPE_CHECKING:
    from telem.storage.layout import Layout


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Captured payloads of all clients, half in Parquet, half in the journal."""
    return golden.build(tmp_path_factory.mktemp("golden") / "home")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Nothing has arrived yet."""
    return golden.empty(tmp_path_factory.mktemp("empty") / "home")


@pytest.fixture(scope="session")
def known() -> facts.Facts:
    """What the payloads say, by an independent reading."""
    return facts.read(golden.FOLDER)
