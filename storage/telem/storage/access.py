"""The access log: who asked what, when, from where, and what came of it; never anything of an answer.

Lines of JSON that are only ever added, each with the digest of the line before it and its own. A line that was changed,
removed or put in breaks the chain. What was cut off at the end shows in `access.head`, a file beside the folder
that says how far the log had come. Whoever can write both can forge both: the log keeps its owner informed, and does
not bind an attacker with the owner's rights.

Several processes write: the daemon, and commands while no daemon runs. A lock lets in one at a time.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .layout import ACCESS_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from .disk import Disk
    from .layout import Layout

FILE_LIMIT_BYTES = 8 * 1024 * 1024
FILES_MAX = 24
"""The oldest file goes when there are more; the chain then begins with what is left."""

START = "0" * 64

COLUMNS = {
    "n": "BIGINT",
    "time": "TIMESTAMP WITH TIME ZONE",
    "caller": "VARCHAR",
    "via": "VARCHAR",
    "address": "VARCHAR",
    "query_id": "VARCHAR",
    "statement": "VARCHAR",
    "format": "VARCHAR",
    "outcome": "VARCHAR",
    "problem": "VARCHAR",
    "rows": "BIGINT",
    "bytes": "BIGINT",
    "elapsed_ms": "DOUBLE",
}
"""Members of a line, as a table has them; `prev` and `hash` are the chain."""


@dataclass(frozen=True, slots=True)
class Head:
    """How far the log has come: number and digest of its last line."""

    n: int = 0
    hash: str = START


@dataclass(frozen=True, slots=True)
class Report:
    """What a walk through the log found. `first` is the oldest line that is kept."""

    lines: int
    first: int
    last: int
    problems: tuple[str, ...]


def files(layout: Layout) -> list[Path]:
    """The files of the log, oldest first, without the empty seed."""
    try:
        return sorted(path for path in layout.access.iterdir() if _number(path))
    except (FileNotFoundError, PermissionError):  # a child's walls forbid what was not there when it was started
        return []


def append(layout: Layout, disk: Disk, entries: Sequence[Mapping[str, Any]]) -> None:
    """Add entries; they are on the medium when this returns.

    Raises:
        OSError: they are not.
    """
    disk.directory(layout.access)
    lock = disk.wait_for_lock(layout.access_lock)
    try:
        known = files(layout)
        head = _last(known) or read_head(layout)
        lines = []
        for entry in entries:
            line, head = _line(entry, head)
            lines.append(line)
        path = known[-1] if known else layout.access_file(1)
        if path.exists() and path.stat().st_size > FILE_LIMIT_BYTES:
            path = layout.access_file(_number(path) + 1)
        disk.extend(path, b"".join(lines))
        disk.write(layout.access_head, json.dumps({"n": head.n, "hash": head.hash}).encode())
        for old in known[: len(known) + 1 - FILES_MAX]:
            old.unlink(missing_ok=True)
    finally:
        lock.release()


def _line(entry: Mapping[str, Any], before: Head) -> tuple[bytes, Head]:
    said = {"n": before.n + 1} | {name: entry[name] for name in COLUMNS if name in entry} | {"prev": before.hash}
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    return f'{text[:-1]},"hash":"{digest}"}}\n'.encode("utf-8", "replace"), Head(before.n + 1, digest)


def read_head(layout: Layout) -> Head:
    """How far the log had come when it was last written to."""
    try:
        said = json.loads(layout.access_head.read_bytes())
        return Head(int(said["n"]), str(said["hash"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Head()


def _last(known: Sequence[Path]) -> Head | None:
    """The last whole line of the log."""
    for path in reversed(known):
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(max(0, size - (1 << 17)))
            lines = file.read().splitlines()
        for line in reversed(lines):
            said = _read(line)
            if said is not None:
                return Head(said["n"], said["hash"])
    return None


def _read(line: bytes) -> dict[str, Any] | None:
    """A line as it was written; None when it is none of ours, or has been changed."""
    try:
        said = json.loads(line)
        text, _, tail = line.rpartition(b',"hash":"')
        digest = hashlib.sha256(text + b"}").hexdigest()
        return said if tail == f'{digest}"}}'.encode() and isinstance(said["n"], int) else None
    except (ValueError, KeyError, TypeError):
        return None


def lines(layout: Layout) -> Iterator[tuple[Path, int, dict[str, Any] | None]]:
    """Every line with its file and number there; None stands for one that does not read as it was written."""
    for path in files(layout):
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            if line:
                yield path, number, _read(line)


def verify(layout: Layout) -> Report:
    """Walk through the log and say where its chain is broken."""
    before: Head | None = None
    first = count = 0
    problems = []
    for path, number, said in lines(layout):
        where = f"{path.name}, line {number}"
        if said is None:
            problems.append(f"{where} is damaged or was changed")
            before = None if before is None else Head(before.n, "")
            continue
        count += 1
        first = first or said["n"]
        if before is None and said["n"] == 1 and said["prev"] != START:
            problems.append(f"{where} is not the beginning that it says it is")
        elif before is not None and (said["n"] != before.n + 1 or (before.hash and said["prev"] != before.hash)):
            problems.append(f"{where} does not follow line {before.n} of the log: something was removed or put in")
        before = Head(said["n"], said["hash"])
    head, last = read_head(layout), before or Head()
    if head.n > last.n:
        problems.append(f"the log ends at line {last.n}, and had come to {head.n}: its end was cut off")
    elif head.n == last.n and last.hash and head.hash != last.hash:
        problems.append(f"line {last.n} is not the one that was written")
    return Report(count, first, last.n, tuple(problems))


def _number(path: Path) -> int:
    match = ACCESS_NAME.fullmatch(path.name)
    return int(match[1]) if match else 0


def write_seed(layout: Layout, disk: Disk) -> None:
    """Make the folder and a file without lines: DuckDB 1.x refuses a glob that matches nothing."""
    disk.directory(layout.access)
    if not layout.access_file(0).exists():
        disk.write(layout.access_file(0), b"")
