"""Settings as flags: what the commands of every file share."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import click

from telem.storage.formats import check_format

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
            if given.pop("as_hub", False):
                flags["mode"] = "hub"
            config = load(flags)
            check_format(config.layout)
            function(config, **given)

        for setting in reversed(chosen):
            call = click.option(setting.flag, setting.name, help=f"{setting.sentence} [{setting.env}]")(call)
        if "mode" in names:
            call = click.option("--hub", "as_hub", is_flag=True, help="The same as --mode hub.")(call)
        return call

    return decorate


SERVING = tuple(setting.name for setting in SETTINGS[1:])


class WithDefault(click.Group):
    """A group whose first command is meant when none is named: `identity VALUE` is `identity show VALUE`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command's name first, wherever it stands."""
        named = next((word for word in args if word in self.commands), None)
        rest = list(args)
        if named is not None:
            rest.remove(named)
        elif args[:1] in (["-h"], ["--help"]) or (ctx.resilient_parsing and not args):  # the latter: completion
            return super().parse_args(ctx, args)
        return super().parse_args(ctx, [named or next(iter(self.commands)), *rest])
