"""Ready-made questions: every one runs, parameters are checked, and figures are those of the payloads."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from telem.queries import canned
from telem.queries.commands import ask
from telem.queries.reports.first import first_report
from telem.queries.table import Problem, QueryError

if TYPE_CHECKING:
    from tests.queries.facts import Facts

    from telem.storage.layout import Layout

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize("name", canned.load())
def test_every_question_has_a_title_a_sentence_and_since(name: str) -> None:
    """And uses each parameter it declares, and no other."""
    query = canned.load()[name]
    assert query.title[0].isupper()
    assert query.sentence.endswith(".")
    used = set(re.findall(r"\$(\w+)", query.sql))
    assert used - {"since", "since_day"} == {item.name for item in query.parameters}
    assert "since" in used
    for item in query.parameters:
        assert item.read(item.default) is not None


@pytest.mark.parametrize("name", ["cost-analysis", "sessions", "redactions"])
def test_a_question_without_an_answer_says_so(empty_store: Layout, name: str) -> None:
    """Nothing has arrived, or nothing of this kind."""
    empty = ask(empty_store, name, since="7d")
    assert empty.rows == ()
    assert "Nothing of this kind" in empty.note
    assert "telem-agent doctor" in ask(empty_store, "last").note


def test_a_day(store: Layout) -> None:
    """A parameter that is a day."""
    (row,) = ask(store, "budget-burn", {"day": "2026-11-23", "amount": 10}).rows
    assert (row[0], row[1]) == (date(2026, 11, 1), date(2026, 11, 23))
    assert ask(store, "budget-burn", {"day": "2026-10-31"}).rows == ()
    with pytest.raises(QueryError, match="such as today"):
        ask(store, "budget-burn", {"day": "soon"})


def test_cost_by_model_is_exact(store: Layout, known: Facts) -> None:
    """Cost, tokens and shares; what has no price stands last and is counted."""
    table = ask(store, "cost-analysis")
    names = [column.name for column in table.columns]
    assert names[0] == "model"
    found = [dict(zip(names, row, strict=True)) for row in table.rows]
    priced = {row["model"]: row["cost_usd"] for row in found if row["cost_usd"] is not None}
    assert priced == known.cost
    assert {row["model"]: row["requests"] for row in found if row["model"] in priced} == known.requests
    assert sum(Decimal(str(row["cost_percent"])) for row in found if row["cost_percent"]) == pytest.approx(100, abs=1)
    assert [(row["model"], row["unpriced_requests"]) for row in found[len(priced) :]] == [
        ("gemini-2.5-pro", 2),
        ("gpt-5", 2),
    ]


@pytest.mark.parametrize("by", ["user", "team", "chapter", "repository", "branch", "day", "session", "client"])
def test_cost_by_anything_else_is_the_same_in_all(store: Layout, known: Facts, by: str) -> None:
    """The groups add up."""
    table = ask(store, "cost-analysis", {"by": by, "limit": 1000})
    assert table.columns[0].name == by
    costs = [row[6] for row in table.rows if isinstance(row[6], Decimal)]
    assert sum(costs) == known.total_cost


def test_error_texts_are_counted(store: Layout, known: Facts) -> None:
    """Errors of requests and of tools, the commonest first."""
    table = ask(store, "error-patterns", {"limit": 1000})
    failures = sum(int(str(row[2])) for row in table.rows)
    failed_tools = ask(store, "SELECT count(*) FROM tool_calls WHERE NOT success").rows[0][0]
    assert failures == known.events["api_error"] + int(str(failed_tools))


def test_cache_share_is_of_the_whole_input(store: Layout, known: Facts) -> None:
    """Read from the cache, over fresh, read and written."""
    table = ask(store, "token-efficiency")
    for row in table.rows:
        tokens = known.tokens.get(str(row[0]))
        if tokens:
            whole = tokens["input_tokens"] + tokens["cache_read_tokens"] + tokens["cache_creation_tokens"]
            assert row[2] == whole
            assert row[3] == pytest.approx(100 * tokens["cache_read_tokens"] / whole, abs=0.05)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("30m", NOW - timedelta(minutes=30)),
        ("12h", NOW - timedelta(hours=12)),
        ("7d", NOW - timedelta(days=7)),
        (" 2w ", NOW - timedelta(weeks=2)),
        ("999999w", canned.EPOCH),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T10:00+02:00", datetime(2026, 11, 1, 8, tzinfo=UTC)),
    ],
)
def test_since(text: str, wanted: datetime) -> None:
    """A span before now, or a moment in UTC."""
    assert canned.parse_since(text, NOW) == wanted


@pytest.mark.parametrize("text", ["", "yesterday", "7x", "-7d", "2026-13-01"])
def test_since_that_is_none(text: str) -> None:
    """The error says what it takes."""
    with pytest.raises(QueryError, match="7d") as caught:
        canned.parse_since(text, NOW)
    assert caught.value.problem is Problem.PARAMETER


def test_since_leaves_out_what_happened_before(store: Layout) -> None:
    """And the ingest days looked at begin one day earlier, for clocks that are ahead."""
    newest = ask(store, "SELECT max(time) FROM events").rows[0][0]
    assert isinstance(newest, datetime)
    assert ask(store, "last", {"limit": 1000}, since=newest).rows
    assert ask(store, "last", since=newest + timedelta(seconds=1)).rows == ()
    assert canned.first_ingest_day(NOW) == date(2026, 11, 22)
    assert canned.first_ingest_day(None) == date(1970, 1, 1)
    assert canned.first_ingest_day(canned.EPOCH) == date(1970, 1, 1)


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("cost-anlysis", {}, "Did you mean cost-analysis"),
        ("events", {}, "FROM events LIMIT 20"),
        ("cost-analysis", {"by": "modle"}, "Did you mean model"),
        ("cost-analysis", {"by": "model; DROP"}, "Choices: model, user"),
        ("cost-analysis", {"limit": "ten"}, "an integer, such as 50"),
        ("cost-analysis", {"buy": "model"}, "Did you mean by"),
    ],
)
def test_mistakes_are_explained(store: Layout, name: str, params: dict[str, object], words: str) -> None:
    """Near names and the choices there are."""
    with pytest.raises(QueryError, match=words):
        ask(store, name, params)


@pytest.mark.parametrize(
    "text", ["SELECT 1", "-- Title\nSELECT 1", "-- Title\n-- Sentence.\n-- param x = 1\nSELECT $x"]
)
def test_a_file_without_its_comments_is_an_error(text: str) -> None:
    """Found when it is written, not when it is asked."""
    with pytest.raises(ValueError, match=r"odd\.sql"):
        canned.parse("odd", text)


def test_names_are_forgiving(store: Layout) -> None:
    """Underscores and capitals."""
    assert ask(store, "Cost_Analysis").rows == ask(store, "cost-analysis").rows


def test_report_has_the_totals(store: Layout, empty_store: Layout, known: Facts) -> None:
    """One document; an empty store makes one too."""
    text = first_report(store)
    assert f"{known.total_cost.normalize()}" in text
    assert "## Cost by model" in text
    assert "Nothing of this kind" in first_report(empty_store, since="7d", form="table")
