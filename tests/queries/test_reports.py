# ruff: noqa: RUF001 - dashes and signs as a report writes them
"""Reports: true figures in every form, periods, a changed past, people, and a page without anything foreign."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
import shutil
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from bench.month import Month, build
from tests.queries import golden

from telem.queries.commands import ask
from telem.queries.reports import figures, kept, page, period, texts, words
from telem.queries.reports.budgets import Budget
from telem.queries.table import QueryError
from telem.sanitize.records import Signal
from telem.storage import rollups
from telem.storage.closing import close
from telem.storage.disk import Disk
from telem.storage.inventory import parquet_files
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
TODAY = NOW.date()


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Ten people in two months."""
    return build(tmp_path_factory.mktemp("team") / "home", Month(events=6000, days=60, users=10))


@pytest.fixture(scope="module")
def october(team: Layout) -> figures.Figures:
    return figures.gather(team, period.of("month", "2026-10", TODAY), NOW)


@pytest.fixture
def fresh(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "fresh")


# -- periods -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "when", "name", "days", "title"),
    [
        ("month", None, "2026-10", 31, "October 2026"),
        ("month", "current", "2026-11", 30, "November 2026"),
        ("month", "2026-02", "2026-02", 28, "February 2026"),
        ("month", "2026-02-14", "2026-02", 28, "February 2026"),
        ("week", None, "2026-W47", 7, "Week 47, 16–22 November 2026"),
        ("week", "2026-W53", "2026-W53", 7, "Week 53, 28 December 2026 – 3 January 2027"),
        ("day", None, "2026-11-22", 1, "Sunday, 22 November 2026"),
        ("day", "2026-01-01", "2026-01-01", 1, "Thursday, 1 January 2026"),
    ],
)
def test_periods(kind: str, when: str | None, name: str, days: int, title: str) -> None:
    """Named, or the last one that has ended."""
    found = period.of(kind, when, TODAY)
    assert (found.name, found.days, found.title) == (name, days, title)


@pytest.mark.parametrize(("kind", "when"), [("month", "2026-13"), ("week", "2026-W60"), ("day", "soon"), ("day", "")])
def test_periods_that_are_none(kind: str, when: str) -> None:
    with pytest.raises(QueryError, match="It takes"):
        period.of(kind, when, TODAY)


@pytest.mark.parametrize(
    ("name", "before"),
    [("2026-03", "2026-02"), ("2026-01", "2025-12"), ("2026-W01", "2025-W52"), ("2026-03-01", "2026-02-28")],
)
def test_the_period_before(name: str, before: str) -> None:
    kind = "week" if "W" in name else "month" if len(name) == 7 else "day"
    assert period.of(kind, name, TODAY).previous().name == before


def test_days_of_ones_own() -> None:
    found = period.between("2026-10-03", "2026-10-09", TODAY)
    assert (found.days, found.title, found.previous().start) == (7, "3–9 October 2026", dt.date(2026, 9, 26))
    assert period.between("2026-11-20", None, TODAY).last_day == TODAY
    for first, last in (("2026-10-09", "2026-10-03"), ("soon", None)):
        with pytest.raises(QueryError):
            period.between(first, last, TODAY)


def test_a_period_is_closed_a_day_after_its_end() -> None:
    """Clients may still send what belongs to it."""
    october = period.of("month", "2026-10", TODAY)
    assert not october.is_closed(dt.datetime(2026, 11, 1, 23, tzinfo=dt.UTC))
    assert october.is_closed(dt.datetime(2026, 11, 2, tzinfo=dt.UTC))


# -- figures -------------------------------------------------------------------------------------------------------


def test_totals_are_those_of_the_tables(team: Layout, october: figures.Figures) -> None:
    """Cost, requests, sessions, days and groups, each from a question of its own."""
    where = "time >= '2026-10-01' AND time < '2026-11-01'"
    cost, requests, sessions = ask(
        team, f"SELECT sum(cost_usd), count(*), count(DISTINCT session_id) FROM api_requests WHERE {where}"
    ).rows[0]
    assert (october.now["cost_usd"], october.now["requests"]) == (cost, requests)
    assert october.now["sessions"] >= int(str(sessions))
    assert sum(row["cost_usd"] for row in october.days) == cost
    for dimension in ("model", "person", "chapter", "repository", "team", "client"):
        groups = october.groups[dimension]
        assert sum(group.now["cost_usd"] for group in groups) == cost, dimension
    lines = ask(
        team,
        f"SELECT sum(increment) FROM metric_increments WHERE {where} AND metric = 'claude_code.lines_of_code.count'",
    ).rows[0][0]
    assert october.now["lines_added"] + october.now["lines_removed"] == lines
    before = ask(
        team, "SELECT sum(cost_usd) FROM api_requests WHERE time >= '2026-09-01' AND time < '2026-10-01'"
    ).rows[0][0]
    assert october.before["cost_usd"] == before


