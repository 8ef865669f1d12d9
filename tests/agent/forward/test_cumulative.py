"""Increments become totals that a backend without increments adds up to the same."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.agent.forward.receiver import OK, STORED_AND_CUT, Receiver
from tests.otlp import metrics, raw
from tests.storage.homes import home_of, segment

from telem.agent.forward import destinations, follower
from telem.agent.forward.cumulative import Cumulative
from telem.agent.forward.destinations import Destination
from telem.agent.forward.worker import run
from telem.sanitize.decode import decode
from telem.sanitize.records import Signal
from telem.storage.disk import Disk

if TYPE_CHECKING:
    from pathlib import Path

    from telem.sanitize.gate import Gate

METRICS = Signal.METRICS


def point(value: int, series: str = "a", time: int = 1_000_000, **more: Any) -> dict[str, Any]:
    return {
        "id": f"{value:020d}",
        "seg": 1,
        "time": time,
        "start_lag_us": 500,
        "metric": "tokens",
        "kind": "sum",
        "temporality": "delta",
        "monotonic": True,
        "value": value,
        "value_int": value,
        "attributes": {"series": series},
        "promoted": 0,
        **more,
    }


def test_totals_grow_by_series(tmp_path: Path) -> None:
    """Each series its own, in whole numbers, with the start of its first point; time goes forward by milliseconds."""
    totals = Cumulative(tmp_path / "series", Disk())
    rows = [point(1), point(10, "b"), point(2, time=2_000_000), point(4, time=1_500_000), point(8, time=2_000_900)]
    found = totals.apply(rows)
    assert [row["value_int"] for row in found] == [1, 10, 3, 7, 15]
    assert [row["time"] for row in found] == [1_000_000, 1_000_000, 2_000_000, 2_001_000, 2_002_000]
    assert {row["time"] - row["start_lag_us"] for row in found} == {999_500}
    assert {row["temporality"] for row in found} == {"cumulative"}
    assert rows[0]["temporality"] == "delta"


def test_totals_count_only_when_they_were_delivered(tmp_path: Path) -> None:
    """Asked twice, they are the same; kept, they outlive the process."""
    totals = Cumulative(tmp_path / "series", Disk())
    rows = [point(5)]
    assert totals.apply(rows) == totals.apply(rows)
    totals.keep(rows)
    again = Cumulative(tmp_path / "series", Disk())
    assert again.contained == {rows[0]["id"]}
    assert again.apply([point(6)])[0]["value"] == 11


def test_histograms_add_up_and_other_points_stay(tmp_path: Path) -> None:
    """Counts, sums and buckets; what is cumulative or a gauge already is left alone."""
    totals = Cumulative(tmp_path / "series", Disk())
    base: dict[str, Any] = {
        "kind": "histogram",
        "count": 2,
        "sum": 3.5,
        "min": 1.0,
        "bucket_counts": [1, 1],
        "explicit_bounds": [1.0],
    }
    rows = [point(1, **base), point(2, **base)]
    found = totals.apply(rows)
    assert (found[1]["count"], found[1]["sum"], found[1]["bucket_counts"]) == (4, 7.0, [2, 2])
    assert "min" not in found[1]
    gauge, cumulative = point(1, kind="gauge", temporality=None), point(1, temporality="cumulative")
    assert totals.apply([gauge, cumulative]) == [gauge, cumulative]


BATCHES = st.lists(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 1000), st.integers(0, 5_000_000)), max_size=8),
    max_size=6,
)


@given(BATCHES, st.data())
def test_whatever_comes_late_twice_or_after_a_restart_totals_only_grow(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[tuple[str, int, int]]], data: st.DataObject
) -> None:
    """As OTLP wants totals: one start, times that rise by what Prometheus can tell apart, and sums of what was sent.

    Points come in any order; answers are lost, after which the same batch comes again; processes end in between.
    """
    path = tmp_path_factory.mktemp("totals") / "series"
    totals = Cumulative(path, Disk())
    sent: dict[str, list[dict[str, Any]]] = {"a": [], "b": []}
    for batch in batches:
        rows = [point(value, series, time) for series, value, time in batch]
        found = totals.apply(rows)
        if data.draw(st.booleans()):  # the answer was lost
            assert totals.apply(rows) == found
        totals.keep(rows)
        for row in found:
            sent[row["attributes"]["series"]].append(row)
        if data.draw(st.booleans()):
            totals = Cumulative(path, Disk())
    for series, rows in sent.items():
        times_ms = [row["time"] // 1000 for row in rows]
        assert all(before < after for before, after in itertools.pairwise(times_ms))
        assert len({row["time"] - row["start_lag_us"] for row in rows}) <= 1
        increments = [value for batch in batches for name, value, _ in batch if name == series]
        assert [row["value_int"] for row in rows] == list(itertools.accumulate(increments))


@pytest.mark.parametrize("lost", [False, True])
def test_the_last_total_is_the_sum_of_all_increments(home: Path, gate: Gate, monkeypatch: Any, lost: bool) -> None:
    """Over several lives, also when answers got lost on the way."""
    monkeypatch.setattr(follower, "BATCH_ROWS", 3)
    layout = home_of(home)
    for number in range(1, 5):
        request = raw(METRICS, metrics(*({"session.id": f"s-{index % 2}"} for index in range(6)), value=1.5))
        segment(layout, number, gate.sanitize(decode(request), f"{number:032d}"))
    with Receiver(lambda one: STORED_AND_CUT if lost and one.number % 3 == 0 else OK) as receiver:
        destination = Destination("there", "otlp", receiver.url, ("metrics",), temporality="cumulative")
        destinations.write(layout, Disk(), destination)
        while run(layout, "there", linger_s=0, parent=False)["state"] != "idle":
            pass
    highest: dict[str, float] = {}
    for request_ in receiver.stored:
        for whole in request_.message.resource_metrics:
            for metric in whole.scope_metrics[0].metrics:
                assert metric.sum.aggregation_temporality == 2
                (one,) = metric.sum.data_points
                session = one.attributes[0].value.string_value
                highest[session] = max(highest.get(session, 0), one.as_double)
    assert highest == {"s-0": 18.0, "s-1": 18.0}
    assert all("telem.row_id" not in record for one in receiver.stored for record in one.records)
