"""DuckDB's errors in the words of the house, with what to try (child only)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import duckdb

from .hints import tables_hint
from .table import Problem, QueryError

if TYPE_CHECKING:
    from .table import Limits

MISSING_TABLE = "There is no table {}."

_CLASS = re.compile(r"^(?:[\w-]+ )*Error: ")
_PATH = re.compile(r"\"?/\S*/")


def plain_text(error: duckdb.Error) -> str:
    """DuckDB's message without its class of error in front."""
    return str(_parts(error).get("exception_message", ""))


def position_of(error: duckdb.Error) -> int | None:
    """Where in the statement, counted in bytes from 0, if it says so."""
    text = str(_parts(error).get("position", ""))
    return int(text) if text.isdigit() else None


def _parts(error: duckdb.Error) -> dict[str, Any]:
    """The error's members: the connection was told to write its errors as JSON."""
    text = _CLASS.sub("", str(error).strip())
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"exception_message": text}


def explained(error: duckdb.Error, limits: Limits) -> QueryError:
    """What the error means to somebody who asked a question."""
    text, position = plain_text(error), position_of(error)
    first = text.partition("\n")[0]
    match error:
        case duckdb.InterruptException():
            message = f"The question took longer than {limits.seconds:g} s and was stopped."
            found = QueryError(message, "Ask about less time, or raise the limit.", Problem.TIMEOUT)
        case duckdb.OutOfMemoryException():
            message = f"The question needs more than {limits.memory_mb} MB of memory."
            found = QueryError(message, "Ask about less time, or aggregate before sorting.", Problem.MEMORY)
        case duckdb.ParserException():
            found = QueryError(f"The statement does not parse: {text}", "", Problem.SYNTAX, position)
        case duckdb.BinderException() if "column" in first.lower():
            hint = "DESCRIBE TABLE_NAME lists the columns of a table."
            found = QueryError(text, hint, Problem.UNKNOWN_COLUMN, position)
        case duckdb.ConversionException() | duckdb.OutOfRangeException():
            found = QueryError(text, "TRY_CAST gives NULL instead of an error.", Problem.TYPE, position)
        case duckdb.BinderException() | duckdb.InvalidTypeException():
            found = QueryError(text, "", Problem.TYPE, position)
        case duckdb.PermissionException():
            found = QueryError(f"Only the telemetry can be read: {first}", tables_hint(""), Problem.REFUSED, position)
        case duckdb.IOException() | duckdb.InvalidInputException() if _PATH.search(first):
            hint = "If the file is damaged, move it out of the data folder; the others answer without it."
            found = QueryError(f"A file could not be read: {first}", hint, Problem.STORAGE)
        case _:
            found = QueryError(text, "", Problem.FAILED, position)
    return found
