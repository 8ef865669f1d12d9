"""Every path and file name below the data directory (pure).

<home>/
  format                              the format of this folder; a program that does not know it leaves it alone
  LOCK                                one daemon per directory, held for life
  WORKER                              held by the worker that is at work
  daemon.json                         what the running daemon says of itself (pid, ports, start)
  key, token                          secrets, 0600
  tokens.json                         digests of the tokens made for programs
  access_log/<n>.ndjson               who asked what: lines of a chain
  sql_history                         what was typed into the built-in SQL shell
  access.head, ACCESS                 how far that log has come, and the lock of who writes to it
  key.<day>.retired                   an earlier key, if its owner kept it when it was replaced
  config.toml                         the user's settings
  sanitize.toml                       the user's own sanitizing rules
  cutoff                              the ingest day before which nothing is written any more, for the views rely on it
  telemetry.duckdb, telemetry.sql     views only; derived; may be deleted at any time
  journal/<signal>/s-<n>.ndjson       the durable log
  journal/<signal>/retries.json       ids of requests of segments that a purge has taken away
  parquet/<signal>/v=<k>/ingest_day=YYYY-MM-DD/<first>-<last>.parquet
  parquet/<signal>/merging/           a closed day's files on their way to become one; no glob reaches it
  manifest/<signal>/YYYY-MM-DD.json   size and checksums of an ingest day's Parquet files
  rollups/current.json                which rollup is in force: closed days, and the raw ones still there
  rollups/v=<k>/<version>/usage.parquet, series.parquet   what closed days add to the totals; never changed, replaced
  rollups/v=<k>/<version>/imported.parquet   sums of another folder's days whose rows it has no more
  origin.json                         which folder this is, and of which it was restored
  COPIES                              held by who takes purged rows out of backups and exports
  purge.json                          what is to be purged, until it has been
  progress                            how far a purge or another rewriting is
  tombstones.json                     keyed digests of what was purged and must not come back
  receipts/                           what was purged, how much and when; names nobody
  clock.json                          the day of which retention is sure, whatever the clock says
  parquet/<signal>/removing/          a day on its way out; no glob reaches it
  reports/retention/<week>.md, .json  what came in, what was deleted and why, what is due
  reports/<kind>-<period>.html        reports; digests.ndjson: what closed periods were reported with
  reports/removals.ndjson             every day that retention has removed
  sanitizer_audit/YYYY-MM.ndjson      how often which rule fired, by day and attribute
  statusline.json                     running totals for the status line; derived, may be deleted
  budgets.json, alerts.json           the user's budgets, and what was told of them
  transcripts/                        how far session logs were imported; while it exists, views compare them
  service.json                        which service manager looks after the daemon
  setup/<n>-<client>.json, .before     what `setup` changed in clients' settings, and the file as it was
  dropped_records/YYYY-MM.ndjson      which records were not stored on purpose, by day, client, event and rule
  exports.json                        which backups and exports were written, where and of what time
  forward/<name>.toml                 a destination that rows are forwarded to, and what may leave
  cursors/<name>.json                 how far a destination has got, and how it is with it
  cursors/<name>.<signal>.<n>.done    ids of the rows of segment n and following that it has
  cursors/<name>.<signal>.sending     ids of the insert that is under way, where it must be repeated as it was
  cursors/<name>.rejected.ndjson      ids of the rows it refused, and why
  cursors/<name>.series.json          running totals, where it wants them instead of increments
  snapshots/<token>/                  what a backup or an export is reading; gone when it ends
  spare                               space kept back for a start and a purge on a full disk; zeros
  quarantine/                         files that could not be read, and what was cut from them
  seen.ids                            ids of the rows that another agent forwarded last
  hub/                                a hub's register of members, and when each came last
  members/<id>/                       a hub's members: a folder like this one for each
  logs/                               the daemon's own log
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telem.sanitize.columns import SCHEMA_VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from telem.sanitize.records import Signal

SEGMENT_NAME = re.compile(r"s-(\d{12})\.ndjson")
PARQUET_NAME = re.compile(r"(\d{12})-(\d{12})(?:-r(\d+))?\.parquet")
ROLLUP_VERSION = 1
"""Raised whenever a column of the rollups is added or changed."""

TOMBSTONES = "tombstones.json"
ACCESS_NAME = re.compile(r"(\d{6})\.ndjson")
SEED_NAME = "000000000000-000000000000.parquet"
SEED_DAY = "1970-01-01"
"""A zero-row file in a day of its own: DuckDB 1.x refuses a glob that matches nothing."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below one home directory."""

    home: Path

    @property
    def format(self) -> Path:
        return self.home / "format"

    @property
    def lock(self) -> Path:
        return self.home / "LOCK"

    @property
    def worker_lock(self) -> Path:
        return self.home / "WORKER"

    @property
    def daemon(self) -> Path:
        return self.home / "daemon.json"

    @property
    def key(self) -> Path:
        return self.home / "key"

    @property
    def token(self) -> Path:
        return self.home / "token"

    @property
    def tokens(self) -> Path:
        return self.home / "tokens.json"

    @property
    def sql_history(self) -> Path:
        return self.home / "sql_history"

    @property
    def access(self) -> Path:
        return self.home / "access_log"

    def access_file(self, number: int) -> Path:
        return self.access / f"{number:06d}.ndjson"

    @property
    def access_head(self) -> Path:
        return self.home / "access.head"

    @property
    def access_lock(self) -> Path:
        return self.home / "ACCESS"

    @property
    def config(self) -> Path:
        return self.home / "config.toml"

    @property
    def policy(self) -> Path:
        return self.home / "sanitize.toml"

    @property
    def audit(self) -> Path:
        return self.home / "sanitizer_audit"

    def manifest(self, signal: Signal, day: str) -> Path:
        return self.home / "manifest" / signal / f"{day}.json"

    @property
    def rollups(self) -> Path:
        return self.home / "rollups"

    @property
    def rollups_manifest(self) -> Path:
        return self.rollups / "current.json"

    @property
    def reports(self) -> Path:
        return self.home / "reports"

    @property
    def removals(self) -> Path:
        return self.reports / "removals.ndjson"

    @property
    def intent(self) -> Path:
        return self.home / "purge.json"

    @property
    def progress(self) -> Path:
        return self.home / "progress"

    @property
    def tombstones(self) -> Path:
        return self.home / TOMBSTONES

    @property
    def copies_lock(self) -> Path:
        return self.home / "COPIES"

    @property
    def origin(self) -> Path:
        return self.home / "origin.json"

    @property
    def receipts(self) -> Path:
        return self.home / "receipts"

    @property
    def clock(self) -> Path:
        return self.home / "clock.json"

    @property
    def cutoff(self) -> Path:
        return self.home / "cutoff"

    @property
    def catalog(self) -> Path:
        return self.home / "telemetry.duckdb"

    @property
    def script(self) -> Path:
        return self.home / "telemetry.sql"

    @property
    def statusline(self) -> Path:
        return self.home / "statusline.json"

    @property
    def budgets(self) -> Path:
        return self.home / "budgets.json"

    @property
    def alerts(self) -> Path:
        return self.home / "alerts.json"

    @property
    def transcripts(self) -> Path:
        return self.home / "transcripts"

    @property
    def exports(self) -> Path:
        return self.home / "exports.json"

    @property
    def forward(self) -> Path:
        return self.home / "forward"

    @property
    def cursors(self) -> Path:
        return self.home / "cursors"

    @property
    def snapshots(self) -> Path:
        return self.home / "snapshots"

    def report(self, name: str) -> Path:
        return self.reports / name

    @property
    def report_digests(self) -> Path:
        return self.reports / "digests.ndjson"

    @property
    def quarantine(self) -> Path:
        return self.home / "quarantine"

    @property
    def service(self) -> Path:
        return self.home / "service.json"

    @property
    def setup(self) -> Path:
        return self.home / "setup"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def spare(self) -> Path:
        return self.home / "spare"

    @property
    def seen(self) -> Path:
        return self.home / "seen.ids"

    @property
    def hub(self) -> Path:
        return self.home / "hub"

    @property
    def hub_members(self) -> Path:
        return self.hub / "members.json"

    @property
    def hub_visits(self) -> Path:
        return self.hub / "visits.json"

    @property
    def hub_houses(self) -> Path:
        return self.home / "members"

    def hub_house(self, member_id: str) -> Path:
        return self.hub_houses / member_id

    def retired_key(self, day: str) -> Path:
        return self.home / f"key.{day}.retired"

    def audit_month(self, month: str) -> Path:
        return self.audit / f"{month}.ndjson"

    def rollup(self, version: int) -> Path:
        return self.rollups / f"v={ROLLUP_VERSION}" / f"{version:06d}"

    def journal(self, signal: Signal) -> Path:
        return self.home / "journal" / signal

    def segment(self, signal: Signal, number: int) -> Path:
        return self.journal(signal) / segment_name(number)

    def retries(self, signal: Signal) -> Path:
        return self.journal(signal) / "retries.json"

    def parquet(self, signal: Signal) -> Path:
        return self.home / "parquet" / signal

    def merging(self, signal: Signal) -> Path:
        return self.parquet(signal) / "merging"

    def weekly(self, week: str) -> Path:
        return self.reports / "retention" / f"{week}.json"

    def removing(self, signal: Signal) -> Path:
        return self.parquet(signal) / "removing"

    def version(self, signal: Signal, version: int = SCHEMA_VERSION) -> Path:
        return self.parquet(signal) / f"v={version}"

    def day(self, signal: Signal, day: str) -> Path:
        return self.version(signal) / f"ingest_day={day}"


def segment_name(number: int) -> str:
    return f"s-{number:012d}.ndjson"


def parquet_name(first: int, last: int, revision: int = 0) -> str:
    """Name of the file that holds the rows of segments `first` to `last`, rewritten so many times."""
    return f"{first:012d}-{last:012d}{f'-r{revision}' if revision else ''}.parquet"


def parquet_revision(name: str) -> int:
    """How many times a file was rewritten."""
    match = PARQUET_NAME.fullmatch(name)
    return int(match[3] or 0) if match else 0


def segment_number(name: str) -> int | None:
    """Number of a segment file, or None when the name is another's."""
    match = SEGMENT_NAME.fullmatch(name)
    return int(match[1]) if match else None


def parquet_span(name: str) -> tuple[int, int] | None:
    """First and last segment of a Parquet file, or None when the name is another's."""
    match = PARQUET_NAME.fullmatch(name)
    return (int(match[1]), int(match[2])) if match else None
