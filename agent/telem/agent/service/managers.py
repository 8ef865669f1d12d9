"""The service managers: what they are told, by which commands, and what they say."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from telem.agent.errors import AgentError
from telem.storage.disk import Disk

from .units import LABEL, launchd_plist, profile_block, systemd_unit, with_block, without_block

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_S = 30
UNIT_MODE = 0o644


class Manager(ABC):
    """A service manager of this user."""

    name: str
    supervises = True
    """Does it start the daemon again when it crashes?"""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ

    @property
    @abstractmethod
    def path(self) -> Path:
        """The file it reads."""

    @abstractmethod
    def text(self, program: str, home: Path) -> bytes:
        """What that file holds once the service is installed."""

    @abstractmethod
    def enable(self) -> None:
        """Read the file anew, start at login from now on."""

    @abstractmethod
    def disable(self) -> None:
        """Do not start it at login any more; end it."""

    @abstractmethod
    def act(self, verb: str) -> None:
        """Start, stop or restart it."""

    @abstractmethod
    def state(self) -> str:
        """What the manager says of it, in a word or a line."""

    def install(self, program: str, home: Path) -> None:
        """Put the file in place and enable it. Repeating it changes nothing."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        Disk().write(self.path, self.text(program, home), UNIT_MODE)
        self.enable()

    def uninstall(self) -> None:
        """Disable it and remove the file."""
        self.disable()
        self.path.unlink(missing_ok=True)

    def is_installed(self) -> bool:
        """Is its file there?"""
        return self.path.exists()

    def hints(self) -> list[str]:
        """What the user may want to know."""
        return []

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command of the manager.

        Raises:
            AgentError: it failed, or is not there.
        """
        said = " ".join(command)
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=dict(self.environ)
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise AgentError(f"{said} could not be run: {error}") from error
        if check and done.returncode:
            text = (done.stderr or done.stdout).strip()
            raise AgentError(f"{said} failed: {text}", "Without a service: telem-agent start")
        return done.stdout.strip()


class Systemd(Manager):
    """The user's systemd, on Linux and on WSL where it is switched on."""

    name = "systemd"
    unit = f"{LABEL}.service"

    @property
    def path(self) -> Path:
        """The unit."""
        base = self.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        return Path(base) / "systemd" / "user" / self.unit

    def text(self, program: str, home: Path) -> bytes:
        """The unit's text."""
        return systemd_unit(program, home).encode()

    def _systemctl(self, *words: str, check: bool = True) -> str:
        return self.run("systemctl", "--user", *words, check=check)

    def enable(self) -> None:
        """Enable and (re)start the unit."""
        self._systemctl("daemon-reload")
        self._systemctl("enable", self.unit)
        self._systemctl("restart", self.unit)

    def disable(self) -> None:
        """Stop and disable the unit."""
        self._systemctl("disable", "--now", self.unit)

    def uninstall(self) -> None:
        """And let systemd forget it."""
        super().uninstall()
        self._systemctl("daemon-reload", check=False)

    def act(self, verb: str) -> None:
        """Start, stop or restart the unit."""
        self._systemctl(verb, self.unit)

    def state(self) -> str:
        """What systemd calls it: active, inactive, failed and so on."""
        return self._systemctl("is-active", self.unit, check=False) or "unknown"

    def hints(self) -> list[str]:
        """Where its log is; that it ends with the last session unless lingering is on."""
        user = self.environ.get("USER") or str(os.getuid())
        hints = [f"Its log: journalctl --user -u {self.unit} (or telem-agent logs)."]
        if not Path("/var/lib/systemd/linger", user).exists():
            hints.append(f"It ends when you log out. To keep it running: loginctl enable-linger {user}")
        return hints


