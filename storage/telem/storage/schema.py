"""How the columns are spelled in the journal's JSON, in Parquet and in SQL (pure).

The columns themselves are listed once, in `telem.sanitize.columns`. A change there is a new `SCHEMA_VERSION`
and with it a new `v=` folder; the views bridge the versions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telem.sanitize.columns import BIT, COLUMNS, PROMOTED_BY_SIGNAL, SCHEMA_VERSION, Column, Type

if TYPE_CHECKING:
    from telem.sanitize.records import Signal

__all__ = [
    "BIT",
    "COLUMNS",
    "SCHEMA_VERSION",
    "attributes_sql",
    "column_list",
    "journal_columns",
    "journal_select",
    "order_of",
    "sql_type",
]

_SQL_TYPES = {
    Type.TEXT: "VARCHAR",
    Type.INT: "BIGINT",
    Type.UINT: "UBIGINT",
    Type.FLOAT: "DOUBLE",
    Type.BOOL: "BOOLEAN",
    Type.TIME: "TIMESTAMP WITH TIME ZONE",
    Type.MONEY: "DECIMAL(18,9)",
    Type.JSON: "VARCHAR",
    Type.UINTS: "UBIGINT[]",
    Type.FLOATS: "DOUBLE[]",
}

_JOURNAL_TYPES = {**_SQL_TYPES, Type.TIME: "BIGINT"}


def sql_type(column: Column) -> str:
    """The column's type in Parquet as DuckDB names it. JSON is text there; the views make it JSON."""
    return _SQL_TYPES[column.type]


_ORDER = {"logs": "event_name, time", "metrics": "metric, time", "traces": "name, time"}


def order_of(signal: Signal) -> str:
    """How rows are sorted in a file: questions are about one kind of event, and about a time."""
    return _ORDER[signal]


def column_list(signal: Signal) -> str:
    """All columns, by name."""
    return ", ".join(f'"{column.name}"' for column in COLUMNS[signal])


def journal_columns(signal: Signal) -> str:
    """The `columns` argument of read_json for a journal segment."""
    pairs = (f"'{column.name}': '{_JOURNAL_TYPES[column.type]}'" for column in COLUMNS[signal])
    return "{" + ", ".join(pairs) + "}"


def journal_select(signal: Signal) -> str:
    """Select list that turns journal rows into the rows of a Parquet file."""
    return ", ".join(
        f"make_timestamptz({column.name}) AS {column.name}" if column.type is Type.TIME else f'"{column.name}"'
        for column in COLUMNS[signal]
    )


def attributes_sql(signal: Signal) -> str:
    """Expression for a row's complete attributes, as JSON.

    What the columns represent comes first, then what `attributes` holds; DuckDB evaluates it only for queries that
    ask for the column.
    """
    members = ", ".join(_member_sql(column) for column in PROMOTED_BY_SIGNAL[signal])
    rest = "nullif(substr(attributes, 2, length(attributes) - 2), '')"
    return f"('{{' || concat_ws(',', {members}, {rest}) || '}}')::JSON"


def _member_sql(column: Column) -> str:
    name = column.attributes[0]
    value = f'"{column.name}"'
    match column.name:
        case "event_timestamp":
            value = "coalesce(event_timestamp, strftime(time AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ'))"
        case "prompt_text":
            value = "coalesce(prompt_text, prompt)"
    if column.type is Type.FLOAT:
        value += "::BIGINT"  # only whole numbers are represented exactly, see sanitize/shape
    elif column.type is Type.MONEY:
        value += "::DOUBLE"
    bit = BIT[column.name]
    same = f"WHEN promoted & {bit} <> 0 THEN '\"{name}\":' || to_json({value})"
    if column.type in (Type.INT, Type.FLOAT, Type.BOOL):
        return f"CASE {same} WHEN promoted_as_text & {bit} <> 0 THEN '\"{name}\":\"' || {value}::VARCHAR || '\"' END"
    return f"CASE {same} END"
