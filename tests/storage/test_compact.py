"""Compaction: Parquet holds exactly the journal's rows, and a flipped bit is noticed."""

from __future__ import annotations

import base64
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import orjson
import pyarrow.parquet as pq
import pytest
from tests.conftest import KEY
from tests.otlp import GOLDENS, golden, logs, raw
from tests.storage.test_disk import small_files

from telem.sanitize.columns import COLUMNS
from telem.sanitize.decode import decode
from telem.sanitize.gate import Gate
from telem.sanitize.policy import shipped_policy
from telem.sanitize.records import Profile, Signal
from telem.sanitize.redact import Redactor
from telem.storage.compact import compact, read_segment, write_seed
from telem.storage.disk import Disk, DiskFullError
from telem.storage.inventory import covered_segments, parquet_files, sizes
from telem.storage.journal import Journal
from telem.storage.schema import attributes_sql

if TYPE_CHECKING:
    from pathlib import Path

    from tests.storage.conftest import MakeBatch

    from telem.storage.layout import Layout

LOGS = Signal.LOGS
DAY = "2026-01-31"


def fill(layout: Layout, gate: Gate, *requests: Any) -> dict[Signal, int]:
    """Put requests into segment 1 of their signals; how many rows each signal has then."""
    counts = dict.fromkeys(Signal, 0)
    journals = {signal: Journal(layout, signal, Disk(), 1) for signal in Signal}
    for request in requests:
        batch = gate.sanitize(decode(request), gate.request_id(request))
        journals[request.signal].append([batch], 0.0)
        counts[request.signal] += len(batch.lines)
    for journal in journals.values():
        journal.close()
    return counts


def sorted_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By id, and comparable: one moment in one zone, and NaN as a word."""
    return sorted(
        ({name: comparable(value) for name, value in row.items()} for row in rows), key=lambda row: str(row["id"])
    )


def comparable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return repr(value) if isinstance(value, float) else value


def test_parquet_holds_the_rows_of_the_journal(layout: Layout, gate: Gate) -> None:
    """Every captured request, every column: what is read from Parquet equals what is read from the journal."""
    counts = fill(layout, gate, *map(golden, GOLDENS))
    for signal in Signal:
        path = compact(layout, signal, [1], DAY, Disk())
        before = read_segment(signal, layout.segment(signal, 1)).to_pylist()
        after = pq.ParquetFile(path).read().to_pylist()
        assert len(after) == counts[signal]
        assert sorted_rows(before) == sorted_rows(after)
        assert list(after[0]) == [column.name for column in COLUMNS[signal]]


def test_every_line_of_the_journal_is_readable(layout: Layout, gate: Gate) -> None:
    """read_json skips what it cannot read: the rows it finds are as many as were acknowledged."""
    counts = fill(layout, gate, *map(golden, GOLDENS))
    for signal in Signal:
        assert read_segment(signal, layout.segment(signal, 1)).num_rows == counts[signal]


_ODD: list[dict[str, Any]] = [
    {"duration_ms": 2**53 + 1, "input_tokens": 2**63 - 1, "cost_usd": 123456.789012345},
    {"duration_ms": 2**63 - 1, "input_tokens": -(2**63), "cost_usd": 1e-9},
    {"duration_ms": "123456789012345678", "input_tokens": "123456789012345678", "attempt": "3"},
    {"duration_ms": 12, "ttft_ms": 12.5, "success": "true", "status_code": "undefined"},
    {"duration_ms": math.nan, "input_tokens": 1.0, "success": False, "cost_usd": 0.1 + 0.2},
    {"duration_ms": "-0", "input_tokens": "007", "success": "True", "cost_usd": "0.5"},
    {"model": 'a "quoted" \\ \n \x00 text é 😀', "prompt": "", "tool_name": "x", "error": "\u2028"},
    {"prompt": "same", "prompt_text": "same"},
    {"prompt": "one", "prompt_text": "two", "event.timestamp": "2026-01-01T00:00:00.000Z"},
    {
        "event.timestamp": "2023-11-14T22:13:20.000Z",
        "event.name": "api_request",
        "nested": {"a": [1, None, {"b": b"x"}]},
    },
    {"event.name": "claude_code.api_request", "speed": None, "effort": ["high"]},
]


def spelled(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    return orjson.loads(orjson.dumps(value, default=lambda item: base64.b64encode(item).decode()))


@pytest.mark.parametrize("attributes", _ODD, ids=repr)
def test_the_views_give_the_attributes_back_as_they_were_sent(attributes: dict[str, Any], layout: Layout) -> None:
    """Columns and rest, put together in SQL, are what the client said: types, digits and all."""
    off = Gate(Redactor(shipped_policy(Profile.OFF), KEY), KEY)
    fill(layout, off, raw(LOGS, logs(attributes, time_ns=1_700_000_000_000_000_000)))
    path = compact(layout, LOGS, [1], DAY, Disk())
    with duckdb.connect() as connection:
        ((text,),) = connection.sql(
            f"SELECT {attributes_sql(LOGS)} FROM read_parquet(?)", params=[str(path)]
        ).fetchall()
    assert orjson.loads(text) == {key: spelled(value) for key, value in attributes.items()}


def test_page_checksums_are_written_and_a_flipped_byte_is_found(layout: Layout, gate: Gate) -> None:
    """`page_checksum_verification` reads the whole file, and refuses it when any page was changed."""
    fill(layout, gate, golden("claude-tools-logs.pb"))
    path = compact(layout, LOGS, [1], DAY, Disk())
    assert pq.read_table(path, page_checksum_verification=True, partitioning=None).num_rows > 10
    data = path.read_bytes()
    group = pq.ParquetFile(path).metadata.row_group(0)
    for number in range(group.num_columns):
        chunk = group.column(number)
        start = chunk.dictionary_page_offset or chunk.data_page_offset
        changed = bytearray(data)
        changed[start + chunk.total_compressed_size - 1] ^= 1  # the last byte of the column's last page
        path.write_bytes(bytes(changed))
        with pytest.raises(OSError, match=r"checksum|CRC"):
            pq.read_table(path, page_checksum_verification=True, partitioning=None)


def test_compacting_again_gives_the_same_file(layout: Layout, gate: Gate) -> None:
    """The name comes from the segments, so a repeated job replaces the file rather than double the rows."""
    fill(layout, gate, golden("claude-minimal-logs.pb"))
    first = compact(layout, LOGS, [1], DAY, Disk())
    data = first.read_bytes()
    assert compact(layout, LOGS, [1], DAY, Disk()) == first
    assert first.read_bytes() == data
    assert len(parquet_files(layout, LOGS)) == 1


def test_several_segments_become_one_file_named_by_both_ends(layout: Layout, batch: MakeBatch) -> None:
    """And all of them count as covered."""
    for number in (3, 4, 5):
        journal = Journal(layout, LOGS, Disk(), number)
        journal.append([batch(f"r{number}")], 0.0)
        journal.close()
    path = compact(layout, LOGS, [3, 4, 5], DAY, Disk())
    assert path.name == "000000000003-000000000005.parquet"
    assert covered_segments(layout, LOGS) == {3, 4, 5}
    assert {row["seg"] for row in pq.ParquetFile(path).read(["seg"]).to_pylist()} == {3, 4, 5}
    found = sizes(layout, LOGS)
    assert (found.parquet_files, found.parquet_bytes) == (1, path.stat().st_size)
    assert found.journal_bytes > 0


def test_a_full_disk_leaves_no_part_of_a_file(layout: Layout, gate: Gate) -> None:
    """Neither under its name nor beside it; the journal still has the rows."""
    fill(layout, gate, golden("claude-tools-logs.pb"))
    with small_files(3_000), pytest.raises((DiskFullError, OSError)):
        compact(layout, LOGS, [1], DAY, Disk())
    assert list(layout.parquet(LOGS).rglob("*.parquet*")) == []
    assert layout.segment(LOGS, 1).stat().st_size > 0


def test_seeds_are_written_once_and_hold_no_rows(layout: Layout) -> None:
    """They let the views' globs match on an empty home, and count for nothing."""
    for _ in range(2):
        write_seed(layout, LOGS, Disk())
    (seed,) = layout.parquet(LOGS).rglob("*.parquet")
    assert pq.ParquetFile(seed).metadata.num_rows == 0
    assert parquet_files(layout, LOGS) == []
    assert covered_segments(layout, LOGS) == set()


