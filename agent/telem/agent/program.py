"""This program: where it lies, and what to type for it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path


def path() -> str:
    """This program, by a path that stays when it is upgraded."""
    beside = Path(sys.executable).with_name("telem-agent")
    on_path = shutil.which("telem-agent")
    if on_path and (not beside.exists() or Path(on_path).resolve() == beside.resolve()):
        return str(Path(on_path).absolute())
    return str(beside)


def typed() -> str:
    """What to type for it here: its name where the shell finds it, else its path, from here if that is shorter."""
    found = path()
    if shutil.which("telem-agent") == found:
        return "telem-agent"
    return min(found, os.path.relpath(found), key=len)
