"""Where the data folder is when nobody says. Light: the hook imports it, and pathlib alone costs some milliseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HOME_ENV = "TELEM_AGENT_HOME"


def default_home() -> Path:
    """The user's data folder, as the platform has it."""
    import platformdirs

    return platformdirs.user_data_path("telem-agent", appauthor=False)
