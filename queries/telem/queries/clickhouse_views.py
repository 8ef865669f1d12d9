"""The friendly tables on ClickHouse: views over the OpenTelemetry exporter's tables, for the same questions there.

`clickhouse/tables.sql` has the exporter's tables. The views are those of the catalog: `clickhouse/NAME.sql` where
ClickHouse needs a text of its own, else the catalog's text in ClickHouse's words. How attributes become columns comes
from the one table of columns, in both. `events.id` there is a digest of the row and not the id it has here;
`ingest_day` is the day it happened, for the exporter's tables do not know when it arrived.

python -m telem.queries.clickhouse_views    prints all statements, for `clickhouse-client --multiquery`
"""

from __future__ import annotations

import sys
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from telem.sanitize import clients
from telem.sanitize.columns import PROMOTED_BY_SIGNAL, Column, Type
from telem.sanitize.records import Signal
from telem.storage.views import prices_sql, view_text

from .dialect import rewritten, with_settings

if TYPE_CHECKING:
    from collections.abc import Callable

VIEWS = (
    "events",
    "telemetry_events",
    "session_context",
    "placed_events",
    "api_requests",
    "api_errors",
    "tool_calls",
    "user_prompts",
    "validation_results",
    "model_prices",
    "computed_costs",
    "metrics",
    "metric_increments",
    "usage_facts",
    "usage_days",
    "sessions",
    "users",
    "daily_metrics",
)
"""In the order in which they can be made."""


@cache
def statements() -> tuple[str, ...]:
    """Tables and views, to be run one by one on an empty database or on one that the exporter writes into."""
    tables = tuple(part.strip() for part in _file("tables").split(";\n") if part.strip())
    return (*tables, *map(_view, VIEWS))


def _view(name: str) -> str:
    if not (resources.files(__package__) / "clickhouse" / f"{name}.sql").is_file():
        text = rewritten(view_text(name).replace("$model_prices", prices_sql()))
        return with_settings(text.strip().removesuffix(";"))
    text = _file(name)
    for placeholder, written in _PLACES.items():
        if placeholder in text:
            text = text.replace(placeholder, written())
    return text.strip().removesuffix(";")


def _file(name: str) -> str:
    text = (resources.files(__package__) / "clickhouse" / f"{name}.sql").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.startswith("--"))


def _reads(signal: Signal, attributes: str) -> str:
    """Every attribute that has a column, read from the maps of the exporter's table."""
    read = (
        f"{_read(column, attributes)} AS {column.name}"
        for column in PROMOTED_BY_SIGNAL[signal]
        if column.name not in ("event_name", "event_timestamp", "prompt_text")
    )
    return ",\n            ".join(read)


def _read(column: Column, attributes: str) -> str:
    maps = (attributes, "ResourceAttributes") if column.tag else (attributes,)
    found = [f"nullIf({where}['{name}'], '')" for where in maps for name in column.attributes]
    text = found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"
    match column.type:
        case Type.INT:
            return f"toInt64OrNull({text})"
        case Type.FLOAT:
            return f"toFloat64OrNull({text})"
        case Type.BOOL:
            return f"if({text} IN ('true', 'false'), {text} = 'true', NULL)"
        case Type.MONEY:
            return f"toDecimal64OrNull(toString(round(toFloat64OrNull({text}), 9)), 9)"
        case _:
            return text


def _choose(value: str, pairs: dict[str, str], test: str = "startsWith") -> str:
    parts = [f"{test}({value}, '{prefix}'), '{name}'" for prefix, name in pairs.items()]
    return ", ".join(parts)


def _client(name: str) -> str:
    by_scope = _choose("ScopeName", clients.SCOPES)
    return f"multiIf({by_scope}, {_choose(name, clients.PREFIXES)}, NULL)"


def _bare_event() -> str:
    prefixes = "|".join(prefix.replace(".", "\\\\.") for prefix in clients.PREFIXES)
    return f"replaceRegexpOne(full_event, '^({prefixes})', '')"


def _event_types() -> str:
    parts = []
    for client, names in clients.EVENT_TYPES.items():
        test = f"client = '{client}'" if client else "client IS NULL"
        parts += [f"{test} AND bare_event = '{event}', '{kind}'" for event, kind in names.items()]
    return ",\n            ".join(parts)


def _known_event() -> str:
    """The event's name without its client, as far as it is needed to tell requests, tool calls and prompts apart."""
    prefixes = "|".join(prefix.replace(".", "\\\\.") for prefix in clients.PREFIXES)
    name = "if(LogAttributes['event.name'] != '', LogAttributes['event.name'], Body)"
    return f"replaceRegexpOne({name}, '^({prefixes})', '')"


def _known_by() -> str:
    """What names a record in the client's session logs and in what it exports alike, as in `telem.storage.views`."""
    event = _known_event()
    return (
        f"multiIf({event} = 'tool_result', LogAttributes['tool_use_id'], {event} = 'user_prompt', "
        "LogAttributes['message.uuid'], LogAttributes['request_id'])"
    )


_PLACES: dict[str, Callable[[], str]] = {
    "$reads_of_logs": lambda: _reads(Signal.LOGS, "LogAttributes"),
    "$reads_of_metrics": lambda: _reads(Signal.METRICS, "Attributes"),
    "$metric_client": lambda: _client("MetricName"),
    "$client": lambda: _client("full_event"),
    "$bare_event": _bare_event,
    "$event_types": _event_types,
    "$imported": lambda: next(scope for scope, source in clients.OWN_SCOPES.items() if source == "transcript"),
    "$known_event": _known_event,
    "$known_by": _known_by,
    "$own_scopes": lambda: ", ".join(f"'{scope}'" for scope in clients.OWN_SCOPES),
    "$source": lambda: f"multiIf({_choose('ScopeName', clients.OWN_SCOPES, 'equals')}, NULL)",
}


def main() -> None:
    """Print all statements."""
    sys.stdout.write(";\n\n".join(statements()) + ";\n")


if __name__ == "__main__":
    main()
