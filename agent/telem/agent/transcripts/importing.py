"""One run of the import: read, leave out what is known, hand over, remember. Each step can be the last one.

Order of what is written: `sending.json`, the rows (in the daemon), `seen` and `logs.json`. After a crash in between,
the store is asked what arrived.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING

from telem.agent.places import place_of
from telem.storage.disk import Disk

from .facts import CONTEXT
from .folders import identity, in_order, logs_below
from .progress import Progress, digest
from .reading import Reading
from .records import requests
from .sending import open_door
from .stored import Stored, stored_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from telem.storage.layout import Layout

    from .facts import Fact
    from .folders import Log
    from .reading import Piece
    from .sending import Door


@dataclass(frozen=True, slots=True)
class Wish:
    """What to import, and how."""

    paths: tuple[Path, ...]  # logs and folders of logs
    config: Path | None = None  # the client's configuration folder, which knows its user
    with_prompts: bool = False
    settle_s: float = 0.0
    chapters: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Outcome:
    """What came of it."""

    logs: int = 0
    logs_unchanged: int = 0
    bytes: int = 0
    lines: int = 0
    known: int = 0  # handed over by an earlier run, or standing in another log too
    exported: int = 0  # the client exported it itself
    summed: int = 0  # of days of which only sums are kept; they may be in them
    placed: int = 0  # changes of place told for sessions that the client exported without one
    taken: Counter[str] = field(default_factory=Counter)  # by event
    tokens: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)  # requests by model
    sessions: int = 0
    first_ns: int = 0
    last_ns: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


class Import:
    """Imports into one data folder. `on_bytes` is called with the number of bytes read since the last call."""

    def __init__(self, layout: Layout, wish: Wish) -> None:
        self._layout = layout
        self._wish = wish
        self.on_bytes: Callable[[int], None] = lambda _count: None
        self._outcome = Outcome()
        self._sessions: set[int] = set()
        self._identity = identity(wish.config) if wish.config else {}
        self._resources: dict[tuple[str, str, str], dict[str, str]] = {}
        self._handed_over: set[str] = set()
        self.disk = Disk()
        self.progress = Progress(layout.transcripts, self.disk)

    def logs(self) -> list[Log]:
        """What there is to be read."""
        return logs_below(self._wish.paths)

    def run(self, logs: list[Log], *, dry: bool = False) -> Outcome:
        """Import; `dry` counts only, and writes nothing.

        Raises:
            LockedError: another import is under way.
            AgentError: the daemon cannot be started, or does not take it; what was acknowledged is remembered.
        """
        began_s = time.monotonic()
        with contextlib.ExitStack() as stack:
            if not dry or self._layout.transcripts.exists():
                self.disk.directory(self._layout.home)
                self.disk.directory(self._layout.transcripts)
                stack.callback(self.disk.lock(self.progress.lock).release)
                self.progress.load()
            reading = Reading(self.progress.logs, with_prompts=self._wish.with_prompts, settle_s=self._wish.settle_s)
            news = in_order(log for log in logs if reading.has_news(log))
            self._outcome.logs, self._outcome.logs_unchanged = len(logs), len(logs) - len(news)
            if news:
                stored = Stored(self._layout)
                self._recover(stored)
                door = None if dry else stack.enter_context(open_door(self._layout))
                self._run(reading, news, stored, door)
                if door is not None:
                    self.progress.forget_gone()
            self._outcome.left_out = reading.left_out
            self._outcome.bytes, self._outcome.lines = reading.bytes_read, reading.lines
        self._outcome.sessions = len(self._sessions)
        self._outcome.seconds = time.monotonic() - began_s
        return self._outcome

    def _recover(self, stored: Stored) -> None:
        """Ask what an interrupted run had handed over, or all earlier ones if their memory is gone."""
        began_us = self.progress.interrupted_at_us() if self.progress.seen else 0
        if began_us is not None:
            self._handed_over = stored.handed_over_since(began_us)

    def _run(self, reading: Reading, logs: list[Log], stored: Stored, door: Door | None) -> None:
        told = 0
        for piece in reading.pieces(logs):
            facts = self._new(piece)
            contexts = [fact for fact in facts if fact.name == CONTEXT]
            facts = [fact for fact in facts if fact.name != CONTEXT]
            kept = stored.without_summed(facts)
            self._outcome.summed += len(facts) - len(kept)
            wanted = stored.without(kept)
            self._outcome.exported += len(kept) - len(wanted)
            placing = stored.unplaced(contexts)
            self._outcome.placed += len(placing)
            if door is not None:
                self._hand_over([*wanted, *placing], door)
                self.progress.logs.update(piece.places)
                self.progress.finish((digest(key) for key in piece.facts), last=True)
            else:
                self.progress.seen.update(digest(key) for key in piece.facts)
            self._count(wanted)
            self.on_bytes(reading.bytes_read - told)
            told = reading.bytes_read

    def _new(self, piece: Piece) -> list[Fact]:
        """What no earlier run, and no earlier piece of this one, has handed over."""
        facts = []
        for key, fact in piece.facts.items():
            if digest(key) in self.progress.seen or (self._handed_over and stored_key(fact) in self._handed_over):
                self._outcome.known += fact.name != CONTEXT
            else:
                facts.append(fact)
        return facts

    def _hand_over(self, facts: list[Fact], door: Door) -> None:
        if not facts:
            return
        self.progress.begin(time.time_ns() // 1000)
        for body in requests(facts, self._resource, metadata.version("telem-agent")):
            door.send(body)

    def _resource(self, where: tuple[str, str, str]) -> dict[str, str]:
        if where not in self._resources:
            version, cwd, branch = where
            resource = {"service.name": "claude-code", "service.version": version, **self._identity}
            if cwd:
                place = place_of(cwd, self._wish.chapters)
                resource |= {"cwd": cwd, "project": place.project, "chapter": place.chapter}
                resource |= {"vcs.repository.url.full": place.repository}
            resource["git.branch"] = "" if branch == "HEAD" else branch
            self._resources[where] = {name: value for name, value in resource.items() if value}
        return self._resources[where]

    def _count(self, facts: list[Fact]) -> None:
        outcome = self._outcome
        for fact in facts:
            outcome.taken[fact.name] += 1
            self._sessions.add(digest(fact.session_id))
            outcome.first_ns = min(outcome.first_ns or fact.time_ns, fact.time_ns)
            outcome.last_ns = max(outcome.last_ns, fact.time_ns)
            if fact.name == "api_request":
                outcome.models[str(fact.values.get("model", ""))] += 1
                for name, value in fact.values.items():
                    if name.endswith("_tokens"):
                        outcome.tokens[name] += int(value)
