"""What has arrived: from which client, when, and whether something is missing from it."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from telem.agent.setup import claude

from .finding import Finding, Level, Trouble, Troubles, well

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from .situation import Situation

DAY_S = 86_400
QUIET_S = 900
"""So long may a session write its own log without anything arriving here, before that is strange."""

EVENTS_MIN = 20
"""Fewer events than this say nothing about missing metrics."""

AHEAD_S = 3600

_TITLES = {"claude_code": "Claude Code", "codex": "Codex CLI", "gemini_cli": "Gemini CLI"}
_VERSION = re.compile(r"\d+\.\d+\.\d+")

DEFECTS: tuple[tuple[tuple[int, int, int], tuple[int, int, int], str], ...] = (
    ((0, 0, 0), (2, 1, 100), "sends no event.sequence and no prompt.id, and no session.count in print mode"),
    ((2, 1, 113), (2, 1, 126), "was reported to send no metrics at all"),
    ((2, 1, 252), (2, 1, 252), "was reported to send no metrics at all"),
)
"""Versions of Claude Code, from and to, and what is wrong with their telemetry; seen, or reported to its makers."""

TROUBLES = Troubles(
    "records",
    Trouble(
        "no-records-yet",
        Level.NOTE,
        "The tables are empty.",
        "Clients read their settings when they start; sessions that were open at the set-up send nothing.",
        "start a new session, say something, and look again: `telem-agent query last`",
    ),
    Trouble(
        "no-metrics",
        Level.WARNING,
        "Lines, commits and active time are empty; tokens and cost are there.",
        "Events of Claude Code arrive and metrics do not: the metrics exporter is off, or the version has a defect.",
        "`telem-agent setup --client claude`, then restart the session; update Claude Code if that does not help",
    ),
    Trouble(
        "silence",
        Level.WARNING,
        "A session is at work, and nothing of it arrives.",
        "Claude Code writes its own session log, but sends nothing here: the session began before the set-up, or its "
        "settings are overridden.",
        "restart that session; if that does not help, run `telem-agent doctor` in its folder",
    ),
    Trouble(
        "client-defect",
        Level.NOTE,
        "Something is missing from what one version of Claude Code sends.",
        "This version has a known defect in its telemetry.",
        "update Claude Code",
    ),
    Trouble(
        "clock",
        Level.WARNING,
        "Records lie in the future, or --since leaves out what just happened.",
        "This machine's clock is wrong now, or was when they arrived.",
        "set the clock (`timedatectl set-ntp true`, or the date settings of macOS)",
    ),
    Trouble(
        "unreadable",
        Level.PROBLEM,
        "Every question fails.",
        "The tables cannot be read.",
        "`telem-agent logs`; `telem-agent bundle` for a report of it",
    ),
)

SQL = """
SELECT 'logs' AS signal, client, max(epoch_us(received_at)), max(epoch_us(time)), count(*), arg_max(app_version, time)
FROM raw_logs WHERE source IS NULL AND ingest_day >= $since_day GROUP BY client
UNION ALL
SELECT 'metrics', client, max(epoch_us(received_at)), max(epoch_us(time)), count(*), NULL
FROM raw_metrics WHERE source IS NULL AND ingest_day >= $since_day GROUP BY client
UNION ALL
SELECT 'traces', client, max(epoch_us(received_at)), max(epoch_us(time)), count(*), NULL
FROM raw_traces WHERE source IS NULL AND ingest_day >= $since_day GROUP BY client
"""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came of one signal from one client in the last days."""

    received_s: float
    time_s: float
    count: int
    version: str | None = None


def check(situation: Situation) -> Iterator[Finding]:
    """Did something come, is all of it there, and is the newest of it new?"""
    try:
        found = arrived(situation)
    except Exception as error:  # noqa: BLE001 (whatever it is, it is the finding)
        yield TROUBLES.found("unreadable", f"{type(error).__name__}: {error}")
        return
    for client in sorted({client for _, client in found}):
        yield well("records", _line(client, found))
    if not found:
        yield TROUBLES.found("no-records-yet", "nothing has arrived from any client in the last week")
    yield from _metrics(found, situation)
    yield from _silence(found, situation)
    yield from _clock(found, situation)
    yield from _defects(found, situation)


