"""Wrong tokens on the query port, for the access log: that somebody tried, never what; a line a minute and address."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .asked import Asked

if TYPE_CHECKING:
    from collections.abc import Callable

LOGIN = "login"
QUIET_S = 60.0
ADDRESSES_MAX = 1_000
"""Of more addresses at once, the others are not told apart."""


class Logins:
    """Notes the first wrong token of an address at once, and how many came after it once a minute has passed."""

    def __init__(self, note: Callable[[Asked], None], quiet_s: float = QUIET_S) -> None:
        self._note = note
        self._quiet_s = quiet_s
        self._more: dict[str, int] = {}

    def failed(self, address: str) -> None:
        """Somebody there gave a token that is none; called in a running loop."""
        address = address if address in self._more or len(self._more) < ADDRESSES_MAX else ""
        if address in self._more:
            self._more[address] += 1
            return
        self._say(address, "login refused: wrong token")
        self._watch(address)

    def _watch(self, address: str) -> None:
        self._more[address] = 0
        asyncio.get_running_loop().call_later(self._quiet_s, self._look, address)

    def _look(self, address: str) -> None:
        if more := self._more.pop(address):
            self._say(address, f"login refused: wrong token, {more:,} more times in {self._quiet_s:g} s")
            self._watch(address)

    def _say(self, address: str, text: str) -> None:
        self._note(Asked("", "http", text, address=address, problem=LOGIN))
