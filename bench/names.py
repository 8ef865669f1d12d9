"""Does it take longer to be told nothing about a name that exists? A member of a hub asks for names of another's.

    PYTHONPATH=. python bench/names.py --requests 3000

In each pair one name exists with the other member (her token, id, folder, session, prompt, row) and one does not, and
both are asked for in turns, in an order drawn anew each time. Prints for each kind the medians in microseconds, and the
probability that two equal distributions differ as much (Mann-Whitney, two-sided). It fails if words differ.
"""

from __future__ import annotations

import argparse
import http.client
import math
import random
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.agent.hub.names import pairs
from tests.agent.hub.test_hub import LiveHub
from tests.agent.hub.two import Two
from tests.daemons import LiveDaemon

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.agent.hub.names import Asked, Pair

WARM = 20
STOOD_STILL_S = 20.0
"""What took so long says something of the machine."""

PURGES_MAX, QUESTIONS_MAX = 100, 300
"""A purge starts a process, and a question over rows reads them."""


def main() -> None:
    """Ask and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=3000, help="of each name of a pair")
    parser.add_argument("--only", default="", help="kinds whose name holds this")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="telem-bench-") as folder:
        home = Path(folder) / "home"
        with LiveDaemon(home, "--hub", "--hub-listen", "127.0.0.1:0") as daemon:
            two = Two(LiveHub(home, daemon))
            print(f"{'kind':42}{'exists':>9}{'does not':>10}{'of that':>9}{'p':>8}")
            for kind, pair in pairs(two, given.requests + WARM).items():
                if given.only in kind:
                    compare(two, kind, pair, min(given.requests, most(kind)))


def most(kind: str) -> int:
    """How often it is asked for at most."""
    if "purge" in kind:
        return PURGES_MAX
    return QUESTIONS_MAX if kind.startswith(("a session", "words", "a person")) else 1 << 30


def compare(two: Two, kind: str, pair: Pair, requests: int) -> None:
    """Ask for both, in turns, and print what it took."""
    connection = http.client.HTTPConnection(two.hub.url.netloc, timeout=120)
    took_s: tuple[list[float], list[float]] = ([], [])
    words: tuple[Counter[object], Counter[object]] = (Counter(), Counter())
    for turn in range(-WARM, requests):
        for which in random.sample((0, 1), 2):
            asked = next(pair[which])
            seconds, answer = ask(connection, asked, two.ben)
            if seconds > STOOD_STILL_S:
                continue
            words[which][answer] += 1
            if turn >= 0:
                took_s[which].append(seconds)
    assert words[0].keys() == words[1].keys(), (kind, words)
    there_us, not_there_us = (statistics.median(one) * 1e6 for one in took_s)
    share = there_us / not_there_us - 1
    print(f"{kind:42}{there_us:9.0f}{not_there_us:10.0f}{share:+9.2%}{probability(*took_s):8.3f}", flush=True)


def ask(connection: http.client.HTTPConnection, asked: Asked, token: str) -> tuple[float, object]:
    """How long an answer took, and what it said, whatever the name."""
    headers = {"Authorization": f"Bearer {asked.token or token}", **dict(asked.headers)}
    began_s = time.perf_counter()
    connection.request(asked.method, asked.path, asked.body, headers)
    response = connection.getresponse()
    text = response.read()
    seconds = time.perf_counter() - began_s
    said = sorted(name for name, _ in response.getheaders())
    return seconds, (response.status, text.replace(asked.name.encode(), b"NAME"), repr(said))


def probability(ones: Sequence[float], others: Sequence[float]) -> float:
    """That two samples of one distribution differ at least so much: Mann and Whitney's U, by its normal limit."""
    ordered = sorted([(value, 0) for value in ones] + [(value, 1) for value in others])
    rank_sum = sum(rank for rank, (_, which) in enumerate(ordered, 1) if which == 0)
    m, n = len(ones), len(others)
    u = rank_sum - m * (m + 1) / 2
    z = (u - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12)
    return math.erfc(abs(z) / math.sqrt(2))


if __name__ == "__main__":
    main()
