"""The schema file of the shared machine, from the statements that the parity tests run.

python -m tests.shared_machine.schema    writes it anew
"""

from __future__ import annotations

from pathlib import Path

from telem.queries.clickhouse_views import statements

FOLDER = Path(__file__).parents[2] / "optional-docker"
SCHEMA = FOLDER / "clickhouse/initdb.d/10-schema.sql"
HEADER = """\
-- The tables of the OpenTelemetry Collector's ClickHouse exporter, and the friendly views over them.
-- Written by: python -m tests.shared_machine.schema

CREATE DATABASE IF NOT EXISTS telemetry;
USE telemetry;

"""


def text() -> str:
    """What the file must hold."""
    return HEADER + ";\n\n".join(statements()) + ";\n"


if __name__ == "__main__":
    SCHEMA.write_text(text(), encoding="utf-8")
