"""Each verb of the disk, and a power cut the moment it has returned: what it promised is there."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tests.simulation.promises import WrongError
from tests.simulation.system import CrashError, Plan, System

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a power cut is simulated above the file system


def _made(disk: Any, path: Path, data: bytes = b"old") -> Path:
    """A file that is durable, so that only the verb under test is in doubt."""
    disk.write(path, data)
    disk.sync_directory(path.parent)
    return path


def _unsynced(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _write(disk: Any, home: Path) -> Any:
    disk.write(_made(disk, home / "a"), b"new")
    return lambda: (home / "a").read_bytes() == b"new"


def _directory(disk: Any, home: Path) -> Any:
    disk.directory(home / "one" / "two")
    return (home / "one" / "two").is_dir


def _append(disk: Any, home: Path) -> Any:
    appender = disk.create(home / "s")
    appender.append(b"acknowledged")
    appender.sync()
    return lambda: (home / "s").read_bytes() == b"acknowledged"


def _extend(disk: Any, home: Path) -> Any:
    disk.extend(home / "log", b"one\n")
    disk.extend(home / "log", b"two\n")
    return lambda: (home / "log").read_bytes() == b"one\ntwo\n"


def _sync_file(disk: Any, home: Path) -> Any:
    _unsynced(_made(disk, home / "y"), b"new")
    disk.sync_file(home / "y")
    return lambda: (home / "y").read_bytes() == b"new"


def _link(disk: Any, home: Path) -> Any:
    disk.link(_made(disk, home / "l"), home / "second")
    return lambda: (home / "second").read_bytes() + (home / "l").read_bytes() == b"oldold"


def _publish(disk: Any, home: Path) -> Any:
    disk.publish(_unsynced(home / ".tmp-p", b"rows"), home / "p")
    return lambda: (home / "p").read_bytes() == b"rows"


def _publish_tree(disk: Any, home: Path) -> Any:
    (home / "t").mkdir()
    (home / "t" / "inner").mkdir()
    _unsynced(home / "t" / "a", b"1")
    _unsynced(home / "t" / "inner" / "b", b"2")
    for path in (home / "t" / "a", home / "t" / "inner" / "b"):
        path.with_name(path.name + "-").write_bytes(b"")
        path.rename(path.with_name(path.name + "+"))  # a change of names that `os` tells the simulation of
    disk.publish_tree(home / "t", home / "tree")
    return lambda: (home / "tree" / "a+").read_bytes() + (home / "tree" / "inner" / "b+").read_bytes() == b"12"


def _move(disk: Any, home: Path) -> Any:
    disk.directory(home / "aside")
    disk.move(_made(disk, home / "m"), home / "aside" / "m")
    return lambda: (home / "aside" / "m").read_bytes() == b"old" and not (home / "m").exists()


def _exchange(disk: Any, home: Path) -> Any:
    for folder, name in (("live", "1"), ("outside", "2")):
        disk.directory(home / folder / "day")
        _made(disk, home / folder / "day" / name)
    disk.exchange(home / "outside" / "day", home / "live" / "day")
    return lambda: (home / "live" / "day" / "2").exists() and (home / "outside" / "day" / "1").exists()


def _cut(disk: Any, home: Path) -> Any:
    disk.cut(_made(disk, home / "c", b"goodbad"), 4)
    disk.empty(_made(disk, home / "e", b"rows"))
    disk.directory(home / "r")
    disk.remove(_made(disk, home / "r" / "f"))
    return lambda: (
        (home / "c").read_bytes() == b"good" and (home / "e").read_bytes() == b"" and not (home / "r" / "f").exists()
    )


VERBS = (_write, _directory, _append, _extend, _sync_file, _link, _publish, _publish_tree, _move, _exchange, _cut)


def keep_word(seed: int, disk: Any, disk_module: Any) -> None:
    """Try every verb, each on a machine of its own.

    Raises:
        WrongError: one has promised what a power cut could take back.
    """
    for verb in VERBS:
        folder = Path(tempfile.mkdtemp(prefix="telem-", dir=MEMORY))
        home = folder / "home"
        home.mkdir()
        system = System(home, random.Random(seed), lambda: 1.0)
        try:
            with system.running(disk_module):
                kept = verb(disk, home)
            system.plan, system.dead = Plan("cut"), True
            system.revive(Plan())
            _ask(kept, verb.__name__, seed)
        finally:
            shutil.rmtree(folder)


def _ask(kept: Any, name: str, seed: int) -> None:
    try:
        if kept():
            return
    except (OSError, CrashError):
        pass
    raise WrongError(f"seed {seed}: {name.lstrip('_')} did not keep its word")
