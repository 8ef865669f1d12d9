"""Rows as lines of JSON, and what JSON has no word for (pure)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from .records import Row

LINE_LIMIT_BYTES = 15_000_000
"""Longest row kept whole: DuckDB's read_json refuses objects of 16 MiB, and would then skip the row."""

TEXT_CUT_CHARS = 65_536
"""What is kept of each text in a row over that limit."""


def line_of(row: Row) -> bytes:
    """Return the row as one line, without the line feed; over the limit, its long texts are cut."""
    line = dumps(row)
    if len(line) > LINE_LIMIT_BYTES:
        row = {name: _cut(value) for name, value in row.items()}
        line = dumps(row)
    if len(line) > LINE_LIMIT_BYTES:
        line = dumps(_without_bulk(row, len(line)))
    return line


def _without_bulk(row: Row, size: int) -> Row:
    """Leave out what is long without holding a long text; `telem.cut` says how long the row was."""
    kept = {name: value for name, value in row.items() if isinstance(value, str) or len(dumps(value)) <= TEXT_CUT_CHARS}
    attributes = kept.get("attributes")
    kept["attributes"] = {**(attributes if isinstance(attributes, dict) else {}), "telem.cut": size}
    return kept


def _cut(value: Any) -> Any:
    """Long texts of a row over the limit, cut with a note of how many characters they had."""
    if isinstance(value, str) and len(value) > TEXT_CUT_CHARS:
        return f"{value[:TEXT_CUT_CHARS]}[CUT:{len(value)}]"
    if isinstance(value, list):
        return [_cut(item) for item in value]
    if isinstance(value, dict):
        return {key: _cut(item) for key, item in value.items()}
    return value


def dumps(value: Any) -> bytes:
    """Return any value of ours as JSON."""
    return orjson.dumps(value, default=plain)


def plain(value: Any) -> Any:
    """What JSON has no word for: bytes as base64, NaN and infinities as the words protobuf's mapping uses."""
    if isinstance(value, float):
        return value if value - value == 0 else _WORDS.get(value, "NaN")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


_WORDS = {float("inf"): "Infinity", float("-inf"): "-Infinity"}
