"""Exports: what is in the tables, once, in each format, whatever happens meanwhile."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import duckdb
import pyarrow.parquet as pq
import pytest
from tests.queries import golden

from telem.queries.export import Wanted, _without_nul, check, export_to_file, export_to_stream, postgresql_ddl
from telem.queries.run import run
from telem.queries.table import Limits, QueryError
from telem.storage import access
from telem.storage.disk import Disk
from telem.storage.views import view_names

if TYPE_CHECKING:
    from telem.storage.layout import Layout


def export(store: Layout, wanted: Wanted) -> bytes:
    target = io.BytesIO()
    rows = export_to_stream(store, Disk(), wanted, target)
    if wanted.form == "jsonl":
        assert rows == target.getvalue().count(b"\n")
    return target.getvalue()


def ids(store: Layout, table: str, where: str = "true") -> list[str]:
    return [str(row[0]) for row in run(store, f"SELECT id FROM {table} WHERE {where} ORDER BY id", None, Limits()).rows]


@pytest.mark.parametrize("table", view_names())
def test_every_table_can_be_exported_as_text(store: Layout, table: str, tmp_path: Path) -> None:
    """As many rows as a question finds, also when nothing is flat."""
    ((expected,),) = run(store, f"SELECT count(*) FROM {table}", None, Limits()).rows
    for form in ("csv", "jsonl"):
        assert export_to_file(store, Disk(), Wanted(table, form), tmp_path / f"a.{form}") == expected
    lines = (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()
    assert len([json.loads(line, parse_constant=_refuse) for line in lines]) == expected
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == expected
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a.csv", "a.jsonl"]
    assert (tmp_path / "a.csv").stat().st_mode & 0o777 == 0o600


def test_the_access_log_is_exported_too(home: Path) -> None:
    """It lies beside the rows, in files that are added to."""
    layout = golden.empty(home / "home")
    access.append(layout, Disk(), [{"caller": "ada", "statement": "SELECT 1"}, {"caller": "ada", "rows": 7}])
    lines = [json.loads(line) for line in export(layout, Wanted("access_log", "jsonl")).splitlines()]
    assert [(line["caller"], line["statement"], line["rows"]) for line in lines] == [
        ("ada", "SELECT 1", None),
        ("ada", None, 7),
    ]


@pytest.mark.parametrize("table", ["events", "metrics", "otel_traces", "sessions"])
def test_parquet_has_the_table_s_own_types(store: Layout, table: str, tmp_path: Path) -> None:
    """Times, lists and maps as such."""
    rows = export_to_file(store, Disk(), Wanted(table, "parquet"), tmp_path / "a.parquet")
    assert pq.ParquetFile(tmp_path / "a.parquet").metadata.num_rows == rows > 0
    with duckdb.connect() as connection:
        found = connection.execute("DESCRIBE FROM read_parquet(?)", [str(tmp_path / "a.parquet")]).fetchall()
    kinds = {str(name): str(kind) for name, kind, *_ in found}
    expected = run(store, f"DESCRIBE {table}", None, Limits()).rows
    assert kinds == {str(row[0]): str(row[1]).replace("JSON", kinds[str(row[0])]) for row in expected}


def _refuse(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


def test_values_arrive_as_they_are(store: Layout) -> None:
    """Times in ISO 8601 with their microseconds, money to the last digit, JSON as objects, NULL as null."""
    rows = [json.loads(line) for line in export(store, Wanted("api_requests", "jsonl")).splitlines()]
    question = "SELECT id, epoch_us(time), cost_usd::VARCHAR, attributes::VARCHAR, team FROM api_requests"
    expected = {row[0]: row[1:] for row in run(store, question, None, Limits()).rows}
    assert {row["id"] for row in rows} == set(expected)
    for row in rows:
        time_us, cost, attributes, team = expected[row["id"]]
        moment = datetime.fromisoformat(row["time"])
        assert round(moment.timestamp() * 1e6) == time_us
        assert row["cost_usd"] is None if cost is None else abs(row["cost_usd"] - float(str(cost))) < 1e-12
        assert row["attributes"] == json.loads(str(attributes))
        assert row["team"] == team


def test_a_time_is_chosen_from_and_until(store: Layout) -> None:
    """The first moment belongs to it, the last does not; day tables go by their day."""
    times = [row[0] for row in run(store, "SELECT DISTINCT time FROM events ORDER BY 1", None, Limits()).rows]
    since, until = times[3], times[-3]
    assert isinstance(since, datetime)
    assert isinstance(until, datetime)
    lines = export(store, Wanted("events", "jsonl", since, until)).splitlines()
    where = f"time >= '{since.isoformat()}' AND time < '{until.isoformat()}'"
    assert sorted(json.loads(line)["id"] for line in lines) == ids(store, "events", where)
    assert export(store, Wanted("daily_metrics", "jsonl", datetime(2100, 1, 1, tzinfo=UTC))) == b""


def test_text_can_be_compressed(store: Layout, tmp_path: Path) -> None:
    """By the end of the file's name."""
    plain = export_to_file(store, Disk(), Wanted("events", "jsonl"), tmp_path / "a.jsonl")
    for suffix in ("gz", "zst"):
        path = tmp_path / f"a.jsonl.{suffix}"
        assert export_to_file(store, Disk(), Wanted("events", "jsonl"), path) == plain
        with duckdb.connect() as connection:
            ((rows,),) = connection.execute("SELECT count(*) FROM read_json(?)", [str(path)]).fetchall()
        assert rows == plain
        assert path.stat().st_size < (tmp_path / "a.jsonl").stat().st_size


