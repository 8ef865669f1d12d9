"""Entry point of the command: what must be quick goes its own light way, everything else to the command line.

Importing the command line costs some 50 ms. Claude Code waits for the hook before every prompt, so it is run by modules
of the standard library alone.
"""

from __future__ import annotations

import sys

LIGHT = ("hook", "statusline")
"""First words that are answered without the command line; `telem.agent.<word>` has a `main(arguments)`."""


def main() -> None:
    """Run what the command line asks for."""
    if len(sys.argv) > 1 and sys.argv[1] in LIGHT and not {"-h", "--help"} & set(sys.argv[2:]):
        import importlib

        importlib.import_module(f".{sys.argv[1]}", __package__).main(sys.argv[2:])
    elif sys.argv[1:] == ["--version"]:
        from .version import version

        print(f"telem-agent, version {version()}")  # noqa: T201 (as click would, without click)
    else:
        _wake()
        from .cli import main as run

        run()


def _wake() -> None:
    if sys.argv[1:2] in (["query"], ["report"]) and not {"-h", "--help"} & set(sys.argv[2:]):
        import contextlib

        from .waking import wake

        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            wake(sys.argv[2:])
