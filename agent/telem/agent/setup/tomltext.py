"""TOML as text, with the same verbs as `jsontext`: what is not set or removed stays as it was, to the byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.exceptions import ParseError, TOMLKitError
from tomlkit.items import AbstractTable

from .jsontext import MISSING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tomlkit import TOMLDocument


class TomlTextError(ValueError):
    """A text that is not TOML; the message says where."""


class TomlText:
    """One TOML text; edits answer with a new one.

    Raises:
        TomlTextError: it is not TOML.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._document = _parse(text)

    def get(self, *path: str) -> Any:
        """The value at a path, or MISSING."""
        found: Any = self._document.unwrap()
        for step in path:
            if not isinstance(found, dict) or step not in found:
                return MISSING
            found = found[step]
        return found

    def set(self, path: Sequence[str], value: Any) -> TomlText:
        """Set `table.key`. Where there is no such table, it is put at the end of the text.

        Raises:
            TypeError: what should hold it is no table.
        """
        table, key = path
        if self.get(table) is MISSING:
            gap = "" if not self.text or self.text.endswith("\n") else "\n"
            gap += "\n" if self.text.strip() else ""
            return self._renewed(f"{self.text}{gap}[{table}]\n{key} = {_inline(value)}\n")
        document = _parse(self.text)
        if not isinstance(document[table], AbstractTable):
            raise TypeError(f"{table} is not a table, so {key} cannot stand in it")
        document[table][key] = tomlkit.value(_inline(value))
        return self._renewed(tomlkit.dumps(document))

    def remove(self, *path: str) -> TomlText:
        """Take `table.key` out, and the table when nothing is left in it; what is not there need not go."""
        document = _parse(self.text)
        if self.get(*path) is MISSING:
            return self
        table, *rest = path
        if rest:
            del document[table][rest[0]]
        if not rest or not document[table]:
            del document[table]
        return self._renewed(tomlkit.dumps(document))

    def _renewed(self, text: str) -> TomlText:
        """With the line ends that the text had."""
        if "\r\n" in self.text:
            text = text.replace("\r\n", "\n").replace("\n", "\r\n")
        return TomlText(text)


def _parse(text: str) -> TOMLDocument:
    try:
        return tomlkit.parse(text)
    except ParseError as error:
        raise TomlTextError(f"line {error.line}, column {error.col}: {error}") from error
    except TOMLKitError as error:
        raise TomlTextError(str(error)) from error


def _inline(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_inline(item)}" for key, item in value.items()) + " }"
    return str(tomlkit.item(value).as_string())
