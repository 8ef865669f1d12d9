"""Destinations: does what may leave arrive?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telem.agent.config import ConfigError
from telem.agent.forward import destinations
from telem.agent.forward.cursor import BY_ITS_OWNER, Cursor
from telem.storage.disk import Disk

from .finding import Finding, Level, Trouble, Troubles, well

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .situation import Situation

LATE_AFTER = 12
"""Failures in a row; by then a quarter of an hour has passed, since gaps grow up to five minutes."""

TROUBLES = Troubles(
    "forwarding",
    Trouble(
        "forwarding-stopped",
        Level.PROBLEM,
        "What is forwarded does not arrive, and `telem-agent forward status` says STOPPED.",
        "The destination answered that it does not know this login or this address (401, 403, 404, 405), or refused "
        "many records in a row. Nothing is lost: rows wait in the store, as long as retention keeps them.",
        "put right what it says, then `telem-agent forward resume NAME`",
    ),
    Trouble(
        "forwarding-broken",
        Level.PROBLEM,
        "What is forwarded does not arrive, and its token or certificate was moved.",
        "The file of a destination cannot be used, or a file that it names cannot be read.",
        "correct the file that is named, or `telem-agent forward remove NAME` and add it anew",
    ),
    Trouble(
        "forwarding-late",
        Level.WARNING,
        "What is forwarded has not arrived for a while.",
        "The destination cannot be reached, or answers that something is wrong on its side. It is tried again every "
        "few minutes, and nothing is lost meanwhile.",
        "`telem-agent forward test NAME` tries at once, and says what is answered",
    ),
    Trouble(
        "forwarding-paused",
        Level.NOTE,
        "A destination was added or paused, and gets nothing.",
        "Its owner wanted it so: `forward pause`, or `forward add --paused`.",
        "`telem-agent forward resume NAME`",
    ),
    Trouble(
        "forwarding-refused",
        Level.NOTE,
        "Some rows are missing at the destination.",
        "It refused them one by one; the others went on. They are kept in the store, and noted.",
        "`telem-agent forward retry NAME` sends them once more",
    ),
)


def check(situation: Situation) -> Iterator[Finding]:
    """Each destination in turn."""
    for name in destinations.names(situation.config.layout):
        found = list(_one(situation, name))
        yield from found
        if not found:
            yield well("forwarding", f"{name} has no trouble")


def _one(situation: Situation, name: str) -> Iterator[Finding]:
    layout = situation.config.layout
    try:
        destinations.check_files(destinations.read(layout, name))
        cursor = Cursor(layout, Disk(), name)
    except (ConfigError, OSError, ValueError) as error:
        yield TROUBLES.found("forwarding-broken", str(error), _for("forwarding-broken", name))
        return
    state = cursor.state
    if why := cursor.paused:
        kind = "forwarding-paused" if why == BY_ITS_OWNER else "forwarding-stopped"
        yield TROUBLES.found(kind, f"{name}: {why}", _for(kind, name))
    elif state.failures >= LATE_AFTER:
        text = f"{name} has failed {state.failures} times in a row, last at {state.error_at}: {state.error}"
        yield TROUBLES.found("forwarding-late", text, _for("forwarding-late", name))
    if state.rejected:
        text = f"{name} refused {state.rejected} rows"
        yield TROUBLES.found("forwarding-refused", text, _for("forwarding-refused", name))


def _for(trouble: str, name: str) -> str:
    return TROUBLES.by_name[trouble].mend.replace("NAME", name)
