"""The disk: whole files or none, private ones, and a lock that dies with its holder."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.daemons import wait_for

from telem.storage.disk import TEMPORARY_PREFIX, Disk, DiskFullError, LockedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def small_files(limit_bytes: int) -> Iterator[None]:
    """No file may grow beyond the limit: writes fall short and then fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


@pytest.fixture
def tiny(home: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("only root can mount a file system of its own")
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(home)], check=False, capture_output=True
    ).returncode:
        pytest.skip("this kernel does not let us mount")
    yield home
    subprocess.run(["umount", str(home)], check=True)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_write_appears_whole_and_private(home: Path) -> None:
    """The file has its content, 0600, and nothing lies beside it."""
    Disk().write(home / "file", b"content")
    Disk().write(home / "file", b"other")
    assert (home / "file").read_bytes() == b"other"
    assert mode(home / "file") == 0o600
    assert [path.name for path in home.iterdir()] == ["file"]


def test_a_write_beyond_the_limit_leaves_the_old_file_and_nothing_else(home: Path) -> None:
    """A full disk is a DiskFullError; the old content stays, no temporary is left."""
    disk = Disk()
    disk.write(home / "file", b"old")
    with small_files(1_000), pytest.raises(DiskFullError):
        disk.write(home / "file", b"x" * 5_000)
    assert (home / "file").read_bytes() == b"old"
    assert [path.name for path in home.iterdir()] == ["file"]


def test_an_append_beyond_the_limit_leaves_the_file_as_it_was(home: Path) -> None:
    """What fitted of a short write is cut back; the next append follows the last good one."""
    appender = Disk().create(home / "log")
    appender.append(b"a" * 600)
    with small_files(1_000), pytest.raises(DiskFullError):
        appender.append(b"b" * 600)
    assert (home / "log").read_bytes() == b"a" * 600
    appender.append(b"c")
    assert (home / "log").read_bytes() == b"a" * 600 + b"c"
    assert appender.size == 601
    appender.close()


def test_a_full_file_system_loses_nothing_and_takes_up_again(tiny: Path) -> None:
    """ENOSPC for real: append and write fail cleanly, and work again once there is room."""
    disk = Disk()
    appender = disk.create(tiny / "log")
    written = 0
    while written + 7_000 < 60_000:
        appender.append(b"x" * 7_000)
        written += 7_000
    with pytest.raises(DiskFullError) as caught:
        appender.append(b"x" * 20_000)
    assert caught.value.errno == errno.ENOSPC
    assert (tiny / "log").stat().st_size == written
    with pytest.raises(DiskFullError):
        disk.write(tiny / "file", b"y" * 30_000)
    assert [path.name for path in tiny.iterdir()] == ["log"]
    disk.empty(tiny / "log")
    disk.write(tiny / "file", b"y" * 30_000)
    appender.close()


def test_directories_are_private_also_when_they_were_not(home: Path) -> None:
    """0700, whatever they had before."""
    (home / "open").mkdir(mode=0o755)
    Disk().directory(home / "open")
    Disk().directory(home / "new")
    assert [mode(home / name) for name in ("open", "new")] == [0o700] * 2


def test_a_created_file_is_private_and_must_be_new(home: Path) -> None:
    """Nobody appends to a file of another life, nor through a planted link."""
    Disk().create(home / "log").close()
    assert mode(home / "log") == 0o600
    with pytest.raises(FileExistsError):
        Disk().create(home / "log")
    (home / "link").symlink_to(home / "elsewhere")
    with pytest.raises(OSError):  # noqa: PT011 (which errno is the system's choice)
        Disk().create(home / "link")
    assert not (home / "elsewhere").exists()


def test_publishing_a_file_makes_it_private_and_takes_its_temporary_away(home: Path) -> None:
    """What a library wrote under its own umask is 0600 under its final name."""
    (home / "made").write_bytes(b"data")
    (home / "made").chmod(0o644)
    Disk().publish(home / "made", home / "final")
    assert mode(home / "final") == 0o600
    assert [path.name for path in home.iterdir()] == ["final"]


def test_a_cut_file_has_its_size_and_an_emptied_one_none(home: Path) -> None:
    """Cut and empty keep the name."""
    (home / "log").write_bytes(b"0123456789")
    Disk().cut(home / "log", 4)
    assert (home / "log").read_bytes() == b"0123"
    Disk().empty(home / "log")
    assert (home / "log").read_bytes() == b""


def test_sweeping_removes_temporaries_only(home: Path) -> None:
    """What a crash left half-written goes, everything else stays."""
    (home / "deep").mkdir()
    for name in (f"{TEMPORARY_PREFIX}a", f"deep/{TEMPORARY_PREFIX}b", "keep", "deep/keep"):
        (home / name).write_bytes(b"x")
    removed = list(Disk().sweep_temporary(home))
    assert len(removed) == 2
    assert sorted(path.name for path in home.rglob("*") if path.is_file()) == ["keep", "keep"]


_HOLDER = """
import sys, time
from pathlib import Path
from telem.storage.disk import Disk
lock = Disk().lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_living_holder_is_named_and_a_dead_one_is_no_obstacle(home: Path) -> None:
    """The second process learns the first one's id; after kill -9 the lock is free."""
    path = home / "LOCK"
    holder = subprocess.Popen([sys.executable, "-c", _HOLDER, str(path)], stdout=subprocess.PIPE)
    assert holder.stdout
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(LockedError) as caught:
        Disk().lock(path)
    assert caught.value.pid == holder.pid
    assert str(holder.pid) in str(caught.value)
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert path.read_text() == f"{holder.pid}\n"
    lock = Disk().lock(path)
    assert path.read_text() == f"{os.getpid()}\n"
    lock.release()


def test_a_lock_is_not_inherited_by_children(home: Path) -> None:
    """A worker that outlives the daemon must not keep the directory locked."""
    lock = Disk().lock(home / "LOCK")
    with subprocess.Popen(["sleep", "30"]) as child:
        lock.release()
        Disk().lock(home / "LOCK").release()
        child.kill()
    wait_for(lambda: child.poll() is not None)


def test_an_unreadable_lock_file_names_nobody(home: Path) -> None:
    """A holder that has not said who it is has process id 0."""
    lock = Disk().lock(home / "LOCK")
    (home / "LOCK").write_text("not a number")
    with pytest.raises(LockedError) as caught:
        Disk().lock(home / "LOCK")
    assert caught.value.pid == 0
    lock.release()
