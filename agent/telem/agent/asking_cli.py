"""The words of the command line for asking: `query`, `sql`, `tables`, `describe`, `token`, `audit`; and completion."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import click

from .flags import WithDefault, with_settings

if TYPE_CHECKING:
    from .config import Config

OWN_FORMATS = ("table", "json", "jsonl", "csv", "tsv", "markdown")
CLICKHOUSE_FORMATS = (
    "TabSeparated", "TabSeparatedWithNames", "TabSeparatedWithNamesAndTypes", "CSV", "CSVWithNames", "JSON",
    "JSONCompact", "JSONEachRow", "JSONCompactEachRow", "Pretty", "Vertical", "Markdown", "Parquet", "Arrow",
    "ArrowStream", "Null",
)  # fmt: skip
"""As `telem.queries.formats` has them; a test compares the two, which spares every start of the program an import."""

if TYPE_CHECKING:
    _Kind = click.ParamType[float]
else:
    _Kind = click.ParamType  # older versions of click have no type to it

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?")
_UNITS_S = {"ms": 0.001, "s": 1.0, None: 1.0, "m": 60.0, "h": 3600.0}


def add_commands(cli: click.Group) -> None:
    """Put them into the command line."""
    for command in (query, sql, tables, describe, token, audit):
        cli.add_command(command)


class Span(_Kind):
    """A time such as `5s`, `500ms`, `1m`."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return it in seconds."""
        if isinstance(value, float):
            return value
        match = _SPAN.fullmatch(str(value).strip())
        if match is None or float(match[1]) <= 0:
            self.fail(f"{value!r} is no time; it is written 5s, 500ms, 1m", param, ctx)
        return float(match[1]) * _UNITS_S[match[2]]


