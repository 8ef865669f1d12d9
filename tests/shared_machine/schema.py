"""The schema files of the shared machine, from the statements that the parity tests run.

python -m tests.shared_machine.schema    writes them anew
"""

from __future__ import annotations

import re
from pathlib import Path

from telem.queries.clickhouse_views import statements

FOLDER = Path(__file__).parents[2] / "optional-docker"
SCHEMA = FOLDER / "clickhouse/initdb.d/10-schema.sql"
CLUSTER = FOLDER / "clickhouse/cluster.sql"
HEADER = """\
-- The tables of the OpenTelemetry Collector's ClickHouse exporter, and the friendly views over them.
-- Written by: python -m tests.shared_machine.schema

CREATE DATABASE IF NOT EXISTS telemetry;
USE telemetry;

"""

CLUSTER_HEADER = """\
-- The same tables and views for several machines: replicated within a shard, spread over shards by session.
-- For a company that runs ClickHouse already, with a cluster of the name telemetry and the macros shard and replica.
-- Written by: python -m tests.shared_machine.schema

CREATE DATABASE IF NOT EXISTS telemetry ON CLUSTER telemetry;
USE telemetry;

"""
_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+) \(")
_ENGINE = re.compile(r"ENGINE = (\w*)MergeTree(?:\((\w*)\))?")
_SHARDED_BY = {
    "otel_logs": "cityHash64(LogAttributes['session.id'])",
    "otel_traces": "cityHash64(TraceId)",
}
"""A session's rows, and a trace's spans, lie on one machine; metrics' points by their attributes."""


def text() -> str:
    """What the file must hold."""
    return HEADER + ";\n\n".join(statements()) + ";\n"


def cluster_text() -> str:
    """What the file for several machines must hold."""
    return CLUSTER_HEADER + ";\n\n".join(part for one in statements() for part in _spread(one.rstrip(";"))) + ";\n"


def _replicated(engine: re.Match[str], path: str) -> str:
    given = f"{path}, {engine[2]}" if engine[2] else path
    return f"ENGINE = Replicated{engine[1]}MergeTree({given})"


def _spread(statement: str) -> list[str]:
    found = _TABLE.match(statement)
    if found is None:
        return [re.sub(r"^CREATE OR REPLACE VIEW (\w+)", r"CREATE OR REPLACE VIEW \1 ON CLUSTER telemetry", statement)]
    name = found[1]
    path = f"'/clickhouse/tables/{{shard}}/telemetry/{name}', '{{replica}}'"
    local = statement.replace(found[0], f"CREATE TABLE IF NOT EXISTS {name}_local ON CLUSTER telemetry (", 1)
    local = _ENGINE.sub(lambda found: _replicated(found, path), local, count=1)
    by = _SHARDED_BY.get(name, "cityHash64(toString(Attributes))" if "`Attributes`" in statement else "rand()")
    spread = (
        f"CREATE TABLE IF NOT EXISTS {name} ON CLUSTER telemetry AS {name}_local\n"
        f"ENGINE = Distributed(telemetry, telemetry, {name}_local, {by})"
    )
    return [local, spread]


if __name__ == "__main__":
    CLUSTER.write_text(cluster_text(), encoding="utf-8")
    SCHEMA.write_text(text(), encoding="utf-8")
