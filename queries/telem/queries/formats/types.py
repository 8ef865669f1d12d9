"""DuckDB's names of types in ClickHouse's words (pure). Every column may hold NULL here, so every type is Nullable."""

from __future__ import annotations

import re

_SIMPLE = {
    "BOOLEAN": "Bool",
    "TINYINT": "Int8",
    "SMALLINT": "Int16",
    "INTEGER": "Int32",
    "BIGINT": "Int64",
    "HUGEINT": "Int128",
    "UTINYINT": "UInt8",
    "USMALLINT": "UInt16",
    "UINTEGER": "UInt32",
    "UBIGINT": "UInt64",
    "UHUGEINT": "UInt128",
    "FLOAT": "Float32",
    "DOUBLE": "Float64",
    "DATE": "Date32",
    "TIME": "Time64(6)",
    "TIMESTAMP": "DateTime64(6)",
    "TIMESTAMP_S": "DateTime64(6)",
    "TIMESTAMP_MS": "DateTime64(6)",
    "TIMESTAMP_NS": "DateTime64(6)",
    "TIMESTAMP WITH TIME ZONE": "DateTime64(6, 'UTC')",
    "UUID": "UUID",
}
"""Anything else is a String: texts, JSON, enumerations, intervals, bytes."""

NUMBERS = re.compile(r"(?:U?(?:TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(.*\))$")
TO_THE_RIGHT = re.compile(rf"(?:{NUMBERS.pattern[:-1]}|DATE|TIME[^\[]*)$")
"""Types whose values ClickHouse sets to the right in Pretty and Markdown."""

_PLAIN = re.compile(r"[A-Za-z_]\w*")
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_LIST = re.compile(r"(.*)\[\d*\]", re.DOTALL)


def type_name(duckdb_type: str) -> str:
    """ClickHouse's name of a column's type."""
    if match := _LIST.fullmatch(duckdb_type):
        return f"Array({type_name(match[1])})"
    head, parenthesis, rest = duckdb_type.partition("(")
    inner = rest[:-1]
    if parenthesis and head == "STRUCT":
        members = (member.strip() for member in split(inner))
        return f"Tuple({', '.join(_member(member) for member in members)})"
    if parenthesis and head == "MAP":
        key, value = split(inner)
        return f"Map({_SIMPLE.get(key.strip(), 'String')}, {type_name(value.strip())})"
    if match := _DECIMAL.fullmatch(duckdb_type):
        return f"Nullable(Decimal({match[1]}, {match[2]}))"
    return f"Nullable({_SIMPLE.get(duckdb_type, 'String')})"


def _member(text: str) -> str:
    match = re.fullmatch(r'("(?:[^"]|"")*"|\w+) (.*)', text, re.DOTALL)
    if match is None:
        return type_name(text)
    name = match[1][1:-1].replace('""', '"') if match[1].startswith('"') else match[1]
    written = name if _PLAIN.fullmatch(name) else f"`{name}`"
    return f"{written} {type_name(match[2])}"


def split(text: str) -> list[str]:
    """The parts between the commas that are in no parentheses and no quotes."""
    parts, depth, start, quote = [], 0, 0, ""
    for index, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        elif character == "," and not depth:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]
