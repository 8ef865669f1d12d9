"""A real PostgreSQL of a test's own, on a socket in its folder; None where there is none on this machine."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")


def programs() -> Path | None:
    """The folder with initdb, postgres and psql."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    for pattern in FOLDERS:
        folders += sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


@contextmanager
def postgresql(bin_folder: Path) -> Iterator[Path]:
    """Run one; yields the folder of its socket. It refuses to be root, so a root's tests run it as nobody."""
    options: dict[str, Any] = {"user": "nobody", "extra_groups": []} if os.getuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="telem-pg-", dir=_open_to_all()))
    if "user" in options:
        os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    options |= {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
    data, log = folder / "data", folder / "log"
    try:
        made: list[str | Path] = [
            bin_folder / "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
        ]
        subprocess.run(made, check=True, **options)
        server = f"-k {folder} -c listen_addresses='' -c fsync=off"
        control: list[str | Path] = [bin_folder / "pg_ctl", "-D", data, "-w"]
        subprocess.run([*control, "-l", log, "-o", server, "start"], check=True, **options)
        try:
            yield folder
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=False, **options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _open_to_all() -> str:
    """A folder for temporary files that another user may enter; some machines keep /tmp closed."""
    folders = (tempfile.gettempdir(), "/var/tmp", "/dev/shm")
    return next((folder for folder in folders if Path(folder).stat().st_mode & 0o001), folders[0])
