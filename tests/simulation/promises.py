"""What must be true of the folder beside its rows: numbers, checksums, receipts, what shells rely on, what is gone."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.simulation.life import session_of

from telem.storage import intent, manifest, retention, rollups
from telem.storage.inventory import parquet_files
from telem.storage.layout import parquet_revision
from telem.storage.retire import GRACE_S

if TYPE_CHECKING:
    from tests.simulation.world import Constants, World

    from telem.sanitize.records import Signal
    from telem.storage.recovery import Recovered

_ROW = re.compile(rb'"(\d+\.\d)"')


class WrongError(AssertionError):
    """A promise is broken; the message says by which row, and how."""


@dataclass
class Promises:
    """What was promised in a world so far, and whether it is kept.

    Args:
        numbers: by signal, the youngest segment in which something was acknowledged.
        days: ingest days of which files were noted in a manifest.
        superseded_s: by what a shell holds to be true, when the catalog it opened was seen to be replaced.
        purged_s: when a purge was last at work; it may end shells.
    """

    world: World
    numbers: dict[Signal, int] = field(default_factory=dict)
    days: set[tuple[Signal, str]] = field(default_factory=set)
    superseded_s: dict[str, float] = field(default_factory=dict)
    purged_s: float = -GRACE_S

    def check(self, when: str, *, torn: bool) -> None:
        """All of it that can be seen in the folder at any moment.

        Args:
            torn: nobody has looked after the folder since a crash.
        """
        purged = "" if torn else self._purged()
        for broken in (self._manifest(), self._receipts(), self._removals(), self._ahead(), purged):
            if broken:
                raise WrongError(f"{when}: {broken}")

    def stored(self, signal: Signal, number: int) -> None:
        """Something was acknowledged in this segment."""
        self.numbers[signal] = max(number, self.numbers.get(signal, 0))

    def check_numbers(self, found: dict[Signal, Recovered]) -> None:
        """No number is used twice: a row of it would be taken for one that is in Parquet, forwarded, or imported."""
        for signal, number in self.numbers.items():
            if found[signal].next_segment <= number:
                raise WrongError(f"{signal} would use segment {found[signal].next_segment} again, it has had {number}")

    def check_shell(self, when: str, shell: Constants, newest: Constants | None, *, works: bool) -> None:
        """Unless a purge ended it, a shell works until the catalog it opened has been replaced for a grace."""
        now_s = self.world.clock.monotonic_s
        if intent.noted(self.world.layout):
            self.purged_s = now_s
        if shell == newest:
            self.superseded_s.pop(str(shell), None)
        since_s = self.superseded_s.setdefault(str(shell), now_s) if shell != newest else now_s
        if not works and now_s - since_s < GRACE_S and self.purged_s < since_s - GRACE_S:
            raise WrongError(f"{when}: a shell fails {now_s - since_s} s after its catalog was replaced: {shell}")

    def _ahead(self) -> str:
        """The catalog speaks of no totals that are not in force yet: others could get their number."""
        shell, in_force = self.world.shell_constants(), rollups.read(self.world.layout).version
        if shell is not None and shell.version > in_force:
            return f"the catalog speaks of version {shell.version} of the totals, in force is {in_force}"
        return ""

    def _manifest(self) -> str:
        """A file that has an entry is as it says; one that took the place of others had it before."""
        for signal in {found for found, _ in self.days}:
            for day in manifest.days(self.world.layout, signal):
                entries = manifest.read(self.world.layout, signal, day)
                for name, path in manifest.files(self.world.layout, signal, day).items():
                    noted = entries.get(name, ())
                    if noted and manifest.measure(path) not in noted:
                        return f"{name} of {day} is not what the manifest says"
                    if not noted and parquet_revision(path.name):
                        return f"{name} of {day} took the place of another file and is in no manifest"
        return ""

    def _receipts(self) -> str:
        """A purge that began is noted until there is a receipt."""
        noted = intent.noted(self.world.layout)
        left = self.world.purges.ids - ({noted.id} if noted else set())
        receipts = {path.stem.rpartition("-")[2] for path in self.world.layout.receipts.glob("*.json")} if left else ()
        return f"no receipt for {sorted(left.difference(receipts))}" if left.difference(receipts) else ""

    def _removals(self) -> str:
        """A day that retention has removed is listed."""
        if not self.world.retains:
            return ""
        layout = self.world.layout
        there = {
            (signal, file.day) for signal in {one for one, _ in self.days} for file in parquet_files(layout, signal)
        }
        if missing := self.days - there:
            listed = {(line["signal"], line["day"]) for line in retention.removals(layout)}
            missing = {found for found in missing if (found[0].value, found[1]) not in listed}
        return f"removed and not listed: {sorted(missing)}" if missing else ""

    def note_days(self) -> None:
        """Remember the days there are; only what is in a manifest, under a name that will last, was published."""
        durable = self.world.system.names
        for signal in self.world.journals:
            for file in parquet_files(self.world.layout, signal):
                found = (signal, file.day)
                if found in self.days or file.path.name not in durable.get(file.path.parent.stat().st_ino, {}):
                    continue
                if manifest.read(self.world.layout, signal, file.day):
                    self.days.add(found)

    def _purged(self) -> str:
        """No file has a row of it, whether a reader would look there or not."""
        gone = self.world.purges.gone
        if not gone or self.world.real:
            return ""
        for path in self.world.layout.home.rglob("*"):
            if path.is_file() and path.stat().st_size:
                rows = {found[1].decode() for found in _ROW.finditer(path.read_bytes())}
                if back := {row for row in rows if session_of(row) in gone}:
                    return f"{path} still has what was purged: {sorted(back)}"
        return ""
