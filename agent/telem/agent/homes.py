"""Where the data folder is. Light: the hook imports it, and pathlib alone costs some milliseconds."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HOME_ENV = "TELEM_AGENT_HOME"


def home_of(arguments: Sequence[str]) -> str:
    """The data folder that a command is about: of the flag, the environment, or the platform."""
    for number, word in enumerate(arguments):
        if word == "--home" and number + 1 < len(arguments):
            return os.path.expanduser(arguments[number + 1])
        if word.startswith("--home="):
            return os.path.expanduser(word.removeprefix("--home="))
    return os.path.expanduser(os.environ.get(HOME_ENV, "")) or str(default_home())


def default_home() -> Path:
    """The user's data folder, as the platform has it."""
    import platformdirs

    return platformdirs.user_data_path("telem-agent", appauthor=False)
