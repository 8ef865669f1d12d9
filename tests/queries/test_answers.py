"""Every ready-made question gives the answers that were once read and found right."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.queries.answers import FOLDER, answers, opened, path_of
from tests.queries.values import same

from telem.queries import canned

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from telem.storage.layout import Layout


@pytest.fixture(scope="module")
def tables(store: Layout) -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(store) as connection:
        yield connection


@pytest.fixture(scope="module")
def empty_tables(empty_store: Layout) -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(empty_store) as connection:
        yield connection


@pytest.mark.parametrize("name", canned.load())
def test_answers(tables: duckdb.DuckDBPyConnection, name: str) -> None:
    """In every variant; `python -m tests.queries.answers` writes them anew."""
    wanted = json.loads(path_of(name).read_text(encoding="utf-8"))
    found = answers(tables, canned.load()[name])
    assert list(found) == list(wanted)
    for variant, answer in found.items():
        assert answer["columns"] == wanted[variant]["columns"], variant
        assert same(answer["rows"], wanted[variant]["rows"]), f"{variant}: {answer['rows']}"
        assert answer["rows"], f"{variant}: an answer without rows proves nothing"


@pytest.mark.parametrize("name", canned.load())
def test_nothing_to_answer_from(empty_tables: duckdb.DuckDBPyConnection, name: str) -> None:
    """No row, and no error."""
    assert {str(answer["rows"]) for answer in answers(empty_tables, canned.load()[name]).values()} == {"[]"}


def test_no_answer_is_left_over() -> None:
    """Of a question that is no more."""
    assert {path.stem for path in FOLDER.iterdir()} == set(canned.load())
