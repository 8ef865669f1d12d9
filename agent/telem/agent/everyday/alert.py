"""Tells that a threshold of a budget was crossed: a command without a shell, a webhook, or both. A process of its own.

    python -m telem.agent.everyday.alert <what, as JSON>

It is started by the daemon and not waited for: whatever it does, ingest goes on.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any
from urllib import request

TIMEOUT_S = 20.0
WORDS = ("text", "percent", "spent", "limit", "period", "project", "threshold")
_WORD = re.compile("{(" + "|".join(WORDS) + ")}")


def main() -> None:
    """Do what standard input's JSON asks for; exit status 1 when a part of it failed."""
    what = json.loads(sys.stdin.read())
    failures = [*_run(what), *_post(what)]
    for failure in failures:
        sys.stderr.write(f"{failure}\n")
    sys.exit(bool(failures))


def filled(command: list[str], words: dict[str, Any]) -> list[str]:
    """The command with `{text}` and the other words replaced; each stays one argument, whatever it holds."""
    return [_WORD.sub(lambda found: str(words.get(found[1], "")), argument) for argument in command]


def _run(what: dict[str, Any]) -> list[str]:
    if not what["command"]:
        return []
    words = what["words"]
    environment = {**os.environ, **{f"TELEM_BUDGET_{word.upper()}": str(words.get(word, "")) for word in WORDS}}
    command = filled(what["command"], words)
    try:
        done = subprocess.run(
            command, env=environment, timeout=TIMEOUT_S, check=False, stdin=subprocess.DEVNULL, capture_output=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return [f"{command[0]}: {error}"]
    return [f"{command[0]} ended with status {done.returncode}"] if done.returncode else []


def _post(what: dict[str, Any]) -> list[str]:
    url = what["webhook"]
    if not url:
        return []
    body = json.dumps({"schema": 1, **what["words"]}).encode()
    asked = request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 (http or https, checked when it was set)
    try:
        with request.urlopen(asked, timeout=TIMEOUT_S):  # noqa: S310 (as above)
            return []
    except (OSError, ValueError) as error:
        return [f"{url}: {error}"]


if __name__ == "__main__":
    main()
