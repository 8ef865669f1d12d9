"""What a hub costs at rest: many members whose agents are awake over folders of many days, and nobody asks.

    PYTHONPATH=. python bench/rest.py --members 50 --days 90 --seconds 60

Makes one member's folder (bench/month.py), lets a daemon close its days, copies it for everybody, wakes all agents with
one question each, waits until they have nothing more to do, and then measures the CPU of hub and agents, and how long
`/ping` takes, asked every 20 ms of the hub and of some agents, which is how long their loops stand still. Prints JSON.
Linux only (/proc).
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import socket
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.month import Month, build
from bench.process import children, cpu_s, rss_mb
from tests.daemons import LiveDaemon

from telem.agent.hub.members import Members, Role
from telem.storage.disk import Disk
from telem.storage.layout import Layout

PING_EVERY_S = 0.02
QUIET = 0.02
"""Of a core and an agent: who takes less is at rest."""

ASKED_AGENTS = 4
_LEFT_BEHIND = shutil.ignore_patterns("LOCK", "daemon.json", "logs", "token")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=50)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--events", type=int, default=150_000, help="of each member")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pause", action="store_true", help="wait for Enter before measuring, for a profiler")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="telem-bench-") as folder:
        home = Path(folder) / "home"
        tokens = furnish(home, given.members, Month(given.events, given.days, users=1))
        with LiveDaemon(home, "--hub", "--hub-listen", "127.0.0.1:0") as hub:
            woken_s = [wake(hub.endpoints["hub"], token) for token in tokens]
            settle(hub.pid, given.members)
            if given.pause:
                input(f"hub {hub.pid}, agents {children(hub.pid)}; Enter measures: ")
            sockets = Path(hub.endpoints["query"].removeprefix("unix:")).parent
            print(json.dumps({"wake_s_max": round(max(woken_s), 2), **measure(hub, sockets, given.seconds)}))


def furnish(home: Path, members: int, month: Month) -> list[str]:
    """A hub's folder with so many members, each with the same past; their tokens."""
    layout = Layout(home)
    register = Members(layout.hub_members, Disk())
    joined = [register.add(f"member-{number}", Role.MEMBER, 0.0, 1 << 40, None) for number in range(members)]
    first = layout.hub_house(joined[0][0].id)
    Disk().directory(first.parent)
    build(first, month)
    with LiveDaemon(first) as daemon:
        settle(daemon.pid, 1)
    for member, _ in joined[1:]:
        shutil.copytree(first, layout.hub_house(member.id), ignore=_LEFT_BEHIND)
    return [token for _, token in joined]


def wake(url: str, token: str) -> float:
    """Ask one thing as a member; how long it took."""
    began_s = time.monotonic()
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=300)
    connection.request("POST", "/", b"SELECT count(*) FROM events", {"Authorization": f"Bearer {token}"})
    response = connection.getresponse()
    text = response.read()
    connection.close()
    assert response.status == http.client.OK, text
    return time.monotonic() - began_s


def settle(pid: int, agents: int, patience_s: float = 900.0) -> None:
    """Wait until a process and its children are at rest: days closed, children that answered gone."""
    end_s = time.monotonic() + patience_s
    quiet_looks = 0
    while quiet_looks < 3 and time.monotonic() < end_s:
        before_s = sum(used_s(pid).values())
        time.sleep(20)
        quiet_looks = quiet_looks + 1 if sum(used_s(pid).values()) - before_s < 20 * QUIET * (agents + 1) else 0


def used_s(pid: int) -> dict[int, float]:
    """CPU seconds of a process and its children, with what has ended below them."""
    return {one: cpu_s(one) for one in (pid, *children(pid)) if Path(f"/proc/{one}").exists()}


def measure(hub: LiveDaemon, sockets: Path, seconds: float) -> dict[str, Any]:
    """CPU and stalls while nobody asks for anything but whether they are there."""
    asked = sorted(path for path in sockets.glob("m-*/query"))[:ASKED_AGENTS]
    pings = [Pings(urlsplit(hub.endpoints["hub"]).netloc, None), *(Pings("localhost", path) for path in asked)]
    watched = {int(json.loads((Layout(hub.home).hub_house(path.parent.name) / "daemon.json").read_text())["pid"])
               for path in asked}  # fmt: skip
    before = used_s(hub.pid)
    for one in pings:
        one.start()
    time.sleep(seconds)
    for one in pings:
        one.end()
    after = used_s(hub.pid)
    spent = {pid: after[pid] - before.get(pid, 0.0) for pid in after}
    agents = [used for pid, used in spent.items() if pid != hub.pid and pid not in watched]
    return {
        "agents": len(spent) - 1,
        "hub_cpu_percent_with_pings": percent(spent[hub.pid], seconds),
        "agent_cpu_percent_median": percent(statistics.median(agents), seconds),
        "agent_cpu_percent_max": percent(max(agents), seconds),
        "agents_cpu_percent_sum": percent(sum(agents), seconds),
        "hub_mb": round(rss_mb(hub.pid)),
        "agent_mb_median": round(statistics.median(rss_mb(pid) for pid in spent if pid != hub.pid)),
        "hub_ping_ms": pings[0].summary(),
        "agent_ping_ms": [one.summary() for one in pings[1:]],
    }


def percent(used: float, seconds: float) -> float:
    """Of one core."""
    return round(100 * used / seconds, 2)


class Pings(threading.Thread):
    """Asks one door every 20 ms whether it is there."""

    def __init__(self, host: str, path: Path | None) -> None:
        super().__init__(daemon=True)
        self._connection = http.client.HTTPConnection(host, timeout=60) if path is None else Unix(path)
        self._done = threading.Event()
        self.ms: list[float] = []

    def run(self) -> None:
        """Until `end`."""
        while not self._done.wait(PING_EVERY_S):
            began_s = time.perf_counter()
            self._connection.request("GET", "/ping")
            self._connection.getresponse().read()
            self.ms.append((time.perf_counter() - began_s) * 1000)

    def end(self) -> None:
        """Ask no more."""
        self._done.set()
        self.join()
        self._connection.close()

    def summary(self) -> dict[str, float]:
        """Median, 99 of 100, and the worst."""
        ordered = sorted(self.ms)
        at = {"p50": 0.5, "p99": 0.99, "max": 1.0}
        return {name: round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) for name, share in at.items()}


class Unix(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        """Connect to the path instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self._path))


if __name__ == "__main__":
    main()
