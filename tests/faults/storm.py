"""A real daemon that lives through days within seconds, is loaded all the while, and is killed at chosen moments.

Its clocks jump forward (shim.c), so days turn, are merged, closed and given up, and segments and days are removed, all
by its own schedule. Whenever it is dead, what lies there is judged: each acknowledged record once, unless it was purged
or its day was given up; nothing of what was purged. In the end the totals count every one of them.
"""

from __future__ import annotations

import http.client
import json
import os
import signal as signals
import threading
import time
from collections import Counter
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Self

import orjson
from tests.daemons import LiveDaemon, shell
from tests.faults.load import Load, Request, die_while_starting, end_all, rows
from tests.faults.power import Power
from tests.faults.shim import DAY_S, Shim
from tests.otlp import logs, metrics, traces

from telem.sanitize.records import Signal
from telem.storage import intent, rollups
from telem.storage.disk import Disk
from telem.storage.layout import Layout
from telem.storage.sureclock import boot_id, elapsed_s

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

FLAGS = tuple(word for signal in Signal for word in (f"--retention-{signal}-days", "2"))
MOMENTS = {"load": 0.3, "compaction": 2.5, "purge": 3.5, "day": 6.0, "retention": 3.0, "catalog": 3.0, "start": 1.2}
"""About how long each takes on any machine, in starts of the daemon."""

GRACE_S = 1000
RECORDS = 3
REQUESTS_A_SESSION = 12
SLOW_S = 60.0


