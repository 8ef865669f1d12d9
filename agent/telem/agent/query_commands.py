"""The commands that ask: ready-made questions, SQL, a shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from telem.queries import canned
from telem.queries.commands import ask
from telem.queries.render import footer, render
from telem.queries.reports.first import first_report
from telem.queries.table import QueryError

from . import asking
from .errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .config import Config

DUCKDB_HINT = "A fuller shell is one command away: pip install duckdb-cli (or any duckdb from 1.4)."


def list_queries() -> None:
    """Print every ready-made question with its parameters."""
    for name, query in canned.load().items():
        click.echo(f"{name}\n    {query.sentence}")
        for parameter in query.parameters:
            choices = f" ({', '.join(parameter.choices)})" if parameter.choices else ""
            click.echo(f"    --param {parameter.name}={parameter.default}  {parameter.sentence}{choices}")


def query(config: Config, question: str, params: Sequence[str], since: str | None, form: str) -> None:
    """Answer a question on standard output; what is to be said about the answer goes to standard error."""
    asking.prepare("cli")
    table = ask(config.layout, question, _pairs(params), since)
    click.echo(render(table, form), nl=False)
    if form == "table":
        click.echo(footer(table), err=True)


def _pairs(params: Sequence[str]) -> dict[str, object]:
    pairs: dict[str, object] = {}
    for text in params:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise click.UsageError(f"--param takes NAME=VALUE, this is {text!r}")
        pairs[name] = value
    return pairs


def report(config: Config, home: Path) -> None:
    """Print the first report over a data folder."""
    asking.prepare("report")
    click.echo(first_report(type(config.layout)(home), form="table"))


def sql(config: Config, arguments: Sequence[str]) -> None:
    """Open a shell over the telemetry: duckdb's own if there is one, else a plain one.

    Raises:
        AgentError: there is no catalog and none can be written.
    """
    program = find_duckdb()
    if program is None:
        click.echo(DUCKDB_HINT, err=True)
        _plain_shell(config)
        return
    if not config.layout.script.exists():
        _publish(config)
    os.execv(program, [program, "-init", str(config.layout.script), *arguments])


def find_duckdb() -> str | None:
    """The duckdb shell: beside this program, or on the path."""
    beside = Path(sys.executable).with_name("duckdb")
    return str(beside) if beside.exists() else shutil.which("duckdb")


def _publish(config: Config) -> None:
    """Write the catalog of a folder whose daemon has not done so yet."""
    from datetime import UTC, datetime, timedelta

    import orjson

    cutoff = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()
    job = orjson.dumps({"job": "publish", "home": str(config.home), "cutoff": cutoff})
    command = [sys.executable, "-m", "telem.storage.worker"]
    done = subprocess.run(command, input=job, capture_output=True, check=False)
    if not config.layout.script.exists():
        raise AgentError(f"the views could not be written: {done.stdout.decode(errors='replace').strip()}")


def _plain_shell(config: Config) -> None:
    """A statement a line, until the end of input; a `;` at its end is allowed."""
    if sys.stdin.isatty():
        import readline  # noqa: F401 (line editing and history, by being imported)
    while True:
        try:
            line = input("telem> " if sys.stdin.isatty() else "")
        except (EOFError, KeyboardInterrupt):
            return
        statement = line.strip().removesuffix(";").strip()
        if statement in (".quit", ".exit", "exit", "quit"):
            return
        if statement:
            _answer(config, statement)


def _answer(config: Config, statement: str) -> None:
    try:
        table = ask(config.layout, statement)
    except QueryError as error:
        click.echo(str(error), err=True)
        return
    click.echo(render(table), nl=False)
    click.echo(footer(table), err=True)
