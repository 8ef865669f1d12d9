"""What the captured payloads say, read from them without any code of the house: the sums that views must give."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

if TYPE_CHECKING:
    from pathlib import Path

NINE_PLACES = Decimal("1e-9")
TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")


@dataclass
class Facts:
    """Sums over Claude Code's `api_request` events and metrics, and what each client sent."""

    requests: Counter[str] = field(default_factory=Counter)
    cost: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    tokens: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    sessions: set[str] = field(default_factory=set)
    events: Counter[str] = field(default_factory=Counter)
    increments: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    records: int = 0

    @property
    def total_cost(self) -> Decimal:
        return sum(self.cost.values(), Decimal(0))


def read(folder: Path) -> Facts:
    """Read all log and metric payloads of a folder."""
    facts = Facts()
    totals: dict[tuple[str, str, str, str], float] = {}
    for path in sorted(folder.iterdir()):
        if "-logs." in path.name:
            for record in _walk(_load(path, ExportLogsServiceRequest), "resourceLogs", "scopeLogs", "logRecords"):
                _take_log(facts, record)
        elif "-metrics." in path.name:
            for metric in _walk(_load(path, ExportMetricsServiceRequest), "resourceMetrics", "scopeMetrics", "metrics"):
                _take_metric(facts, totals, metric)
    for (name, kind, _series, _start), value in totals.items():
        facts.increments[name, kind] += value
    return facts


def _load(path: Path, message: Any) -> Any:
    if path.suffix == ".json":
        return json.loads(path.read_bytes())
    return MessageToDict(message.FromString(path.read_bytes()))


def _walk(tree: dict[str, Any], *names: str) -> list[Any]:
    items = [tree]
    for name in names:
        items = [child for item in items for child in item.get(name, [])]
    return items


def _attributes(record: dict[str, Any]) -> dict[str, Any]:
    return {pair["key"]: next(iter(pair.get("value", {}).values()), None) for pair in record.get("attributes", [])}


def _take_log(facts: Facts, record: dict[str, Any]) -> None:
    attributes = _attributes(record)
    facts.records += 1
    facts.events[str(attributes.get("event.name"))] += 1
    if record.get("body", {}).get("stringValue") != "claude_code.api_request":
        return
    model = attributes["model"]
    facts.requests[model] += 1
    facts.cost[model] += Decimal(str(attributes["cost_usd"])).quantize(NINE_PLACES)
    facts.sessions.add(attributes["session.id"])
    for name in TOKENS:
        facts.tokens[model][name] += int(attributes[name])


def _take_metric(facts: Facts, totals: dict[tuple[str, str, str, str], float], metric: dict[str, Any]) -> None:
    if not metric["name"].startswith("claude_code."):
        return
    cumulative = metric["sum"]["aggregationTemporality"] in ("AGGREGATION_TEMPORALITY_CUMULATIVE", 2)
    for point in metric["sum"]["dataPoints"]:
        attributes = _attributes(point)
        kind, value = str(attributes.get("type", "")), float(point["asDouble"])
        if cumulative:
            series = (metric["name"], kind, json.dumps(attributes, sort_keys=True), point["startTimeUnixNano"])
            totals[series] = max(value, totals.get(series, 0.0))
        else:
            facts.increments[metric["name"], kind] += value
