"""Short scripts in which one fault meets one moment: what chance would take minutes to find.

A scene is played once for each call at which the fault may come; each time the machine is started again afterwards.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.simulation.contract import MEMORY
from tests.simulation.promises import WrongError
from tests.simulation.system import CrashError, Plan
from tests.simulation.world import World

from telem.storage.disk import Disk
from telem.storage.journal import segments

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY_S = 90_000.0


@dataclass(frozen=True)
class Scene:
    """What happens, and what goes wrong at which calls.

    Args:
        script: what is done, and seconds that pass.
        what, at, calls: the fault; at which call after the beginning, after the word `fault` in the script, or after
            the beginning of the job `during`, when it comes for the nth time.
        cut: the power goes at the end.
    """

    script: Sequence[str | float]
    what: str
    at: Sequence[int]
    calls: int = 1
    during: str = ""
    nth: int = 1
    cut: bool = False

    def play(self, disk: Any = None) -> None:
        """Play it for each call.

        Raises:
            WrongError: a promise was broken.
        """
        for seed, at in enumerate(self.at):
            folder = Path(tempfile.mkdtemp(prefix="telem-", dir=MEMORY))
            (home := folder / "home").mkdir()
            world = Played(home, random.Random(seed), disk or Disk())
            world.scene, world.at = self, at
            try:
                world.live(Plan("scene"), steps=1)
                world.live(Plan(), steps=0)
            except WrongError as error:
                raise WrongError(f"call {at}: {error}\n  " + "\n  ".join(world.log)) from None
            finally:
                shutil.rmtree(folder)


class Played(World):
    """A world that follows a script."""

    scene: Scene
    at: int
    came: int = 0

    def _step(self) -> None:
        if not self.scene.during and "fault" not in self.scene.script:
            self._fault()
        for one in self.scene.script:
            if isinstance(one, str):
                getattr(self, f"_{one}")()
            else:
                self._pass(one)
        self.system.plan = Plan()
        if self.scene.cut:
            self.system.plan, self.system.dead = Plan("cut"), True
            raise CrashError

    def _fault(self) -> None:
        self.system.plan = Plan(self.scene.what, self.system.calls + self.at, self.scene.calls)

    async def _run_jobs(self, jobs: list[dict[str, Any]], _timeout_s: float = 0.0) -> list[dict[str, Any]]:
        results = []
        for job in jobs:
            if job["job"] == self.scene.during:
                self.came += 1
                if self.came == self.scene.nth:
                    self._fault()
            results += await super()._run_jobs([job])
        return results

    def _sends(self) -> None:
        for _ in range(3):
            self._send()

    def _resume(self) -> None:
        """Not by itself, as in other worlds."""

    def _back(self) -> None:
        self.clock.jump(-DAY_S * 400)
        self._start()

    def _forth(self) -> None:
        self.clock.jump(DAY_S * 400)
        self._start()

    def _heal(self) -> None:
        self.system.plan = Plan()

    def _serve(self) -> None:
        self.system.plan = Plan()
        super()._resume()

    def _tear(self) -> None:
        """A row of a batch that lost its commit line, in a tail that no crash tears like that."""
        request = self._request()
        number = max(n for n, _ in segments(self.layout, request.signal)) + 1
        line = b'{"seg":%d,%b\n' % (number, self._lines_of(request)[0][1:])
        self.layout.segment(request.signal, number).write_bytes(line + b"\0" * 64)

    def _torn(self) -> None:
        """Damaged pieces of two sessions, which do not say whose they are."""
        self.disk.directory(self.layout.quarantine)
        self.disk.write(self.layout.quarantine / "torn", b'{"id":"1.0","sess\n{"id":"6.0","sess')

    def _purges(self) -> None:
        """Until one is through."""
        for _ in range(3):
            if not self.purges.gone:
                self._purge()

    def _compact(self) -> None:
        self.finish(self.keeper.compact_now())


_STORED = ("sends", "compact")
_CLOSED = (*_STORED, DAY_S, "tick", DAY_S, "tick", 61.0, "tick")
_GIVEN_UP = (*_CLOSED, DAY_S, "tick", DAY_S, "tick", 4000.0, "tick", 61.0, "tick")
_REMOVED = (*_GIVEN_UP, 1000.0, "tick", 61.0, "tick")

STORING = Scene(("sends",), "kill", range(1, 20))
TORN = Scene(("sends", "tear", "fault", "start", "heal", "sends", "compact"), "EIO", range(1, 14), 2)
FAILING = Scene(("sends", "compact", "sends", "serve"), "EIO", range(1, 20), 2)
UNSURE = Scene(("sends", "fault", "sends", "heal", "start", "compact"), "EIO", [*[2] * 6, *range(1, 20)], 40, cut=True)
COMPACTING = Scene((*_STORED, DAY_S, "tick", 61.0, "tick"), "EIO", range(6, 22), during="compact")
MERGING = Scene(
    (*_STORED, *_STORED, DAY_S, "purge", "compact", "tick", "compact", "heal", "compact"),
    "EIO",
    range(39, 91, 2),
    8,
    during="purge",
)
UNPUBLISHED = Scene(
    (*_STORED, "compact", 1000.0, "tick", 1000.0, "tick"),
    "EIO",
    [13] * 8 + [*range(4, 20)],
    2,
    during="compact",
    cut=True,
)
EMPTIED = Scene(
    (*_STORED, 1.0, "tick", 1000.0, "fault", "tick", "heal", "purges"), "EIO", [*[4] * 6, *range(1, 10)], 2, cut=True
)
PUBLISHING = Scene((*_STORED, DAY_S, "tick"), "kill", range(1, 30), during="publish", nth=2)
TO_AND_FRO = Scene((*_STORED, "back", "compact", "heal", "forth", "compact"), "EIO", range(1, 12), 40, "publish", 2)
CLOSING = Scene((*_CLOSED, 61.0, "tick"), "EIO", [*[15] * 8, *range(1, 30)], during="close", nth=2, cut=True)
GIVING_UP = Scene(_GIVEN_UP, "kill", range(1, 16), during="give up")
REMOVING = Scene(_REMOVED, "kill", range(1, 48, 2), during="remove")
LATE = Scene(
    (*_STORED, *(DAY_S,) * 4, "tick", "start", "tick", "start", "tick", 901.0, "fault", "tick", 5.0, "tick"),
    "EIO",
    range(1, 8),
    3,
)
PURGING = Scene((*_CLOSED, "purge"), "kill", range(22, 118, 3), during="purge")
HELD = Scene(("sends", "purge"), "EIO", range(1, 20), 2)
AGAIN = Scene(("sends", "torn", "purges"), "EIO", [*range(103, 108)] * 4 + [*range(1, 103, 3)], 1, "purge", cut=True)
PURGED = Scene((*_CLOSED, "purge"), "cut", range(1000, 1010), cut=True)

BESIDE = {
    "catalog.publish:1": CLOSING,
    "purge._settle:1": AGAIN,
    "retire.retire:1": UNPUBLISHED,
    "rollups.sweep:2": PURGED,
}
"""Syncs of other modules than the disk, and where they are missed."""
