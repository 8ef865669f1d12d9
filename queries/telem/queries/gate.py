"""Which statements are questions: exactly one, that only reads, made of known nodes, functions and tables.

DuckDB 2.0 accepts COPY, INSERT and DELETE inside a WITH, so the statement's kind alone proves nothing: its serialized
form must consist of nodes, table functions, functions and tables from lists. What a later DuckDB adds is in none of
them. Runs in the sandbox's child only: the parser itself can be made to crash.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import duckdb
import orjson

from telem.storage.views import view_names

from .hints import tables_hint
from .problems import MISSING_TABLE, plain_text, position_of
from .table import Problem, QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .table import Limits

_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE", "VALUES_NODE"}
_SOURCES = {"BASE_TABLE", "JOIN", "SUBQUERY", "TABLE_FUNCTION", "EXPRESSION_LIST", "SHOW_REF", "EMPTY", "CTE"}
_TABLE_FUNCTIONS = {
    "duckdb_columns", "duckdb_functions", "duckdb_keywords", "duckdb_tables", "duckdb_types", "generate_series",
    "histogram", "histogram_values", "json_each", "json_tree", "pg_timezone_names", "range", "regexp_split_to_table",
    "repeat", "repeat_row", "summary", "unnest",
}  # fmt: skip
_ABOUT_TABLES = {
    "information_schema": {"tables", "columns", "schemata"},
    "pg_catalog": {"pg_tables", "pg_class", "pg_attribute", "pg_namespace", "pg_type", "pg_description"},
    "": {"duckdb_columns", "duckdb_tables", "duckdb_types", "pg_tables"},
}
_OWN_SCHEMAS = ("", "main")
_OWN_CATALOGS = ("", "memory")

PRIVATE_TABLES = ("access_log",)
"""Tables that only the owner of the telemetry may ask about."""

_PLAIN_NAME = re.compile(r"[\w -]+")
"""Names that could also be read as a file's are no names of a WITH."""

_GAP = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*"
_EXPLAIN = re.compile(rf"^{_GAP}explain\b", re.IGNORECASE | re.DOTALL)

_QUESTIONS = "Questions begin with SELECT, FROM, WITH, VALUES, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN."


@dataclass(slots=True)
class Checked:
    """What is known of a statement that may be asked."""

    parameters: set[str]
    tables: set[str] = field(default_factory=set)
    about_tables: bool = False


