"""`telem-agent verify`: is everything as it was written?"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click
import orjson

from telem.storage import manifest
from telem.storage.damage import put_aside
from telem.storage.disk import Disk
from telem.storage.verify import Report, verify, work_bytes

if TYPE_CHECKING:
    from telem.storage.layout import Layout

    from .config import Config

VERIFY_SCHEMA = 1
MIB = 1024 * 1024


def run(config: Config, *, deep: bool, as_json: bool, aside: bool) -> bool:
    """Check everything, print what was found; returns whether all is well."""
    layout = config.layout
    total = work_bytes(layout)
    with click.progressbar(
        length=max(total, 1), label="verifying", file=sys.stderr, hidden=as_json or not sys.stderr.isatty()
    ) as bar:
        report = verify(layout, deep=deep, progress=bar.update)
    _note(layout, report)
    moved = (
        [str(put_aside(layout, one, Disk())) for one in report.damaged if one.day and one.path.exists()]
        if aside
        else []
    )
    if as_json:
        click.echo(orjson.dumps(_said(report, deep, moved), option=orjson.OPT_INDENT_2).decode())
    else:
        _print(report, deep, moved)
    return not report.damaged


def _note(layout: Layout, report: Report) -> None:
    """Give an entry to files that have none: what they hold now is all that is known of them."""
    bad = {(one.signal, one.day) for one in report.damaged}
    disk = Disk()
    for signal, day in report.unlisted:
        if (signal, day) not in bad:
            lock = disk.wait_for_lock(layout.worker_lock)
            try:
                manifest.note(layout, signal, day, disk)
            finally:
                lock.release()


def _said(report: Report, deep: bool, moved: list[str]) -> dict[str, Any]:
    return {
        "schema": VERIFY_SCHEMA,
        "ok": not report.damaged,
        "deep": deep,
        "parquet_files": report.files,
        "segments": report.segments,
        "bytes": report.bytes,
        "rows": report.rows if deep else None,
        "unlisted_days": [{"signal": signal.value, "day": day} for signal, day in report.unlisted],
        "damaged": [
            {"signal": one.signal.value, "day": one.day or None, "path": str(one.path), "why": one.why}
            for one in report.damaged
        ],
        "moved": moved,
    }


def _print(report: Report, deep: bool, moved: list[str]) -> None:
    for one in report.damaged:
        where = f"{one.signal} of {one.day}" if one.day else f"{one.signal}, journal"
        click.echo(f"DAMAGED  {where}: {one.path}: {one.why}")
    for path in moved:
        click.echo(f"moved to {path}", err=True)
    rows = f", {report.rows} rows" if deep else ""
    how = "every page read" if deep else "contents compared"
    click.echo(
        f"{report.files} Parquet files and {report.segments} segments, {report.bytes / MIB:.1f} MiB{rows}, {how}: "
        f"{len(report.damaged) or 'none'} damaged"
    )
    for signal, day in report.unlisted:
        click.echo(f"{signal} of {day} had files without an entry; what they hold now was noted", err=True)
    if report.damaged and not moved:
        click.echo(
            "A damaged Parquet file can be put aside, so that the others answer: telem-agent verify --put-aside; "
            "then restore its day from a backup if you have one.",
            err=True,
        )
