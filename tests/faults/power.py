"""A power cut under a real daemon: of its folder only that is left which was synced, and chance parts of the rest.

`power.c` notes beside the folder what each sync has made durable. A cut makes the folder anew from those notes.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random


@dataclass(frozen=True)
class Entry:
    """A durable name in a folder."""

    is_folder: bool
    inode: int
    name: str


class Power:
    """The power of the machine that `home` is on; `env` lets its processes take notes."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._shadow = home.with_name(f"{home.name}.shadow")
        self.env = {"TELEM_TEST_HOME": str(home), "TELEM_TEST_SHADOW": str(self._shadow)}
        self.cuts = 0
        self.undone = 0
        self._sync_all()

    def cut(self, chance: Random) -> None:
        """Cut it; all processes must be dead. When this returns it is on again."""
        anew = self.home.with_name(f"{self.home.name}.anew")
        before = self._files()
        self._make(self.home.stat().st_ino, anew, chance)
        shutil.rmtree(self.home)
        anew.rename(self.home)
        self.undone += before != self._files()
        self.cuts += 1
        self._sync_all()

    def sync(self, path: Path) -> None:
        """Make a file durable that was not written by one of its processes, with its name."""
        self._note_file(path)
        self._note_folder(path.parent)

    def _files(self) -> dict[str, int]:
        return {str(path): path.stat().st_size for path in self.home.rglob("*") if path.is_file()}

    def _make(self, inode: int, folder: Path, chance: Random) -> None:
        folder.mkdir(mode=0o700)
        for entry in self._names(inode):
            if entry.is_folder:
                self._make(entry.inode, folder / entry.name, chance)
            else:
                descriptor = os.open(folder / entry.name, os.O_WRONLY | os.O_CREAT, 0o600)
                os.write(descriptor, self._content(entry.inode, chance))
                os.close(descriptor)

    def _names(self, inode: int) -> list[Entry]:
        try:
            text = (self._shadow / "d" / str(inode)).read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        parts = (line.split(" ", 2) for line in text.splitlines())
        return [Entry(kind == "d", int(number), name) for kind, number, name in parts]

    def _content(self, inode: int, chance: Random) -> bytes:
        """What was synced, and now and then some of what was appended since."""
        noted, now = self._shadow / "f" / str(inode), self._shadow / "p" / str(inode)
        durable = noted.read_bytes() if noted.exists() else b""
        current = now.read_bytes() if now.exists() else b""
        if current.startswith(durable) and chance.random() < 0.5:
            return current[: chance.randint(len(durable), len(current))]
        return durable

    def _sync_all(self) -> None:
        shutil.rmtree(self._shadow, ignore_errors=True)
        for name in ("d", "f", "p"):
            (self._shadow / name).mkdir(parents=True)
        for folder, _, names in os.walk(self.home):
            path = self.home / folder
            for name in names:
                if (path / name).is_file():
                    self._note_file(path / name)
            self._note_folder(path)

    def _note_file(self, path: Path) -> None:
        inode = path.stat().st_ino
        shutil.copyfile(path, self._shadow / "f" / str(inode))
        if not (self._shadow / "p" / str(inode)).exists():
            os.link(path, self._shadow / "p" / str(inode))

    def _note_folder(self, path: Path) -> None:
        lines = []
        for entry in os.scandir(path):
            if entry.is_file(follow_symlinks=False):
                pin = self._shadow / "p" / str(entry.inode())
                if not pin.exists():
                    os.link(entry.path, pin)
                lines.append(f"f {entry.inode()} {entry.name}\n")
            elif entry.is_dir(follow_symlinks=False):
                lines.append(f"d {entry.inode()} {entry.name}\n")
        (self._shadow / "d" / str(path.stat().st_ino)).write_text("".join(lines), encoding="utf-8")
