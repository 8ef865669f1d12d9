"""Which kind of file system a folder lies on. Locks and syncs do not hold on a network's."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "afpfs", "webdav", "fuse.sshfs", "sshfs", "9p", "drvfs", "v9fs")
_MOUNT_TIMEOUT_S = 1.0


def mounts() -> dict[str, str]:
    """Mount point -> kind of file system."""
    with suppress(OSError):
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
        return {words[1].replace("\\040", " "): words[2] for words in map(str.split, lines)}
    import subprocess  # on macOS alone

    with suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run(["/sbin/mount"], capture_output=True, text=True, timeout=_MOUNT_TIMEOUT_S, check=False)
        return dict(_mac_mount(line) for line in said.stdout.splitlines() if " on " in line)
    return {}


def _mac_mount(line: str) -> tuple[str, str]:
    """`//ada@nas/home on /Volumes/home (smbfs, nodev)` -> `/Volumes/home`, `smbfs`."""
    place, _, options = line.partition(" on ")[2].rpartition(" (")
    return place, options.rstrip(")").partition(",")[0]


def file_system_of(path: Path, known: dict[str, str]) -> str:
    """The kind of the innermost mount that holds a path."""
    real = path.resolve()
    return next((known[str(folder)] for folder in (real, *real.parents) if str(folder) in known), "")


def network_of(path: Path) -> str:
    """The kind of the network file system that a path lies on; empty for none."""
    kind = file_system_of(path, mounts())
    return kind if kind in NETWORK else ""