def test_a_team(team: Layout, october: figures.Figures) -> None:
    """Only its own; people are named only from the minimum on."""
    book = figures.gather(team, october.period, NOW, "book", min_people=3)
    assert 0 < book.now["cost_usd"] < october.now["cost_usd"]
    assert len(book.groups["person"]) == 4
    small = figures.gather(team, october.period, NOW, "book", min_people=5)
    assert small.groups["person"] == []
    assert "from 5 on; here are 4" in small.people_hidden
    named = [str(group.name) for group in book.groups["person"]]
    for form in (page.page, texts.markdown, texts.as_json, texts.as_csv):
        assert not [name for name in named if words.person(name) in form(small)]
        assert [name for name in named if words.person(name) in form(book)]


def test_reported_computed_unpriced(tmp_path: Path) -> None:
    """Under the cost it says where it comes from."""
    found = figures.gather(golden.build(tmp_path / "home"), period.of("day", "2026-11-23", TODAY), NOW)
    assert found.now["priced_requests"] == found.now["requests"] - 4
    assert (found.now["computed_requests"], found.now["computed_cost_usd"]) == (2, Decimal("0.00135"))
    assert found.now["unpriced_requests"] == 2
    said = words.provenance(found.now)
    assert "more computed from list prices for 2; 2 without a price, left out" in said
    text = page.page(found)
    assert said[:20].capitalize() in text
    assert "nothing to compare with" in text
    assert ">new<" not in text


def test_nothing_recorded(tmp_path: Path) -> None:
    """An empty period is a page too, and every form of it."""
    found = figures.gather(golden.empty(tmp_path / "home"), period.of("month", None, TODAY), NOW)
    assert found.is_empty
    assert "Nothing was recorded" in page.page(found)
    assert "Nothing was recorded" in texts.markdown(found)
    assert json.loads(texts.as_json(found))["totals"]["cost_usd"] is None
    assert "total,,requests,0,0" in texts.as_csv(found)


# -- a changed past ------------------------------------------------------------------------------------------------


def test_a_changed_past_is_noticed(fresh: Layout, october: figures.Figures) -> None:
    """The first report is no news, the same figures never are, other figures are, once, and stay marked."""
    closed = figures.gather(fresh, october.period, NOW)
    first, news = kept.remember(fresh, closed)
    assert (news, first.changed) == (False, "")
    assert kept.remember(fresh, closed) == (first, False)
    grown = replace(october, made_at=NOW + dt.timedelta(days=1))
    changed, news = kept.remember(fresh, grown)
    assert news
    assert "reported with other figures on 2026-11-23" in changed.changed
    assert "0 requests" in changed.changed
    again, news = kept.remember(fresh, grown)
    assert (news, again.changed) == (False, changed.changed)
    assert "The past has changed." in page.page(changed)
    assert "The past has changed." in texts.markdown(changed)
    assert fresh.report_digests.stat().st_mode & 0o777 == 0o600


def test_events_expire_and_the_report_stays(
    team: Layout, october: figures.Figures, tmp_path: Path, fresh: Layout
) -> None:
    """Its sums, that is, to the last digit, and nobody is told of a changed past; what is missing is said."""
    layout = Layout(tmp_path / "expired")
    shutil.copytree(team.home, layout.home)
    in_force = close(layout, "2026-11-20", Disk())
    for signal in (Signal.LOGS, Signal.METRICS):
        in_force = rollups.give_up(in_force, signal, "2026-10-15", 0.0)
    rollups.write(layout, Disk(), in_force)
    for file in (file for signal in Signal for file in parquet_files(layout, signal) if file.day < "2026-10-15"):
        file.path.unlink()
    found = figures.gather(layout, october.period, NOW)
    assert (found.now["events"], found.now["requests"]) < (october.now["events"], 1 + october.now["requests"])
    for name in kept._SUMS:
        assert (found.now[name], found.before[name]) == (october.now[name], october.before[name]), name
    assert (found.days, found.days_before, found.groups) == (october.days, october.days_before, october.groups)
    assert kept.digest_of_sums(found) == kept.digest_of_sums(october)
    kept.remember(fresh, october)
    assert kept.remember(fresh, found) == (replace(found, digest=kept.digest(found)), False)
    assert kept.remember(fresh, replace(found, now=found.now | {"requests": 1}))[1]
    assert "Events before 2026-10-15 have expired." in page.page(found)
    assert "Events before 2026-10-15 have expired." in texts.markdown(found)
    assert json.loads(texts.as_json(found))["expired"]
    assert not october.expired
    for question, chosen in (("cost-analysis", {"by": "chapter"}), ("daily-cost", {"limit": "90"})):
        assert ask(layout, question, chosen).rows == ask(team, question, chosen).rows, question


def test_an_open_period_is_not_remembered(fresh: Layout, team: Layout) -> None:
    found, news = kept.remember(fresh, figures.gather(team, period.of("month", "current", TODAY), NOW))
    assert (found.closed, news, found.digest != "") == (False, False, True)
    assert not fresh.report_digests.exists()


def test_a_damaged_line_is_as_good_as_none(fresh: Layout, october: figures.Figures) -> None:
    kept.remember(fresh, october)
    fresh.report_digests.write_bytes(b"{torn\n[]\n" + fresh.report_digests.read_bytes())
    assert kept.remember(fresh, october)[1] is False
    assert len(fresh.report_digests.read_bytes().splitlines()) == 3


