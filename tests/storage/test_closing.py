"""Closed days: the totals stay what they were, to the last digit, with raw rows and without."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE
from tests.daemons import shell
from tests.otlp import logs, metrics, raw
from tests.queries import golden

from telem.queries.commands import ask
from telem.sanitize.decode import decode
from telem.sanitize.gate import Gate
from telem.sanitize.records import Signal
from telem.storage import rollups
from telem.storage.catalog import publish
from telem.storage.closing import close
from telem.storage.compact import compact
from telem.storage.disk import Disk
from telem.storage.inventory import parquet_files
from telem.storage.journal import Journal
from telem.storage.layout import Layout
from telem.storage.worker import run

if TYPE_CHECKING:
    from pathlib import Path

LOGS, METRICS = Signal.LOGS, Signal.METRICS
FIRST, SECOND, THIRD, FOURTH = "2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"
DAYS = (FIRST, SECOND, THIRD)
QUESTIONS = (
    "SELECT * FROM daily_metrics ORDER BY ALL",
    "SELECT * FROM sessions ORDER BY session_id",
    'SELECT * FROM users ORDER BY "user"',
    "SELECT sum(prompts), sum(requests), sum(cost_usd), sum(lines_added), min(first_time), max(time) FROM usage_facts",
)


def spread(home: Path) -> Layout:
    """Captured payloads of all clients, a batch at a time on one of three ingest days, and one segment in the journal.

    Sessions therefore span days, and running totals go on from one day to the next.
    """
    layout, disk = Layout(home), Disk()
    for signal in Signal:
        disk.directory(layout.journal(signal))
        journal = Journal(layout, signal, disk, 1)
        mine = [kept for _, kept in golden.batches() if kept.signal is signal]
        bounds = [len(mine) * part // 4 for part in range(5)]
        for number, day in enumerate((*DAYS, "")):
            for batch in mine[bounds[number] : bounds[number + 1]]:
                journal.append([batch], 0.0)
            journal.close()
            if day and len(journal.closed) > number:
                compact(layout, signal, [journal.closed[number]], day, disk)
    publish(layout, disk, FIRST)
    return layout


def answers(layout: Layout) -> list[Any]:
    return [ask(layout, sql).rows for sql in QUESTIONS]


def by_shell(layout: Layout) -> list[Any]:
    return [shell(layout.home, sql, "-readonly") for sql in QUESTIONS]


def forget(layout: Layout, until: str) -> None:
    """Give up the raw rows of the days before, as retention does."""
    found = rollups.read(layout)
    for signal in Signal:
        found = rollups.give_up(found, signal, until, 0.0)
    rollups.write(layout, Disk(), found)
    publish(layout, Disk(), FIRST)
    for signal in Signal:
        for file in parquet_files(layout, signal):
            if file.day < until:
                shutil.rmtree(file.path.parent, ignore_errors=True)
                for number in range(file.first, file.last + 1):  # long retired, when retention comes
                    layout.segment(signal, number).unlink(missing_ok=True)


def test_totals_are_the_same_at_every_step_of_a_days_life(home: Path) -> None:
    """Open, closed one by one, without their raw rows: every figure, every time, every model, by worker and shell."""
    layout = spread(home)
    wanted, wanted_by_shell = answers(layout), by_shell(layout)
    assert len(wanted[0]) > 5
    for until in (SECOND, THIRD, FOURTH):
        close(layout, until, Disk())
        assert answers(layout) == wanted
        publish(layout, Disk(), FIRST)
        assert by_shell(layout) == wanted_by_shell
        forget(layout, until)
        assert answers(layout) == wanted
        assert by_shell(layout) == wanted_by_shell
    assert ask(layout, "SELECT count(*) FROM events WHERE ingest_day < DATE '2026-01-04'").rows == ((0,),)


def test_closing_all_days_at_once_is_the_same_as_one_by_one(home: Path) -> None:
    """After a holiday, or at the first start of a program that has rollups."""
    layout = spread(home)
    wanted = answers(layout)
    close(layout, FOURTH, Disk())
    forget(layout, FOURTH)
    assert answers(layout) == wanted


def test_it_is_closed_once(home: Path) -> None:
    """A second closing, and one of an earlier day, change nothing; without new rows there is no new file."""
    layout = spread(home)
    first = close(layout, THIRD, Disk())
    assert close(layout, THIRD, Disk()) == first
    assert close(layout, FIRST, Disk()) == first
    last = close(layout, "2026-05-01", Disk())
    assert close(layout, "2026-05-02", Disk()).version == last.version == first.version + 1


def late(layout: Layout, number: int, day: str, home_gate: Gate, session: Any, time_ns: Any) -> None:
    journal = Journal(layout, LOGS, Disk(), number)
    request = raw(LOGS, logs({"session.id": session, "event.name": "user_prompt"}, body="x", time_ns=time_ns))
    journal.append([home_gate.sanitize(decode(request), f"{number:032d}")], 0.0)
    journal.close()
    if day:
        compact(layout, LOGS, [number], day, Disk())


def test_a_late_event_of_a_closed_day_is_added_to_its_day(home: Path) -> None:
    """It joins today's ingest day; the session it belongs to is still one."""
    layout = spread(home)
    close(layout, FOURTH, Disk())
    forget(layout, FOURTH)
    gate = Gate(golden.redactor(), golden.KEY)
    rows: Any = ask(
        layout, "SELECT any_value(session_id), max(day), sum(prompts) FROM usage_facts WHERE session_id = "
        "(SELECT min(session_id) FROM usage_facts WHERE prompts > 0)"
    ).rows  # fmt: skip
    ((session, day, prompts),) = rows
    rows = ask(layout, f"SELECT epoch_ns(max(event_time)) FROM usage_facts WHERE session_id = '{session}'").rows
    ((at,),) = rows
    ((sessions,),) = ask(layout, "SELECT count(*) FROM sessions").rows
    late(layout, 50, FOURTH, gate, session, at - 1000)
    for closed in (FOURTH, "2026-01-05"):
        close(layout, closed, Disk())
        sql = f"SELECT sum(prompts), max(day) FROM usage_days WHERE session_id = '{session}'"
        assert ask(layout, sql).rows == ((prompts + 1, day),)
        assert ask(layout, "SELECT count(*) FROM sessions").rows == ((sessions,),)