def _complete_query(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[Any]:
    from click.shell_completion import CompletionItem

    from telem.queries import canned

    found = canned.load().values()
    return [CompletionItem(query.name, help=query.title) for query in found if query.name.startswith(incomplete)]


def _complete_param(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[Any]:
    """`by=`, and after the sign what it may be: of the questions named on the line, which click has not parsed here."""
    from telem.queries import canned

    typed = os.environ.get("COMP_WORDS", "").split()
    queries = canned.load()
    named = [queries[word] for word in typed if word in queries] or list(queries.values())
    name, sign, _ = incomplete.partition("=")
    parameters = [item for query in named for item in query.parameters]
    if not sign:
        found = {f"{item.name}=" for item in parameters}
    else:
        found = {f"{name}={choice}" for item in parameters if item.name == name for choice in item.choices}
    return sorted(text for text in found if text.startswith(incomplete))


def _complete_table(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[Any]:
    from telem.storage.views import view_names

    return [name for name in (*view_names(), "raw_logs", "raw_metrics", "raw_traces") if name.startswith(incomplete)]


@click.command()
@with_settings()
@click.argument("name", required=False, shell_complete=_complete_query)
@click.option("--sql", "statement", help="A statement of your own instead of a ready-made question.")
@click.option("--file", "file", type=click.File(encoding="utf-8"), help="The same from a file; - is standard input.")
@click.option(
    "--param",
    "params",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter of the question; repeatable.",
    shell_complete=_complete_param,
)
@click.option("--since", help="Only what happened since then: 7d, 12h, 2026-01-31.")
@click.option(
    "--format",
    "form",
    help="How to write the answer: for reading and for scripts (lower case), or as ClickHouse does (TabSeparated …).",
    default="table",
    show_default=True,
    metavar="FORMAT",
    type=click.Choice([*OWN_FORMATS, *CLICKHOUSE_FORMATS]),
)
@click.option("--watch", "every_s", type=Span(), metavar="5s", help="Ask again and again, until Ctrl-C.")
@click.option("--open", "in_browser", is_flag=True, help="Show the answer in the browser, from a file of its own.")
@click.option("--on", "hub", metavar="HUB", help="Ask a hub this home forwards to: your own rows there.")
@click.option("--team", is_flag=True, help="With --on, as a coordinator: what groups of members did.")
def query(  # noqa: PLR0913, PLR0917 (a command's flags)
    config: Config,
    name: str | None,
    statement: str | None,
    file: Any,
    params: tuple[str, ...],
    since: str | None,
    form: str,
    every_s: float | None,
    in_browser: bool,
    hub: str | None,
    team: bool,
) -> None:
    """Answer a ready-made question, or one in SQL. Without any: list the ready-made ones."""
    from . import query_commands

    if team and not hub:
        raise click.UsageError("--team needs a hub: --on NAME")
    if team and hub:
        query_commands.team(config, hub, since, form)
        return
    if hub:
        from . import asking

        asking.prepare_on(config.layout, hub)

    if sum(given is not None for given in (name, statement, file)) > 1:
        raise click.UsageError("give a name, --sql or --file, not both")
    if every_s and in_browser:
        raise click.UsageError("--watch writes to the terminal, --open to the browser: not both")
    question = file.read() if file is not None else statement or name
    if not question:
        query_commands.list_queries()
        return
    if in_browser:
        query_commands.show_in_browser(config, question, params, since)
    elif every_s:
        query_commands.watch(config, question, params, since, form, every_s)
    else:
        query_commands.query(config, question, params, since, form)


@click.command(context_settings={"ignore_unknown_options": True})
@with_settings()
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def sql(config: Config, arguments: tuple[str, ...]) -> None:
    """Open a shell over the telemetry (duckdb's, if it is installed); further arguments are duckdb's."""
    from . import query_commands

    query_commands.sql(config, arguments)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, with a schema version.")
def tables(as_json: bool) -> None:
    """List the tables, with what a row of each is."""
    from . import table_commands

    table_commands.tables(as_json)


@click.command()
@with_settings()
@click.argument("table", shell_complete=_complete_table)
@click.option("--json", "as_json", is_flag=True, help="As JSON, with a schema version.")
def describe(config: Config, table: str, as_json: bool) -> None:
    """List the columns of TABLE: name, type, unit and meaning."""
    from . import table_commands

    table_commands.describe(config, table, as_json)


@click.group(cls=WithDefault)
def token() -> None:
    """The token that questions over HTTP need: show it, or give programs their own."""


@token.command(name="show")
@with_settings("query_port")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with a schema version.")
def token_show(config: Config, as_json: bool, **_: Any) -> None:
    """Print the owner's token, and how to use it."""
    from . import access_commands

    access_commands.show_token(config, as_json)


@token.command(name="create")
@with_settings()
@click.argument("name")
def token_create(config: Config, name: str) -> None:
    """Make a token for the program NAME: it may ask questions and no more. It is shown once."""
    from . import access_commands

    access_commands.create_token(config, name)


@token.command(name="list")
@with_settings()
@click.option("--json", "as_json", is_flag=True, help="As JSON, with a schema version.")
def token_list(config: Config, as_json: bool) -> None:
    """List the tokens of programs, by name."""
    from . import access_commands

    access_commands.list_tokens(config, as_json)


@token.command(name="revoke")
@with_settings()
@click.argument("name")
def token_revoke(config: Config, name: str) -> None:
    """Forget the token of the program NAME; a running daemon refuses it at once."""
    from . import access_commands

    access_commands.revoke_token(config, name)


@token.command(name="rotate")
@with_settings()
def token_rotate(config: Config) -> None:
    """Make another owner's token; the one before is refused at once."""
    from . import access_commands

    access_commands.rotate_token(config)


@click.group(cls=WithDefault)
def audit() -> None:
    """Who asked what: the access log, and whether it is whole."""


@audit.command(name="show")
@with_settings()
@click.option("-n", "--lines", "count", default=20, show_default=True, help="How many of the last questions.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with a schema version.")
def audit_show(config: Config, count: int, as_json: bool) -> None:
    """Print the last questions that were asked."""
    from . import access_commands

    access_commands.show(config, count, as_json)


@audit.command(name="verify")
@with_settings()
@click.option("--json", "as_json", is_flag=True, help="As JSON, with a schema version.")
def audit_verify(config: Config, as_json: bool) -> None:
    """Walk through the log's chain of digests. Exit status 1 when a line was changed, removed or put in."""
    from . import access_commands

    access_commands.verify(config, as_json)