def test_what_cannot_be_had_is_said_before_anything_is_written(store: Layout) -> None:
    """No such table; a table without a time."""
    with pytest.raises(QueryError, match="no table nothing"):
        check(Wanted("nothing", "csv"))
    with pytest.raises(QueryError, match="no time"):
        check(Wanted("model_prices", "csv", datetime(2026, 1, 1, tzinfo=UTC)))


def test_a_full_disk_leaves_no_part_of_a_file(store: Layout, tmp_path: Path) -> None:
    """And says what could not be written."""
    folder = tmp_path / "gone"
    with pytest.raises((QueryError, OSError)):
        export_to_file(store, Disk(), Wanted("events", "csv"), folder / "a.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_leaves_ends_it(store: Layout) -> None:
    """As `| head` does."""

    class Closed(io.RawIOBase):
        def write(self, _data: Any, /) -> int:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        export_to_stream(store, Disk(), Wanted("events", "jsonl"), cast("BinaryIO", Closed()))
    before = len(list(Path("/dev/fd").iterdir()))
    with pytest.raises(BrokenPipeError):
        export_to_stream(store, Disk(), Wanted("events", "jsonl"), cast("BinaryIO", Closed()))
    assert len(list(Path("/dev/fd").iterdir())) == before


@pytest.mark.parametrize(
    "text",
    [r'"a\u0000b"', r'"\u0000\u0000\u0000"', r'"a\\u0000"', r'"a\\\u0000\\"', r'{"\u0000":"\\\\\u0000"}', '"\\\\"'],
)
def test_only_the_character_zero_is_replaced(text: str) -> None:
    """Not a backslash that is followed by the letters u0000."""
    with duckdb.connect() as connection:
        ((found,),) = connection.execute("SELECT " + _without_nul(f"'{text}'")).fetchall()
    assert json.loads(found) == _nul_free(json.loads(text))


def _nul_free(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    return {_nul_free(key): _nul_free(item) for key, item in value.items()}


def test_every_table_has_a_statement_for_postgresql() -> None:
    """With a type for each of its columns."""
    for table in view_names():
        assert postgresql_ddl(table).startswith(f'CREATE TABLE IF NOT EXISTS "{table}" (\n')
