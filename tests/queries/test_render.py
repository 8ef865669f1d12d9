"""Tables as text: aligned for people, exact for programs, harmless for terminals and spreadsheets."""

from __future__ import annotations

import csv
import io
import json
import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telem.queries.render import FORMATS, footer, plain, render, visible
from telem.queries.table import ColumnInfo, Table

TABLE = Table(
    (
        ColumnInfo("name", "VARCHAR"),
        ColumnInfo("n", "BIGINT"),
        ColumnInfo("cost", "DECIMAL(18,9)"),
        ColumnInfo("share", "DOUBLE"),
        ColumnInfo("at", "TIMESTAMP WITH TIME ZONE"),
        ColumnInfo("more", "JSON"),
        ColumnInfo("list", "VARCHAR[]"),
    ),
    (
        (
            "日本",
            1234567,
            Decimal("0.590873500"),
            12.5,
            datetime(2026, 11, 23, 3, 20, 50, 439000, UTC),
            '{"a":1}',
            ["x"],
        ),
        (None, None, None, None, None, None, None),
        ("a\n\x1b[31m", 0, Decimal("1000.000000000"), 3.0, datetime(2026, 11, 23, tzinfo=UTC), "[]", []),
    ),
)


ALIGNED = r"""
name                 n           cost  share  at                        more     list
───────────  ─────────  ─────────────  ─────  ────────────────────────  ───────  ─────
日本         1,234,567      0.5908735   12.5  2026-11-23 03:20:50.439Z  {"a":1}  ["x"]
∅                    ∅              ∅      ∅  ∅                         ∅        ∅
a\n\x1b[31m          0  1,000.0000000    3.0  2026-11-23 00:00:00.000Z  []       []
""".strip().splitlines()


def test_table_is_aligned() -> None:
    """Wide characters take two columns, numbers stand right, NULL shows, controls are escaped."""
    assert render(TABLE).splitlines() == ALIGNED


def test_json_has_exact_digits_and_nested_values() -> None:
    """Decimals keep their digits as numbers, JSON columns are nested, times are ISO 8601 in UTC."""
    text = render(TABLE, "json")
    found = json.loads(text, parse_float=Decimal)
    assert found[0]["cost"] == Decimal("0.5908735")
    assert found[0] | {"cost": 0, "share": 0} == {
        "name": "日本",
        "n": 1234567,
        "cost": 0,
        "share": 0,
        "at": "2026-11-23T03:20:50.439Z",
        "more": {"a": 1},
        "list": ["x"],
    }
    assert set(found[1].values()) == {None}
    assert [json.loads(line, parse_float=Decimal) for line in render(TABLE, "jsonl").splitlines()] == found


def test_repeated_names_become_distinct_members() -> None:
    """SELECT 1 AS a, 2 AS a loses nothing."""
    twice = Table((ColumnInfo("a", "INTEGER"), ColumnInfo("a", "INTEGER")), ((1, 2),))
    assert json.loads(render(twice, "jsonl")) == {"a": 1, "a_2": 2}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (Decimal("0.000000001"), "0.000000001"),
        (Decimal("100.0"), "100"),
        (Decimal(100), "100"),
        (1e300, "1e+300"),
        (2.0, "2"),
        (0.1, "0.1"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (float("inf"), "Infinity"),
        (date(2026, 11, 23), "2026-11-23"),
        (time(1, 2, 3), "01:02:03"),
        (datetime(2026, 11, 23, 1, 2, 3), "2026-11-23T01:02:03"),  # noqa: DTZ001 - a TIMESTAMP without a zone
        (datetime(2026, 11, 23, 3, 0, 0, 0, timezone(timedelta(hours=2))), "2026-11-23T01:00:00Z"),
        (datetime(2026, 11, 23, 3, 0, 0, 100, UTC), "2026-11-23T03:00:00.0001Z"),
        (timedelta(seconds=1.5), "1.5 s"),
        (b"\x00\x01", "AAE="),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ([1, None, "x", Decimal("1.50")], '[1,null,"x",1.5]'),
        ({"a": {"b": b"\x00"}}, '{"a":{"b":"AA=="}}'),
    ],
)
def test_values_as_text(value: object, text: str) -> None:
    """One spelling for each kind of value."""
    assert plain(value) == text


def test_control_characters_and_overrides_are_escaped() -> None:
    """Nothing a client sent moves the cursor, colours the terminal or turns the reading direction."""
    assert visible("a\x07\t\u202eb\x9b") == "a\\x07\\t\\u202eb\\x9b"
    assert visible("naïve 日本 👍") == "naïve 日本 👍"