class Storm:
    """A machine on which the daemon dies again and again.

    Args:
        root: an empty folder.
        cuts: it dies of power cuts, else it is killed.
        pause_s: between two requests of one of the four clients.
        still: held while clocks jump, by whoever must not live through a quarter of an hour in the midst of something.
    """

    def __init__(
        self,
        root: Path,
        seed: int,
        *,
        cuts: bool = False,
        pause_s: float = 0.01,
        still: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.home = root / "home"
        self.home.mkdir(mode=0o700)
        self.layout = Layout(self.home)
        self.shim = Shim(root)
        self.chance = Random(seed)
        self.deaths: Counter[str] = Counter()
        self.purged: set[str] = set()
        self.purging: set[str] = set()
        self._start_s = 0.5
        self._expected: list[Request] = []  # acknowledged, and not given up by retention yet
        self._judged = 0
        self._still = still
        sure_of_now(self.layout)
        self.power = Power(self.home) if cuts else None
        self._env = self.shim.env | (self.power.env if self.power else {})
        self.load = Load(self._request, connections=4, pause_s=pause_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.load.abandon()

    # -- what is sent -----------------------------------------------------------------------------------------------

    def _request(self, number: int) -> Request:
        names = tuple(f"{number}.{part}" for part in range(RECORDS))
        session = f"00000000-0000-4000-8000-{number // REQUESTS_A_SESSION:012d}"
        now_s = self.shim.now_s()
        common = [{"record.name": name, "session.id": session} for name in names]
        if number % 5 == 0:
            signal, body = Signal.TRACES, traces(*common).SerializeToString()
        elif number % 5 == 1:
            points = [{**one, "type": "added"} for one in common]
            signal = Signal.METRICS
            body = metrics(*points, name="claude_code.lines_of_code.count").SerializeToString()
        else:
            events = [{**one, "event.name": "api_request", "model": "m", "cost_usd": 0.001} for one in common]
            signal, body = Signal.LOGS, logs(*events, time_ns=int(now_s * 1e9)).SerializeToString()
        return Request(signal, names, body, session, day_of(now_s))

    @property
    def records(self) -> int:
        """How many were acknowledged."""
        return sum(len(one.names) for one in self.load.acknowledged)

    # -- its lives --------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The first start, killed and tried again."""
        for _ in range(2):
            die_while_starting(self.home, self.chance.uniform(0.05, 1.5 * self._start_s), self._env)
            self._after_death("first start")

    def die_at(self, moment: str) -> None:
        """One life that ends at some time within a moment, or soon after it."""
        after_s = self.chance.uniform(0.0, MOMENTS[moment] * self._start_s)
        if moment == "start":
            die_while_starting(self.home, after_s, self._env)
            self._after_death(moment)
            return
        daemon = self.start()
        if moment != "purge" and intent.noted(self.layout):
            self._purge(daemon)  # one that was interrupted, to its end
        busy = threading.Thread(target=self.do, args=(moment, daemon))
        busy.start()
        time.sleep(after_s)
        self._die(daemon, moment)
        busy.join(SLOW_S)
        assert not busy.is_alive()

    def end_well(self) -> None:
        """A last life without harm: all clients are served, a purge is finished, days turn; then judge the totals."""
        self.finish(self.start())

    def finish(self, daemon: LiveDaemon) -> None:
        """End a life well."""
        self.load.end()
        if intent.noted(self.layout):
            assert self._post(daemon, "/purge")
        self.purged |= self.purging
        for moment in ("day", "retention", "compaction"):
            assert self.do(moment, daemon)
        assert daemon.stop() == 0
        self.judge()
        self._judge_totals()

    def start(self) -> LiveDaemon:
        """Begin a life; every client has been served in it when this returns."""
        began_s = time.monotonic()
        daemon = LiveDaemon(self.home, *FLAGS, env=self._env, start_new_session=True)
        self._start_s = time.monotonic() - began_s
        self.load.up(daemon.port("otlp_http"))
        self.load.settled()
        return daemon

    def _die(self, daemon: LiveDaemon, moment: str) -> None:
        """All of it at once; or the daemon alone, whose worker goes on; or a worker first."""
        way = "all" if self.power else self.chance.choice(("all", "all", "daemon", "worker"))
        if way == "worker":
            for child in _children(daemon.pid):
                with suppress(ProcessLookupError):
                    os.kill(child, signals.SIGKILL)
            time.sleep(self.chance.uniform(0.0, 0.3))
        if way == "daemon":
            daemon.kill()
        else:
            end_all(daemon.process)
            daemon.kill()  # closes its pipe
        self.load.down()
        self._after_death(moment)

    def _after_death(self, moment: str) -> None:
        self.deaths[moment] += 1
        if self.power:
            self.power.cut(self.chance)
        self.judge()

    # -- what happens in them ---------------------------------------------------------------------------------------

    def do(self, moment: str, daemon: LiveDaemon) -> bool:
        """Let something happen; was it done?"""
        happens: dict[str, Callable[[LiveDaemon], bool]] = {
            "load": lambda _: True,
            "compaction": lambda daemon: self._post(daemon, "/compact"),
            "purge": self._purge,
            "day": self._day,
            "retention": self._retention,
            "catalog": self._catalog,
        }
        return happens[moment](daemon)

    def _purge(self, daemon: LiveDaemon) -> bool:
        target = intent.noted(self.layout)
        if target is None:
            chosen = self.chance.choice(self.load.acknowledged[-40 * REQUESTS_A_SESSION :])
            target = intent.target_of("session", chosen.session)
            self.purging.add(target.value)
            intent.note(self.layout, Disk(), target)
            if self.power:
                self.power.sync(self.layout.intent)
        done = self._post(daemon, "/purge")
        if done:
            self.purged.add(target.value)
        return done

    def _day(self, daemon: LiveDaemon) -> bool:
        """The day turns: its segments are closed, the one before is merged, an older one closed and given up."""
        with self._still():
            self.shim.pass_(DAY_S)
        return all(self._post(daemon, "/compact") for _ in range(2))

    def _retention(self, daemon: LiveDaemon) -> bool:
        """The grace is over: segments are emptied, what was given up is removed."""
        with self._still():
            self.shim.pass_(GRACE_S)
        return all(self._post(daemon, "/compact") for _ in range(2))

    def _catalog(self, daemon: LiveDaemon) -> bool:
        self.layout.catalog.unlink(missing_ok=True)
        return self._post(daemon, "/compact")

    def _post(self, daemon: LiveDaemon, path: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port("query"), timeout=SLOW_S)
        try:
            token = self.layout.token.read_text(encoding="ascii").strip()
            connection.request("POST", path, headers={"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            return False
        else:
            return response.status == http.client.OK
        finally:
            connection.close()

    # -- what must be true ------------------------------------------------------------------------------------------

    def judge(self) -> None:
        """Of what lies there now; nothing runs."""
        since = rollups.read(self.layout).raw_since
        found: Counter[str] = Counter()
        for signal in Signal:
            for row in rows(self.home, signal, ("session_id", "attributes")):
                found[orjson.loads(row["attributes"])["record.name"]] += 1
                assert row["session_id"] not in self.purged, f"{row['session_id']} is back after {self.deaths}"
        acknowledged = self.load.acknowledged[self._judged :]
        self._judged += len(acknowledged)
        self._expected = [one for one in [*self._expected, *acknowledged] if one.session not in self.purging]
        lost = [one for one in self._expected if not all(found[name] for name in one.names)]
        assert not (wrong := [one for one in lost if one.day >= since[one.signal]]), f"lost: {wrong[:5]}"
        self._expected = [one for one in self._expected if one.day >= since[one.signal]]
        assert not (twice := [name for name, count in found.items() if count > 1]), f"doubled: {twice[:5]}"

    def _judge_totals(self) -> None:
        """They count every record that was acknowledged and not purged, whether its row is still there or not."""
        kept = [one for one in self.load.acknowledged if one.session not in self.purged]
        wanted = {
            signal: Counter(one.session for one in kept for _ in one.names if one.signal is signal) for signal in Signal
        }
        sums = "sum(requests)::BIGINT AS requests, sum(lines_added)::BIGINT AS lines"
        answered: list[dict[str, Any]] = shell(
            self.home, f"SELECT session_id, {sums} FROM usage_days GROUP BY ALL", "-readonly"
        )
        assert {row["session_id"]: row["requests"] for row in answered if row["requests"]} == wanted[Signal.LOGS]
        assert {row["session_id"]: row["lines"] for row in answered if row["lines"]} == wanted[Signal.METRICS]
        for view in ("daily_metrics", "sessions"):
            (row,) = shell(self.home, f"SELECT {sums} FROM {view}", "-readonly")
            assert row == {"requests": wanted[Signal.LOGS].total(), "lines": wanted[Signal.METRICS].total()}, view


def sure_of_now(layout: Layout) -> None:
    """As after a day of waking life: without it nothing would be deleted in any case."""
    said = {"wall_s": time.time(), "elapsed_s": elapsed_s(), "boot": boot_id(), "gaps": []}
    layout.clock.write_text(json.dumps(said))


def day_of(now_s: float) -> str:
    """Its UTC day."""
    return datetime.fromtimestamp(now_s, UTC).date().isoformat()


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, path.read_text(encoding="ascii").split())
    return found
