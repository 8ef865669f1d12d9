"""Taking out of ClickHouse what was forwarded there: the same rows that a purge here would take, by their attributes.

Where the tables say whose a row is (`Member`, as on the shared machine), only one's own are counted and deleted.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from telem.sanitize.columns import COLUMNS
from telem.sanitize.records import Signal
from telem.sanitize.tombs import SESSION, USER, USER_COLUMNS

from .clickhouse import TABLES, ClickHouseSender

if TYPE_CHECKING:
    from telem.storage.intent import Target

    from .destinations import Destination

_PLACES = {
    "otel_logs": (Signal.LOGS, "LogAttributes", "Timestamp"),
    "otel_traces": (Signal.TRACES, "SpanAttributes", "Timestamp"),
    **dict.fromkeys(TABLES.values(), (Signal.METRICS, "Attributes", "TimeUnix")),
}


def purge(destination: Destination, meant: Target, *, dry: bool) -> dict[str, int]:
    """Delete what is meant there, and wait until it is gone; returns how many rows there were, by table.

    Raises:
        AgentError: it cannot be reached, or this login may not.
    """
    with closing(ClickHouseSender(destination)) as sender:
        tables = sender.ask("SELECT name FROM system.tables WHERE database = currentDatabase() FORMAT TSV").split()
        owned = "SELECT table FROM system.columns WHERE database = currentDatabase() AND name = 'Member' FORMAT TSV"
        with_member = set(sender.ask(owned).split())
        found = {}
        for table in _PLACES:
            if table not in tables:
                continue
            condition = where(table, meant) + (" AND Member = currentUser()" if table in with_member else "")
            found[table] = int(sender.ask(f"SELECT count() FROM {table} WHERE {condition} FORMAT TSV"))  # noqa: S608
            if found[table] and not dry:
                sender.ask(f"ALTER TABLE {table} DELETE WHERE {condition} SETTINGS mutations_sync = 2")
        return found


def where(table: str, meant: Target) -> str:
    """The condition that names the rows in a table of the exporter."""
    signal, attributes, time = _PLACES[table]
    if meant.kind in (SESSION, USER):
        wanted = ("session_id",) if meant.kind == SESSION else USER_COLUMNS
        names = [name for column in COLUMNS[signal] if column.name in wanted for name in column.attributes]
        value = quoted(meant.value)
        tests = [f"{place}['{name}'] = {value}" for name in names for place in (attributes, "ResourceAttributes")]
        return f"({' OR '.join(tests)})"
    return f"({time} < fromUnixTimestamp64Micro(toInt64({meant.before_us})))"


def quoted(text: str) -> str:
    """A text as a literal of ClickHouse."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
