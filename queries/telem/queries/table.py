"""What a question is answered with: a table, or an error that says what to try next."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum


class Problem(StrEnum):
    """Kinds of refusal, for callers that translate them (exit codes, HTTP status)."""

    SYNTAX = "syntax"
    UNKNOWN_TABLE = "unknown_table"
    UNKNOWN_COLUMN = "unknown_column"
    UNKNOWN_FUNCTION = "unknown_function"
    UNKNOWN_QUERY = "unknown_query"
    PARAMETER = "parameter"
    TYPE = "type"
    TOO_LONG = "too_long"
    TOO_MANY_ROWS = "too_many_rows"
    DATA_TYPE = "data_type"
    FORMAT = "format"
    SETTING = "setting"
    UNSUPPORTED = "unsupported"
    DATABASE = "database"
    BUSY = "busy"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    STORAGE = "storage"
    WORKER = "worker"
    FAILED = "failed"


class QueryError(Exception):
    """A question that has no answer.

    Args:
        message: what was attempted, and what stood in the way.
        hint: what to try next; empty when there is nothing to say.
        position: where in the statement, counted in bytes from 0; None when that is not known.
    """

    def __init__(
        self, message: str, hint: str = "", problem: Problem = Problem.FAILED, position: int | None = None
    ) -> None:
        super().__init__(message, hint, problem, position)
        self.message = message
        self.hint = hint
        self.problem = problem
        self.position = position

    def __str__(self) -> str:
        """Message and hint, a line each."""
        return f"{self.message}\n{self.hint}" if self.hint else self.message


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """A column of an answer, with its type as DuckDB writes it."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Table:
    """An answer. `truncated` says that there were more rows than the limit let through."""

    columns: tuple[ColumnInfo, ...]
    rows: tuple[tuple[object, ...], ...]
    truncated: bool = False
    elapsed_ms: float = 0.0
    note: str = ""


SECONDS_MAX = 600.0
UNLIMITED_ROWS = 1 << 62


@dataclass(frozen=True, slots=True)
class Limits:
    """What one question may cost."""

    rows: int = 10_000
    seconds: float = 60.0
    memory_mb: int = 512
    threads: int = 2
    statement_chars: int = 64 * 1024
    """Deeply nested texts exhaust the parser's stack; 64 KiB of the worst kind do not."""

    def bounded(self) -> Limits:
        """The same, and no more than a question from outside may cost; rows may be as many as there are.

        Raises:
            ValueError: a limit is none.
        """
        most = Limits(UNLIMITED_ROWS, SECONDS_MAX)
        found = {}
        for field in fields(most):
            given, bound = getattr(self, field.name), getattr(most, field.name)
            if isinstance(given, bool) or not isinstance(given, int | float) or not given > 0:
                raise ValueError(f"{field.name} is a number above 0; this is {given!r}")
            found[field.name] = type(bound)(min(given, bound))
        return Limits(**found)
