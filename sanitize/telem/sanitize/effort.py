"""Effort: how much is looked at in one text before the rest of it is given up.

Counted in units of about a microsecond rather than measured, so that a text has the same answer on every machine and
in both engines: what is counted is what both engines see alike, places where a rule's words stand, what its pattern
fits, texts read and unwrapped. Ordinary code of 64 KB takes a tenth of what there is, rarely two fifths.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .rules import Rule

UNITS, UNITS_AGAIN = 20_000, 26_000
"""For a text of up to `UNITS_CHARS` characters; a longer one has more, in proportion. One that holds a marker already
has more, too, so that what came through once does so again, whatever markers take."""
UNITS_CHARS = 65_536
BEGINNING_UNITS = 6_000
"""For the beginning of a text that was too much; when it is too much as well nothing is kept."""

TEXT, VIEW, ESCAPE, FINDING, NAME, VALUE, MATCH, TOKEN = 3, 20, 1, 12, 2, 7, 2, 4
"""What it takes to look at a text, to look at an unwrapped piece, to undo an escape, to replace a finding, to judge a
name, the value after it, what a pattern fits, and what begins like a token: `re` needs twice as many microseconds."""

BACK = 8
"""What it takes beside that to find the way back from a finding in an unwrapped piece."""

LOOK, READ, TRIGGER = 800, 200, 20
"""What it takes to look for triggers in `UNITS_CHARS` characters, to read them for a rule whose words stand there, and
for one trigger of a token: a text with some of each rule's is no text that anybody wrote."""

WATCHED_CHARS = 4_096
"""From here on it is counted how often the words stand that make a rule look; in less they cost little, and there is
always enough."""

GAP, GAP_CHARS_MIN, GAP_CHARS_A_UNIT = re.compile(r"\{0,([0-9]+)\}\?"), 56, 50
"""`[^\\n]{0,200}?` between a command and its flag is read at each place where the command stands."""

LEAD, LEAD_CHARS_MIN, LEAD_UNITS = re.compile(r"\[[^\]]*\]\{([0-9]+),"), 24, 4
"""What a pattern begins with: `re` reads that much before it sees that no trigger follows, and again one further on."""


class TooMuch(Exception):  # noqa: N818 (a state of a text, not an error)
    """There is more to look at in a text than may be."""


class Effort:
    """What is left. Finders take from it and stop when there is nothing; the scanner then raises."""

    __slots__ = ("left", "watched")

    def __init__(self) -> None:
        self.left, self.watched = UNITS_AGAIN, False

    def start(self, chars: int, *, again: bool) -> None:
        """Begin with a text of `WATCHED_CHARS` characters or more, `again` when it holds a marker."""
        units = UNITS_AGAIN if again else UNITS
        self.left = units if chars <= UNITS_CHARS else units * chars // UNITS_CHARS
        self.watched = True


def reading(units: int, chars: int) -> int:
    """Return what it takes to read a text of so many characters."""
    return units * chars // UNITS_CHARS


def is_short(gate: str) -> bool:
    """Tell whether a gate's pattern is bounded, so that `re` can ask it anywhere."""
    return not {"*", "+"} & set(re.sub(r"\[[^\]]*\]|\\.", "", gate))


def place_units(rule: Rule) -> int:
    """Return what one place takes at which a word of this rule stands; in `re`, RE2 reads on in no time."""
    if rule.find != "pattern":
        return 0  # they count what they look at themselves
    lead = LEAD.match(rule.pattern)
    if lead and int(lead[1]) >= LEAD_CHARS_MIN:
        return LEAD_UNITS
    gap = max(map(int, GAP.findall(rule.pattern)), default=0)
    return gap // GAP_CHARS_A_UNIT if gap >= GAP_CHARS_MIN else int(bool(rule.gate) and is_short(rule.gate))
