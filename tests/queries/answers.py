"""The answers to every ready-made question over the golden store, kept in `tests/golden/queries`.

python -m tests.queries.answers    writes them anew; read the difference before you keep it
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from tests.queries import golden
from tests.queries.values import plain

from telem.queries import canned
from telem.queries.files import files_of
from telem.sanitize.records import Signal
from telem.storage import audit
from telem.storage.views import worker_sql

if TYPE_CHECKING:
    from telem.storage.layout import Layout

FOLDER = Path(__file__).parent.parent / "golden" / "queries"
FIXED = {"budget-burn": {"day": "2026-11-23", "amount": "10"}, "retry-storms": {"attempts": "2"}}
"""Values without which an answer would depend on the day of the test, or say nothing."""


def variants(query: canned.Canned) -> list[dict[str, str]]:
    """The defaults, and each other choice of each parameter by itself."""
    fixed = FIXED.get(query.name, {})
    found = [dict(fixed)]
    for item in query.parameters:
        found += [fixed | {item.name: choice} for choice in item.choices if choice != item.default]
    return found


def label(params: dict[str, str]) -> str:
    """A variant's name."""
    return ", ".join(f"{name}={value}" for name, value in params.items()) or "as it is"


def path_of(name: str) -> Path:
    """Where a question's answers lie."""
    return FOLDER / f"{name}.json"


def opened(layout: Layout) -> duckdb.DuckDBPyConnection:
    """A connection that has all tables, for many questions; our own questions each open one."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    files = {signal: files_of(layout, signal) for signal in Signal}
    counts = {table.folder: [str(path) for path in audit.months(layout, table)] for table in audit.TABLES}
    for statement in worker_sql(files, None, counts):
        connection.execute(statement)
    return connection


def answers(connection: duckdb.DuckDBPyConnection, query: canned.Canned) -> dict[str, Any]:
    """What a question answers now, in every variant."""
    found = {}
    for params in variants(query):
        cursor = connection.execute(query.sql, query.bind(params))
        columns = [column[0] for column in cursor.description or ()]
        found[label(params)] = {
            "columns": columns,
            "rows": [[plain(cell) for cell in row] for row in cursor.fetchall()],
        }
    return found


def write() -> None:
    """Write all of them."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        connection = opened(golden.build(Path(folder) / "home"))
        for name, query in canned.load().items():
            text = json.dumps(answers(connection, query), indent=None, separators=(",", ":"), ensure_ascii=False)
            path_of(name).write_text(text.replace("],[", "],\n[").replace('},"', '},\n"') + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
