"""What one hub carries: members who send at once, each with an agent of her own behind the door.

python bench/hub.py --members 10 --requests 40 --records 500
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import load
import process
from events import Sessions
from tests.daemons import LiveDaemon

from telem.agent.hub.members import Members, Role
from telem.storage.disk import Disk
from telem.storage.layout import Layout


def measure(members: int, requests: int, records: int) -> dict[str, float]:
    """Rates, CPU and memory of a hub and all its members' agents."""
    with tempfile.TemporaryDirectory(prefix="telem-") as folder:
        home = Path(folder)
        with LiveDaemon(home, "--mode", "hub", "--hub-listen", "127.0.0.1:0") as hub:
            register = Members(Layout(home).hub_members, Disk())
            bodies = {}
            for number in range(members):
                _, token = register.add(f"member-{number}", Role.MEMBER, 0.0, 1 << 40, None)
                sessions = Sessions(number)
                bodies[token] = [sessions.request(records).SerializeToString() for _ in range(requests)]
            opened = load.run_members(hub.endpoints["hub"], {token: own[:1] for token, own in bodies.items()})
            pids = [hub.pid, *process.children(hub.pid)]
            before_s = sum(map(process.cpu_s, pids))
            sent = load.run_members(hub.endpoints["hub"], {token: own[1:] for token, own in bodies.items()})
            cpu_s = sum(map(process.cpu_s, pids)) - before_s
            total = members * (requests - 1) * records
            return {
                "members": members,
                "records": total,
                "errors": opened.errors + sent.errors,
                "first_request_ms_max": round(max(opened.latencies_ms)),
                "records_per_s": round(total / sent.wall_s),
                "p50_ms": sent.percentile(0.5),
                "p99_ms": sent.percentile(0.99),
                "cpu_s_per_100k": round(cpu_s / total * 100_000, 2),
                "hub_mb": round(process.rss_mb(hub.pid)),
                "member_mb": round(sum(map(process.rss_mb, pids[1:])) / members),
            }


def main() -> None:
    """Measure and print as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--requests", type=int, default=40)
    parser.add_argument("--records", type=int, default=500)
    given = parser.parse_args()
    print(json.dumps(measure(given.members, given.requests, given.records)))


if __name__ == "__main__":
    main()
