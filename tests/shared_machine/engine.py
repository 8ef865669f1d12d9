"""A process of its own with ClickHouse's engine: reads statements as JSON on standard input, answers in JSON.

{"config": "<path or empty>", "folder": "<data>", "statements": […]} -> [{"ok": true, "rows": […]} | {"error": "…"}]

There can be one engine in a process, and its users are those of its configuration; so each role gets a process.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from chdb.session import Session


def main() -> None:
    """Run all statements, one after another."""
    said = json.load(sys.stdin)
    where = f"{said['folder']}?config-file={said['config']}" if said["config"] else said["folder"]
    session = Session(where)
    answers: list[dict[str, Any]] = []
    for statement in said["statements"]:
        try:
            text = str(session.query(statement, "JSONEachRow"))
            rows = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
            answers.append({"ok": True, "rows": rows})
        except Exception as error:  # noqa: BLE001 (whatever the engine says is the answer)
            answers.append({"error": str(error)})
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
