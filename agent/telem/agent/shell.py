"""The built-in SQL shell: for machines without duckdb's own. History, completion, several lines up to a semicolon."""

from __future__ import annotations

import contextlib
import re
import sys
from typing import TYPE_CHECKING

import click

from telem.queries import describe
from telem.queries.commands import ask
from telem.queries.render import FORMATS, footer, render
from telem.queries.table import QueryError

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from .config import Config

HISTORY_LINES = 2_000
_KEYWORDS = (
    "ALL", "AND", "AS", "ASC", "BETWEEN", "BY", "CASE", "DESC", "DESCRIBE", "DISTINCT", "ELSE", "END", "FILTER", "FROM",
    "GROUP", "HAVING", "ILIKE", "IN", "INTERVAL", "IS", "JOIN", "LEFT", "LIKE", "LIMIT", "NOT", "NULL", "ON", "OR",
    "ORDER", "OVER", "PARTITION", "SELECT", "SHOW", "SUMMARIZE", "TABLES", "THEN", "UNION", "USING", "WHEN", "WHERE",
    "WITH",
)  # fmt: skip
_HELP = """A statement ends with a semicolon, or where it stands on a line alone.
.tables            every table
.describe TABLE    its columns, with unit and meaning
.format NAME       table, json, jsonl, csv, tsv, markdown
.quit              the end"""


class Shell:
    """Reads statements and prints answers until the end of input."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._form = "table"
        self._at_terminal = sys.stdin.isatty()

    def run(self) -> None:
        """Go on until the end."""
        with self._line_editing():
            pending = ""
            while True:
                try:
                    line = input(("telem> " if not pending else "  ...> ") if self._at_terminal else "")
                except EOFError:
                    break
                except KeyboardInterrupt:
                    click.echo()
                    pending = ""
                    continue
                text = f"{pending}\n{line}" if pending else line.strip()
                if self._at_terminal and text and not text.startswith(".") and not _is_whole(text):
                    pending = text
                    continue
                pending = ""
                if not self._obey(text.strip().removesuffix(";").strip()):
                    return
            if pending:
                self._obey(pending.strip())

    def _obey(self, text: str) -> bool:
        """Do what a line says; whether to go on."""
        word, _, rest = text.partition(" ")
        match word:
            case "":
                return True
            case ".quit" | ".exit" | "exit" | "quit":
                return False
            case ".help":
                click.echo(_HELP)
            case ".tables":
                click.echo("\n".join(describe.table_names()))
            case ".describe":
                self._answer(f"DESCRIBE {rest}")
            case ".format" if rest in FORMATS:
                self._form = rest
            case _ if word.startswith("."):
                click.echo(f"There is no {text}.\n{_HELP}", err=True)
            case _:
                self._answer(text)
        return True

    def _answer(self, statement: str) -> None:
        try:
            table = ask(self._config.layout, statement)
        except QueryError as error:
            click.echo(str(error), err=True)
            return
        click.echo(render(table, self._form), nl=False)
        click.echo(footer(table), err=True)

    @contextlib.contextmanager
    def _line_editing(self):  # type: ignore[no-untyped-def]  # noqa: ANN202 (a context manager)
        """With history and completion, where there is a terminal."""
        if not self._at_terminal:
            yield
            return
        import readline

        path = self._config.layout.sql_history
        with contextlib.suppress(OSError):
            readline.read_history_file(path)
        readline.set_history_length(HISTORY_LINES)
        readline.set_completer_delims(" \t\n,;()=<>+-*/'\"")
        readline.set_completer(Completer().complete)
        on_libedit = "libedit" in (readline.__doc__ or "")
        readline.parse_and_bind("bind ^I rl_complete" if on_libedit else "tab: complete")
        try:
            yield
        finally:
            _keep(readline, path)


def _keep(readline: ModuleType, path: Path) -> None:
    with contextlib.suppress(OSError):
        path.touch(mode=0o600)
        readline.write_history_file(path)


def _is_whole(text: str) -> bool:
    """Whether a statement ends here: with a semicolon, or as one short line without a clause left open."""
    return text.endswith(";") or re.fullmatch(r"[.\w]+", text) is not None


class Completer:
    """Completes words of SQL: keywords, tables, columns."""

    def __init__(self) -> None:
        tables = describe.table_names()
        columns = {name for table in tables for name in describe.meanings(table)}
        self._words = sorted({*tables, *columns, *_KEYWORDS})
        self._found: list[str] = []

    def complete(self, text: str, state: int) -> str | None:
        """One of the words that begin so, as readline asks for them."""
        if state == 0:
            start = text.lower()
            self._found = [_cased(word, text) for word in self._words if start and word.lower().startswith(start)]
        return self._found[state] if state < len(self._found) else None


def _cased(word: str, typed: str) -> str:
    return word.lower() if word.isupper() and typed.islower() else word