def test_long_cells_are_cut_in_tables_only() -> None:
    """Programs get them whole."""
    long = Table((ColumnInfo("x", "VARCHAR"),), (("y" * 500,),))
    assert "…" in render(long)
    assert all("y" * 500 in render(long, form) for form in ("json", "jsonl", "csv", "tsv"))


def test_formulas_are_disarmed_for_spreadsheets_only() -> None:
    """Texts that begin like a formula; numbers stay numbers."""
    table = Table((ColumnInfo("x", "VARCHAR"), ColumnInfo("n", "INTEGER")), (("=1+1", -5), ("@x", 1)))
    assert render(table, "csv") == "x,n\r\n=1+1,-5\r\n@x,1\r\n"
    assert render(table, "csv", spreadsheet=True) == "x,n\r\n'=1+1,-5\r\n'@x,1\r\n"


def test_csv_tells_null_from_empty() -> None:
    """An empty cell and an empty text."""
    table = Table((ColumnInfo("a", "VARCHAR"), ColumnInfo("b", "VARCHAR")), ((None, ""), ("x", None)))
    assert render(table, "csv") == 'a,b\r\n,""\r\nx,\r\n'


def test_tsv_escapes_as_clickhouse_does() -> None:
    r"""Backslash, tab, line breaks; NULL is \N."""
    table = Table((ColumnInfo("a", "VARCHAR"), ColumnInfo("b", "VARCHAR")), (("x\ty\\\n", None),))
    assert render(table, "tsv") == "a\tb\nx\\ty\\\\\\n\t\\N\n"


def test_markdown_cells_cannot_break_out() -> None:
    """A bar in a cell is no new column, a tag no markup."""
    table = Table((ColumnInfo("a", "VARCHAR"), ColumnInfo("n", "BIGINT")), (("x|y <b>`", 1),))
    assert render(table, "markdown") == "| a | n |\n| --- | ---: |\n| x\\|y &lt;b>\\` | 1 |\n"


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_takes_no_rows_and_no_columns(form: str) -> None:
    """An empty answer is still an answer."""
    assert isinstance(render(Table((ColumnInfo("a", "VARCHAR"),), ()), form), str)
    assert isinstance(render(Table((), ()), form), str)


def test_unknown_format() -> None:
    """The caller's mistake."""
    with pytest.raises(KeyError):
        render(TABLE, "xml")


def test_footer_says_how_much_there_is() -> None:
    """Rows, time, whether there are more, and the note."""
    assert footer(Table((), ((1,),), elapsed_ms=12.3)) == "1 row in 12 ms"
    text = footer(Table((), ((1,),) * 2000, truncated=True, elapsed_ms=1, note="Hm."))
    assert text == "2,000 rows in 1 ms (there are more: the limit was reached)\nHm."


cells = st.text(st.characters(codec="utf-8"))


@given(st.lists(st.tuples(cells, cells, st.integers()), max_size=20))
def test_csv_comes_back_as_it_was(rows: list[tuple[str, str, int]]) -> None:
    """Any RFC 4180 reader gives the same texts."""
    columns = (ColumnInfo("a", "VARCHAR"), ColumnInfo("b", "VARCHAR"), ColumnInfo("n", "BIGINT"))
    text = render(Table(columns, tuple(rows)), "csv")
    found = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert found == [["a", "b", "n"], *([a, b, str(n)] for a, b, n in rows)]


@given(st.lists(st.tuples(cells, st.decimals(allow_nan=False, allow_infinity=False, places=9)), max_size=20))
def test_json_comes_back_as_it_was(rows: list[tuple[str, Decimal]]) -> None:
    """Texts and decimals, to the last digit."""
    columns = (ColumnInfo("a", "VARCHAR"), ColumnInfo("d", "DECIMAL(38,9)"))
    found = json.loads(render(Table(columns, tuple(rows)), "json"), parse_float=Decimal, parse_int=Decimal)
    assert [(row["a"], row["d"]) for row in found] == rows


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=5))
def test_table_lines_are_one_a_row(rows: list[tuple[str, str]]) -> None:
    """Whatever the texts hold, a row is a line."""
    columns = (ColumnInfo("a", "VARCHAR"), ColumnInfo("b", "VARCHAR"))
    text = render(Table(columns, tuple(rows)))
    assert len(text.splitlines()) == len(rows) + 2