# -- budgets -------------------------------------------------------------------------------------------------------


def test_budgets_in_a_report(team: Layout, october: figures.Figures) -> None:
    """The month's own is used up in part; of shorter periods the worst is told; of longer ones nothing."""
    cost = october.now["cost_usd"]
    worst = max(row["cost_usd"] for row in october.days)
    over = sum(row["cost_usd"] > worst / 2 for row in october.days)
    allowed = [
        Budget("all", cost * 2, "month"),
        Budget("daily", worst / 2, "day"),
        Budget("weekly", cost, "week"),
        Budget("=none", Decimal(5), "month", "no such project"),
    ]
    found = figures.gather(team, october.period, NOW, budgets=allowed)
    whole, daily, weekly, none = found.budgets
    assert (whole["spent_usd"], whole["percent"], whole["periods"]) == (cost, 50.0, 1)
    assert (daily["spent_usd"], daily["percent"], daily["periods"], daily["exceeded"]) == (worst, 200.0, 31, over)
    assert (weekly["periods"], weekly["exceeded"]) == (3, 0)
    assert none["spent_usd"] == 0
    assert f"exceeded in {over} of 31 days; at most {words.usd(worst)}" in page.page(found)
    assert "kept in all weeks" in texts.markdown(found)
    assert json.loads(texts.as_json(found))["budgets"][0]["percent"] == 50.0
    assert "budget,'=none,spent_usd,0," in texts.as_csv(found)
    assert kept.digest(found) == kept.digest(october)
    day = figures.gather(team, period.of("day", "2026-10-07", TODAY), NOW, budgets=allowed)
    assert [row["name"] for row in day.budgets] == ["daily"]
    assert figures.gather(team, october.period, NOW, "book", budgets=allowed).budgets == []


# -- the page ------------------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    """Elements, and whether they are closed in their order."""

    VOID = ("meta", "rect", "line", "polyline")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID or (tag == "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_one_file(october: figures.Figures) -> None:
    """Well-formed; no script, no address, no picture, no font from elsewhere."""
    text = page.page(october)
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    names = {tag for tag, _ in tags.seen}
    assert {"svg", "table", "h1"} <= names
    assert not names & {"script", "link", "img", "iframe", "object", "a"}
    assert not re.search(r"(?:https?:)?//|url\(|@import", text)
    assert sum(tag == "rect" and "bar" in (attributes.get("class") or "") for tag, attributes in tags.seen) > 31


def test_texts_of_others_are_written_as_texts(october: figures.Figures) -> None:
    """Names and errors come from anybody."""
    row = {"part": "<b>", "text": "<script>alert(1)</script>|=x", "failures": 3, "failures_before": 0, "sessions": 1}
    group = figures.Group("<img src=x>|", october.groups["chapter"][0].now, {})
    odd = replace(october, failures=[row], groups=october.groups | {"chapter": [group, group]})
    text = page.page(odd)
    assert "<script" not in text
    assert "<img" not in text
    assert "&lt;script&gt;" in text
    assert "\\|" in texts.markdown(odd)
    formula = figures.Group("=1+1", october.groups["chapter"][0].now, {})
    assert "'=1+1" in texts.as_csv(replace(october, groups=october.groups | {"chapter": [formula]}))


def test_other_forms(october: figures.Figures) -> None:
    """The same figures."""
    found = json.loads(texts.as_json(october))
    assert Decimal(found["totals"]["cost_usd"]) == october.now["cost_usd"]
    assert found["period"] == {"kind": "month", "name": "2026-10", "first_day": "2026-10-01", "last_day": "2026-10-31"}
    rows = list(csv.DictReader(io.StringIO(texts.as_csv(october))))
    total = next(row for row in rows if (row["section"], row["figure"]) == ("total", "cost_usd"))
    assert Decimal(total["2026-10"]) == october.now["cost_usd"]
    assert f"**{words.usd(october.now['cost_usd'])}**" in texts.markdown(october)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "$0"),
        (0.004, "$0.0040"),
        (0.2, "$0.200"),
        (0.998, "$1.00"),
        (12.345, "$12.35"),
        (1234.5, "$1,234"),
    ],
)
def test_dollars(value: float | None, text: str) -> None:
    assert words.usd(value) == text


@pytest.mark.parametrize(
    ("now", "before", "text"),
    [
        (110, 100, "+10 %"),
        (90, 100, "−10 %"),
        (100, 100, "±0 %"),
        (1, None, "new"),
        (None, 1, ""),
        (5, 0, "new"),
        (90, 1, "+89×"),
    ],
)
def test_changes(now: float | None, before: float | None, text: str) -> None:
    assert words.change(now, before) == text


@pytest.mark.parametrize(("value", "text"), [(9999, "9,999"), (15_400, "15.4 k"), (1.2e9, "1.2 B"), (250_000, "250 k")])
def test_counts(value: float, text: str) -> None:
    assert words.count(value) == text