def test_segments_share_row_groups_up_to_a_size(
    layout: Layout, batch: MakeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row is there once, sorted within its row group; a segment that is larger has one of its own."""
    journal = Journal(layout, LOGS, Disk(), 1)
    for names in (("z", "a"), ("m",), ("b" * 2000,), ("c",)):
        journal.append([batch(*names)], 0.0)
        journal.close()
    sizes = [layout.segment(LOGS, number).stat().st_size for number in (1, 2, 3, 4)]
    monkeypatch.setattr("telem.storage.compact.ROW_GROUP_BYTES", sizes[0] + sizes[1])
    file = pq.ParquetFile(compact(layout, LOGS, [1, 2, 3, 4], DAY, Disk()))
    assert [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)] == [3, 1, 1]
    assert sorted(int(row["seg"]) for row in file.read().to_pylist()) == [1, 1, 2, 3, 4]
    order: list[tuple[str, str]] = [
        (str(row["event_name"]), str(row["time"])) for row in file.read_row_group(0).to_pylist()
    ]
    assert order == sorted(order)


def test_damaged_lines_do_not_keep_the_others_from_parquet(layout: Layout, batch: MakeBatch) -> None:
    """Zeros, garbage and torn lines are skipped."""
    journal = Journal(layout, LOGS, Disk(), 1)
    journal.append([batch("a")], 0.0)
    journal.close()
    path: Path = layout.segment(LOGS, 1)
    path.write_bytes(path.read_bytes() + b'\0\0\0\0\n{"seg":1,"id":\n\xff\xff\nnull\n[]\n' + b'{"seg":1,"id":"to')
    assert read_segment(LOGS, path).num_rows == 1
