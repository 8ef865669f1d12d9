"""The policy in force: the shipped one, what the owner's `sanitize.toml` adds, and the values only she knows.

Read at start, where a wrong file keeps the daemon from starting: it must never be less strict than it was asked to be.
Looked after while it runs: a good file replaces the policy between two requests, a wrong one changes nothing, and is
named in the log and in `status` until it is mended.

The system tells of changes in the folders concerned (watchfiles; 2 MB of memory). Not every file system does, so the
files are looked at now and then all the same. A change counts once it has lain still for a second.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import watchfiles

from telem.sanitize.policy import Policy, PolicyError, parse_policy
from telem.sanitize.records import Profile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .config import Config

SETTLE_S = 1.0
"""A change counts when nothing has changed for so long: an editor that saves empties the file first."""

LOOK_EVERY_S = 5.0
"""Between two looks that nothing gave cause for."""

STEP_MS = 500
"""Between two awakenings of the thread that waits for word from the system; its own 50 ms took 0.15 % of a core."""

OFF_WARNING = "THE SANITIZER IS OFF: secrets and personal data are stored as they come."

Stamp = tuple[tuple[str, tuple[int, int, int] | None], ...]
"""By path, what changes when a file does: time, size, inode; None when there is no file."""

log = logging.getLogger(__name__)
logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it counts changes aloud


@dataclass(frozen=True, slots=True)
class Loaded:
    """A policy and the state of the files it was read from."""

    policy: Policy
    stamp: Stamp
    text: str = ""
    values: tuple[str, ...] = field(default=(), repr=False)

    def job(self, config: Config, *, dry: bool) -> dict[str, Any]:
        """The worker's job that judges once more, by this policy, what is stored."""
        said = {"job": "sanitize", "home": str(config.home), "policy": self.text, "profile": config.profile}
        return {**said, "known_values": list(self.values), "dry": dry}


def load_policy(config: Config, environ: Mapping[str, str] | None = None) -> Loaded:
    """Read the policy of a data folder. Without a file of its own it is the shipped one.

    Raises:
        PolicyError: the file, or the file of known values it names, cannot be used; the message says which and why.
    """
    environ = os.environ if environ is None else environ
    path = config.layout.policy
    stamp = _stamp(path)  # before the reading, so that a change in between is seen as one
    text, values = _read(path) if path.exists() else "", []
    try:
        policy = parse_policy(text, config.profile or None)
        values = [environ[name] for name in policy.known_values_env if environ.get(name)]
        if policy.known_values_file:
            values_path = _values_path(path, policy.known_values_file)
            stamp += _stamp(values_path)
            values += _read(values_path).splitlines()
        if values:
            policy = parse_policy(text, config.profile or None, known_values=values)
    except PolicyError as error:
        raise PolicyError(f"{path}: {error}") from error
    return Loaded(policy, stamp, text, tuple(values))


def _values_path(policy_path: Path, name: str) -> Path:
    """Relative to the file that names it; `~` is the owner's. A hub's members have a link to the hub's file."""
    return policy_path.resolve().parent / Path(name).expanduser()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise PolicyError(f"{path}: not UTF-8") from error
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read: {error.strerror}") from error


def _stamp(*paths: Path) -> Stamp:
    return tuple((str(path), _state(path)) for path in paths)


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class PolicyWatch:
    """Keeps the policy of a running daemon current.

    Args:
        use: puts a policy in force.
    """

    def __init__(self, config: Config, loaded: Loaded, use: Callable[[Policy], None]) -> None:
        self.error = ""
        self.loaded_at_s = time.time()
        self._config = config
        self._use = use
        self._stamp = self._seen = loaded.stamp

    async def run(self) -> None:
        """Look for ever: when the system tells of a change, and now and then."""
        while True:
            try:
                await self._change()
                while self.look():  # noqa: ASYNC110 (no event says that nothing happens any more)
                    await asyncio.sleep(SETTLE_S)
            except Exception:
                log.exception("looking at the policy failed; it goes on in a moment")
                await asyncio.sleep(LOOK_EVERY_S)

    async def _change(self) -> None:
        """Wait until one of the files has changed, or for as long as goes by without a look."""
        paths = [Path(path) for path, _ in self._stamp]
        folders = {path.parent for path in paths if path.parent.is_dir()}
        names = {str(path) for path in paths}
        try:
            async with asyncio.timeout(LOOK_EVERY_S):  # its own would begin anew with each change of another file
                async for _ in watchfiles.awatch(
                    *folders,
                    watch_filter=lambda _, path: path in names,
                    recursive=False,
                    debounce=STEP_MS,
                    step=STEP_MS,
                ):
                    return
        except TimeoutError:
            return
        except OSError as error:  # no more watches to be had, or no such thing here
            log.info("the system does not tell of changes in %s: %s", ", ".join(map(str, folders)), error)
            await asyncio.sleep(SETTLE_S)

    def look(self) -> bool:
        """Read the file anew if it has changed and has been left alone since the last look; tell whether it was not.

        An editor that saves empties the file first, or has removed it for a moment; an empty policy is a valid one, and
        less strict.
        """
        found = _stamp(*(Path(path) for path, _ in self._stamp))
        quiet, self._seen = found == self._seen, found
        if not quiet or found == self._stamp:
            return not quiet
        self._stamp = found
        try:
            loaded = load_policy(self._config)
            self._use(loaded.policy)
        except PolicyError as error:
            self.error = str(error)
            log.error("the sanitizing policy stays as it was: %s", error)  # noqa: TRY400 (the message says it all)
            return False
        self._stamp = self._seen = loaded.stamp
        self.error = ""
        self.loaded_at_s = time.time()
        log.info("the sanitizing policy was read anew; profile %s", loaded.policy.profile)
        if loaded.policy.profile is Profile.OFF:
            log.warning(OFF_WARNING)
        return False
