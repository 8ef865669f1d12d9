"""What it takes to merge the files of one large day: memory, CPU, time.

    PYTHONPATH=. python bench/merge.py [--mb 1000] [--keep FOLDER]

Makes files of one past day in the real schema (`month.py`'s events, as compaction leaves them: a file for every
120 MiB of journal, a row group for every segment) until they hold so many bytes; then has a worker merge them, and
prints as JSON what it used. The merged day is compared with the files it was made of.
"""

from __future__ import annotations

import argparse
import datetime as dt
import itertools
import json
import shutil
import tempfile
from pathlib import Path

import duckdb
from bench.month import Month, logs_of_day
from bench.process import run_job

from telem.sanitize.records import Signal
from telem.storage import manifest
from telem.storage.disk import Disk
from telem.storage.inventory import parquet_files
from telem.storage.layout import Layout, parquet_name
from telem.storage.parquet import ParquetFileWriter
from telem.storage.schema import order_of

DAY = dt.date(2026, 11, 1)
SEGMENTS, SEGMENT_ROWS = 20, 6_300
"""What a file of the compactor's holds."""

ROW_BYTES = 65
"""About; so the rows fill the day."""


def fill(home: Path, size_bytes: int) -> Layout:
    """Files of one day until there are so many bytes."""
    layout, disk = Layout(home), Disk()
    for signal in Signal:
        disk.directory(layout.journal(signal))
    order = [(name, "ascending") for name in order_of(Signal.LOGS).split(", ")]
    sizes = itertools.repeat(SEGMENTS * SEGMENT_ROWS)
    size = 0
    for number, table in enumerate(logs_of_day(DAY, sizes, int(86_400e6 * ROW_BYTES / size_bytes), Month())):
        first = number * SEGMENTS + 1
        path = layout.day(Signal.LOGS, DAY.isoformat()) / parquet_name(first, first + SEGMENTS - 1)
        with ParquetFileWriter(Signal.LOGS, path, disk) as writer:
            for start in range(0, table.num_rows, SEGMENT_ROWS):
                writer.write(table.slice(start, SEGMENT_ROWS).sort_by(order))
        size += path.stat().st_size
        if size >= size_bytes:
            break
    manifest.note(layout, Signal.LOGS, DAY.isoformat(), disk)
    return layout


def digest(layout: Layout) -> tuple[int, int, int]:
    """Rows, and sums that do not depend on their order."""
    paths = [str(file.path) for file in parquet_files(layout, Signal.LOGS)]
    with duckdb.connect(config={"threads": 2, "memory_limit": "2GB"}) as connection:
        ((rows, ids, sums),) = connection.execute(
            "SELECT count(*), bit_xor(hash(id)), sum(input_tokens) FROM read_parquet(?)", [paths]
        ).fetchall()
    return int(rows), int(ids), int(sums)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=1000)
    parser.add_argument("--keep", type=Path, help="make it there, or take what is there; it is merged in a copy")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="telem-bench-", dir=given.keep and given.keep.parent) as folder:
        home = Path(folder) / "home"
        if given.keep and given.keep.exists():
            shutil.copytree(given.keep, home, copy_function=lambda one, other: Path(other).hardlink_to(one))
            layout = Layout(home)
        else:
            layout = fill(home, given.mb * 10**6)
            if given.keep:
                shutil.copytree(home, given.keep, copy_function=lambda one, other: Path(other).hardlink_to(one))
        found = parquet_files(layout, Signal.LOGS)
        before, size = digest(layout), sum(file.path.stat().st_size for file in found)
        ran = run_job({"job": "merge", "home": str(home), "signal": "logs", "day": DAY.isoformat()})
        assert digest(layout) == before
        print(json.dumps({
            "files": len(found), "rows": before[0], "mb": size // 10**6, "files_then": ran.said["files"],
            "mb_then": sum(file.path.stat().st_size for file in parquet_files(layout, Signal.LOGS)) // 10**6,
            "peak_mb": ran.peak_mb, "cpu_s": ran.cpu_s, "s": ran.s,
        }))  # fmt: skip


if __name__ == "__main__":
    main()
