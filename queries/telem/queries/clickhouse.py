"""A request in the manner of ClickHouse's HTTP interface -> a question (pure).

The end of the statement may name a format and settings; `{name:Type}` in it is a parameter; the rest of what a client
wants stands in the URL's arguments. What is not known is refused, not ignored: an answer in another shape than was
asked for is worse than none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import formats
from .sandbox.frames import Question
from .table import SECONDS_MAX, UNLIMITED_ROWS, Limits, Problem, QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .formats import Format

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))
    |(?P<text>[eE]'(?:\\.|''|[^'\\])*(?:'|\Z)|'(?:''|[^'])*(?:'|\Z)|"(?:""|[^"])*(?:"|\Z)
        |(?P<dollar>\$\w*\$).*?(?:(?P=dollar)|\Z))
    |(?P<parameter>\{\s*(?P<name>[A-Za-z_]\w*)\s*:\s*(?P<type>[A-Za-z]\w*(?:\([^{}]*\))?)\s*\})
    |(?P<word>\w+)
    |(?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)

_TYPES = {
    "Bool": "BOOLEAN",
    "Boolean": "BOOLEAN",
    "Int8": "TINYINT",
    "Int16": "SMALLINT",
    "Int32": "INTEGER",
    "Int64": "BIGINT",
    "Int128": "HUGEINT",
    "UInt8": "UTINYINT",
    "UInt16": "USMALLINT",
    "UInt32": "UINTEGER",
    "UInt64": "UBIGINT",
    "UInt128": "UHUGEINT",
    "Float32": "FLOAT",
    "Float64": "DOUBLE",
    "String": "VARCHAR",
    "FixedString": "VARCHAR",
    "UUID": "UUID",
    "Date": "DATE",
    "Date32": "DATE",
    "DateTime": "TIMESTAMPTZ",
    "DateTime64": "TIMESTAMPTZ",
}
_WRAPPED = re.compile(r"(Nullable|LowCardinality|Array)\((.+)\)", re.DOTALL)
_DECIMAL = re.compile(r"Decimal\((\d+)(?:,\s*(\d+))?\)")
IDENTIFIER = "Identifier"

_DEFAULT_DATABASES = ("", "default", "main", "memory")
_ACCEPTED = (
    "add_http_cors_header", "allow_experimental_analyzer", "buffer_size",
    "cancel_http_readonly_queries_on_client_close", "client_protocol_version", "enable_http_compression",
    "http_headers_progress_interval_ms", "http_write_exception_in_output_format", "http_zlib_compression_level",
    "log_comment", "log_queries", "max_block_size", "max_memory_usage", "max_threads", "priority", "quota_key",
    "readonly", "role", "send_progress_in_http_headers", "session_check", "session_id", "session_timeout",
    "use_query_cache", "use_uncompressed_cache",
)  # fmt: skip
"""Settings that clients send with every request, and that change nothing here."""

_ONLY = {
    "output_format_json_quote_64bit_integers": ("0", "false"),
    "compress": ("0", "false"),
    "decompress": ("0", "false"),
    "date_time_output_format": ("simple",),
    "extremes": ("0", "false"),
    "join_use_nulls": ("1", "true"),
}
"""Settings that are accepted at one value only: the one that is so here."""

_OWN = (
    "default_format",
    "max_execution_time",
    "max_result_rows",
    "result_overflow_mode",
    "wait_end_of_query",
    "database",
)
_NOT_SETTINGS = ("query", "query_id", "user", "password")


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, in which format, and whether the answer is to be held back until it is whole."""

    question: Question
    format: Format
    hold: bool
    _moved: tuple[tuple[int, int], ...] = field(default=())
    _text: str = ""

    def place(self, position: int) -> tuple[int, int, int]:
        """Position, line and column in the text as it was sent, from 1, of a byte of the statement as it was asked."""
        offset = len(self.question.sql.encode()[:position].decode("utf-8", "replace"))
        new, old = max((pair for pair in self._moved if pair[0] <= offset), default=(0, 0))
        offset = min(offset - new + old, len(self._text))
        before = self._text[:offset]
        return offset + 1, before.count("\n") + 1, offset - before.rfind("\n")


