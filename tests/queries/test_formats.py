"""ClickHouse's formats: the same bytes as ClickHouse's own, where nothing else is said in the contract.

What ClickHouse answered is kept in `tests/golden/formats`; where its engine is installed (the group `parity`), it is
asked again. `python -m tests.queries.test_formats` writes the files anew.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from telem.queries import formats
from telem.queries.formats.text import float32_text, float_text
from telem.queries.formats.types import type_name
from telem.queries.run import answer
from telem.queries.sandbox.frames import Kind, Question
from telem.queries.table import Limits, Problem, QueryError
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parents[1] / "golden" / "formats"
TYPED = (
    "TabSeparated", "TabSeparatedWithNames", "TabSeparatedWithNamesAndTypes", "JSON", "JSONCompact", "JSONEachRow",
    "JSONCompactEachRow",
)  # fmt: skip
SHOWN = ("CSV", "CSVWithNames", "Pretty", "Vertical", "Markdown", *TYPED)
CASES = [("types", form) for form in TYPED] + [("shown", form) for form in SHOWN]


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return Layout(tmp_path_factory.mktemp("formats"))


def ours(layout: Layout, sql: str, form: str, rows: int = 1 << 40) -> bytes:
    question = Question(sql, limits=Limits(rows=rows), form=form)
    return b"".join(frame.payload for frame in answer(layout, question) if frame.kind is Kind.DATA)


def without_clock(text: str) -> str:
    """What depends on the run, and what only ClickHouse counts, made alike."""
    text = re.sub(r'"(elapsed|rows_read|bytes_read)": [-+.e\d]+', r'"\1": 0', text)
    return re.sub(r" -- [\d.]+ \w+$", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize(("name", "form"), CASES)
def test_the_bytes_are_clickhouses(layout: Layout, name: str, form: str) -> None:
    """Types, NULL, escapes, numbers, times, arrays, tuples and maps."""
    sql = (FOLDER / f"{name}.duckdb.sql").read_text(encoding="utf-8")
    golden = (FOLDER / f"{name}.{form}").read_bytes().decode()
    assert without_clock(ours(layout, sql, form).decode()) == golden


@pytest.mark.parametrize(("name", "form"), CASES)
def test_clickhouse_still_answers_so(name: str, form: str) -> None:
    """The kept answers are those of the engine itself."""
    pytest.importorskip("chdb", reason="the group `parity` is not installed")
    assert theirs(name, form) == (FOLDER / f"{name}.{form}").read_bytes().decode()


def theirs(name: str, form: str) -> str:
    import chdb  # type: ignore[import-not-found,unused-ignore]

    sql = (FOLDER / f"{name}.clickhouse.sql").read_text(encoding="utf-8")
    pretty = "output_format_pretty_single_large_number_tip_threshold = 0, output_format_pretty_fallback_to_vertical = 0"
    settings = f"SETTINGS session_timezone = 'UTC', {pretty}"
    engine: Any = chdb
    return without_clock(engine.query(f"{sql} {settings} FORMAT {form}").bytes().decode())


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1e15, "1000000000000000"),
        (1e20, "100000000000000000000"),
        (1e21, "1e21"),
        (123456789.123, "123456789.123"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (0.1 + 0.2, "0.30000000000000004"),
        (-1.5e-10, "-1.5e-10"),
        (1e300, "1e300"),
        (-0.0, "-0"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
    ],
)
def test_floats_are_written_as_clickhouse_does(number: float, text: str) -> None:
    """As chdb wrote them."""
    assert float_text(number) == text


def test_four_byte_floats_are_short() -> None:
    """They are not written with the digits of eight bytes."""
    assert float32_text(0.10000000149011612) == "0.1"
    assert float32_text(1e10) == "10000000000"


@pytest.mark.parametrize(
    ("duckdb", "clickhouse"),
    [
        ("VARCHAR", "Nullable(String)"),
        ("DECIMAL(38,9)", "Nullable(Decimal(38, 9))"),
        ("INTEGER[][]", "Array(Array(Nullable(Int32)))"),
        ("DOUBLE[3]", "Array(Nullable(Float64))"),
        ('STRUCT(a INTEGER, "b c" VARCHAR[])', "Tuple(a Nullable(Int32), `b c` Array(Nullable(String)))"),
        ("MAP(VARCHAR, DECIMAL(18,9))", "Map(String, Nullable(Decimal(18, 9)))"),
        ("ENUM('a', 'b')", "Nullable(String)"),
        ("INTERVAL", "Nullable(String)"),
    ],
)
def test_types_have_clickhouses_names(duckdb: str, clickhouse: str) -> None:
    """Nested ones too."""
    assert type_name(duckdb) == clickhouse


@pytest.mark.parametrize("form", ["Parquet", "Arrow", "ArrowStream"])
def test_columns_for_programs(layout: Layout, tmp_path: Path, form: str) -> None:
    """Parquet and Arrow hold the same rows and types, also when there are many, and end at the limit."""
    columns = "range AS n, 'x' || range AS s, range / 4::DECIMAL(9,2) AS d, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS t"
    sql = f"SELECT {columns} FROM range(100000)"
    path = tmp_path / "x"
    path.write_bytes(ours(layout, sql, form))
    table = parquet.read_table(path) if form == "Parquet" else read_arrow(path, form)
    assert table.num_rows == 100_000
    assert table.column("s")[99_999].as_py() == "x99999"
    assert str(table.schema.field("t").type).startswith("timestamp[us, tz=")
    path.write_bytes(ours(layout, sql, form, rows=10))
    assert (parquet.read_table(path) if form == "Parquet" else read_arrow(path, form)).num_rows == 10


def read_arrow(path: Path, form: str) -> Any:
    data = path.read_bytes()
    return (pa.ipc.open_file(data) if form == "Arrow" else pa.ipc.open_stream(data)).read_all()


def test_bytes_are_passed_as_they_are(layout: Layout) -> None:
    """A BLOB need not be text."""
    assert ours(layout, "SELECT '\\xFF\\x00\\x41'::BLOB AS b", "TabSeparated") == b"\xff\\0A\n"
    assert json.loads(ours(layout, "SELECT '\\xFF'::BLOB AS b", "JSONEachRow")) == {"b": "\ufffd"}


def test_nothing_is_an_answer(layout: Layout) -> None:
    """In every format, without rows."""
    found = {form: ours(layout, "SELECT 1 AS n WHERE false", form) for form in formats.FORMATS}
    assert found["TabSeparated"] == found["CSV"] == found["JSONEachRow"] == found["Null"] == found["Pretty"] == b""
    assert found["CSVWithNames"] == b'"n"\n'
    assert json.loads(found["JSON"])["data"] == []
    assert found["Markdown"] == b"| n |\n|-:|\n"


def test_what_a_terminal_would_act_upon_is_shown_instead(layout: Layout) -> None:
    """Where an answer is for reading."""
    sql = "SELECT chr(27) || '[31m|' AS red"
    for form in ("Pretty", "Vertical", "Markdown"):
        said = ours(layout, sql, form).decode()
        assert "\x1b" not in said
        assert "\\x1b[31m" in said
    assert "\\|" in ours(layout, sql, "Markdown").decode()


def test_names_are_found_in_any_case_and_others_are_not() -> None:
    """With their aliases, and a list of what there is."""
    assert formats.find("tsvwithnames").name == "TabSeparatedWithNames"
    with pytest.raises(QueryError, match="JSONEachRow") as caught:
        formats.find("XML")
    assert caught.value.problem is Problem.FORMAT


def write_goldens() -> Iterator[Path]:
    for name, form in CASES:
        path = FOLDER / f"{name}.{form}"
        path.write_bytes(theirs(name, form).encode())
        yield path


if __name__ == "__main__":
    for written in write_goldens():
        print(written)  # noqa: T201 (a script's talk)
