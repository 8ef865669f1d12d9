"""What is to be done to one client's file: edits, what they make of it, and what has to be said about it (pure)."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

from .jsontext import MISSING, JsonText, JsonTextError
from .tomltext import TomlText, TomlTextError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .files import ClientFile
    from .wanted import Displaced

CONTEXT_LINES = 2
_SECRET = re.compile(
    r"""(["']?\w*(?:KEY|TOKEN|SECRET|PASSWORD|AUTH|HEADERS)\w*["']?\s*[:=]\s*)(["']).*?\2""", re.IGNORECASE
)


class Text(Protocol):
    """What JSON and TOML as text have in common."""

    text: str

    def get(self, *path: str) -> Any:
        """The value at a path, or MISSING."""

    def set(self, path: Sequence[str], value: Any) -> Self:
        """The text with another value there."""

    def remove(self, *path: str) -> Self:
        """The text without it."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One step. `verb` is set, append (to a list) or remove; `before` is what stood there, MISSING if nothing did."""

    verb: str
    path: tuple[str, ...]
    value: Any = None
    before: Any = MISSING


@dataclass(frozen=True, slots=True)
class Plan:
    """What setting up one client means. `refused` says why it is left alone; then there are no edits.

    `displaced` is the receiver that loses its place and is to be sent to from here; `taken` says that it was refused
    because there is one.
    """

    client: str
    title: str
    file: ClientFile
    form: str
    edits: tuple[Edit, ...] = ()
    after: str = ""
    sends: str = ""
    notes: tuple[str, ...] = ()
    refused: str = ""
    displaced: Displaced | None = None
    taken: bool = False
    hint: str = ""

    @property
    def path(self) -> Path:
        """The file, under the name the client knows it by."""
        return self.file.path


def parse(form: str, text: str) -> Text:
    """A text in the form of its file: `json`, `jsonc` (JSON with comments) or `toml`. Nothing in it is an empty one.

    Raises:
        JsonTextError, TomlTextError: it has another form.
    """
    if form == "toml":
        return TomlText(text)
    return JsonText(text if text.strip() else "{}\n", comments=form == "jsonc")


FORM_ERRORS = (JsonTextError, TomlTextError)


class Editor:
    """Collects edits on a text; what would change nothing is not one."""

    def __init__(self, form: str, text: str) -> None:
        self.now: Any = parse(form, text)
        self.edits: list[Edit] = []

    def get(self, *path: str) -> Any:
        """The value there now, or MISSING."""
        return self.now.get(*path)

    def set(self, path: Sequence[str], value: Any) -> None:
        """Set a value."""
        before = self.get(*path)
        if before is MISSING or before != value or type(before) is not type(value):
            self.now = self.now.set(path, value)
            self.edits.append(Edit("set", tuple(path), value, before))

    def append(self, path: Sequence[str], value: Any) -> None:
        """Put a value at the end of a list."""
        self.now = self.now.append(path, value)
        self.edits.append(Edit("append", tuple(path), value))

    def remove(self, path: Sequence[str]) -> None:
        """Take a value out."""
        before = self.get(*path)
        if before is not MISSING:
            self.now = self.now.remove(*path)
            self.edits.append(Edit("remove", tuple(path), before=before))

    def prune(self, path: Sequence[str]) -> None:
        """Take out what has become empty, from the inside out."""
        for end in range(len(path), 0, -1):
            if self.get(*path[:end]) in ({}, []):
                self.remove(path[:end])


def take_back(form: str, text: str, edits: Sequence[Edit]) -> tuple[str, list[Edit]]:
    """Undo edits on a text that others have changed meanwhile; what is not ours any more stays, and is returned.

    Raises:
        JsonTextError, TomlTextError: the text has lost its form.
    """
    now: Any = parse(form, text)
    kept = []
    for edit in reversed(edits):
        found = now.get(*edit.path)
        if edit.verb == "remove":
            if found is MISSING:
                now = now.set(edit.path, edit.before)
            else:
                kept.append(edit)
        elif edit.verb == "append":
            if isinstance(found, list) and edit.value in found:
                now = _prune(now.remove(*edit.path, found.index(edit.value)), edit.path)
            else:
                kept.append(edit)
        elif found is MISSING or found != edit.value:
            kept.append(edit)
        elif edit.before is MISSING:
            now = _prune(now.remove(*edit.path), edit.path[:-1])
        else:
            now = now.set(edit.path, edit.before)
    return now.text, kept


def _prune(now: Any, path: Sequence[str]) -> Any:
    """Take out what has become empty, from the inside out."""
    for end in range(len(path), 0, -1):
        if now.get(*path[:end]) in ({}, []):
            now = now.remove(*path[:end])
    return now


def difference(plan: Plan) -> str:
    """The change as a unified diff; values whose names promise a secret are hidden."""
    before, after = plan.file.text, plan.after
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), str(plan.path), str(plan.path), lineterm="", n=CONTEXT_LINES
    )
    return "\n".join(_SECRET.sub(r"\1\2…\2", line) for line in lines)
