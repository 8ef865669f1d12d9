"""`telem-agent selftest …` on the command line."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson

from telem.agent.config import load
from telem.agent.errors import AgentError

from . import privacy as test

if TYPE_CHECKING:
    from .privacy import Report

SHOWN_MAX = 40


def privacy(as_json: bool, keep: Path | None) -> bool:
    """Run the test of privacy and print what came of it; returns whether nothing was found.

    Raises:
        AgentError: the folder to keep is not a new one.
    """
    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise AgentError(f"{keep} is not empty", "Give a folder that does not exist yet.")
    home = keep or Path(tempfile.mkdtemp(prefix="telem-selftest-"))
    try:
        ports = {"otlp_http_port": 0, "otlp_grpc_port": 0, "query_port": 0}
        limit = {"body_limit_bytes": test.BODY_LIMIT_BYTES}
        report = test.run(load({"home": str(home), **ports, **limit}, {}))
    finally:
        if keep is None:
            shutil.rmtree(home, ignore_errors=True)
    if as_json:
        said = {"schema": 1, "passed": report.passed, **asdict(report)}
        click.echo(orjson.dumps(said, option=orjson.OPT_INDENT_2).decode())
    else:
        _print(report)
    return report.passed


def _print(report: Report) -> None:
    places = ", ".join(f"{count} places in {signal}" for signal, count in report.places.items())
    click.echo(f"sent      {report.canaries} fake secrets for {report.rules} rules, in {report.records} records")
    click.echo(f"          {places}")
    click.echo(f"          {report.combinations} secrets in a place, over {', '.join(test.TRANSPORTS)}")
    click.echo(f"          and {report.refused} requests that were refused")
    total = sum(report.searched.values())
    click.echo(f"searched  {len(report.searched)} files and answers, {total / 1e6:.1f} MB: raw, escaped, hex, base64")
    if report.unsearchable:
        click.echo(f"          not to be told from harmless text: {', '.join(report.unsearchable)}")
    for wrong in report.wrong:
        click.echo(f"WRONG     {wrong}")
    for finding in report.findings[:SHOWN_MAX]:
        click.echo(f"FOUND     {finding.rule} ({finding.form}) in {finding.source}: {finding.place}")
    if len(report.findings) > SHOWN_MAX:
        click.echo(f"          and {len(report.findings) - SHOWN_MAX} more")
    if report.passed:
        click.echo(f"found     nothing, in {report.seconds} s")
