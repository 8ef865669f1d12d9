"""`telem-agent report`: gather, write, compare with what was reported before, tell who wants to know."""

from __future__ import annotations

import http.client
import json
import shlex
import subprocess
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from telem.queries.reports import figures as found
from telem.queries.reports import kept, page, period, texts
from telem.queries.reports.budgets import Budget
from telem.storage.disk import Disk

from . import asking
from .errors import AgentError
from .everyday import budget

if TYPE_CHECKING:
    from collections.abc import Callable

    from telem.queries.reports.figures import Figures

    from .config import Config

TOLD_SCHEMA = 1
TELL_TIMEOUT_S = 10.0
_WRITERS: dict[str, Callable[[Figures], str]] = {
    "html": page.page,
    "markdown": texts.markdown,
    "json": texts.as_json,
    "csv": texts.as_csv,
}


def report(  # noqa: PLR0913 - one for each option
    config: Config,
    kind: str,
    when: str | None,
    *,
    since: str | None,
    until: str | None,
    team: str,
    shared: bool,
    form: str,
    out: str | None,
    tell: bool,
) -> None:
    """Write it; the path goes to standard output when it became a file.

    Raises:
        QueryError: the period is none, or a question has no answer.
        AgentError: the file cannot be written, or somebody could not be told.
    """
    asking.prepare("report")
    now = datetime.now(UTC)
    asked = period.between(since, until, now.date()) if since else period.of(kind, when, now.date())
    shared = shared or config.mode == "hub"
    gathered = found.gather(
        config.layout,
        asked,
        now,
        team,
        min_people=config.report_min_people,
        shared=shared,
        budgets=[
            Budget(each.name, Decimal(each.usd), each.period, each.project)
            for each in budget.load(config.layout.budgets).budgets
        ],
    )
    figures, news = kept.remember(config.layout, gathered)
    if news:
        click.echo(f"THE PAST HAS CHANGED. {figures.changed}", err=True)
    text = _WRITERS[form](figures)
    path = _write(config, figures, text, form, out)
    if path is None:
        click.echo(text, nl=False)
    else:
        click.echo(str(path))
    if tell:
        tell_about(config, figures, path)


def _write(config: Config, figures: Figures, text: str, form: str, out: str | None) -> Path | None:
    if out == "-" or (out is None and form != "html"):
        return None
    path = Path(out).expanduser().absolute() if out else config.layout.report(_file_name(figures))
    try:
        if out is None:
            Disk().directory(path.parent)
        Disk().write(path, text.encode())
    except OSError as error:
        raise AgentError(
            f"the report could not be written to {path}: {error.strerror}", "Give another --out."
        ) from error
    return path


def _file_name(figures: Figures) -> str:
    team = "".join(character if character.isalnum() or character in "-_" else "_" for character in figures.team)
    return f"{figures.period.kind}-{figures.period.name}{f'-{team}' if team else ''}.html"


# -- telling -------------------------------------------------------------------------------------------------------


def payload(figures: Figures, path: Path | None) -> dict[str, Any]:
    """What others are told: which report, where it lies, totals. Never who, never a text."""
    cost = figures.now["cost_usd"]
    return {
        "schema": TOLD_SCHEMA,
        "report": figures.period.name,
        "kind": figures.period.kind,
        "path": None if path is None else str(path),
        "digest": figures.digest,
        "changed": bool(figures.changed),
        "totals": {
            "cost_usd": None if cost is None else str(cost),
            **{name: figures.now[name] for name in ("requests", "sessions", "errors", "unpriced_requests")},
        },
    }


def tell_about(config: Config, figures: Figures, path: Path | None) -> None:
    """Run `report_command` and post to `report_webhook`, if they are set.

    Raises:
        AgentError: one of them failed; the other was tried all the same.
    """
    said = json.dumps(payload(figures, path))
    failed = []
    for setting, tell in (("report_command", _run), ("report_webhook", _post)):
        target = str(getattr(config, setting))
        if target:
            try:
                tell(target, said)
            except (OSError, ValueError, subprocess.SubprocessError, http.client.HTTPException) as error:
                failed.append(f"{setting}: {error}")
    if failed:
        raise AgentError(f"the report is written, but telling about it failed: {'; '.join(failed)}")


def _run(command: str, said: str) -> None:
    """Without a shell: the words as they are split, the payload on standard input."""
    subprocess.run(
        shlex.split(command), input=said.encode(), check=True, timeout=TELL_TIMEOUT_S, stdout=subprocess.DEVNULL
    )


def _post(address: str, said: str) -> None:
    url = urlsplit(address)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError(f"{address!r} is not an http or https address")
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname, url.port, timeout=TELL_TIMEOUT_S)
    try:
        path = f"{url.path or '/'}{f'?{url.query}' if url.query else ''}"
        connection.request("POST", path, said, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if answer.status >= http.client.MULTIPLE_CHOICES:
            raise ValueError(f"it answered {answer.status}")
    finally:
        connection.close()