def read(text: str, arguments: Mapping[str, str], *, private: bool = True) -> Request:
    """A request's statement and arguments as a question.

    Raises:
        QueryError: a format, a setting or a parameter that there is not.
    """
    statement, form, settings = _tail(text)
    known = {name: value for name, value in arguments.items() if name not in _NOT_SETTINGS}
    given = {name.removeprefix("param_"): known.pop(name) for name in tuple(known) if name.startswith("param_")}
    known |= settings
    _check_settings(known)
    sql, params, moved = _with_parameters(statement, given)
    limits = Limits(
        rows=int(_number(known, "max_result_rows")) or UNLIMITED_ROWS,
        seconds=min(_number(known, "max_execution_time") or Limits().seconds, SECONDS_MAX),
    )
    overflow = known.get("result_overflow_mode", "throw")
    found = formats.find(form or known.get("default_format") or formats.DEFAULT)
    hold = known.get("wait_end_of_query", "0") not in ("0", "false")
    return Request(Question(sql, params, limits, found.name, overflow, private), found, hold, moved, text)


def _tail(text: str) -> tuple[str, str, dict[str, str]]:
    """The statement without what ClickHouse allows at its end, the format, and the settings."""
    tokens = [match for match in _TOKEN.finditer(text) if match.lastgroup != "space" and not match["space"]]
    while tokens and tokens[-1][0] == ";":
        tokens.pop()
    form = ""
    settings: dict[str, str] = {}
    for _ in range(2):
        if not form and len(tokens) > 2 and tokens[-2][0].upper() == "FORMAT" and tokens[-1]["word"]:  # noqa: PLR2004
            form = tokens[-1][0]
            del tokens[-2:]
        elif not settings and (start := _settings_start(tokens)):
            settings = dict(_pairs(tokens[start + 1 :]))
            del tokens[start:]
    return text[: tokens[-1].end()] if tokens else "", form, settings


def _settings_start(tokens: list[re.Match[str]]) -> int:
    """Where a trailing `SETTINGS a = 1, b = 'x'` begins; 0 when there is none."""
    for start in range(len(tokens) - 1, 0, -1):
        if tokens[start][0].upper() == "SETTINGS":
            words = "".join(
                "w" if token["word"] or token["text"] or token[0] in "-." else token[0] for token in tokens[start + 1 :]
            )
            return start if re.fullmatch(r"w=w+(,w=w+)*", words) else 0
    return 0


def _pairs(tokens: list[re.Match[str]]) -> Iterator[tuple[str, str]]:
    text = "".join(token[0] for token in tokens)
    for pair in re.split(r",(?=\w+=)", text):
        name, _, value = pair.partition("=")
        yield name, value.strip("'")


def _check_settings(given: Mapping[str, str]) -> None:
    for name, value in given.items():
        if name in _ONLY:
            if value.lower() not in _ONLY[name]:
                message = f"Setting {name} can only be {_ONLY[name][0]} here, this is {value}."
                raise QueryError(message, "", Problem.UNSUPPORTED)
        elif name not in _OWN and name not in _ACCEPTED:
            hint = f"Settings that do something here: {', '.join(_OWN)}."
            raise QueryError(f"Unknown setting '{name}'.", hint, Problem.SETTING)
    if given.get("database", "") not in _DEFAULT_DATABASES:
        raise QueryError(f"Database {given['database']} does not exist.", "There is one, `default`.", Problem.DATABASE)
    if given.get("result_overflow_mode", "throw") not in ("throw", "break"):
        raise QueryError("result_overflow_mode is throw or break.", "", Problem.SETTING)


def _number(given: Mapping[str, str], name: str) -> float:
    try:
        number = float(given.get(name) or 0)
    except ValueError:
        number = -1.0
    if not 0 <= number < UNLIMITED_ROWS:
        raise QueryError(f"Setting {name} is a number from 0 on, this is {given[name]}.", "", Problem.SETTING)
    return number


def _with_parameters(text: str, given: Mapping[str, str]) -> tuple[str, dict[str, object], tuple[tuple[int, int], ...]]:
    """The statement with its `{name:Type}` as DuckDB writes them, their values, and which text moved where."""
    parts: list[str] = []
    params: dict[str, object] = {}
    moved = [(0, 0)]
    length = end = 0
    for match in _TOKEN.finditer(text):
        if not match["parameter"]:
            continue
        written = _parameter(match["name"], match["type"], given, params)
        if written is None:
            continue
        parts += [text[end : match.start()], written]
        length += match.start() - end + len(written)
        end = match.end()
        moved.append((length, end))
    sql = "".join([*parts, text[end:]])
    dollars = {name for name in given if re.search(rf"\${re.escape(name)}\b", sql)}
    params |= {name: _unescaped(given[name]) for name in dollars}
    if unused := sorted(set(given) - set(params) - {match["name"] for match in _TOKEN.finditer(text) if match["name"]}):
        message = f"The statement has no parameter {', '.join(unused)}."
        raise QueryError(message, "It is written {name:Type}, such as {days:UInt8}.", Problem.PARAMETER)
    return sql, params, tuple(moved)


