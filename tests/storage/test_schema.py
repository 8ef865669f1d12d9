"""How columns are spelled in JSON, Parquet and SQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import duckdb
import pytest

from telem.sanitize.columns import BIT, COLUMNS, PROMOTED, PROMOTED_BY_SIGNAL
from telem.sanitize.records import Signal
from telem.storage.schema import attributes_sql, journal_columns, journal_select, sql_type

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("signal", list(Signal))
def test_journal_line_becomes_a_row_of_the_declared_types(signal: Signal, tmp_path: Path) -> None:
    """What read_json is told to read has the types that Parquet and the views promise."""
    path = tmp_path / "s.ndjson"
    path.write_text('{"seg":1,"id":"a","time":1795404050450953,"received_at":1795404050450953}\n')
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        relation = connection.sql(
            f"SELECT {journal_select(signal)} FROM read_json(?, format='newline_delimited', "
            f"columns={journal_columns(signal)})",
            params=[str(path)],
        )
        found = dict(zip(relation.columns, map(str, relation.types), strict=True))
    assert found == {column.name: sql_type(column) for column in COLUMNS[signal]}


@pytest.mark.parametrize("signal", list(Signal))
def test_attributes_without_promoted_ones_are_the_rest(signal: Signal) -> None:
    """With no bit set nothing is added; with all set every first name is there."""
    members = PROMOTED_BY_SIGNAL[signal]
    nulls = ", ".join(f'NULL::{sql_type(column)} AS "{column.name}"' for column in members)
    with duckdb.connect() as connection:
        for rest in ("{}", '{"a":1,"b":{"c":[]}}'):
            row = connection.execute(
                f"SELECT {attributes_sql(signal)} FROM (SELECT {nulls}, 0::BIGINT AS promoted, "
                "0::BIGINT AS promoted_as_text, "
                f"$1::VARCHAR AS attributes, now() AS time)",
                [rest],
            ).fetchone()
            assert row is not None
            assert json.loads(row[0]) == json.loads(rest)


def test_bits_fit_a_signed_integer() -> None:
    """`promoted` is a BIGINT: 63 promoted attributes at most."""
    assert len(PROMOTED) <= 63
    assert max(BIT.values()) < 1 << 63
