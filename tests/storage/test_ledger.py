"""The ledger: ten minutes, and never more than it may hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from telem.storage.ledger import REMEMBER_S, REQUESTS_LIMIT, Ledger


def test_a_request_is_known_for_ten_minutes_and_then_forgotten() -> None:
    """Longer than any client retries."""
    ledger = Ledger()
    ledger.add("a", 0.0)
    ledger.add("b", REMEMBER_S)
    assert "a" in ledger
    ledger.add("c", REMEMBER_S + 0.1)
    assert "a" not in ledger
    assert "b" in ledger
    assert "c" in ledger


def test_it_holds_no_more_than_its_limit() -> None:
    """The oldest go first."""
    ledger = Ledger()
    for number in range(REQUESTS_LIMIT + 5):
        ledger.add(str(number), 0.0)
    assert len(ledger) == REQUESTS_LIMIT
    assert "4" not in ledger
    assert "5" in ledger


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 400)), max_size=60))
def test_what_was_added_within_ten_minutes_is_known(steps: list[tuple[str, float]]) -> None:
    """Also when the same request is added again."""
    ledger, now_s, last = Ledger(), 0.0, dict[str, float]()
    for name, step_s in steps:
        now_s += step_s
        ledger.add(name, now_s)
        last.setdefault(name, now_s)
        for known, at_s in list(last.items()):
            if now_s - at_s > REMEMBER_S:
                del last[known]
            else:
                assert known in ledger