class Launchd(Manager):
    """launchd of macOS."""

    name = "launchd"

    @property
    def path(self) -> Path:
        """The agent's property list."""
        return Path.home() / "Library" / "LaunchAgents" / f"{LABEL}.plist"

    @property
    def _domain(self) -> str:
        return f"gui/{os.getuid()}"

    def text(self, program: str, home: Path) -> bytes:
        """The property list."""
        return launchd_plist(program, home)

    def enable(self) -> None:
        """Load it anew."""
        self.run("launchctl", "bootout", f"{self._domain}/{LABEL}", check=False)
        self.run("launchctl", "bootstrap", self._domain, str(self.path))

    def disable(self) -> None:
        """Unload it."""
        self.run("launchctl", "bootout", f"{self._domain}/{LABEL}", check=False)

    def act(self, verb: str) -> None:
        """Start, stop or restart the agent."""
        words = {
            "start": ("kickstart", f"{self._domain}/{LABEL}"),
            "restart": ("kickstart", "-k", f"{self._domain}/{LABEL}"),
            "stop": ("kill", "SIGTERM", f"{self._domain}/{LABEL}"),
        }
        self.run("launchctl", *words[verb])

    def state(self) -> str:
        """The line of `launchctl print` that tells the state."""
        said = self.run("launchctl", "print", f"{self._domain}/{LABEL}", check=False)
        lines = (line.strip() for line in said.splitlines())
        return next((line.partition("= ")[2] for line in lines if line.startswith("state = ")), "not loaded")


class LoginShell(Manager):
    """The profile of the login shell: starts the daemon, and does not look after it."""

    name = "the login shell"
    supervises = False

    @property
    def path(self) -> Path:
        """The profile that a login shell of this user reads."""
        if self.environ.get("SHELL", "").endswith("zsh"):
            return Path.home() / ".zprofile"
        names = (".bash_profile", ".bash_login", ".profile")
        return next((Path.home() / name for name in names if (Path.home() / name).exists()), Path.home() / ".profile")

    def text(self, program: str, home: Path) -> bytes:
        """The profile with our lines at its end."""
        return with_block(self._read(), profile_block(program, home)).encode("utf-8", "surrogateescape")

    def _read(self) -> str:
        return self.path.read_text(encoding="utf-8", errors="surrogateescape") if self.path.exists() else ""

    def install(self, program: str, home: Path) -> None:
        """Put our lines at the end of the profile."""
        target = Path(os.path.realpath(self.path))
        mode = target.stat().st_mode & 0o777 if target.exists() else UNIT_MODE
        Disk().write(target, self.text(program, home), mode)

    def uninstall(self) -> None:
        """Take our lines out; a profile in which nothing else is left was ours."""
        target = Path(os.path.realpath(self.path))
        text = without_block(self._read())
        if text:
            Disk().write(target, text.encode("utf-8", "surrogateescape"), target.stat().st_mode & 0o777)
        else:
            target.unlink(missing_ok=True)

    def is_installed(self) -> bool:
        """Are our lines in it?"""
        return without_block(self._read()) != self._read()

    def enable(self) -> None:
        """Nothing to do: the next login reads it."""

    def disable(self) -> None:
        """Nothing to do."""

    def act(self, verb: str) -> None:
        """It can do nothing but start at login."""
        raise AgentError(f"a login shell cannot {verb} anything", f"telem-agent {verb}")

    def state(self) -> str:
        """Whether its lines are there."""
        return "at login" if self.is_installed() else "not installed"

    def hints(self) -> list[str]:
        """What is missing, and how to get it."""
        hints = ["A login shell starts the daemon; nothing starts it again after a crash."]
        if is_wsl():
            hints.append("With systemd it would be: [boot] systemd=true in /etc/wsl.conf, then wsl --shutdown.")
        return hints


def is_wsl() -> bool:
    """Is this Linux inside Windows?"""
    return "microsoft" in os.uname().release.lower()


def manager(environ: Mapping[str, str] | None = None) -> Manager:
    """The one that this machine has."""
    environ = os.environ if environ is None else environ
    if sys.platform == "darwin":
        return Launchd(environ)
    if Path("/run/systemd/system").exists() and shutil.which("systemctl", path=environ.get("PATH")):
        return Systemd(environ)
    return LoginShell(environ)
