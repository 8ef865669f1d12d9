"""`telem-agent sanitize --stored`: judge once more what is stored, after the policy was changed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click
import orjson

from telem.storage.disk import Disk
from telem.storage.keys import read_key

from . import control
from .bar import with_bar
from .errors import AgentError
from .policies import load_policy
from .purging import work_without_daemon
from .workers import run_jobs

if TYPE_CHECKING:
    from .config import Config

SCHEMA = 1


def sanitize_stored(config: Config, *, dry: bool, yes: bool, as_json: bool) -> None:
    """Count by rule what would change, ask, and change it. With `dry` only count.

    Raises:
        AgentError: there is nothing stored here, or a step failed; doing it again goes on from there.
    """
    if read_key(config.layout) is None:
        raise AgentError(f"{config.home} holds nothing yet", "It gets something at: telem-agent start")
    if not dry and not yes:
        click.confirm("Rewrite what is stored under the policy in force? What goes is gone.", abort=True, err=True)
    said = with_bar(config, lambda: _counted(config) if dry else _do(config), show=not as_json)
    if as_json:
        click.echo(orjson.dumps({"schema": SCHEMA, **said}, option=orjson.OPT_INDENT_2).decode())
        return
    word = "would be rewritten" if dry else "rewritten"
    click.echo(f"{len(said['files'])} files {word}; {said['rollup_values']} values in the totals' tags")
    for rule, count in sorted(said["rules"].items(), key=lambda item: -item[1]):
        click.echo(f"  {count:8}  {rule}")
    if dry:
        click.echo("The last hour, which is not in Parquet yet, is not counted; it would be done too.", err=True)


def _counted(config: Config) -> dict[str, Any]:
    (said,) = asyncio.run(run_jobs([load_policy(config).job(config, dry=True)]))
    if not said["ok"]:
        raise AgentError(f"it could not be counted: {said['error']}", "Look at: telem-agent verify")
    return said


def _do(config: Config) -> dict[str, Any]:
    layout = config.layout
    running = control.find(layout)
    if running is not None:
        return control.ask(running, layout.token, "POST", "/sanitize")
    disk = Disk()
    lock = disk.lock(layout.lock)
    try:
        return work_without_daemon(layout, disk, load_policy(config).job(config, dry=False))
    finally:
        lock.release()
