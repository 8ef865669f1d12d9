"""What the command line and the HTTP door call: a question in words or SQL -> Table."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from . import canned, formats
from .run import answer, run
from .sandbox.frames import Kind, Question
from .table import SECONDS_MAX, UNLIMITED_ROWS, ColumnInfo, Limits, Problem, QueryError, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from telem.storage.layout import Layout

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_USES_SINCE = re.compile(r"\$since(_day)?\b")


def ask(
    layout: Layout,
    question: str,
    params: Mapping[str, object] | None = None,
    since: str | datetime | None = None,
    limits: Limits | None = None,
) -> Table:
    """Answer a ready-made question by its name, or one in SQL.

    A single word is a name. SQL may use `$since` (and `$since_day`, see `canned`) itself. A ready-made question's
    column `by` is named after what was chosen for it.

    Raises:
        QueryError: no answer; the error says why and what to try.
    """
    asked = prepared(question, params, since)
    table = run(layout, asked.sql, asked.params, limits)
    if not asked.named:
        return table
    columns = tuple(
        ColumnInfo(asked.by, column.type) if column.name == "by" and asked.by else column for column in table.columns
    )
    return replace(table, columns=columns, note=_note(table, asked.since, question))


def write(
    layout: Layout,
    question: str,
    form: str,
    params: Mapping[str, object] | None = None,
    since: str | datetime | None = None,
) -> Iterator[bytes]:
    """The same in one of ClickHouse's formats (`telem.queries.formats`), piece by piece and without a limit of rows.

    Raises:
        QueryError: no answer, or no more of it.
    """
    asked = prepared(question, params, since)
    limits = Limits(rows=UNLIMITED_ROWS, seconds=SECONDS_MAX)
    found = formats.find(form)
    for frame in answer(layout, Question(asked.sql, asked.params, limits, found.name)):
        if frame.kind is Kind.DATA:
            yield frame.payload


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question as it is run. `by` is what a ready-made question's column `by` is to be called."""

    sql: str
    params: dict[str, object]
    since: datetime | None
    named: bool = False
    by: str = ""


def prepared(question: str, params: Mapping[str, object] | None, since: str | datetime | None) -> Prepared:
    """The SQL and the values of a question.

    Raises:
        QueryError: there is no such ready-made question, or a parameter is wrong.
    """
    start = canned.parse_since(since, datetime.now(UTC)) if isinstance(since, str) else since
    given = dict(params or {})
    if _NAME.fullmatch(question.strip()):
        query = _named(question.strip())
        bound = query.bind(given, start)
        return Prepared(query.sql, bound, start, named=True, by=str(bound.get("by", "")))
    used = {match[0] for match in _USES_SINCE.finditer(question)}
    if start is not None and not used:
        raise QueryError("--since has no effect on this SQL.", "Use $since in it: time >= $since.", Problem.PARAMETER)
    if "$since" in used:
        given.setdefault("since", start or canned.EPOCH)
    if "$since_day" in used:
        given.setdefault("since_day", canned.first_ingest_day(start))
    return Prepared(question, given, start)


def _named(word: str) -> canned.Canned:
    """A ready-made question; somebody who typed a table's name is told how to read it."""
    try:
        return canned.find(word)
    except QueryError as error:
        from telem.storage.views import view_names

        if word not in view_names():
            raise
        hint = f"{word} is a table: ask `FROM {word} LIMIT 20`, or `DESCRIBE {word}`."
        raise QueryError(error.message, hint, error.problem) from None


def _note(table: Table, since: datetime | None, question: str) -> str:
    """A friendly word when there is nothing to show."""
    if table.rows:
        return ""
    when = f" since {since:%Y-%m-%d %H:%M} UTC" if since else ""
    if question == "last":
        return f"Nothing has been recorded{when}. `telem-agent doctor` says whether clients are connected."
    return f"Nothing of this kind has been recorded{when}. `telem-agent query last` shows what arrived."
