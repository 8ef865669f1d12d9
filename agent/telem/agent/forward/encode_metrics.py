"""Stored data points -> OTLP metrics, each in a message of its own; its attributes come serialized (pure)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    SummaryDataPoint,
)

from .wire import field, pairs, time_ns

if TYPE_CHECKING:
    from telem.storage.sequence import Row

_TEMPORALITY = {"delta": 1, "cumulative": 2}
_DATA = {"gauge": 5, "sum": 7, "histogram": 9, "exponential_histogram": 10, "summary": 11}
"""Kind -> its field in Metric."""

FIELD_OF_ATTRIBUTES = {"histogram": 9, "exponential_histogram": 1}
"""Where a point of this kind has its attributes; all others at 7."""


def metric_of(row: Row, attributes: bytes) -> bytes:
    """One metric with one point, whose attributes are serialized already."""
    kind = row["kind"]
    metric = Metric(name=row.get("metric", ""), description=row.get("description", ""), unit=row.get("unit", ""))
    metric.metadata.extend(pairs(row.get("metric_meta") or {}))
    point = field(1, _POINTS[kind](row).SerializeToString() + attributes)
    return metric.SerializeToString() + field(_DATA[kind], point + _flags(row, kind))


def _flags(row: Row, kind: str) -> bytes:
    """Temporality (field 2) and monotonicity (field 3)."""
    number = _TEMPORALITY.get(row.get("temporality", ""), 0)
    said = bytes((2 << 3, number)) if number and kind not in ("gauge", "summary") else b""
    return said + (bytes((3 << 3, 1)) if kind == "sum" and row.get("monotonic") else b"")


def _times(row: Row) -> dict[str, Any]:
    times = {"time_unix_nano": time_ns(row), "flags": row.get("flags", 0) & 0xFFFFFFFF}
    if (lag := row.get("start_lag_us")) is not None:
        times["start_time_unix_nano"] = max(0, (row["time"] - lag) * 1000 + row.get("start_rem_ns", 0))
    return times


def _number_point(row: Row) -> NumberDataPoint:
    point = NumberDataPoint(**_times(row), exemplars=_exemplars(row))
    if row.get("value_int") is not None:
        point.as_int = row["value_int"]
    elif row.get("value") is not None:
        point.as_double = number(row["value"])
    return point


def _histogram_point(row: Row) -> HistogramDataPoint:
    return HistogramDataPoint(
        **_times(row),
        **_present(row, "sum", "min", "max"),
        count=row.get("count", 0),
        bucket_counts=row.get("bucket_counts") or (),
        explicit_bounds=[number(bound) for bound in row.get("explicit_bounds") or ()],
        exemplars=_exemplars(row),
    )


def _exponential_point(row: Row) -> ExponentialHistogramDataPoint:
    return ExponentialHistogramDataPoint(
        **_times(row),
        **_present(row, "sum", "min", "max"),
        **(row.get("exponential") or {}),
        count=row.get("count", 0),
        exemplars=_exemplars(row),
    )


def _summary_point(row: Row) -> SummaryDataPoint:
    point = SummaryDataPoint(**_times(row), count=row.get("count", 0), sum=number(row.get("sum", 0)))
    for pair in row.get("quantiles") or ():
        point.quantile_values.add(quantile=number(pair["quantile"]), value=number(pair["value"]))
    return point


_POINTS = {
    "gauge": _number_point,
    "sum": _number_point,
    "histogram": _histogram_point,
    "exponential_histogram": _exponential_point,
    "summary": _summary_point,
}


def _present(row: Row, *names: str) -> dict[str, Any]:
    return {name: number(row[name]) for name in names if row.get(name) is not None}


def _exemplars(row: Row) -> list[Exemplar]:
    made = []
    for found in row.get("exemplars") or ():
        exemplar = Exemplar(
            time_unix_nano=int(found.get("time_unix_nano", 0)),
            trace_id=bytes.fromhex(found.get("trace_id", "")),
            span_id=bytes.fromhex(found.get("span_id", "")),
            filtered_attributes=pairs(found.get("attributes") or {}),
        )
        if "as_int" in found:
            exemplar.as_int = int(found["as_int"])
        elif "as_double" in found:
            exemplar.as_double = number(found["as_double"])
        made.append(exemplar)
    return made


def number(value: Any) -> float:
    """A number of a row; what JSON has no word for is a text in it."""
    if isinstance(value, str):
        return {"Infinity": math.inf, "-Infinity": -math.inf}.get(value, math.nan)
    return float(value)
