"""The tables in words: complete, current, and true of real rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import jsonschema  # type: ignore[import-untyped]  # its stubs are no dependency of ours
import pytest

from telem.queries import describe
from telem.queries.commands import ask
from telem.queries.render import render

if TYPE_CHECKING:
    from telem.storage.layout import Layout

DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.mark.parametrize("table", describe.tables(), ids=lambda table: table.name)
def test_every_column_says_what_it_means(table: describe.TableDoc) -> None:
    """In a sentence, and the table too."""
    assert table.sentence.endswith(".")
    assert [column.name for column in table.columns if not column.meaning.endswith((".", "?"))] == []


@pytest.mark.parametrize("name", describe.pages())
def test_pages_are_current(name: str) -> None:
    """`python -m telem.queries.describe docs` was run after the last change."""
    assert (DOCS / name).read_text(encoding="utf-8") == describe.pages()[name]


def test_pages_can_be_written_anywhere(tmp_path: Path) -> None:
    """All of them, folders included."""
    describe.write(tmp_path)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")} == set(describe.pages())


def test_rows_follow_the_contract(store: Layout) -> None:
    """Every row of events, as JSON, is what telemetry-events.json says."""
    schema = describe.events_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    lines = render(ask(store, "FROM events"), "jsonl").splitlines()
    assert lines
    for line in lines:
        validator.validate(json.loads(line))


def test_ddl_makes_the_same_tables(store: Layout) -> None:
    """Names, types and order of database-schema.sql are those of the published catalog."""
    with (
        duckdb.connect(str(store.catalog), read_only=True) as catalog,
        duckdb.connect() as contract,
    ):
        contract.execute(describe.database_schema())
        for table in describe.tables():
            sql = f"DESCRIBE {table.name}"
            assert contract.execute(sql).fetchall() == catalog.execute(sql).fetchall()
