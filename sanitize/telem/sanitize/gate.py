"""The gate: Batch -> SanitizedBatch. The only place in the house that makes one.

Every string of a record passes the redactor here, or in `rows`, on its way into a row: attribute names and values,
bodies, resource, scope, span events, links, status messages, exemplars, metric names. What the redactor cannot clean
it replaces, so nothing passes because of an error.
"""

from __future__ import annotations

import hmac
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING, Any

import orjson

from .clients import OWN_SCOPES
from .judge import Judge
from .lines import dumps, line_of
from .records import Attribute, Batch, Encoding, Group, RawRequest, Row, SanitizedBatch, Signal
from .rows import RowFiller, set_time
from .shape import is_int64, tags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .redact import Redactor

ID_DIGITS = 20
"""80 bits: with a thousand million rows the chance that any two share an id is 4 in ten million. An id does not
compress, and is a quarter of what a record takes on disk."""

_GROUP_CACHE_LIMIT = 64
_GROUP_CACHE_BYTES = 65_536
"""Of one resource and scope; a longer one hardly repeats, and 64 of them would fill the memory."""


class Gate:
    """Sanitizes batches under one policy and one key.

    Args:
        redactor: judges every string.
        key: 32 bytes of this installation; row and request ids are keyed with it, so that an id tells nothing
            about a record to whoever lacks the key.
        admit: decides which of the finished rows are stored; all are, without it.
    """

    def __init__(self, redactor: Redactor, key: bytes, admit: Callable[[Row, Signal], bool] | None = None) -> None:
        self._admit = admit
        self.redactor = redactor
        self._row_key = blake2b(b"row id", key=key, digest_size=32).digest()
        request_key = blake2b(b"request id", key=key, digest_size=32).digest()
        self._request_keys = {
            (signal, encoding): request_key + f"{signal}/{encoding}".encode()
            for signal in Signal
            for encoding in Encoding
        }
        self._filler = RowFiller(redactor)
        self._judges = {signal: Judge(signal, redactor) for signal in Signal}
        self._tags = {signal: tags(signal) for signal in Signal}
        self._groups: dict[bytes, tuple[Row, Row]] = {}

    def request_id(self, request: RawRequest) -> str:
        """Name of a request: a retried one is byte-identical and gets the same name. 32 hex digits."""
        return hmac.digest(self._request_keys[request.signal, request.encoding], request.body, "sha256").hex()[:32]

    def sanitize(self, batch: Batch, request_id: str) -> SanitizedBatch:
        """Make the rows that may be kept."""
        seen: dict[str, int] = {}
        admit = self._admit
        lines = tuple(
            line_of(row)
            for group in batch.groups
            for row in self._rows(group, batch.signal, batch.received_at_ns, seen)
            if admit is None or admit(row, batch.signal)
        )
        return SanitizedBatch(batch.signal, lines, batch.received_at_ns, request_id)

    def _rows(self, group: Group, signal: Signal, received_at_ns: int, seen: dict[str, int]) -> Iterator[Row]:
        filler = self._filler
        fill = {Signal.LOGS: filler.log, Signal.METRICS: filler.metric, Signal.TRACES: filler.span}[signal]
        envelope = dumps([group.resource, group.scope])
        shared, fallback = self._shared(envelope, group, signal)
        hasher = sha256(self._row_key + envelope)  # processors have it: half the time of BLAKE2b
        scope_name = str(group.scope.get("name", ""))
        judge = self._judges[signal]
        stamp = None
        received_us = received_at_ns // 1000
        for record in group.records:
            raws: list[bytes] = record.pop("attributes")  # type: ignore[assignment]  # see `Group`
            row: Row = {"id": _row_id(hasher, record, raws, seen), "received_at": received_us}
            time_us = set_time(row, record, received_at_ns)
            row.update(shared)
            if signal is Signal.LOGS:
                stamp = filler.stamp(time_us)
            judge.fill(row, raws, stamp)
            for column, value in fallback.items():
                if column not in row:
                    row[column] = value
            if "flags" in record or "dropped_attributes_count" in record:
                row.update((name, record[name]) for name in _COUNTS if record.get(name) and is_int64(record[name]))
            fill(row, record, scope_name)
            yield row

    def _shared(self, envelope: bytes, group: Group, signal: Signal) -> tuple[Row, Row]:
        """Columns of resource and scope, and the tags that stand in for a record's own; a client repeats them."""
        if len(envelope) > _GROUP_CACHE_BYTES:
            return self._make_shared(group, signal)
        cached = self._groups.get(envelope + signal.encode())
        if cached is None:
            if len(self._groups) >= _GROUP_CACHE_LIMIT:
                self._groups.clear()
            cached = self._groups[envelope + signal.encode()] = self._make_shared(group, signal)
        return cached

    def _make_shared(self, group: Group, signal: Signal) -> tuple[Row, Row]:
        text = self.redactor.text
        resource = self._filler.clean(group.resource.get("attributes"))
        row: Row = {"resource": orjson.Fragment(dumps(resource))}
        for column, holder in (("resource_meta", group.resource), ("scope_meta", group.scope)):
            kept = {name: value for name, value in holder.items() if name not in _OWN_COLUMNS[column]}
            if kept:
                row[column] = self._filler.clean_part(kept)
        for column, name in (("scope_name", "name"), ("scope_version", "version")):
            if value := group.scope.get(name):
                row[column] = text(str(value))
        if source := OWN_SCOPES.get(str(group.scope.get("name", ""))):
            row["source"] = source
        fallback: Row = {}
        for tag in self._tags[signal]:
            value = next((resource[name] for name in tag.attributes if isinstance(resource.get(name), str)), None)
            if value:
                fallback[tag.name] = value
        version = resource.get("service.version")
        if isinstance(version, str) and not str(group.scope.get("name", "")).startswith("gemini"):
            fallback["app_version"] = version
        return row, fallback


_COUNTS = ("dropped_attributes_count", "flags")
_OWN_COLUMNS = {"resource_meta": ("attributes",), "scope_meta": ("name", "version")}


def _row_id(hasher: Any, record: dict[str, Attribute], raws: list[bytes], seen: dict[str, int]) -> str:
    """Keyed digest of resource, scope, record, and the ordinal among identical records of the request.

    No field of protobuf has the number 0, so where one attribute ends and the next begins is part of what is digested.
    """
    digest = hasher.copy()
    digest.update(b"\0".join([dumps(record), *raws]))
    row_id: str = digest.hexdigest()[:ID_DIGITS]
    ordinal = seen.get(row_id, 0)
    seen[row_id] = ordinal + 1
    if ordinal:
        digest.update(b"#%d" % ordinal)
        row_id = digest.hexdigest()[:ID_DIGITS]
    return row_id
