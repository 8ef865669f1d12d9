"""Who holds a TCP port: from /proc on Linux, from lsof on macOS; of other users' processes only that they exist."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

LISTENING = "0A"
LSOF_TIMEOUT_S = 1.0


class Holder(NamedTuple):
    """A process; `pid` 0 when it is not to be seen."""

    pid: int
    name: str

    def __str__(self) -> str:
        """Its name and process id, as far as they are known."""
        return f"{self.name} (process {self.pid})" if self.pid else "a process of another user"


def is_free(host: str, port: int) -> bool:
    """Could we listen there? As the daemon would: a port in TIME_WAIT is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family):
            return True
    except OSError:
        return False


def holder_of(port: int) -> Holder:
    """The process that listens on a port."""
    if Path("/proc/net/tcp").exists():
        return _from_proc(port)
    return _from_lsof(port)


def _from_proc(port: int) -> Holder:
    sockets = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]:
                words = line.split()
                if words[3] == LISTENING and int(words[1].rpartition(":")[2], 16) == port:
                    sockets.add(f"socket:[{words[9]}]")
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and sockets & set(_targets(process / "fd")):
            return Holder(int(process.name), _name(process))
    return Holder(0, "")


def _targets(folder: Path) -> list[str]:
    found = []
    with suppress(OSError):
        for entry in os.scandir(folder):
            with suppress(OSError):
                found.append(os.readlink(entry.path))  # noqa: PTH115 (a link to no path)
    return found


def _name(process: Path) -> str:
    with suppress(OSError):
        return (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
    return "a process"


def _from_lsof(port: int) -> Holder:
    lsof = shutil.which("lsof")
    if lsof is None:
        return Holder(0, "")
    with suppress(OSError, subprocess.SubprocessError):
        command = [lsof, "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LSOF_TIMEOUT_S, check=False)
        said = {line[0]: line[1:] for line in done.stdout.splitlines() if line}
        if said.get("p", "").isdigit():
            return Holder(int(said["p"]), said.get("c", "a process"))
    return Holder(0, "")
