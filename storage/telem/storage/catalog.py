"""`telemetry.duckdb` and `telemetry.sql`: what any duckdb shell opens, at any moment.

The catalog holds views only and is derived: it can be deleted and is written again. The daemon never keeps it open
(any handle, even a read-only one, locks a plain `duckdb telemetry.duckdb` out); it is replaced by rename. Runs in a
worker: it imports duckdb.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import duckdb

from telem.sanitize.records import Signal

from . import access, audit, rollups
from .closing import write_nothing
from .compact import write_seed
from .inventory import write_cutoff
from .views import catalog_sql, quote

if TYPE_CHECKING:
    from pathlib import Path

    from .disk import Disk
    from .layout import Layout

STORAGE_VERSION = "v1.0.0"
"""DuckDB 2.0's default format opens in no 1.x shell, and the shell on PyPI is 1.5; this one opens in all from 1.0."""

UNFINISHED = "-- (the catalog is being replaced)\n"
"""In the place of the digest; who reads the script with `duckdb -init` has the new views already."""


def publish(layout: Layout, disk: Disk, cutoff: str) -> bool:
    """Write the catalog if its views have changed, and the seeds its globs need. Returns whether it was written."""
    for signal in Signal:
        disk.directory(layout.journal(signal))
        write_seed(layout, signal, disk)
    audit.write_seed(layout, disk)
    access.write_seed(layout, disk)
    in_force = rollups.read(layout)
    write_nothing(layout, disk)
    statements = list(catalog_sql(layout, cutoff, in_force, imported=layout.transcripts.exists()))
    text = "\n".join(f"{statement};" for statement in statements) + "\n"
    digest = hashlib.sha256(text.encode()).hexdigest()
    title = f"-- Views over the telemetry, for: duckdb -init {layout.script.name}\n"
    header = f"{title}-- {digest}\n"
    if _is_current(layout, header):
        return False
    for folder in (layout.rollups, *map(layout.journal, Signal)):
        if folder.is_dir():
            disk.sync_directory(folder)  # views rely on what is in force, and gone: its own sync may have failed
    write_cutoff(layout, cutoff, disk, is_published=False)
    temporary = layout.home / f".tmp-{layout.catalog.name}"
    temporary.unlink(missing_ok=True)
    _write(temporary, statements)
    _set_aside(layout.catalog.with_name(f"{layout.catalog.name}.wal"))
    if layout.script.exists():
        disk.write(layout.script, f"{title}{UNFINISHED}{text}".encode())
    disk.publish(temporary, layout.catalog)
    size = f"-- {layout.catalog.name} was written with {layout.catalog.stat().st_size} bytes\n"
    disk.write(layout.script, f"{header}{size}{text}".encode())
    write_cutoff(layout, cutoff, disk, is_published=True)
    return True


def _is_current(layout: Layout, header: str) -> bool:
    """The script is written last: when it says this digest, the catalog has these views.

    It says none while the catalog is replaced: were that to end halfway and the views to become again what they had
    been before, the old script would speak of another catalog.
    Unless it has become much smaller: a shell that opens one that was deleted makes an empty one in its place.
    """
    try:
        with layout.script.open(encoding="utf-8") as file:
            if file.read(len(header)) != header:
                return False
            size = next((int(word) for word in file.readline().split() if word.isdigit()), 0)
        return layout.catalog.stat().st_size >= size // 2
    except FileNotFoundError:
        return False


def _write(path: Path, statements: list[str]) -> None:
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(f"ATTACH {quote(str(path))} AS catalog (STORAGE_VERSION '{STORAGE_VERSION}')")
        connection.execute("USE catalog")
        for statement in statements:
            connection.execute(statement)
        connection.execute("CHECKPOINT catalog")
        connection.execute("USE memory")
        connection.execute("DETACH catalog")


def _set_aside(wal: Path) -> None:
    """A write-ahead log left by a killed shell would be replayed into the new catalog, or make every open fail."""
    if wal.exists():
        wal.replace(wal.with_name(f"{wal.name}.aside"))
