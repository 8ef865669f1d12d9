"""What a doctor says: known troubles, findings of them, and what is well (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Level(StrEnum):
    """How bad it is. Problems lose data or answers; warnings may; notes are good to know."""

    WELL = "well"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that goes wrong. `symptom` is what a user sees, `why` what is behind it, `mend` what helps."""

    name: str
    level: Level
    symptom: str
    why: str
    mend: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found. `fix` mends it where that is safe, and says what it did."""

    part: str
    level: Level
    text: str
    name: str = ""
    mend: str = ""
    fix: Callable[[], str] | None = None


def well(part: str, text: str) -> Finding:
    """Something that is as it should be."""
    return Finding(part, Level.WELL, text)


class Troubles:
    """The troubles of one part, by name."""

    def __init__(self, part: str, *troubles: Trouble) -> None:
        self.part = part
        self.by_name = {trouble.name: trouble for trouble in troubles}

    def found(self, name: str, text: str, mend: str = "", fix: Callable[[], str] | None = None) -> Finding:
        """A finding of a known trouble; `mend` where it is more exact than the usual one."""
        trouble = self.by_name[name]
        return Finding(self.part, trouble.level, text, name, mend or trouble.mend, fix)
