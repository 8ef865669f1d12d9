"""The gate: Batch -> SanitizedBatch. The only place in the house that makes one.

Every string of a record passes the redactor here, or in `rows`, on its way into a row: attribute names and values,
bodies, resource, scope, span events, links, status messages, exemplars, metric names. What the redactor cannot clean
it replaces, so nothing passes because of an error.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from .clients import OWN_SCOPES
from .lines import dumps, line_of, plain
from .policy import Action
from .records import Attribute, Attributes, Batch, Group, RawRequest, Row, SanitizedBatch, Signal
from .redact import DROPPED
from .rows import RowFiller, set_time
from .shape import NOWHERE, Form, is_int64, plan, tags

if TYPE_CHECKING:
    from .redact import Handler, Redactor
    from .shape import Place, Reader

ID_BYTES = 10
"""80 bits: with a thousand million rows the chance that any two share an id is 4 in ten million. An id does not
compress, and is a quarter of what a record takes on disk."""

_STEP_CACHE_LIMIT = 4096
_GROUP_CACHE_LIMIT = 64
_GROUP_CACHE_BYTES = 65_536
"""Of one resource and scope; a longer one hardly repeats, and 64 of them would fill the memory."""

_NUMBERS = (int, float, bool)


class Step(NamedTuple):
    """What is known about an attribute name."""

    column: str  # empty when it has none
    read: Reader
    exact: type | None  # values of this type go into the column as they are and need not be kept a second time
    bit: int
    known: dict[str, str]  # values judged already
    judge: Handler
    name: str  # the name itself, sanitized
    passes: bool  # numbers need no judging: the policy neither drops nor hashes the attribute


class Steps(dict[str, Step]):
    """Attribute name -> step, looked up once for each name and remembered."""

    def __init__(self, places: dict[str, Place], redactor: Redactor) -> None:
        super().__init__()
        self._places = places
        self._redactor = redactor

    def __missing__(self, key: str) -> Step:
        if len(self) >= _STEP_CACHE_LIMIT:
            self.clear()
        column, read, exact, bit = self._places.get(key, NOWHERE)
        redactor = self._redactor
        passes = redactor.policy.rule_for(key).action in (Action.KEEP, Action.SCAN)
        step = self[key] = Step(
            column, read, exact, bit, redactor.memory(key), redactor.handler(key), redactor.name(key), passes
        )
        return step


class Gate:
    """Sanitizes batches under one policy and one key.

    Args:
        redactor: judges every string.
        key: 32 bytes of this installation; row and request ids are keyed with it, so that an id tells nothing
            about a record to whoever lacks the key.
    """

    def __init__(self, redactor: Redactor, key: bytes) -> None:
        self.redactor = redactor
        self._row_key = blake2b(b"row id", key=key, digest_size=32).digest()
        self._request_key = blake2b(b"request id", key=key, digest_size=32).digest()
        self._filler = RowFiller(redactor)
        self._steps = {signal: Steps(plan(signal), redactor) for signal in Signal}
        self._tags = {signal: tags(signal) for signal in Signal}
        self._groups: dict[bytes, tuple[Row, Row]] = {}

    def request_id(self, request: RawRequest) -> str:
        """Name of a request: a retried one is byte-identical and gets the same name. 32 hex digits."""
        digest = blake2b(request.signal.encode(), key=self._request_key, digest_size=16)
        digest.update(request.body)
        return digest.hexdigest()

    def sanitize(self, batch: Batch, request_id: str) -> SanitizedBatch:
        """Make the rows that may be kept."""
        seen: dict[str, int] = {}
        lines = tuple(
            line_of(row)
            for group in batch.groups
            for row in self._rows(group, batch.signal, batch.received_at_ns, seen)
        )
        return SanitizedBatch(batch.signal, lines, batch.received_at_ns, request_id)

    def _rows(self, group: Group, signal: Signal, received_at_ns: int, seen: dict[str, int]) -> list[Row]:
        filler = self._filler
        fill = {Signal.LOGS: filler.log, Signal.METRICS: filler.metric, Signal.TRACES: filler.span}[signal]
        envelope = dumps([group.resource, group.scope])
        shared, fallback = self._shared(envelope, group, signal)
        hasher = blake2b(envelope, key=self._row_key, digest_size=ID_BYTES)
        scope_name = str(group.scope.get("name", ""))
        steps = self._steps[signal]
        received_us = received_at_ns // 1000
        rows = []
        for record in group.records:
            row: Row = {"id": _row_id(hasher, record, seen), "received_at": received_us}
            set_time(row, record, received_at_ns)
            row.update(shared)
            attributes: Attributes = record.pop("attributes")  # type: ignore[assignment]  # always a dict here
            if "file_path" in attributes:
                attributes = self.redactor.without_contents(attributes)
            self._attributes(row, attributes, steps)
            for column, value in fallback.items():
                if column not in row:
                    row[column] = value
            if "flags" in record or "dropped_attributes_count" in record:
                row.update((name, record[name]) for name in _COUNTS if record.get(name) and is_int64(record[name]))
            fill(row, record, scope_name)
            rows.append(row)
        return rows

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

    def _attributes(self, row: Row, attributes: Attributes, steps: Steps) -> None:
        """Fill the columns, `attributes` with what no column represents, and the bits of what one does.

        The innermost loop of the house, twenty turns a record. What is known about a name is looked up once (`Step`),
        and the two commonest cases, a text and a number, are decided here rather than in calls.
        """
        rest: Attributes = {}
        promoted = as_text = 0
        twin = "prompt_text" in attributes and attributes["prompt_text"] == attributes.get("prompt")
        for key, value in attributes.items():
            column, read, exact, bit, known, judge, name, passes = steps[key]
            kind = type(value)
            if kind is str:
                if twin and key == "prompt_text":
                    promoted |= bit
                    continue
                kept: Any = known.get(value)  # type: ignore[arg-type]  # a str, here and below
                if kept is None:
                    kept = judge(value)  # type: ignore[arg-type]
            elif passes and kind in _NUMBERS:
                kept = value
            else:
                kept = self.redactor.attribute(key, value)
            if kept is DROPPED:
                continue
            if kind is exact and type(kept) is kind:
                row[column] = kept
                promoted |= bit
                continue
            if column:
                converted, form = read(kept)
                if converted is not None and (bit or column not in row):
                    row[column] = converted
                if bit and form is not Form.LOST:
                    if form is Form.SAME:
                        promoted |= bit
                    else:
                        as_text |= bit
                    continue
            rest[name] = kept if kind is str else plain(kept)
        row["attributes"] = rest
        row["promoted"] = promoted
        if as_text:
            row["promoted_as_text"] = as_text


_COUNTS = ("dropped_attributes_count", "flags")
_OWN_COLUMNS = {"resource_meta": ("attributes",), "scope_meta": ("name", "version")}


def _row_id(hasher: Any, record: dict[str, Attribute], seen: dict[str, int]) -> str:
    """Keyed digest of resource, scope, record, and the ordinal among identical records of the request."""
    digest = hasher.copy()
    digest.update(dumps(record))
    row_id: str = digest.hexdigest()
    ordinal = seen.get(row_id, 0)
    seen[row_id] = ordinal + 1
    if ordinal:
        digest.update(b"#%d" % ordinal)
        row_id = digest.hexdigest()
    return row_id
