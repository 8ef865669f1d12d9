"""A progress bar over work that a worker does: it says in a file how far it is."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import click

from telem.storage import intent

if TYPE_CHECKING:
    from collections.abc import Callable

    from .config import Config

POLL_S = 0.2
STEPS = 1000


def with_bar(
    config: Config, work: Callable[[], dict[str, Any]], *, show: bool, label: str = "Rewriting days"
) -> dict[str, Any]:
    """Do it in a thread, and show how far it is on a terminal."""
    result: dict[str, Any] = {}
    failed: list[BaseException] = []

    def run() -> None:
        try:
            result.update(work())
        except BaseException as error:  # noqa: BLE001 (raised again by whoever waits)
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    reached = 0
    with click.progressbar(length=STEPS, label=label, hidden=not show, file=sys.stderr) as bar:
        while thread.is_alive():
            thread.join(POLL_S)
            done, total = intent.progress(config.layout)
            now = STEPS * done // total if total else 0
            bar.update(max(0, now - reached))
            reached = max(reached, now)
        bar.update(STEPS - reached)
    if failed:
        raise failed[0]
    return result
