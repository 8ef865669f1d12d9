"""Increments become totals that a backend without increments adds up to the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
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
    """Each series its own, in whole numbers, with the start of its first point; time does not go back."""
    totals = Cumulative(tmp_path / "series", Disk())
    rows = [point(1), point(10, "b"), point(2, time=2_000_000), point(4, time=1_500_000)]
    found = totals.apply(rows)
    assert [row["value_int"] for row in found] == [1, 10, 3, 7]
    assert [row["time"] for row in found] == [1_000_000, 1_000_000, 2_000_000, 2_000_000]
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
