"""Lines: a row that is too long for its readers is cut, and says so."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.otlp import any_value, logs, metrics, pairs, raw, traces
from tests.sanitize.test_gate import fresh

from telem.sanitize.decode import decode
from telem.sanitize.lines import TEXT_CUT_CHARS
from telem.sanitize.records import Profile, Signal

_OFF = fresh(profile=Profile.OFF)
_LIMIT = 400_000
_HUGE = _LIMIT + 1_000


@pytest.fixture
def low_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lower limit than the real one, for the sake of time; test_end_to_end has a row at the real one."""
    monkeypatch.setattr("telem.sanitize.lines.LINE_LIMIT_BYTES", _LIMIT)


def _line_of(request: Any, signal: Signal = Signal.LOGS) -> bytes:
    (line,) = _OFF.sanitize(decode(raw(signal, request)), "r").lines
    return line


@pytest.mark.usefixtures("low_limit")
@pytest.mark.parametrize("name", ["prompt", "some.name"])
def test_a_text_beyond_the_line_limit_is_cut_and_says_how_long_it_was(name: str) -> None:
    """DuckDB would skip the row; so the text is cut, the rest of the row stays."""
    line = _line_of(logs({name: "é" * _HUGE, "model": "opus"}))
    assert len(line) <= _LIMIT
    row = orjson.loads(line)
    text = row.get(name) or row["attributes"][name]
    assert text == "é" * TEXT_CUT_CHARS + f"[CUT:{_HUGE}]"
    assert row["model"] == "opus"


@pytest.mark.usefixtures("low_limit")
def test_a_row_just_below_the_limit_is_kept_whole() -> None:
    """The limit is the limit."""
    text = "a" * (_LIMIT - 2_000)
    assert orjson.loads(_line_of(logs({"prompt": text})))["prompt"] == text


def _wide() -> list[Any]:
    return ["0123456789abcdef"] * (_HUGE // 16)


@pytest.mark.usefixtures("low_limit")
@pytest.mark.parametrize("where", ["attributes", "body", "resource", "scope", "exemplars", "events", "bucket_counts"])
def test_a_row_that_is_huge_without_a_long_text_fits_a_line_all_the_same(where: str) -> None:
    """Millions of short items, wherever they lie, must not make the row unreadable either."""
    signal = Signal.LOGS
    request: Any = logs({"model": "opus"})
    whole = request.resource_logs[0]
    match where:
        case "attributes":
            request = logs({"model": "opus", "wide": _wide()})
        case "body":
            request = logs({"model": "opus"}, body=_wide())
        case "resource":
            whole.resource.attributes.add(key="wide").value.CopyFrom(any_value(_wide()))
        case "scope":
            whole.scope_logs[0].scope.attributes.add(key="wide").value.CopyFrom(any_value(_wide()))
        case "exemplars":
            signal, request = Signal.METRICS, metrics({"model": "opus"})
            point = request.resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points[0]
            point.exemplars.add().filtered_attributes.add(key="wide").value.CopyFrom(any_value(_wide()))
        case "events":
            signal, request = Signal.TRACES, traces({"model": "opus"})
            event = request.resource_spans[0].scope_spans[0].spans[0].events.add(name="e")
            event.attributes.add(key="wide").value.CopyFrom(any_value(_wide()))
        case "bucket_counts":
            signal, request = Signal.METRICS, metrics({"model": "opus"})
            metric = request.resource_metrics[0].scope_metrics[0].metrics[0]
            metric.histogram.data_points.add(bucket_counts=[10**15] * (_HUGE // 17), count=5)
            metric.histogram.data_points[0].attributes.extend(pairs({"model": "opus"}))
    line = _line_of(request, signal)
    assert len(line) <= _LIMIT
    row = orjson.loads(line)
    assert row["model"] == "opus"
    assert row["id"]
    assert "telem.cut" in row["attributes"] or where == "body"
