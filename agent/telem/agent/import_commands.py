"""`telem-agent import claude`: finds the session logs, shows how it goes, says what came of it."""

from __future__ import annotations

import contextlib
import os
import sys
import tomllib
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import orjson

from .errors import AgentError
from .transcripts.folders import PROJECTS, config_folders
from .transcripts.importing import Import, Outcome, Wish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .config import Config

SCHEMA = 1
PLAIN_LOG_BYTES = 1_000_000
NICENESS = 10
SETTLE_S = 60.0
"""So long the client has to export a line itself; it sends every five seconds and tries again for ten."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line was told."""

    paths: tuple[Path, ...] = ()
    with_prompts: bool = False
    watch: bool | None = None
    background: bool = False
    dry: bool = False
    as_json: bool = False


def claude(config: Config, options: Options) -> bool:
    """Import; returns whether every log could be read.

    Raises:
        AgentError: there is nothing to import, or the daemon does not take it.
    """
    if options.background:
        os.nice(NICENESS)
    wishes = [_wish(config, options, *each) for each in _places(options.paths)]
    outcomes = []
    for wish in wishes:
        job = Import(config.layout, wish)
        logs = job.logs()
        with _bar(sum(log.size for log in logs), shown=not options.as_json) as advance:
            job.on_bytes = advance
            outcomes.append(_run(job, logs, options))
    if options.watch is not None and not options.dry:
        _set_watch(config, options)
    for outcome in outcomes:
        if options.as_json:
            click.echo(orjson.dumps(said(outcome, dry=options.dry)).decode())
        else:
            _print(outcome, dry=options.dry)
    return not any(outcome.left_out["log cannot be read"] for outcome in outcomes)


def _run(job: Import, logs: list[Any], options: Options) -> Outcome:
    try:
        return job.run(logs, dry=options.dry)
    except KeyboardInterrupt:
        raise AgentError(
            "interrupted; what was handed over is kept", "Run it again and it goes on where it stopped"
        ) from None


def _places(paths: tuple[Path, ...]) -> list[tuple[tuple[Path, ...], Path | None]]:
    """What to read, and whose it is."""
    if paths:
        missing = [path for path in paths if not path.exists()]
        if missing:
            raise AgentError(f"there is no {missing[0]}", "Give a session log (.jsonl) or a folder with such logs")
        configs = [path for path in paths if (path / PROJECTS).is_dir()]
        logs = tuple(path for path in paths if path not in configs)
        return [*(((path / PROJECTS,), path) for path in configs), *([(logs, None)] if logs else [])]
    folders = config_folders()
    if not folders:
        raise AgentError(
            "there are no session logs of Claude Code: neither CLAUDE_CONFIG_DIR, ~/.config/claude nor ~/.claude has "
            f"a folder {PROJECTS}",
            "Give the folder: telem-agent import claude FOLDER",
        )
    return [((folder / PROJECTS,), folder) for folder in folders]


def _wish(config: Config, options: Options, paths: tuple[Path, ...], folder: Path | None) -> Wish:
    return Wish(paths, folder, options.with_prompts, SETTLE_S if options.background else 0.0, _chapters(config))


def _chapters(config: Config) -> dict[str, str]:
    """The rules `chapters` of config.toml; the settings have been read from it, so it is good."""
    try:
        found = tomllib.loads(config.layout.config.read_text(encoding="utf-8")).get("chapters", {})
    except FileNotFoundError:
        return {}
    return {str(pattern): str(chapter) for pattern, chapter in found.items()}


@contextlib.contextmanager
def _bar(size: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal, over the bytes of the logs."""
    if not shown or not sys.stderr.isatty() or size < PLAIN_LOG_BYTES:
        yield lambda _count: None
        return
    with click.progressbar(
        length=size, label="reading session logs", file=sys.stderr, update_min_steps=size // 200
    ) as bar:
        yield bar.update


def _set_watch(config: Config, options: Options) -> None:
    from telem.storage.disk import Disk

    from .transcripts.progress import Progress

    disk = Disk()
    disk.directory(config.layout.home)
    disk.directory(config.layout.transcripts)
    path = Progress(config.layout.transcripts, disk).watch
    if options.watch:
        folders = [str(folder) for _, folder in _places(options.paths) if folder]
        content = "prompts" if options.with_prompts else "none"
        disk.write(path, orjson.dumps({"schema": SCHEMA, "content": content, "folders": folders}))
    else:
        path.unlink(missing_ok=True)


def said(outcome: Outcome, *, dry: bool) -> dict[str, Any]:
    """What came of it, as JSON has it."""
    found = {each.name: getattr(outcome, each.name) for each in fields(outcome)}
    for name in ("first_ns", "last_ns"):
        found[name.replace("_ns", "_time")] = _time(found.pop(name))
    return {"schema": SCHEMA, "dry_run": dry, **found}


def _time(time_ns: int) -> str | None:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat(timespec="seconds") if time_ns else None


def _print(outcome: Outcome, *, dry: bool) -> None:
    verb = "would import" if dry else "imported"
    taken, tokens = outcome.taken, outcome.tokens
    click.echo(
        f"{verb} {taken['api_request']:,} requests, {taken['tool_result']:,} tool calls and "
        f"{taken['user_prompt']:,} prompts of {outcome.sessions:,} sessions"
    )
    if outcome.first_ns:
        click.echo(f"  from {_time(outcome.first_ns)} to {_time(outcome.last_ns)}")
        click.echo(
            f"  tokens: {tokens['input_tokens']:,} input, {tokens['cache_creation_tokens']:,} written to the cache, "
            f"{tokens['cache_read_tokens']:,} read from it, {tokens['output_tokens']:,} output"
        )
    talk = [
        f"{outcome.logs:,} logs ({outcome.logs_unchanged:,} unchanged)",
        f"{outcome.lines:,} lines",
        f"{outcome.known:,} known already",
        f"{outcome.exported:,} exported by the client itself",
        f"{outcome.seconds:.1f} s",
    ]
    click.echo(", ".join(talk), err=True)
    if taken["api_request"] and not dry:
        click.echo("Newer logs hold no costs; at list prices: telem-agent query computed-cost", err=True)
    if outcome.summed:
        click.echo(
            f"left out, of sessions' days of which only sums are kept: {outcome.summed:,} (which may hold them)",
            err=True,
        )
    for reason, count in outcome.left_out.items():
        click.echo(f"left out, {reason}: {count:,}", err=True)
