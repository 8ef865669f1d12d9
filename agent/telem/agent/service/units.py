"""What a service manager is told: texts of its files (pure)."""

from __future__ import annotations

import plistlib
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LABEL = "telem-agent"
MEMORY_HIGH_MB, MEMORY_MAX_MB = 1024, 2048
"""The daemon takes 60 MB; a worker that merges a day may take some hundred for a moment."""

RESTART_MS = 500
BLOCK_BEGIN, BLOCK_END = "# >>> telem-agent service >>>", "# <<< telem-agent service <<<"
JOINED = "\n# (the line above had no end)\n"
"""Stands before our lines in a profile whose last line was not ended, so that it can be as it was again."""


def systemd_unit(program: str, home: Path) -> str:
    """A unit for the user's systemd.

    A clean end (`telem-agent stop`) stays one; a crash is followed by a start half a second later, unless there were
    twenty in a minute. What a user's manager can lock without a namespace of its own is locked; `ProtectHome` and its
    like need one, and fail where the system forbids that.
    """
    return f"""\
# Written by `telem-agent service install`; `telem-agent service uninstall` removes it.
[Unit]
Description=telem-agent, the telemetry of your coding agents on this machine
StartLimitIntervalSec=60
StartLimitBurst=20

[Service]
Type=exec
ExecStart={_systemd_quote(program)} run --home {_systemd_quote(str(home))}
Restart=on-failure
RestartSec={RESTART_MS}ms
TimeoutStopSec=15s
KillMode=mixed
OOMPolicy=continue
MemoryHigh={MEMORY_HIGH_MB}M
MemoryMax={MEMORY_MAX_MB}M
TasksMax=512
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
SystemCallArchitectures=native
SystemCallFilter=~@clock @cpu-emulation @debug @module @mount @obsolete @raw-io @reboot @swap
SystemCallErrorNumber=EPERM

[Install]
WantedBy=default.target
"""


def _systemd_quote(text: str) -> str:
    """A word of a command in a unit: quoted, with what systemd would replace doubled."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if escaped != text or " " in text or "'" in text or ";" in text else text


def launchd_plist(program: str, home: Path) -> bytes:
    """An agent for launchd: started at login, and again a second after a crash; it logs to the rotated daemon.log."""
    return plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": [program, "run", "--home", str(home)],
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": 1,
            "ProcessType": "Background",
            "ExitTimeOut": 15,
            "Umask": 0o077,
            "StandardOutPath": "/dev/null",
            "StandardErrorPath": "/dev/null",
        },
        sort_keys=False,
    )


def profile_block(program: str, home: Path) -> str:
    """Lines for a login shell's profile, where there is no service manager (WSL without systemd)."""
    command = shlex.join([program, "start", "--home", str(home)])
    return f"{BLOCK_BEGIN}\n[ -x {shlex.quote(program)} ] && ({command} >/dev/null 2>&1 &)\n{BLOCK_END}\n"


def with_block(text: str, block: str) -> str:
    """A profile with our lines at its end, in place of those it had."""
    text = without_block(text)
    return text + (JOINED if text and not text.endswith("\n") else "") + block


def without_block(text: str) -> str:
    """A profile without our lines."""
    before, begin, rest = text.partition(BLOCK_BEGIN)
    _, end, after = rest.partition(f"{BLOCK_END}\n")
    return before.removesuffix(JOINED) + after if begin and end else text
