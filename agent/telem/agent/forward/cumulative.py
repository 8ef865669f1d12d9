"""Increments of metrics -> running totals, for backends that keep no increments.

Claude Code reports increments; Prometheus and its kin drop them, some with an answer of 200. The totals belong to the
cursor: they are saved together with the ids of the rows that they contain, so that a crash adds nothing twice.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import orjson

from telem.sanitize.records import Signal

from .encode_attributes import attributes_of
from .encode_metrics import number

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from telem.storage.disk import Disk
    from telem.storage.sequence import Row

SERIES_MAX = 20_000
"""Then the one that was quiet longest is forgotten; should it go on, it begins anew, as after a restart."""

TICK_US = 1_000
"""Two totals of a series are a millisecond apart at least: Prometheus counts in those, and refuses a whole request for
a second value at a time that it knows, or for one that is earlier."""

Series = dict[str, Any]


class Cumulative:
    """Running totals of one destination."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self._path = path
        self._disk = disk
        self._series: OrderedDict[str, Series] = OrderedDict()
        self._changed: dict[str, Series] = {}
        self.contained: set[str] = set()  # ids of the rows that came last into the totals
        try:
            said = orjson.loads(path.read_bytes())
        except (FileNotFoundError, ValueError):
            return
        self._series.update(said["series"])
        self.contained.update(said["contained"])

    def apply(self, rows: Sequence[Row]) -> list[Row]:
        """The rows as totals. They count only once `keep` was called."""
        self._changed = {}
        return [self._total(row) if row.get("temporality") == "delta" else row for row in rows]

    def keep(self, rows: Sequence[Row]) -> None:
        """The rows were delivered: their totals stand, durably."""
        for key, series in self._changed.items():
            self._series[key] = series
            self._series.move_to_end(key)
        while len(self._series) > SERIES_MAX:
            self._series.popitem(last=False)
        self.contained = {row["id"] for row in rows}
        said = {"schema": 1, "series": self._series, "contained": sorted(self.contained)}
        self._disk.write(self._path, orjson.dumps(said))

    def _total(self, row: Row) -> Row:
        if row["kind"] not in ("sum", "histogram"):
            return row
        key = _key(row)
        before = self._changed.get(key) or self._series.get(key)
        start_us = row["time"] - row.get("start_lag_us", 0)
        after: Series = {"start": before["start"] if before else start_us, "time": row["time"]}
        if before and row["time"] // TICK_US <= before["time"] // TICK_US:
            after["time"] = (before["time"] // TICK_US + 1) * TICK_US
        if row["kind"] == "sum":
            after["value"] = _add(_value(row), before["value"] if before else 0)
        else:
            after |= _add_histogram(row, before)
        self._changed[key] = after
        return _as_total(row, after)


def _key(row: Row) -> str:
    said = [row.get("metric"), row.get("unit"), row["kind"], row.get("resource"), row.get("scope_name")]
    said += [attributes_of(Signal.METRICS, row), row.get("explicit_bounds")]
    return blake2b(orjson.dumps(said, option=orjson.OPT_SORT_KEYS), digest_size=12).hexdigest()


def _value(row: Row) -> int | float:
    return int(row["value_int"]) if row.get("value_int") is not None else number(row.get("value", 0))


def _add(one: float, other: float) -> int | float:
    """Whole numbers stay whole as long as an OTLP integer holds them."""
    total = one + other
    return total if isinstance(total, float) or abs(total) < 1 << 63 else float(total)


def _add_histogram(row: Row, before: Series | None) -> Series:
    buckets = row.get("bucket_counts") or []
    if before is None or len(before["buckets"]) != len(buckets):
        before = {"count": 0, "sum": 0.0, "buckets": [0] * len(buckets)}
    return {
        "count": before["count"] + row.get("count", 0),
        "sum": before["sum"] + number(row.get("sum", 0)),
        "buckets": [one + other for one, other in zip(buckets, before["buckets"], strict=True)],
    }


def _as_total(row: Row, series: Series) -> Row:
    total = {name: value for name, value in row.items() if name not in ("value_int", "min", "max", "start_rem_ns")}
    total |= {"temporality": "cumulative", "time": series["time"], "start_lag_us": series["time"] - series["start"]}
    if series["time"] != row["time"]:
        total.pop("time_rem_ns", None)
    if row["kind"] == "sum":
        total["value"] = series["value"]
        if isinstance(series["value"], int):
            total["value_int"] = series["value"]
    else:
        total |= {"count": series["count"], "sum": series["sum"], "bucket_counts": series["buckets"]}
    return total
