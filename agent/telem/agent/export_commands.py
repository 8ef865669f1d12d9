"""The command that writes a table into a file for other programs."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson

from telem.queries.canned import parse_since
from telem.queries.export import FORMATS, TABLE_OF, Wanted, check, export_to_file, export_to_stream, postgresql_ddl
from telem.sanitize.records import Signal
from telem.storage import exports
from telem.storage.disk import Disk

from .progress import percentage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .config import Config

SCHEMA = 1
STREAM = "-"
_SUFFIXES = {".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


def export(config: Config, file: str, chosen: Mapping[str, str | None], *, as_json: bool) -> None:
    """Write the rows, note where, and say how many.

    Args:
        chosen: the options `signal`, `table`, `form`, `since` and `until`, None for those that were not given.
    """
    now = datetime.now(UTC)
    since, until = (parse_since(text, now) if text else None for text in (chosen["since"], chosen["until"]))
    wanted = Wanted(_table(chosen), chosen["form"] or _form_of(file), since, until)
    check(wanted)
    disk, path = Disk(), file if file == STREAM else str(Path(file).absolute())
    what = {
        "table": wanted.table,
        "format": wanted.form,
        "since": wanted.since.isoformat() if wanted.since else None,
        "until": (wanted.until or now).isoformat(),
    }
    entry = exports.record(config.layout, disk, "export", path, **what)
    if file == STREAM:
        if sys.stdout.isatty() and wanted.form == "parquet":
            raise click.UsageError("Parquet is not for the screen; give a FILE")
        rows = export_to_stream(config.layout, disk, wanted, sys.stdout.buffer)
    else:
        with percentage(f"Exporting {wanted.table}") as progress:
            rows = export_to_file(config.layout, disk, wanted, Path(path), progress)
    exports.complete(config.layout, disk, entry, rows=rows)
    said = {"schema": SCHEMA, "path": path, "rows": rows, **what}
    to_stderr = file == STREAM
    if as_json:
        click.echo(orjson.dumps(said, option=orjson.OPT_INDENT_2).decode(), err=to_stderr)
    else:
        click.echo(f"{rows} rows of {wanted.table}{'' if to_stderr else f' in {path}'}", err=True)


def ddl(chosen: Mapping[str, str | None]) -> None:
    """Print the statement that makes the table in PostgreSQL."""
    click.echo(postgresql_ddl(_table(chosen)), nl=False)


def _table(chosen: Mapping[str, str | None]) -> str:
    return chosen["table"] or TABLE_OF[Signal(chosen["signal"] or Signal.LOGS)]


def _form_of(file: str) -> str:
    path = Path(file)
    suffixes = path.suffixes[:-1] if path.suffix in (".gz", ".zst") else path.suffixes
    found = _SUFFIXES.get(suffixes[-1]) if suffixes else None
    if found is None:
        raise click.UsageError(f"--format is needed for {file!r}: {', '.join(FORMATS)}")
    return found
