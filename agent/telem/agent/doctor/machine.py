"""Python, packages, the duckdb shell, which telem-agent this is."""

from __future__ import annotations

import re
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from .finding import Finding, Level, Trouble, Troubles, well

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .situation import Situation

PYTHON_MIN = (3, 11)
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_AT_LEAST = re.compile(r">=\s*([\d.]+)")

TROUBLES = Troubles(
    "machine",
    Trouble(
        "package-missing",
        Level.PROBLEM,
        "Commands end with a traceback about a module.",
        "A package that telem-agent needs is missing or too old: something else was installed into its environment.",
        "`pipx reinstall telem-agent` (or install it into an environment of its own)",
    ),
    Trouble(
        "no-duckdb-shell",
        Level.NOTE,
        "`telem-agent sql` opens a plain shell, and `duckdb` is not found.",
        "DuckDB's own shell is not installed; telem-agent does not need it.",
        "`pipx install duckdb-cli`, or see duckdb.org",
    ),
    Trouble(
        "another-telem-agent",
        Level.WARNING,
        "An upgrade has no effect, or two commands show different data.",
        "The `telem-agent` on the path is another installation than the one that runs now.",
        "remove one of the two",
    ),
    Trouble(
        "not-on-path",
        Level.NOTE,
        "The shell does not find telem-agent.",
        "The folder it is installed in is not on the path. The hook has the whole path and works.",
        "`pipx ensurepath`, then a new shell",
    ),
)


def check(situation: Situation) -> Iterator[Finding]:
    """Is what runs here whole, and the only one?"""
    path = situation.environ.get("PATH", "")
    lacking = list(missing_packages())
    for name, said in lacking:
        yield TROUBLES.found("package-missing", f"{name} {said}")
    if not lacking:
        python = ".".join(map(str, sys.version_info[:3]))
        yield well("machine", f"telem-agent {metadata.version('telem-agent')} on Python {python}")
    if not beside("duckdb").exists() and not shutil.which("duckdb", path=path):
        yield TROUBLES.found("no-duckdb-shell", "there is no duckdb shell")
    yield from _installations(path)


def beside(name: str) -> Path:
    """A command in the environment that this process runs in."""
    return Path(sys.executable).with_name(name)


def _installations(path: str) -> Iterator[Finding]:
    ours = beside("telem-agent")
    found = shutil.which("telem-agent", path=path)
    if found is None:
        yield TROUBLES.found("not-on-path", f"telem-agent is at {ours}, which is not on the path")
    elif ours.exists() and Path(found).resolve() != ours.resolve():
        yield TROUBLES.found("another-telem-agent", f"{found} is on the path, this is {ours}")


def missing_packages(name: str = "telem-agent") -> Iterator[tuple[str, str]]:
    """Requirements that are not there or too old, with what is wrong."""
    for requirement in metadata.requires(name) or ():
        text, _, condition = requirement.partition(";")
        if "extra ==" in condition or "python_version" in condition:
            continue
        found = _NAME.match(text.strip())
        wanted = _AT_LEAST.search(text)
        if not found:
            continue
        try:
            version = metadata.version(found[0])
        except metadata.PackageNotFoundError:
            yield found[0], "is not installed"
            continue
        if wanted and _numbers(version) < _numbers(wanted[1]):
            yield found[0], f"is {version}, at least {wanted[1]} is needed"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])
