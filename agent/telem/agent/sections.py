"""The order in which `telem-agent --help` tells its commands: by what somebody wants, the first things first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import click

SECTIONS: dict[str, tuple[str, ...]] = {
    "Begin": ("start", "setup", "doctor", "verify-setup", "demo"),
    "Ask": ("query", "report", "sql", "tables", "describe", "mcp", "token", "audit"),
    "Every day": ("status", "top", "statusline", "budget", "feedback", "import"),
    "The daemon": ("stop", "restart", "run", "service", "logs", "settings", "completion", "hook"),
    "Privacy": ("sanitize", "identity", "purge", "selftest"),
    "The data": ("export", "backup", "restore", "import-archive", "retention", "verify", "compact", "catalog"),
    "A team": ("forward", "hub"),
    "Upkeep": ("bundle", "upgrade", "uninstall"),
}


def write(commands: Mapping[str, click.Command], formatter: click.HelpFormatter) -> None:
    """Write all of them; one that no section names comes last."""
    named = {name for names in SECTIONS.values() for name in names}
    others = tuple(name for name in commands if name not in named)
    width = max(map(len, commands))
    for title, names in (*SECTIONS.items(), ("Others", others)):
        rows = [(name.ljust(width), _sentence(commands[name])) for name in names if name in commands]
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)


def _sentence(command: Any) -> str:
    """The first sentence of its help, whole."""
    text = " ".join(str(command.help or "").split("\n\n")[0].split())
    return text.partition(". ")[0].rstrip(".")
