"""What tables there are, and what their columns mean."""

from __future__ import annotations

import json
import shutil
import textwrap
from typing import TYPE_CHECKING

import click

from telem.queries import describe as words
from telem.queries.run import run
from telem.queries.table import Problem, QueryError

from . import asking

if TYPE_CHECKING:
    from .config import Config

SCHEMA = 1
_MEANING_CHARS_MIN = 30


def tables(as_json: bool) -> None:
    """Print every table and what a row of it is."""
    names = words.table_names()
    if as_json:
        found = [{"name": name, "sentence": words.sentence(name)} for name in names]
        click.echo(json.dumps({"schema": SCHEMA, "tables": found}, ensure_ascii=False))
        return
    size = max(map(len, names)) + 2
    for name in names:
        click.echo(_hanging(f"{name:<{size}}", words.sentence(name)))


def describe(config: Config, table: str, as_json: bool) -> None:
    """Print the columns of a table.

    Raises:
        QueryError: there is no such table.
    """
    if table.lower() not in words.table_names():
        from telem.queries.hints import tables_hint

        raise QueryError(f"There is no table {table}.", tables_hint(table.lower()), Problem.UNKNOWN_TABLE)
    table = table.lower()
    asking.prepare("cli")
    types = {str(row[0]): str(row[1]) for row in run(config.layout, f"DESCRIBE {table}").rows}
    known = words.meanings(table)
    columns = [
        (name, kind, known[name] if name in known else words.ColumnDoc(name, kind, "")) for name, kind in types.items()
    ]
    if as_json:
        found = [
            {"name": name, "type": kind, "unit": doc.unit, "meaning": doc.meaning, "source": doc.source}
            for name, kind, doc in columns
        ]
        said = {"schema": SCHEMA, "table": table, "sentence": words.sentence(table), "columns": found}
        click.echo(json.dumps(said, ensure_ascii=False))
        return
    click.echo(f"{words.sentence(table)}\n")
    name_size = max(len(name) for name, _, _ in columns) + 2
    kind_size = max(len(_short(kind)) for _, kind, _ in columns) + 2
    for name, kind, doc in columns:
        unit = f"[{doc.unit}] " if doc.unit else ""
        click.echo(_hanging(f"{name:<{name_size}}{_short(kind):<{kind_size}}", f"{unit}{doc.meaning}"))


def _short(kind: str) -> str:
    return kind.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")


def _hanging(label: str, text: str) -> str:
    """A label, and a text beside it that keeps its left margin."""
    size = max(_MEANING_CHARS_MIN, shutil.get_terminal_size().columns - len(label))
    lines = textwrap.wrap(text, size) or [""]
    return "\n".join([label + lines[0], *(" " * len(label) + line for line in lines[1:])]).rstrip()
