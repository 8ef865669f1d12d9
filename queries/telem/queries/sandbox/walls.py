"""The operating system's walls around the child: what it may open, how much memory it may have (child only).

Landlock (Linux 5.13 and newer): files below the data folders and the interpreter's own libraries can be read; nothing
can be written, made, removed or executed, and from Linux 6.7 on no TCP port can be reached. It must be in place before
any thread is started: it does nothing for those that run already.

rlimits: address space (macOS ignores it: there the parent watches the resident memory instead), no file may grow, no
core is written.
"""

from __future__ import annotations

import ctypes
import os
import resource
import stat
import struct
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446  # the same numbers on every architecture
_PATH_BENEATH = 1
_VERSION = 1
_NO_NEW_PRIVILEGES = 38
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_FILE_RIGHTS_NEWEST = (1 << 16) - 1
_NET_RIGHTS = 0b11
_SCOPES = 0b11
_ABI_NET, _ABI_SCOPES = 4, 6

_SYSTEM = (
    "/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/proc/self/cgroup", "/proc/self/mountinfo",
    "/proc/stat", "/proc/meminfo", "/proc/cpuinfo", "/sys/fs/cgroup", "/sys/devices/system/cpu",
)  # fmt: skip
"""What DuckDB asks the system about its processors and memory (2.0 aborts without its cgroup), and shared libraries."""


def raise_walls(folders: Iterable[str], address_space_mb: int) -> dict[str, Any]:
    """Close this process in; call it first of all. Returns which walls there are: Landlock's version, 0 for none."""
    landlock = _landlock([*folders, *_SYSTEM, *_interpreter()]) if sys.platform == "linux" else 0
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    bounded = _limit(resource.RLIMIT_AS, address_space_mb << 20)
    return {"landlock": landlock, "address_space": bounded}


def _interpreter() -> set[str]:
    return {path for path in (sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path) if path.startswith("/")}


def _limit(which: int, value: int) -> bool:
    """Lower a limit; True if it now holds."""
    try:
        _, hard = resource.getrlimit(which)
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (most, most))
    except (OSError, ValueError):
        return False
    return sys.platform == "linux" or which != resource.RLIMIT_AS


def _landlock(readable: Iterable[str]) -> int:
    """Let only these files and folders be read. Returns the kernel's version of Landlock, 0 if it has none."""
    library = ctypes.CDLL(None, use_errno=True)
    abi = int(library.syscall(_CREATE, None, ctypes.c_size_t(0), _VERSION))
    if abi < 1:
        return 0
    files = _FILE_RIGHTS.get(abi, _FILE_RIGHTS_NEWEST)
    rights = [files, *([_NET_RIGHTS] if abi >= _ABI_NET else []), *([_SCOPES] if abi >= _ABI_SCOPES else [])]
    attribute = struct.pack(f"={len(rights)}Q", *rights)
    ruleset = library.syscall(_CREATE, attribute, ctypes.c_size_t(len(attribute)), 0)
    _check(ruleset)
    for path in readable:
        _let_read(library, ruleset, path)
    _check(library.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _check(library.syscall(_RESTRICT, ruleset, 0))
    os.close(ruleset)
    return abi


def _let_read(library: ctypes.CDLL, ruleset: int, path: str) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # not on this system, or not there yet
    folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
    rule = struct.pack("=Qi", _READ_FILE | _READ_DIR if folder else _READ_FILE, descriptor)
    _check(library.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0))
    os.close(descriptor)


def _check(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"the sandbox could not be closed: {os.strerror(number)}")