def test_a_running_total_goes_on_over_days_that_are_gone(home: Path) -> None:
    """What a series had reached is remembered, also when a point comes late: it adds only what goes beyond."""
    layout, disk = Layout(home), Disk()
    gate = Gate(golden.redactor(), golden.KEY)
    for signal in Signal:
        disk.directory(layout.journal(signal))
    for number, (value, day) in enumerate([(10, FIRST), (25, SECOND), (20, SECOND), (31, THIRD), (27, "")], 1):
        request = metrics({"session.id": "s", "type": "added"}, name="claude_code.lines_of_code.count", value=value)
        (metric,) = request.resource_metrics[0].scope_metrics[0].metrics
        metric.sum.aggregation_temporality = AGGREGATION_TEMPORALITY_CUMULATIVE
        metric.sum.data_points[0].time_unix_nano += value
        journal = Journal(layout, METRICS, disk, number)
        journal.append([gate.sanitize(decode(raw(METRICS, request)), f"{number:032d}")], 0.0)
        journal.close()
        if day:
            compact(layout, METRICS, [number], day, disk)
    lines = "SELECT sum(lines_added) FROM "
    for until in (FIRST, SECOND, THIRD, FOURTH):
        close(layout, until, disk)
        assert [ask(layout, lines + view).rows for view in ("sessions", "usage_facts")] == [((31,),), ((31.0,),)]
        forget(layout, until)
        assert [ask(layout, lines + view).rows for view in ("sessions", "usage_facts")] == [((31,),), ((31.0,),)]


def test_a_row_that_comes_too_late_for_its_day_joins_the_next(home: Path) -> None:
    """A worker that outlived its daemon must not publish into a day that is closed."""
    layout = spread(home)
    close(layout, FOURTH, Disk())
    wanted = answers(layout)
    waiting = [4]
    said = run({"job": "compact", "home": str(home), "signal": "logs", "segments": waiting, "day": FIRST})
    assert f"ingest_day={FOURTH}" in said["path"]
    assert answers(layout) == wanted


def test_garbage_counts_do_not_spoil_the_others(home: Path) -> None:
    """Two counts that overflow together stay apart, so that what can be summed still is."""
    layout, disk = Layout(home), Disk()
    gate = Gate(golden.redactor(), golden.KEY)
    for signal in Signal:
        disk.directory(layout.journal(signal))
    journal = Journal(layout, LOGS, disk, 1)
    event: dict[str, Any] = {
        "event.name": "api_request",
        "session.id": "s",
        "output_tokens": 2**63 - 1,
        "input_tokens": 5,
    }
    batch = decode(raw(LOGS, logs(event, event, {**event, "output_tokens": 7})))
    journal.append([gate.sanitize(batch, "0" * 32)], 0.0)
    journal.close()
    compact(layout, LOGS, [1], FIRST, disk)
    sql = "SELECT output_tokens, input_tokens, requests FROM sessions"
    assert ask(layout, sql).rows == ((None, 15, 3),)
    close(layout, SECOND, disk)
    assert ask(layout, sql).rows == ((None, 15, 3),)


@pytest.mark.parametrize("text", ['{"schema": 99}', "{", "[]", '{"schema": 1, "version": "x"}'])
def test_a_manifest_that_is_not_ours_is_refused(layout: Layout, text: str) -> None:
    """Never read as nothing: totals of closed days would be counted a second time."""
    Disk().directory(layout.rollups)
    layout.rollups_manifest.write_text(text)
    with pytest.raises(rollups.RollupError, match=r"current\.json"):
        rollups.read(layout)


def test_raw_rows_are_given_up_only_for_closed_days(home: Path) -> None:
    """And what was given up is not taken back."""
    layout = spread(home)
    found = close(layout, THIRD, Disk())
    with pytest.raises(rollups.RollupError, match="not all closed"):
        rollups.give_up(found, LOGS, FOURTH, 0.0)
    moved = rollups.give_up(found, LOGS, SECOND, 1.0)
    assert rollups.give_up(moved, LOGS, FIRST, 2.0).raw_since[LOGS] == SECOND
