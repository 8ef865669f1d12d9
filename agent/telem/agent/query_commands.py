"""The commands that ask: ready-made questions, SQL, a shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from http.client import OK
from pathlib import Path
from typing import TYPE_CHECKING

import click

from telem.queries import canned
from telem.queries.commands import ask, write
from telem.queries.render import FORMATS, footer, render
from telem.queries.table import Problem, QueryError

from . import asking
from .errors import AgentError
from .interpreter import PYTHON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .config import Config

DUCKDB_HINT = "A fuller shell is one command away: pip install duckdb-cli (or any duckdb from 1.4)."

TEAM_TIMEOUT_S = 330.0
"""A hub asks each member's folder when somebody asks for the first time: up to two seconds of CPU each."""


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
    if form not in FORMATS:
        for piece in write(config.layout, question, form, _pairs(params), since):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    table = ask(config.layout, question, _pairs(params), since)
    click.echo(render(table, form), nl=False)
    if form == "table":
        click.echo(footer(table), err=True)


def team(config: Config, hub: str, since: str | None, form: str) -> None:
    """Print what a hub tells coordinators.

    Raises:
        AgentError: it cannot be asked, or this token is not a coordinator's.
        QueryError: it has no answer.
    """
    from urllib.parse import urlencode

    from . import remote

    destination = remote.hub(config.layout, hub)
    wanted = urlencode({"format": form} | ({"since": since} if since else {}))
    with remote.asked(destination, "GET", f"/team?{wanted}", timeout_s=TEAM_TIMEOUT_S) as response:
        if response.status != OK:
            raise remote.refused(destination, response)
        click.echo(response.read().decode(), nl=False)
        if note := response.headers.get("X-Telem-Note"):
            click.echo(note, err=True)


def watch(config: Config, question: str, params: Sequence[str], since: str | None, form: str, every_s: float) -> None:
    """Answer a question again and again, until Ctrl-C; on a terminal each answer takes the place of the last."""
    while True:
        started_s = time.monotonic()
        if sys.stdout.isatty():
            click.clear()
            click.echo(f"every {every_s:g} s, Ctrl-C ends it\n", err=True)
        try:
            query(config, question, params, since, form)
        except QueryError as error:
            if error.problem not in (Problem.BUSY, Problem.WORKER, Problem.STORAGE, Problem.TIMEOUT):
                raise
            click.echo(str(error), err=True)
        try:
            time.sleep(max(0.0, every_s - (time.monotonic() - started_s)))
        except KeyboardInterrupt:
            return


def show_in_browser(config: Config, question: str, params: Sequence[str], since: str | None) -> None:
    """Write the answer into a file of its own, readable by its owner alone, and open it."""
    import tempfile
    import webbrowser

    from telem.queries.html import page

    asking.prepare("cli")
    table = ask(config.layout, question, _pairs(params), since)
    path = Path(tempfile.mkdtemp(prefix="telem-answer-")) / "answer.html"
    path.touch(mode=0o600)
    path.write_text(page(table, question.strip()), encoding="utf-8")
    click.echo(f"{footer(table)}\n{path}", err=True)
    if not webbrowser.open(path.as_uri()):
        raise AgentError("no browser could be started", f"Open it yourself: {path}")


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
    from telem.queries.reports.first import first_report

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
        from .shell import Shell

        asking.prepare("cli")
        Shell(config).run()
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
    command = [*PYTHON, "telem.storage.worker"]
    done = subprocess.run(command, input=job, capture_output=True, check=False)
    if not config.layout.script.exists():
        raise AgentError(f"the views could not be written: {done.stdout.decode(errors='replace').strip()}")