def arrived(situation: Situation) -> dict[tuple[str, str], Arrived]:
    """By signal and client. Nothing when there is no data folder yet."""
    from telem.queries.commands import ask

    if not situation.config.home.exists():
        return {}
    since = datetime.fromtimestamp(situation.now_s - 7 * DAY_S, UTC)
    table = ask(situation.config.layout, SQL, since=since)
    return {
        (str(signal), str(client or "")): Arrived(_seconds(received), _seconds(time), int(str(count)), version)
        for signal, client, received, time, count, version in _rows(table.rows)
    }


def _rows(rows: Any) -> Iterator[tuple[Any, ...]]:
    yield from (tuple(row) for row in rows)


def _seconds(micros: Any) -> float:
    return int(micros or 0) / 1e6


def _line(client: str, found: Mapping[tuple[str, str], Arrived]) -> str:
    parts = [
        f"{signal} {datetime.fromtimestamp(one.received_s, UTC):%Y-%m-%d %H:%M} UTC"
        for (signal, name), one in sorted(found.items())
        if name == client
    ]
    return f"{_TITLES.get(client, client or 'others')}: last {', '.join(parts)}"


def _metrics(found: Mapping[tuple[str, str], Arrived], situation: Situation) -> Iterator[Finding]:
    logs, metrics = found.get(("logs", "claude_code")), found.get(("metrics", "claude_code"))
    recent = situation.now_s - DAY_S
    if logs is None or logs.received_s < recent or logs.count < EVENTS_MIN:
        return
    if metrics is None or metrics.received_s < logs.received_s - DAY_S:
        yield TROUBLES.found("no-metrics", f"{logs.count} events of Claude Code arrived, no metrics")


def _silence(found: Mapping[tuple[str, str], Arrived], situation: Situation) -> Iterator[Finding]:
    written_s = last_written_s(claude.folder(situation.environ) / "projects")
    if situation.running is None or written_s < situation.now_s - DAY_S:
        return
    heard_s = max((one.received_s for (_, client), one in found.items() if client == "claude_code"), default=0.0)
    since_s = max(heard_s, situation.running.started_at_s)
    if written_s > since_s + QUIET_S:
        minutes = (written_s - since_s) / 60
        yield TROUBLES.found("silence", f"Claude Code wrote a session log {minutes:.0f} min after the last record")


def last_written_s(projects: Path) -> float:
    """When a session log was last written to; their contents are not looked at."""
    latest = 0.0
    for folder in _entries(projects):
        for entry in _entries(folder) if folder.is_dir() else ():
            with suppress(OSError):
                latest = max(latest, entry.stat().st_mtime if entry.name.endswith(".jsonl") else 0.0)
    return latest


def _entries(folder: Any) -> list[os.DirEntry[str]]:
    with suppress(OSError):
        return list(os.scandir(folder))
    return []


def _clock(found: Mapping[tuple[str, str], Arrived], situation: Situation) -> Iterator[Finding]:
    ahead = max((max(one.time_s, one.received_s) for one in found.values()), default=0.0) - situation.now_s
    if ahead > AHEAD_S:
        yield TROUBLES.found("clock", f"the newest record is {ahead / 3600:.1f} h ahead of this machine's clock")


def _defects(found: Mapping[tuple[str, str], Arrived], situation: Situation) -> Iterator[Finding]:
    logs = found.get(("logs", "claude_code"))
    version = installed_version(situation) or (logs.version if logs else None)
    if not version or not _VERSION.fullmatch(version):
        return
    number = tuple(int(part) for part in version.split("."))
    for first, last, what in DEFECTS:
        if first <= number <= last:
            yield TROUBLES.found("client-defect", f"Claude Code {version} {what}")


def installed_version(situation: Situation) -> str:
    """The version of the client on the path, from where its link leads or its package says; it is not started."""
    import shutil
    from pathlib import Path

    found = shutil.which("claude", path=situation.environ.get("PATH", ""))
    if not found:
        return ""
    real = Path(found).resolve()
    for name in (real.name, real.parent.name):
        if _VERSION.fullmatch(name):
            return name
    package = real.parent / "package.json"
    with suppress(OSError):
        match = re.search(r'"version"\s*:\s*"(\d+\.\d+\.\d+)"', package.read_text(encoding="utf-8"))
        return match[1] if match else ""
    return ""
