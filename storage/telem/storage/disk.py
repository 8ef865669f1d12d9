"""The disk, as the house uses it: append, sync, publish by rename, lock. The only file that calls fsync or rename.

Everything that must survive a power cut goes through a `Disk`, so that a test can put a failing one in its place.
Files are 0600 and directories 0700, also when they were something else before.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE_MODE = 0o600
WRITING_MODE = 0o700
"""Of a file that is being appended to. Whoever finds it in a later life writes it anew: a sync of it may have failed,
its pages then read as if they were on the medium, and another sync would only pretend."""

DIRECTORY_MODE = 0o700
UNSURE_MODE = 0o500
"""Of a directory whose name is not durable yet: whoever finds it, in whatever life, syncs it first."""

TEMPORARY_PREFIX = ".tmp-"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


LOCK_ATTEMPTS = 20
LOCK_PAUSE_S = 0.01
"""A process that only looks who has the lock holds it for some microseconds; it must not be taken for the owner."""


class DiskFullError(OSError):
    """No space (or quota) left for what was to be written; what was there before is untouched."""


class CannotExchangeError(OSError):
    """The file system cannot exchange two directories in one step."""


class LockedError(RuntimeError):
    """Another process holds the lock. `pid` is its process id, 0 when it did not say."""

    def __init__(self, path: Path, pid: int) -> None:
        super().__init__(f"{path} is held by process {pid or 'unknown'}")
        self.pid = pid


class Appender:
    """A file of our own that only grows, from the moment it is created.

    It is never reopened: a torn line followed by a good one would hide the good one from every reader.
    """

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self.path = path
        self.size = 0
        self.torn = False  # a failed append could not be cut back: the file must not be appended to again

    def append(self, data: bytes) -> None:
        """Write all of `data` at the end, or leave the file as it was.

        Raises:
            DiskFullError: no space left.
            OSError: anything else; the file ends where it ended before, unless cutting it back failed too.
        """
        try:
            _write_all(self._descriptor, data)
        except OSError as error:
            self.torn = True
            os.ftruncate(self._descriptor, self.size)
            os.lseek(self._descriptor, self.size, os.SEEK_SET)
            self.torn = False
            if error.errno in FULL:
                raise DiskFullError(error.errno, f"no space left for {len(data)} bytes", str(self.path)) from error
            raise
        self.size += len(data)

    def sync(self) -> None:
        """Return when everything appended is on the medium. Never call it again after it failed."""
        sync_descriptor(self._descriptor)

    def retreat(self, size: int) -> None:
        """Give up what was appended after `size`, so that no reader counts it; it was never acknowledged."""
        os.ftruncate(self._descriptor, size)
        self.size = size

    def close(self) -> None:
        """Close it; it is not opened again. All that is in it has been synced."""
        with suppress(OSError):
            os.fchmod(self._descriptor, FILE_MODE)
        self.leave()

    def leave(self) -> None:
        """Close it as it is: what is in it may not be on the medium."""
        os.close(self._descriptor)


class Lock:
    """An exclusive lock on a file, held until `release` or the end of the process, however it ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go of it; it is free when nobody else has the descriptor too."""
        os.close(self._descriptor)

    def fileno(self) -> int:
        """The descriptor: whoever is given it has the lock as well."""
        return self._descriptor


class Disk:
    """The real disk."""

    def directory(self, path: Path) -> None:
        """Make a directory that only its owner may enter, with its parents, their names durable at once."""
        missing, there = [], path
        while not there.exists():
            missing.append(there)
            there = there.parent
        mode = there.stat().st_mode & 0o777
        if mode == UNSURE_MODE:
            self._settle(there)
        elif there == path and mode != DIRECTORY_MODE:
            path.chmod(DIRECTORY_MODE)
        for made in reversed(missing):
            made.mkdir(mode=UNSURE_MODE, exist_ok=True)
            self._settle(made)

    def _settle(self, path: Path) -> None:
        """Make the name of a new directory durable, and only then let anything be written into it."""
        self.sync_directory(path.parent)
        path.chmod(DIRECTORY_MODE)

    def create(self, path: Path) -> Appender:
        """Create a new file to append to, its name durable at once. Its mode says so until it is closed.

        Raises:
            FileExistsError: there is one.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, WRITING_MODE)
        try:
            self.sync_directory(path.parent)
        except OSError:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        return Appender(descriptor, path)

    def write(self, path: Path, data: bytes, mode: int = FILE_MODE) -> None:
        """Put a whole file in place: beside it, synced, renamed, its directory synced. No leftover on failure."""
        temporary = path.with_name(f"{TEMPORARY_PREFIX}{path.name}-{os.urandom(4).hex()}")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
            try:
                if mode != FILE_MODE:
                    os.fchmod(descriptor, mode)
                _write_all(descriptor, data)
                sync_descriptor(descriptor)
            finally:
                os.close(descriptor)
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            if error.errno in FULL:
                raise DiskFullError(error.errno, f"no space left for {len(data)} bytes", str(path)) from error
            raise
        self.sync_directory(path.parent)

    def extend(self, path: Path, data: bytes) -> None:
        """Add to the end of a file that only grows, durably; make it if it is not there.

        What a crash left torn at its end is closed with a line feed first, so that it spoils nothing but itself.
        Its name is made durable before anything is in it: whoever finds it not empty need not ask for its name.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, FILE_MODE)
        try:
            size = os.fstat(descriptor).st_size
            if not size:
                self.sync_directory(path.parent)
            torn = size and os.pread(descriptor, 1, size - 1) != b"\n"
            view = memoryview(b"\n" + data if torn else data)
            while view:
                view = view[os.write(descriptor, view) :]
            sync_descriptor(descriptor)
        finally:
            os.close(descriptor)

    def publish(self, temporary: Path, path: Path) -> None:
        """Give a finished file its name: sync it, rename it, sync the directory; take back a name that may not last.

        It would be taken for published: its segments would be emptied, and a power cut could take the name away.
        """
        self.sync_file(temporary)
        temporary.replace(path)
        try:
            self.sync_directory(path.parent)
        except OSError:
            path.unlink()
            raise

    def publish_tree(self, temporary: Path, path: Path) -> None:
        """Give a finished folder its name: everything below it synced, renamed, its parent synced.

        Raises:
            OSError: there is something at `path` already, unless that is an empty folder.
        """
        for found in temporary.rglob("*"):
            if found.is_dir():
                found.chmod(DIRECTORY_MODE)
                self.sync_directory(found)
            else:
                self.sync_file(found)
        temporary.chmod(DIRECTORY_MODE)
        self.sync_directory(temporary)
        temporary.rename(path)
        self.sync_directory(path.parent)

    def move(self, path: Path, target: Path) -> None:
        """Give a file another name, durably; in two directories it may have both for a moment, and never none."""
        path.replace(target)
        self.sync_directory(target.parent)
        self.sync_directory(path.parent)

    def exchange(self, one: Path, other: Path) -> None:
        """Let two directories change names in one step, durably.

        Raises:
            CannotExchangeError: this system or file system has no such step; both are where they were.
            OSError: it did not happen for another reason; likewise.
        """
        _exchange(one, other)
        self.sync_directory(one.parent)
        self.sync_directory(other.parent)

    def link(self, path: Path, other: Path) -> None:
        """Give a finished file a second name, durably; a copy of it where the file system has no such thing."""
        try:
            os.link(path, other)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.EXDEV):
                raise
            temporary = other.with_name(f"{TEMPORARY_PREFIX}{other.name}-{os.urandom(4).hex()}")
            import shutil

            shutil.copyfile(path, temporary)
            self.publish(temporary, other)
            return
        self.sync_directory(other.parent)

    def sync_file(self, path: Path) -> None:
        """Put on the medium what has been written into a file, also by a process that is gone."""
        path.chmod(FILE_MODE)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            sync_descriptor(descriptor)
        finally:
            os.close(descriptor)

    def empty(self, path: Path) -> None:
        """Cut a file to nothing, durably; its name stays, for readers that have listed it.

        Were its rows to come back with a power cut, views that were published since would count them twice, and what
        was purged would be there again. Until it is sure to stay empty its mode says so, to later lives too.
        """
        path.chmod(WRITING_MODE)
        self.cut(path, 0)
        path.chmod(FILE_MODE)

    def remove(self, path: Path) -> None:
        """Take a file away, durably."""
        path.unlink(missing_ok=True)
        self.sync_directory(path.parent)

    def cut(self, path: Path, size: int) -> None:
        """Cut a file back to `size` bytes, durably."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.ftruncate(descriptor, size)
            sync_descriptor(descriptor)
        finally:
            os.close(descriptor)

    def sync_directory(self, path: Path) -> None:
        """Make the names in a directory durable."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def lock(self, path: Path) -> Lock:
        """Take the lock, and write our process id into it for whoever comes second.

        Raises:
            LockedError: another living process has it.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
        for attempt in range(LOCK_ATTEMPTS):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if attempt + 1 < LOCK_ATTEMPTS:
                    time.sleep(LOCK_PAUSE_S)
                    continue
                pid = _read_pid(descriptor)
                os.close(descriptor)
                raise LockedError(path, pid) from error
            break
        lock = Lock(descriptor)
        self.sign(lock)
        return lock

    def adopt_lock(self, descriptor: int) -> Lock:
        """A lock whose descriptor was given to us by the process that holds it. It holds it until both have let go."""
        return Lock(descriptor)

    def sign(self, lock: Lock) -> None:
        """Write our process id into a lock we have."""
        os.ftruncate(lock.fileno(), 0)
        os.pwrite(lock.fileno(), f"{os.getpid()}\n".encode(), 0)

    def wait_for_lock(self, path: Path) -> Lock:
        """Take a lock that others hold for a while only."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return Lock(descriptor)

    def holder(self, path: str | os.PathLike[str]) -> int | None:
        """Process id of whoever has the lock, 0 when it did not say, None when nobody has. Takes nothing away."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(
                descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB
            )  # shared, so that two that look do not see each other
        except BlockingIOError:
            return _read_pid(descriptor)
        finally:
            os.close(descriptor)
        return None

    def sweep_temporary(self, root: Path) -> Iterator[Path]:
        """Remove what a crash left half-written; yields what was removed."""
        for path in root.rglob(f"{TEMPORARY_PREFIX}*"):
            if path.is_file():
                path.unlink(missing_ok=True)
                yield path


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _read_pid(descriptor: int) -> int:
    text = os.read(descriptor, 32).decode("ascii", "replace").strip()
    return int(text) if text.isdigit() else 0


_AT_FDCWD = -100
_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2) and RENAME_SWAP of renamex_np(2)


def _exchange(one: Path, other: Path) -> None:
    import ctypes  # rarely needed, and every command imports this module

    library = ctypes.CDLL(None, use_errno=True)
    first, second = os.fsencode(one), os.fsencode(other)
    if hasattr(library, "renameat2"):
        failed = library.renameat2(_AT_FDCWD, first, _AT_FDCWD, second, _EXCHANGE)
    elif hasattr(library, "renamex_np"):
        failed = library.renamex_np(first, second, _EXCHANGE)
    else:
        failed = -1
    if failed:
        number = ctypes.get_errno() or errno.ENOSYS
        kind = CannotExchangeError if number in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP) else OSError
        raise kind(number, os.strerror(number), str(one))


def sync_descriptor(descriptor: int) -> None:
    """Put a file's data on the medium. On macOS fsync stops at the drive's cache; F_FULLFSYNC does not."""
    if sys.platform == "darwin":
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(descriptor)
