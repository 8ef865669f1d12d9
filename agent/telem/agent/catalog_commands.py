"""`telem-agent catalog rebuild`: the views anew, from the files that are there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click
import orjson

if TYPE_CHECKING:
    from telem.storage.layout import Layout

    from .config import Config

CATALOG_SCHEMA = 1


def rebuild(config: Config, *, as_json: bool) -> None:
    """Write both anew, whether a daemon runs or not; workers of a daemon and this take turns."""
    from telem.storage.worker import run

    began_s = time.monotonic()
    layout = config.layout
    layout.script.unlink(missing_ok=True)  # it says what the catalog holds; without it nothing counts as current
    run({"job": "publish", "home": str(layout.home), "cutoff": safe_cutoff(layout)})
    took_s = time.monotonic() - began_s
    if as_json:
        said = {
            "schema": CATALOG_SCHEMA,
            "catalog": str(layout.catalog),
            "script": str(layout.script),
            "took_s": took_s,
        }
        click.echo(orjson.dumps(said).decode())
    else:
        click.echo(f"{layout.catalog} and {layout.script.name} written anew in {took_s:.1f} s", err=True)


def safe_cutoff(layout: Layout) -> str:
    """A cutoff that is right whoever publishes it: one that is too early only makes the views read more."""
    from datetime import UTC, datetime, timedelta

    from telem.sanitize.records import Signal
    from telem.storage.inventory import days_in_journal, published_cutoff

    yesterday = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()
    held = [day for signal in Signal if layout.journal(signal).is_dir() for day in days_in_journal(layout, signal)]
    return min([yesterday, published_cutoff(layout) or yesterday, *held])
