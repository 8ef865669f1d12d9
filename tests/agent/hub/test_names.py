"""Nobody learns whether a name exists with another member: not from words, nor from what is looked up for an answer.

Time is measured in bench/names.py. Here it is shown why there is nothing to measure: the system is asked for no path
with such a name.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from tests.agent.hub.names import Asked, pairs
from tests.agent.hub.test_hub import LiveHub
from tests.agent.hub.test_impostors import PURGES
from tests.agent.hub.test_row_level import HEADERS, REQUESTS, STATEMENTS
from tests.agent.hub.two import Two
from tests.daemons import LiveDaemon, wait_for

HUB = ("--hub", "--hub-listen", "127.0.0.1:0")
TWIN = "m-0badcafe"
"""A folder like Ada's. No agent of its own is at home in it, so that whoever looks is looking for Ben."""

TRACE = ("strace", "-D", "-f", "-s", "4096", "-e", "trace=%file")

EACH_TIME = ("Date:", "X-ClickHouse-Query-Id:", "X-ClickHouse-Summary:")
"""Headers that are others each time: a time, a random number, what it took."""


def answer(two: Two, asked: Asked) -> tuple[int, str, list[str]]:
    """All that an answer says, whatever the name."""
    headers = {name.replace("-", "_"): value for name, value in asked.headers}
    status, text = two.hub.ask(asked.method, asked.path, asked.token or two.ben, asked.body, **headers)
    kept = [line for line in two.hub.headers.splitlines() if not line.startswith(EACH_TIME)]
    return status, text.replace(asked.name, "NAME"), [line.replace(asked.name, "NAME") for line in kept]


def test_words_do_not_tell_whether_a_name_exists(two: Two) -> None:
    """Ids, folders, sessions, words of prompts, people, logins, tokens that count no longer, rows."""
    asked = pairs(two)
    assert len(asked) > 12
    for kind, (there, not_there) in asked.items():
        assert answer(two, next(there)) == answer(two, next(not_there)), kind


def can_trace() -> bool:
    if shutil.which(TRACE[0]) is None:
        return False
    return subprocess.run([*TRACE, "-o", "/dev/null", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_trace(), reason="strace cannot be used here")
def test_no_path_of_another_member_is_looked_up_for_ben(home: Path) -> None:
    """By no process of the hub, in all he can ask; so it takes the same whether it is there."""
    with tempfile.TemporaryDirectory(prefix="telem-") as folder:
        traced = Path(folder) / "calls"
        with LiveDaemon(home, *HUB, within=(*TRACE, "-o", str(traced))) as daemon:
            two = Two(LiveHub(home, daemon))
            shutil.copytree(two.adas, two.adas.parent / TWIN)
            ask_everything(two, TWIN)
        wait_for(lambda: re.search(rf"(?m)^{daemon.pid} +\+\+\+ exited", traced.read_text("utf-8", "replace")))
        paths = looked_up(traced.read_text("utf-8", "replace"))
    assert any(two.bens.name in path for path in paths)  # it sees what is looked up
    assert not [path for path in paths if TWIN in path]


def ask_everything(two: Two, name: str) -> None:
    """All attempts there are, with this name in the place of hers."""

    def filled(text: str) -> str:
        return two.filled(text.replace("{other}", f"{{members}}/{name}").replace("{other_id}", name))

    for statement in STATEMENTS:
        if "{" in statement:
            two.ask(two.ben, filled(statement))
    for method, path in REQUESTS:
        if "{other" in path:
            two.hub.ask(method, filled(path), two.ben)
    for headers in HEADERS:
        two.ask(two.ben, "SELECT 1", **{key: filled(value) for key, value in headers.items()})
    wanted = [one for one in PURGES if "{other" in json.dumps(one)]
    assert wanted
    two.hub.ask("POST", "/purge", two.ben, filled(json.dumps(wanted[-1])).encode())


def looked_up(calls: str) -> set[str]:
    """The paths in calls of the system; of a program that is started its own, not its arguments."""
    found: set[str] = set()
    for line in calls.splitlines():
        quoted = re.findall(r'"((?:[^"\\]|\\.)*)"', line)
        found.update(quoted[:1] if " execve(" in line else quoted)
    return found
