"""Settings as flags: what the commands of every file share."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import click

from .config import SETTINGS, load

if TYPE_CHECKING:
    from collections.abc import Callable


def with_settings(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the flags of these settings (`home` always), and its function a `Config` first."""
    chosen = [setting for setting in SETTINGS if setting.name in ("home", *names)]

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def call(**given: Any) -> None:
            flags = {setting.name: given.pop(setting.name) for setting in chosen}
            function(load(flags), **given)

        for setting in reversed(chosen):
            call = click.option(setting.flag, setting.name, help=f"{setting.sentence} [{setting.env}]")(call)
        return call

    return decorate


SERVING = tuple(setting.name for setting in SETTINGS[1:])
