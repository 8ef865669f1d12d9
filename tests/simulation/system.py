"""A file system that fails at the n-th call, dies at it, and after a power cut has only what was synced.

The product's own code runs on a real folder in memory; the calls of `os` that change something below it pass through
here. What is durable is kept beside it: a file's content as of its last sync, a folder's names as of its last sync.
A power cut makes the folder anew from that, with any of the unsynced changes, in any combination, or none.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

FAILURES = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "EMFILE": errno.EMFILE, "EINTR": errno.EIO}
DEATHS = ("kill", "cut")
BLOCK_BYTES = 64
"""A torn write ends at a multiple of this, or at any byte; small, as the simulated files are."""


class CrashError(BaseException):
    """The process ends here; no `except Exception` of the product may survive it."""


@dataclass
class Plan:
    """What goes wrong in one life: at the call `at`, `what`; a failure lasts for `calls`."""

    what: str = ""
    at: int = 0
    calls: int = 1


@dataclass
class System:
    """The file system of one simulated machine.

    Args:
        root: a folder in memory, removed by whoever made it.
        now_s: the machine's clock; files get their times from it.
    """

    root: Path
    chance: Random
    now_s: Callable[[], float]
    plan: Plan = field(default_factory=Plan)
    calls: int = 0
    dead: bool = False
    failed: int = 0
    names: dict[int, dict[str, int]] = field(default_factory=dict)  # durable: by folder, name -> inode
    content: dict[int, bytes] = field(default_factory=dict)  # durable: by file; absent when it was never synced
    poisoned: set[int] = field(default_factory=set)  # a sync failed: later ones only pretend
    ghosts: dict[int, bytes] = field(default_factory=dict)  # what files had that have no name any more
    pending: list[list[tuple[int, str, int | None]]] = field(default_factory=list)
    opened: dict[int, int] = field(default_factory=dict)  # descriptors below root -> inode
    folders: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._prefix = f"{self.root}/"
        inode = os.stat(self.root).st_ino
        self.names[inode] = {}
        self.folders.add(inode)

    # -- what goes wrong --------------------------------------------------------------------------------------------

    def step(self) -> str:
        """Count a call that changes something; what is to go wrong with it."""
        if self.dead:
            raise CrashError
        self.calls += 1
        plan = self.plan
        if not plan.what or not plan.at <= self.calls < plan.at + plan.calls:
            return ""
        if plan.what in DEATHS:
            self.dead = True
            raise CrashError
        self.failed += 1
        return plan.what

    def fail_if_told(self, path: object) -> None:
        what = self.step()
        if what:
            number = FAILURES.get(what, errno.EIO)
            raise OSError(number, "told to fail", str(path))

    # -- the calls --------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def running(self, disk_module: Any) -> Iterator[None]:
        """Stand between the product and `os`."""
        replaced = {
            name: getattr(self, f"_{name}")
            for name in (
                "open", "close", "write", "fsync", "fdatasync", "ftruncate", "truncate",
                "replace", "rename", "link", "unlink", "remove", "mkdir", "rmdir",
            )
        }  # fmt: skip
        self.real = {name: getattr(os, name) for name in replaced}
        self.exchange = disk_module._exchange
        with contextlib.ExitStack() as stack:
            for name, function in replaced.items():
                stack.enter_context(mock.patch.object(os, name, function))
            stack.enter_context(mock.patch.object(disk_module, "_exchange", self._exchange))
            try:
                yield
            finally:
                for descriptor in list(self.opened):
                    self.real["close"](descriptor)
                self.opened.clear()

    def _is_ours(self, path: object) -> bool:
        return isinstance(path, str | Path) and f"{path}/".startswith(self._prefix)

    def _parent(self, path: object) -> int:
        return os.stat(os.path.dirname(str(path))).st_ino

    def _changed(self, *changes: tuple[int, str, int | None]) -> None:
        self.pending.append(list(changes))

    def _touch(self, path: object) -> None:
        os.utime(str(path), (self.now_s(), self.now_s()))

    def _open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if dir_fd is not None or not self._is_ours(path):
            return int(self.real["open"](path, flags, mode, dir_fd=dir_fd))
        new = bool(flags & os.O_CREAT) and not os.path.lexists(path)
        if new or flags & (os.O_WRONLY | os.O_RDWR):
            self.fail_if_told(path)
        descriptor = int(self.real["open"](path, flags, mode))
        inode = os.fstat(descriptor).st_ino
        self.opened[descriptor] = inode
        if new:
            self._changed((self._parent(path), os.path.basename(path), inode))
        return descriptor

    def _close(self, descriptor: int) -> None:
        self.opened.pop(descriptor, None)
        self.real["close"](descriptor)

    def _write(self, descriptor: int, data: Any) -> int:
        if descriptor not in self.opened:
            return int(self.real["write"](descriptor, data))
        what = self.step()
        size = len(data)
        if what:
            size = self.chance.randrange(size + 1)
            if size == 0 or what != "short":
                self.real["write"](descriptor, bytes(data)[:size])
                raise OSError(FAILURES.get(what, errno.EIO), "told to fail", "a write")
        written = int(self.real["write"](descriptor, bytes(data)[:size]))
        os.utime(descriptor, (self.now_s(), self.now_s()))
        return written

    def _fdatasync(self, descriptor: int) -> None:
        self._sync(descriptor)

    def _fsync(self, descriptor: int) -> None:
        self._sync(descriptor)

    def _sync(self, descriptor: int) -> None:
        if descriptor not in self.opened:
            self.real["fsync"](descriptor)
            return
        inode = os.fstat(descriptor).st_ino
        if self.step():
            self.poisoned.add(inode)
            raise OSError(errno.EIO, "told to fail", "a sync")
        if inode in self.folders:
            self._sync_folder(inode)
        elif inode not in self.poisoned:
            self.content[inode] = Path(f"/proc/self/fd/{descriptor}").read_bytes()

    def _sync_folder(self, inode: int) -> None:
        for changes in self.pending:
            for change in [change for change in changes if change[0] == inode]:
                _apply(self.names, change)
                changes.remove(change)
        self.pending = [changes for changes in self.pending if changes]

    def _ftruncate(self, descriptor: int, size: int) -> None:
        if descriptor in self.opened:
            self.fail_if_told("a truncation")
            os.utime(descriptor, (self.now_s(), self.now_s()))
        self.real["ftruncate"](descriptor, size)

    def _truncate(self, path: Any, size: int) -> None:
        self.fail_if_told(path)
        self.real["truncate"](path, size)
        self._touch(path)

    def _replace(self, source: Any, target: Any) -> None:
        if not self._is_ours(source):
            self.real["replace"](source, target)
            return
        self.fail_if_told(source)
        self._remember(target)
        inode = os.stat(source).st_ino
        changes = (
            (self._parent(source), os.path.basename(source), None),
            (self._parent(target), os.path.basename(target), inode),
        )
        self.real["replace"](source, target)
        self._touch(target)
        self._changed(*changes)

    _rename = _replace

    def _link(self, source: Any, target: Any) -> None:
        if not self._is_ours(target):
            self.real["link"](source, target)
            return
        self.fail_if_told(target)
        self.real["link"](source, target)
        self._changed((self._parent(target), os.path.basename(target), os.stat(source).st_ino))

    def _unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        parent, name = self._place(path, dir_fd)
        if parent not in self.names and not self._is_ours(path):
            self.real["unlink"](path, dir_fd=dir_fd)
            return
        if not os.path.lexists(path) and dir_fd is None:
            self.real["unlink"](path)
        self.fail_if_told(path)
        if dir_fd is None:
            self._remember(path)
        else:
            self._remember(f"/proc/self/fd/{dir_fd}/{name}")
        self.real["unlink"](path, dir_fd=dir_fd)
        self._changed((parent, name, None))

    _remove = _unlink

    def _rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        parent, name = self._place(path, dir_fd)
        if parent in self.folders:
            self.fail_if_told(path)
            self._changed((parent, name, None))
        self.real["rmdir"](path, dir_fd=dir_fd)

    def _mkdir(self, path: Any, mode: int = 0o777, **more: Any) -> None:
        if not self._is_ours(path):
            self.real["mkdir"](path, mode, **more)
            return
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "exists", str(path))
        parent = self._parent(path)
        self.fail_if_told(path)
        self.real["mkdir"](path, mode)
        inode = os.stat(path).st_ino
        self.folders.add(inode)
        self.names[inode] = {}
        self._changed((parent, os.path.basename(path), inode))

    def _exchange(self, one: Path, other: Path) -> None:
        self.fail_if_told(one)
        first, second = one.stat().st_ino, other.stat().st_ino
        self.exchange(one, other)
        self._changed((self._parent(one), one.name, second), (self._parent(other), other.name, first))

    def _place(self, path: Any, dir_fd: int | None) -> tuple[int, str]:
        name = os.path.basename(os.fsdecode(path))
        try:
            return (self._parent(path) if dir_fd is None else os.fstat(dir_fd).st_ino), name
        except FileNotFoundError:
            return -1, name

    def _remember(self, path: Any) -> None:
        """Keep the bytes of a file that loses its name: without a synced folder it may have it back."""
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            inode = os.stat(path).st_ino
            with open(path, "rb") as file:
                self.ghosts[inode] = file.read()

    # -- the end of a life ------------------------------------------------------------------------------------------

    def revive(self, plan: Plan) -> None:
        """After the process has ended: begin another life; after a power cut with what was durable."""
        if self.plan.what == "cut" and self.dead:
            self._cut()
        self.plan, self.calls, self.dead = plan, 0, False

    def _cut(self) -> None:
        current: dict[int, Path] = {}
        for folder, _, files in os.walk(self.root):
            current |= {os.stat(os.path.join(folder, name)).st_ino: Path(folder, name) for name in files}
        for changes in self.pending:
            if self.chance.random() < 0.5:
                for change in changes:
                    _apply(self.names, change)
        aside = self.root.with_name(f"{self.root.name}.aside")
        os.rename(self.root, aside)
        root = aside.stat().st_ino
        self.root.mkdir()
        current = {inode: aside / path.relative_to(self.root) for inode, path in current.items()}
        made: dict[int, int] = {}
        content: dict[int, bytes] = {}
        self._make(root, self.root, current, made, content)
        self.names = {
            made[old]: {name: made[inode] for name, inode in names.items() if inode in made}
            for old, names in self.names.items()
            if old in made
        }
        self.folders = set(self.names)
        self.content, self.pending, self.ghosts, self.poisoned = content, [], {}, set()
        shutil.rmtree(aside)

    def _make(
        self, old: int, path: Path, current: dict[int, Path], made: dict[int, int], content: dict[int, bytes]
    ) -> None:
        made[old] = path.stat().st_ino
        for name, inode in self.names[old].items():
            target = path / name
            if inode in self.names:
                target.mkdir()
                self._make(inode, target, current, made, content)
                continue
            there = current.get(inode)
            now = there.read_bytes() if there else self.ghosts.get(inode, self.content.get(inode, b""))
            data = self._survived(self.content.get(inode), now)
            target.write_bytes(data)
            if there:
                found = there.stat()
                os.utime(target, ns=(found.st_mtime_ns, found.st_mtime_ns))
            made[inode] = target.stat().st_ino
            content[made[inode]] = data

    def _survived(self, durable: bytes | None, now: bytes) -> bytes:
        """What a file has after the cut: the synced content, or any part of what was written since."""
        if durable == now:
            return now
        base = durable or b""
        match self.chance.randrange(4):
            case 0:
                return base
            case 1:
                return now
            case 2 if now.startswith(base):
                return now[: self.chance.randint(len(base), len(now))]
            case 3 if now.startswith(base):  # the length is known, a block of the data is not
                at = self.chance.randint(len(base), len(now)) // BLOCK_BYTES * BLOCK_BYTES
                at = max(at, len(base))
                return now[:at] + b"\0" * min(BLOCK_BYTES, len(now) - at) + now[at + BLOCK_BYTES :]
            case _:
                return base


def _apply(names: dict[int, dict[str, int]], change: tuple[int, str, int | None]) -> None:
    folder, name, inode = change
    if inode is None:
        names.setdefault(folder, {}).pop(name, None)
    else:
        names.setdefault(folder, {})[name] = inode
