"""The clients' own files: read as they are, written whole, through symbolic links, with the rights they had."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from telem.agent.errors import AgentError

if TYPE_CHECKING:
    from telem.storage.disk import Disk

BOM = "\ufeff"
NEW_MODE = 0o600
"""Of a file that was not there: settings may hold keys."""

SIZE_LIMIT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ClientFile:
    """A file as it was found. `target` is where symbolic links lead; `data` is None when there is no file."""

    path: Path
    target: Path
    data: bytes | None
    mode: int = NEW_MODE

    @property
    def text(self) -> str:
        """What it says, without a byte order mark; empty when it is not there."""
        return (self.data or b"").decode("utf-8").removeprefix(BOM)

    def encode(self, text: str) -> bytes:
        """Another text in the form of this file: with a byte order mark if it had one."""
        mark = BOM if (self.data or b"").startswith(BOM.encode()) else ""
        return (mark + text).encode()


def read_file(path: Path) -> ClientFile:
    """Read a client's file; that it is not there is fine.

    Raises:
        AgentError: it is no file, cannot be read, or is not UTF-8.
    """
    target = Path(os.path.realpath(path))
    try:
        found = target.stat()
    except FileNotFoundError:
        return ClientFile(path, target, None)
    except OSError as error:
        raise AgentError(f"{path} cannot be read: {os.strerror(error.errno or 0)}") from error
    if not stat.S_ISREG(found.st_mode) or found.st_size > SIZE_LIMIT_BYTES:
        raise AgentError(f"{path} is no file of settings, so it is left alone")
    try:
        data = target.read_bytes()
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise AgentError(f"{path} is not UTF-8 (byte {error.start}), so it is left alone") from error
    except OSError as error:
        raise AgentError(f"{path} cannot be read: {os.strerror(error.errno or 0)}") from error
    return ClientFile(path, target, data, stat.S_IMODE(found.st_mode))


def refusal(file: ClientFile) -> str:
    """Why this file may not be written, or nothing. A file without the right to write is one its owner closed."""
    if file.data is not None:
        if not file.mode & stat.S_IWUSR:
            return f"{file.target} is read-only"
        if not os.access(file.target, os.W_OK):
            return f"{file.target} is not yours to write"
    folder = _nearest(file.target.parent)
    if not folder.is_dir():
        return f"{folder} is not a folder"
    return "" if os.access(folder, os.W_OK | os.X_OK) else f"{folder} is not yours to write"


def write_file(disk: Disk, file: ClientFile, data: bytes) -> list[Path]:
    """Put `data` in place of what was read; returns the folders that had to be made, outermost first.

    Raises:
        AgentError: somebody else has changed the file since it was read.
        OSError: it cannot be written; what was there is untouched.
    """
    if read_file(file.path).data != file.data:
        raise AgentError(f"{file.path} was changed at the same moment, so it is left alone", "Run it again.")
    made: list[Path] = []
    folder = file.target.parent
    while not folder.exists():
        made.insert(0, folder)
        folder = folder.parent
    for folder in made:
        folder.mkdir(mode=0o700)
    if file.data is not None and file.target.stat().st_nlink > 1:
        with file.target.open("r+b") as same:  # another name for the same file is to say the same
            same.write(data)
            same.truncate()
    else:
        disk.write(file.target, data, file.mode)
    return made


def _nearest(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