@cache
def functions() -> frozenset[str]:
    """The functions that a question may use."""
    text = (resources.files(__package__) / "functions.txt").read_text(encoding="utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("# ") for word in line.split())


def check(connection: duckdb.DuckDBPyConnection, sql: str, limits: Limits, *, private: bool = True) -> Checked:
    """What a statement that may be asked needs.

    Raises:
        QueryError: it is not one statement, does not parse, or does more than read telemetry.
    """
    if len(sql) > limits.statement_chars:
        raise QueryError(
            f"The statement has {len(sql)} characters; {limits.statement_chars} are allowed.",
            "Ask in smaller steps.",
            Problem.TOO_LONG,
        )
    if "\0" in sql:
        raise QueryError("The statement has a NUL character.", "Leave it out.", Problem.REFUSED, sql.index("\0"))
    statement = _one(connection, sql)
    kind = _kind(statement)
    if kind == "EXPLAIN":
        inner = _EXPLAIN.sub("", sql, count=1)
        if inner == sql:
            raise QueryError("This EXPLAIN could not be read.", "Begin the statement with EXPLAIN.", Problem.REFUSED)
        try:
            found = check(connection, inner, limits, private=private)
        except QueryError as error:
            message = "EXPLAIN works on questions only, without ANALYZE and without options."
            raise QueryError(message, _QUESTIONS, Problem.REFUSED) from error
    elif kind == "SELECT":
        found = _check_tree(connection, sql, private)
    else:
        raise QueryError(f"{kind} statements are not questions; nothing was run.", _QUESTIONS, Problem.REFUSED)
    found.parameters = set(statement.named_parameters)
    return found


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        message = f"The statement does not parse: {plain_text(error)}"
        raise QueryError(message, "", Problem.SYNTAX, position_of(error)) from error
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


def _check_tree(connection: duckdb.DuckDBPyConnection, sql: str, private: bool) -> Checked:
    rows = connection.execute("SELECT json_serialize_sql($1::VARCHAR)", [sql]).fetchall()
    try:
        tree = orjson.loads(rows[0][0]) if rows else {"error": True}
    except orjson.JSONDecodeError as error:
        raise QueryError("The statement is nested too deeply.", "Ask in smaller steps.", Problem.REFUSED) from error
    if tree.get("error") or not tree.get("statements"):
        raise QueryError(
            "The statement cannot be checked, so it is not run.",
            "PIVOT and UNPIVOT are such; use sum(…) FILTER (WHERE …) instead.",
            Problem.REFUSED,
        )
    items = list(_objects(tree["statements"]))
    named_here = {name.lower() for item in items for name in _named_by(item) if _PLAIN_NAME.fullmatch(name)}
    found = Checked(set())
    for item in items:
        kind = item.get("type")
        if isinstance(kind, str) and kind.endswith("_NODE") and kind not in _NODES:
            raise QueryError("The statement does more than read; nothing was run.", _QUESTIONS, Problem.REFUSED)
        if isinstance(kind, str) and {"alias", "sample"} <= item.keys() and kind not in _SOURCES:
            raise QueryError(f"{kind} is nothing that a question may read from.", _QUESTIONS, Problem.REFUSED)
        if kind == "TABLE_FUNCTION":
            _check_table_function(item, found)
        elif kind == "BASE_TABLE":
            _check_table(item, named_here, found, private)
        elif kind == "SHOW_REF":
            found.about_tables = True
        elif "function_name" in item and not item.get("checked"):
            _check_function(connection, item)
    return found


def _objects(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of the tree, each before those within it."""
    pending = [tree]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            yield item
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)


def _named_by(item: dict[str, Any]) -> Iterator[str]:
    """Names that the statement itself gives: those of its WITH."""
    cte_map = item.get("cte_map")
    if isinstance(cte_map, dict):
        for entry in cte_map.get("map", ()):
            yield str(entry.get("key", ""))
    if isinstance(item.get("cte_name"), str):
        yield item["cte_name"]


def _check_table_function(item: dict[str, Any], found: Checked) -> None:
    function = item.get("function")
    name = str(function.get("function_name", "")) if isinstance(function, dict) else ""
    if name.lower() not in _TABLE_FUNCTIONS:
        hint = f"Table functions that may be used: {', '.join(sorted(_TABLE_FUNCTIONS))}."
        raise QueryError(
            f"A question cannot read from {name or 'this'}(…).", hint, Problem.REFUSED, _position(function)
        )
    if isinstance(function, dict):
        function["checked"] = True
    found.about_tables |= name.lower().startswith("duckdb_")


def _check_table(item: dict[str, Any], named_here: set[str], found: Checked, private: bool) -> None:
    name = str(item.get("table_name", "")).lower()
    schema = str(item.get("schema_name", "")).lower()
    catalog = str(item.get("catalog_name", "")).lower()
    if schema in _OWN_SCHEMAS and catalog in _OWN_CATALOGS and name in known_tables():
        if name in PRIVATE_TABLES and not private:
            message = f"{name} is for the owner of the telemetry: ask with the token in the file `token`."
            raise QueryError(message, tables_hint(""), Problem.REFUSED, _position(item))
        found.tables.add(name)
    elif name in _ABOUT_TABLES.get(schema, ()) and catalog in ("", "system", *_OWN_CATALOGS):
        found.about_tables = True
    elif name not in named_here or schema:
        written = ".".join(part for part in (catalog, schema, str(item.get("table_name", ""))) if part)
        known = Problem.UNKNOWN_TABLE if re.fullmatch(r"[\w.]+", written) else Problem.REFUSED
        raise QueryError(MISSING_TABLE.format(written), tables_hint(name), known, _position(item))


@cache
def known_tables() -> frozenset[str]:
    """Names of all tables that questions are asked about."""
    return frozenset((*view_names(), "raw_logs", "raw_metrics", "raw_traces"))


def _check_function(connection: duckdb.DuckDBPyConnection, item: dict[str, Any]) -> None:
    name = str(item.get("function_name", ""))
    if item.get("export_state"):
        raise QueryError("EXPORT_STATE is nothing a question needs.", "", Problem.REFUSED, _position(item))
    if name.lower() in functions():
        return
    near = difflib.get_close_matches(name.lower(), functions(), n=1)
    hint = f"Did you mean {near[0]}?" if near else "FROM duckdb_functions() lists DuckDB's; most of them may be used."
    found = connection.execute("SELECT 1 FROM duckdb_functions() WHERE function_name = $1 LIMIT 1", [name.lower()])
    if found.fetchall():
        message = f"The function {name} is not among those that a question may use."
        raise QueryError(message, "", Problem.REFUSED, _position(item))
    raise QueryError(f"There is no function {name}.", hint, Problem.UNKNOWN_FUNCTION, _position(item))


def _position(item: Any) -> int | None:
    """Where a node stands in the statement, counted in bytes from 0; None when it does not say."""
    location = item.get("query_location") if isinstance(item, dict) else None
    return location if isinstance(location, int) and location < 1 << 32 else None
