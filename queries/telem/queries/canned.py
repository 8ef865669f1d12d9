"""Ready-made questions: files in `sql/`, each with a title, a sentence and parameters in its first comments.

    -- Cost analysis
    -- What requests used and cost, for each model, user …
    -- param by: model | user | team = model: what a row stands for
    -- param limit: integer = 50: rows at most
    -- param day: date = today: the last day that counts

Parameters are bound as `$name`, never put into the text, so a choice is a CASE in the statement. Every question also
knows `$since` (events from then on) and `$since_day`, the oldest ingest day that can hold such events.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from .table import Problem, QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

CLOCK_SKEW = timedelta(days=1)
"""How far a client's clock may be ahead of ours.

A row's ingest day is never before the day it arrived, and it arrived after it happened, unless the client's clock is
ahead. So events since T lie in ingest days from (T less this) on, and older partitions need not be opened.
"""

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"(\d{1,6})\s*([mhdw])")
_PARAMETER = re.compile(r"param (\w+): (.+?) = (\S+): (.+)")
_TYPES = ("text", "integer", "number", "date")
_IMPLIED = ("since", "since_day")


def _read_date(text: str) -> date:
    return datetime.now(UTC).date() if text == "today" else date.fromisoformat(text)


_READERS: dict[str, Callable[[str], object]] = {"integer": int, "number": float, "date": _read_date}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a ready-made question. `type` is `text`, `integer`, `number`, `date` or `choice`."""

    name: str
    type: str
    default: str
    sentence: str
    choices: tuple[str, ...] = ()

    def read(self, value: object) -> object:
        """Turn what was given into what is bound.

        Raises:
            QueryError: it is none of the choices, or not of the type.
        """
        text = str(value).strip()
        if self.type == "choice" and text not in self.choices:
            near = difflib.get_close_matches(text, self.choices, n=1)
            meant = f"Did you mean {near[0]}? " if near else ""
            raise _bad(self.name, text, f"{meant}Choices: {', '.join(self.choices)}.")
        try:
            return _READERS.get(self.type, str)(text)
        except ValueError:
            raise _bad(self.name, text, f"It takes {_article(self.type)}, such as {self.default}.") from None


@dataclass(frozen=True, slots=True)
class Canned:
    """A ready-made question."""

    name: str
    title: str
    sentence: str
    parameters: tuple[Parameter, ...]
    sql: str

    def bind(self, given: Mapping[str, object], since: datetime | None = None) -> dict[str, object]:
        """Values for all parameters of the statement, the defaults filled in.

        Raises:
            QueryError: a name is not one of its parameters, or a value does not fit.
        """
        known = {parameter.name for parameter in self.parameters}
        if surplus := sorted(set(given) - known):
            near = difflib.get_close_matches(surplus[0], known, n=1)
            meant = f"Did you mean {near[0]}? " if near else ""
            raise QueryError(
                f"The query {self.name} has no parameter {', '.join(surplus)}.",
                f"{meant}It has: {', '.join(sorted(known))}; and --since.",
                Problem.PARAMETER,
            )
        bound = {item.name: item.read(given.get(item.name, item.default)) for item in self.parameters}
        implied = {"since": since or EPOCH, "since_day": first_ingest_day(since)}
        return bound | {name: implied[name] for name in _IMPLIED if f"${name}" in re.findall(r"\$\w+", self.sql)}


def first_ingest_day(since: datetime | None) -> date:
    """The oldest ingest day that can hold events from `since` on."""
    return EPOCH.date() if since is None or since - EPOCH < CLOCK_SKEW else (since - CLOCK_SKEW).date()


def parse_since(text: str, now: datetime) -> datetime:
    """`30m`, `12h`, `7d`, `2w` before `now`, or a day or time in ISO 8601, UTC unless it says otherwise.

    Raises:
        QueryError: it is neither.
    """
    stripped = text.strip()
    if ago := _AGO.fullmatch(stripped):
        span = timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return max(now - span, EPOCH) if span < now - EPOCH else EPOCH
    try:
        when = datetime.fromisoformat(stripped)
    except ValueError:
        raise _bad("since", text, "It takes 30m, 12h, 7d, 2w, or a date such as 2026-11-01.") from None
    return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)


@cache
def load() -> dict[str, Canned]:
    """All ready-made questions by name."""
    folder = resources.files(__package__) / "sql"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return {
        name: parse(name, file.read_text(encoding="utf-8"))
        for file in files
        for name in (file.name.removesuffix(".sql"),)
    }


def find(name: str) -> Canned:
    """One of them; `_` is as good as `-`.

    Raises:
        QueryError: there is none of that name; the hint says which there are.
    """
    queries = load()
    wanted = name.strip().lower().replace("_", "-")
    if wanted not in queries:
        near = difflib.get_close_matches(wanted, queries, n=1)
        meant = f"Did you mean {near[0]}? " if near else ""
        raise QueryError(f"There is no query {name}.", f"{meant}Queries: {', '.join(queries)}.", Problem.UNKNOWN_QUERY)
    return queries[wanted]


def parse(name: str, text: str) -> Canned:
    """A file as a question.

    Raises:
        ValueError: the file has no title and sentence, or a parameter line cannot be read.
    """
    comments: list[str] = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        comments.append(line.removeprefix("--").strip())
    words = [line for line in comments if not line.startswith("param ")]
    if len(words) < 2:  # noqa: PLR2004 - a title and a sentence
        raise ValueError(f"{name}.sql needs a title and a sentence in its first two lines")
    parameters = tuple(_parameter(name, line) for line in comments if line.startswith("param "))
    sql = text.split("\n", len(comments))[-1].strip().removesuffix(";")
    return Canned(name, words[0], " ".join(words[1:]), parameters, sql)


def _parameter(query: str, line: str) -> Parameter:
    match = _PARAMETER.fullmatch(line)
    if match is None:
        raise ValueError(f"{query}.sql: cannot read `{line}`")
    name, kind, default, sentence = match.groups()
    if kind in _TYPES:
        return Parameter(name, kind, default, sentence)
    return Parameter(name, "choice", default, sentence, tuple(choice.strip() for choice in kind.split("|")))


def _bad(name: str, value: str, hint: str) -> QueryError:
    return QueryError(f"{name} cannot be {value!r}.", hint, Problem.PARAMETER)


def _article(kind: str) -> str:
    return f"an {kind}" if kind == "integer" else f"a {kind}"
