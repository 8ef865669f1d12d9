"""What a purge takes out of the damaged pieces that were put aside. Imports pyarrow.

No question reads them, but a person may, so "gone" has to be true of them too. What goes is what is meant, and what
is torn, or cannot be read, and so does not say whose it is; lines that read as rows of others stay.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from telem.sanitize.tombs import USER_COLUMNS

from .meant import is_meant, without

if TYPE_CHECKING:
    from pathlib import Path

    from .disk import Disk
    from .layout import Layout
    from .meant import Meant

_COLUMNS = ["session_id", "time", *USER_COLUMNS]


def count(layout: Layout, meant: Meant) -> int:
    """How many lines and whole files would go."""
    return sum(_judge(path, meant)[0] for path in _pieces(layout))


def take_out(layout: Layout, disk: Disk, meant: Meant) -> int:
    """Take them out, durably; returns how many lines and whole files went."""
    gone = 0
    for path in _pieces(layout):
        going, left = _judge(path, meant)
        if going and left:
            disk.write(path, left)
        elif going:
            if path.is_dir():
                shutil.rmtree(path)
            disk.remove(path)
        gone += going
    return gone


def _pieces(layout: Layout) -> list[Path]:
    return sorted(layout.quarantine.glob("*"))


def _judge(path: Path, meant: Meant) -> tuple[int, bytes]:
    """How much of a piece goes, and what is left of it; nothing is left when it goes as a whole."""
    if meant.everything:
        return 1, b""
    if path.is_dir():
        return 0, b""
    unsaid = bool(meant.values) or path.stat().st_mtime * 1e6 < meant.before_us
    if path.suffix == ".parquet":
        return int(_may_hold(path, meant, unsaid=unsaid)), b""
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if not is_meant(line, meant) and (_is_whole(line) or not unsaid)]
    return len(lines) - len(kept), b"".join(kept)


def _is_whole(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except ValueError:
        return False


def _may_hold(path: Path, meant: Meant, *, unsaid: bool) -> bool:
    """Does a Parquet file have such rows? `unsaid` is the answer when it cannot be read."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for batch in file.iter_batches(columns=_COLUMNS):
                table = pa.Table.from_batches([batch])
                if without(table, meant).num_rows < table.num_rows:
                    return True
    except (OSError, KeyError, pa.ArrowException):
        return unsaid
    return False