def _parameter(name: str, kind: str, given: Mapping[str, str], params: dict[str, object]) -> str | None:
    """How a parameter is written for DuckDB; None when this is a struct of DuckDB's, `{name: column}`."""
    duckdb_type = _duckdb_type(kind)
    if duckdb_type is None:
        if name in given:
            raise QueryError(
                f"Unknown type {kind} of the parameter {name}.", f"Types: {', '.join(_TYPES)}.", Problem.DATA_TYPE
            )
        return None
    if name not in given:
        raise QueryError(f"Substitution `{name}` is not set.", f"Give it as param_{name}=….", Problem.PARAMETER)
    if duckdb_type == IDENTIFIER:
        return '"' + given[name].replace('"', '""') + '"'
    params[name] = _unescaped(given[name])
    return f"CAST(${name} AS {duckdb_type})"


def _duckdb_type(kind: str) -> str | None:
    if kind == IDENTIFIER:
        return IDENTIFIER
    if wrapped := _WRAPPED.fullmatch(kind):
        inner = _duckdb_type(wrapped[2].strip())
        return inner and (f"{inner}[]" if wrapped[1] == "Array" else inner)
    if decimal := _DECIMAL.fullmatch(kind):
        return f"DECIMAL({decimal[1]},{decimal[2] or 0})"
    return _TYPES.get(kind.partition("(")[0])


_UNESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0"}


def _unescaped(value: str) -> str | None:
    r"""A parameter's value: written as in TabSeparated, so `\N` is NULL."""
    if value == "\\N":
        return None
    return re.sub(r"\\(.)", lambda match: _UNESCAPES.get(match[1], match[1]), value, flags=re.DOTALL)


# -- errors ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Code:
    """How ClickHouse names a kind of error, and the HTTP status that goes with it."""

    number: int
    name: str
    status: int


CODES = {
    Problem.SYNTAX: Code(62, "SYNTAX_ERROR", 400),
    Problem.UNKNOWN_TABLE: Code(60, "UNKNOWN_TABLE", 404),
    Problem.UNKNOWN_COLUMN: Code(47, "UNKNOWN_IDENTIFIER", 404),
    Problem.UNKNOWN_FUNCTION: Code(46, "UNKNOWN_FUNCTION", 404),
    Problem.UNKNOWN_QUERY: Code(60, "UNKNOWN_TABLE", 404),
    Problem.PARAMETER: Code(456, "UNKNOWN_QUERY_PARAMETER", 400),
    Problem.TYPE: Code(53, "TYPE_MISMATCH", 400),
    Problem.DATA_TYPE: Code(50, "UNKNOWN_TYPE", 404),
    Problem.TOO_LONG: Code(266, "QUERY_IS_TOO_LARGE", 413),
    Problem.TOO_MANY_ROWS: Code(396, "TOO_MANY_ROWS_OR_BYTES", 400),
    Problem.FORMAT: Code(73, "UNKNOWN_FORMAT", 404),
    Problem.SETTING: Code(115, "UNKNOWN_SETTING", 404),
    Problem.UNSUPPORTED: Code(48, "NOT_IMPLEMENTED", 501),
    Problem.DATABASE: Code(81, "UNKNOWN_DATABASE", 404),
    Problem.BUSY: Code(202, "TOO_MANY_SIMULTANEOUS_QUERIES", 429),
    Problem.REFUSED: Code(497, "ACCESS_DENIED", 403),
    Problem.TIMEOUT: Code(159, "TIMEOUT_EXCEEDED", 408),
    Problem.MEMORY: Code(241, "MEMORY_LIMIT_EXCEEDED", 500),
    Problem.STORAGE: Code(74, "CANNOT_READ_FROM_FILE_DESCRIPTOR", 500),
    Problem.WORKER: Code(1002, "UNKNOWN_EXCEPTION", 500),
    Problem.FAILED: Code(36, "BAD_ARGUMENTS", 400),
}
AUTHENTICATION = Code(516, "AUTHENTICATION_FAILED", 401)


def error_text(error: QueryError, request: Request | None = None) -> str:
    """An error as ClickHouse writes it."""
    code = CODES[error.problem]
    words = " ".join(part for part in (error.message, error.hint) if part)
    if request is not None and error.position is not None:
        position, line, column = request.place(error.position)
        where = f"failed at position {position} (line {line}, col {column})"
        syntax = error.problem is Problem.SYNTAX
        words = f"Syntax error: {where}: {words}" if syntax else f"{words} It {where}."
    return exception_text(code, words)


def exception_text(code: Code, words: str) -> str:
    """A code and words as ClickHouse writes them."""
    return f"Code: {code.number}. DB::Exception: {words} ({code.name})\n"
