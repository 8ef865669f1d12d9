"""What is going on now, for commands: from the running daemon, else from what the store says."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from telem.agent import control

from .snapshot import said
from .totals import Totals

if TYPE_CHECKING:
    from telem.agent.config import Config


def current(config: Config) -> dict[str, Any]:
    """As `statusline.json` has it, but of this moment; `status` is the daemon's own, None if none runs."""
    running = control.find(config.layout)
    if running is not None and running.endpoints:
        said = control.ask(running, config.layout.token, "GET", "/summary")
        return {**said, "status": control.ask(running, config.layout.token, "GET", "/status")}
    return {**from_store(config), "status": None}


def from_store(config: Config) -> dict[str, Any]:
    """The same without a daemon."""
    from .seed import seed

    totals = Totals()
    totals.load(seed(config.layout, time.time_ns() // 1000))
    return said(config.layout, totals)
