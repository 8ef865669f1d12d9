"""Facts -> OTLP requests, of the kind and size that the client itself sends (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .facts import Fact

    Resource = Callable[[tuple[str, str, str]], dict[str, str]]
    """Client version, directory and branch -> resource attributes."""

SCOPE = "telem-agent.transcript"
RECORDS_MAX = 512
"""As many as Claude Code sends at most; the daemon judges them in 15 ms, and others wait no longer than that."""

REQUEST_CHARS_MAX = 4_000_000


def requests(facts: Iterable[Fact], resource_of: Resource, version: str) -> Iterator[bytes]:
    """Serialized requests; records that share client version, directory and branch share a resource."""
    taken: list[Fact] = []
    chars = 0
    for fact in facts:
        taken.append(fact)
        chars += len(str(fact.values.get("prompt", "")))
        if len(taken) == RECORDS_MAX or chars >= REQUEST_CHARS_MAX:
            yield _request(taken, resource_of, version)
            taken, chars = [], 0
    if taken:
        yield _request(taken, resource_of, version)


def _request(facts: list[Fact], resource_of: Resource, version: str) -> bytes:
    request = ExportLogsServiceRequest()
    by_place: dict[tuple[str, str, str], list[Fact]] = {}
    for fact in facts:
        by_place.setdefault(fact.place, []).append(fact)
    for place, members in by_place.items():
        whole = request.resource_logs.add()
        for name, text in resource_of(place).items():
            _set(whole.resource.attributes.add(), name, text)
        scope = whole.scope_logs.add()
        scope.scope.name, scope.scope.version = SCOPE, version
        for fact in members:
            record = scope.log_records.add(time_unix_nano=fact.time_ns)
            record.body.string_value = f"claude_code.{fact.name}"
            _set(record.attributes.add(), "event.name", fact.name)
            for name, value in fact.values.items():
                _set(record.attributes.add(), name, value)
    return bytes(request.SerializeToString())


def _set(attribute: Any, name: str, value: str | float | bool) -> None:
    attribute.key = name
    if isinstance(value, str):
        attribute.value.string_value = value.encode("utf-8", "replace").decode() if not value.isascii() else value
    elif isinstance(value, bool):
        attribute.value.bool_value = value
    elif isinstance(value, int):
        attribute.value.int_value = value
    else:
        attribute.value.double_value = value
