"""Which statements are questions: exactly one, and one that only reads.

DuckDB 2.0 accepts COPY, INSERT and DELETE inside a WITH, so the statement's kind alone proves nothing: its serialized
form must consist of nodes from a short list.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import duckdb
import orjson

from .table import Problem, QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .table import Limits

_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE", "VALUES_NODE"}
_GAP = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*"
_EXPLAIN = re.compile(rf"^{_GAP}explain\b", re.IGNORECASE | re.DOTALL)

_QUESTIONS = "Questions begin with SELECT, FROM, WITH, VALUES, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN."


def named_parameters(connection: duckdb.DuckDBPyConnection, sql: str, limits: Limits) -> set[str]:
    """Names of the parameters of a statement that may be asked.

    Raises:
        QueryError: it is not one statement, does not parse, or does more than read.
    """
    if len(sql) > limits.statement_chars:
        raise QueryError(
            f"The statement has {len(sql)} characters; {limits.statement_chars} are allowed.",
            "Ask in smaller steps.",
            Problem.REFUSED,
        )
    statement = _one(connection, sql)
    kind = _kind(statement)
    if kind == "EXPLAIN":
        inner = _EXPLAIN.sub("", sql, count=1)
        if inner == sql:
            raise QueryError("This EXPLAIN could not be read.", "Begin the statement with EXPLAIN.", Problem.REFUSED)
        try:
            named_parameters(connection, inner, limits)
        except QueryError as error:
            message = "EXPLAIN works on questions only, without ANALYZE and without options."
            raise QueryError(message, _QUESTIONS, Problem.REFUSED) from error
    elif kind == "SELECT":
        _check_nodes(connection, sql)
    else:
        raise QueryError(f"{kind} statements are not questions; nothing was run.", _QUESTIONS, Problem.REFUSED)
    return set(statement.named_parameters)


def plain_text(error: duckdb.Error) -> str:
    """DuckDB's message without its class of error in front."""
    return re.sub(r"^(\w+ )+Error: ", "", str(error).strip())


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryError(f"The statement does not parse: {plain_text(error)}", "", Problem.SYNTAX) from error
    if len(statements) != 1:
        count = len(statements) or "none"
        raise QueryError(
            f"One statement is expected; there are {count}.", "Ask one question at a time.", Problem.REFUSED
        )
    return statements[0]


def _kind(statement: Any) -> str:
    """The statement's kind; kinds that this DuckDB has but its Python enum lacks raise ValueError there."""
    try:
        return str(statement.type.name)
    except ValueError:
        return "Such"


def _check_nodes(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    row = connection.execute("SELECT json_serialize_sql($1::VARCHAR)", [sql]).fetchone()
    tree = orjson.loads(row[0]) if row else {"error": True}
    if tree.get("error"):
        raise QueryError(
            "The statement cannot be checked, so it is not run.",
            "PIVOT and UNPIVOT are such; use sum(…) FILTER (WHERE …) instead.",
            Problem.REFUSED,
        )
    for node in _nodes(tree):
        if node not in _NODES:
            raise QueryError("The statement does more than read; nothing was run.", _QUESTIONS, Problem.REFUSED)


def _nodes(tree: Any) -> Iterator[str]:
    pending = [tree]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            kind = item.get("type")
            if isinstance(kind, str) and kind.endswith("_NODE"):
                yield kind
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
