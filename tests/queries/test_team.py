"""The team's figures: complete, and of no group below the minimum."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telem.queries.team import ALL, DIMENSIONS, NONE, OTHER, Gathered, MemberFigures, gather

MONDAY = date(2026, 11, 2)


def did(member: str, day: int = 0, model: str = NONE, cost: str = "1.5") -> list[MemberFigures]:
    """A member's rows of one day: the total, and one value of each dimension."""
    figures: dict[str, int | float | Decimal | None] = {"requests": 1, "cost_usd": Decimal(cost)}
    when = MONDAY + timedelta(days=day)
    values = dict.fromkeys(DIMENSIONS, NONE) | {"model": model, ALL: ALL}
    return [MemberFigures(member, when, dimension, value, figures) for dimension, value in values.items()]


def shown(gathered: Gathered, dimension: str) -> dict[str, tuple[int, object]]:
    return {row.value: (row.members, row.measures["requests"]) for row in gathered.rows if row.dimension == dimension}


def test_a_group_of_the_minimum_size_is_shown_with_exact_sums() -> None:
    found = gather([*did("a", cost="0.1"), *did("b", cost="0.2"), *did("c", cost="0.000000001")])
    (total,) = [row for row in found.rows if row.dimension == ALL]
    assert (total.members, total.measures["requests"], total.measures["cost_usd"]) == (3, 3, Decimal("0.300000001"))
    assert total.measures["commits"] is None  # nobody told: not known, which is not 0


def test_days_with_too_few_members_are_shown_with_those_that_follow() -> None:
    found = gather([*did("a"), *did("b", 1), *did("a", 2), *did("c", 2), *did("a", 3)])
    (total,) = [row for row in found.rows if row.dimension == ALL]
    assert (total.from_day, total.to_day, total.members) == (MONDAY, MONDAY + timedelta(days=2), 3)
    assert found.withheld_days == (MONDAY + timedelta(days=3),)


def test_values_that_few_used_are_shown_together() -> None:
    members = "abcdefg"
    rows = [row for member in members for row in did(member, model="usual")]
    for member, model in zip("abc", ("rare-1", "rare-2", "rare-3"), strict=True):
        rows += did(member, model=model)
    assert shown(gather(rows), "model") == {"usual": (7, 7), OTHER: (3, 3)}


def test_a_rest_that_is_too_small_takes_a_shown_value_with_it() -> None:
    """Otherwise the rest would be the total less what is shown."""
    rows = [row for member in "abcd" for row in did(member, model="usual")]
    rows += [row for member in "abc" for row in did(member, model="second")]
    rows += did("d", model="rare")
    assert shown(gather(rows), "model") == {"usual": (4, 4), OTHER: (4, 4)}


def test_a_group_of_one_hides_nobody() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        gather([], 1)


histories = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.integers(0, 9), st.sampled_from(["m1", "m2", "m3", "m4"])), max_size=60
)


@settings(max_examples=300, deadline=None)
@given(history=histories, size=st.integers(2, 4))
def test_nothing_shown_and_no_difference_of_it_is_a_smaller_group(
    history: list[tuple[str, int, str]], size: int
) -> None:
    """Each dimension divides each span completely, every part has enough members, and nothing is lost or doubled."""
    found = gather([row for member, day, model in history for row in did(member, day, model)], size)
    spans = {(row.from_day, row.to_day) for row in found.rows}
    last = max((to for _, to in spans), default=MONDAY - timedelta(days=1))
    inside = [one for one in history if MONDAY + timedelta(days=one[1]) <= last]
    waiting = {one[0] for one in history if MONDAY + timedelta(days=one[1]) > last}
    assert len(waiting) < size
    for dimension in (ALL, *DIMENSIONS):
        rows = [row for row in found.rows if row.dimension == dimension]
        assert all(row.members >= size for row in rows)
        assert sum(int(row.measures["requests"] or 0) for row in rows) == len(inside)
    for one, other in zip(sorted(spans), sorted(spans)[1:], strict=False):
        assert one[1] < other[0]
    for row in found.rows:
        if row.dimension == "model" and row.value != OTHER:
            users = {
                m
                for m, day, model in inside
                if model == row.value and row.from_day <= MONDAY + timedelta(days=day) <= row.to_day
            }
            assert len(users) == row.members
