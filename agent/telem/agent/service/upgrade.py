"""`telem-agent upgrade --check`: is there a newer version? Asked only when the user asks.

pip does the asking, so it is the index, the proxy and the credentials that this machine installs from.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib import metadata
from typing import Any

import click
import orjson

from telem.agent.errors import AgentError
from telem.agent.interpreter import PYTHON

SCHEMA = 1
TIMEOUT_S = 60
_AVAILABLE = re.compile(r"^Available versions: (.+)$", re.MULTILINE)


def check(index_url: str, *, as_json: bool) -> bool:
    """Say whether there is a newer version; returns whether this one is the newest.

    Raises:
        AgentError: nobody could say.
    """
    installed = metadata.version("telem-agent")
    newest = max(available(index_url), key=_numbers, default=installed)
    is_newest = _numbers(newest) <= _numbers(installed)
    if as_json:
        said: dict[str, Any] = {"schema": SCHEMA, "installed": installed, "newest": newest, "is_newest": is_newest}
        click.echo(orjson.dumps(said, option=orjson.OPT_INDENT_2).decode())
    elif is_newest:
        click.echo(f"telem-agent {installed} is the newest version.")
    else:
        click.echo(f"telem-agent {newest} is there, {installed} is installed.")
        click.echo(f"  {how()}; then: telem-agent restart", err=True)
    return is_newest


def available(index_url: str = "") -> list[str]:
    """The published versions.

    Raises:
        AgentError: there is no pip, or it got no answer.
    """
    command = [
        *_pip(),
        "index",
        "versions",
        "telem-agent",
        "--disable-pip-version-check",
        "--no-input",
        "--retries",
        "1",
    ]
    command += ["--index-url", index_url] if index_url else []
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise AgentError(f"{command[0]} could not be run: {error}") from error
    found = _AVAILABLE.search(done.stdout)
    if done.returncode or not found:
        lines = (done.stderr or done.stdout).strip().splitlines()
        why = lines[-1] if lines else "no answer"
        raise AgentError(f"the package index did not say which versions there are: {why}")
    return [version.strip() for version in found[1].split(",")]


def _pip() -> list[str]:
    """A pip that installs into this environment, or pipx's."""
    done = subprocess.run([*PYTHON, "pip", "--version"], capture_output=True, check=False)
    if done.returncode == 0:
        return [*PYTHON, "pip"]
    pipx = shutil.which("pipx")
    if pipx:
        return [pipx, "runpip", "telem-agent"]
    raise AgentError("there is neither pip nor pipx to ask the package index with", how())


def how() -> str:
    """How this installation is upgraded."""
    prefix = sys.prefix.replace("\\", "/")
    if "/pipx/" in prefix:
        return "pipx upgrade telem-agent"
    if "/uv/tools/" in prefix:
        return "uv tool upgrade telem-agent"
    return f"{sys.executable} -m pip install --upgrade telem-agent"


def removal() -> str:
    """How this installation is removed."""
    return how().replace("install --upgrade", "uninstall").replace("upgrade", "uninstall")


def _numbers(version: str) -> tuple[int, ...]:
    """Order of released versions; what follows the numbers (a release candidate) comes before them."""
    numbers = [int(part) for part in re.findall(r"\d+", re.split(r"[a-z+]", version, maxsplit=1)[0])]
    return (*numbers, *[0] * (4 - len(numbers)), 0 if re.search(r"[a-z]", version.partition("+")[0]) else 1)
