"""The gate: Batch -> SanitizedBatch. The only place in the house that makes one.

Every string of a record passes the redactor here on its way into a row: attribute names and values, bodies,
resource, scope, span events, links, status messages, exemplars, metric names. What the redactor cannot clean it
replaces, so nothing passes because of an error.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from . import clients
from .columns import BIT
from .policy import Action
from .records import Attribute, Attributes, Batch, Group, RawRequest, Row, SanitizedBatch, Signal
from .redact import DROPPED
from .shape import NOWHERE, Form, is_int64, plan, tags

if TYPE_CHECKING:
    from collections.abc import Callable

    from .redact import Handler, Redactor
    from .shape import Place, Reader

ID_BYTES = 10
"""80 bits: with a thousand million rows the chance that any two share an id is 4 in ten million. An id does not compress, and
is a quarter of what a record takes on disk."""

LINE_LIMIT_BYTES = 15_000_000
"""Longest row kept whole: DuckDB's read_json refuses objects of 16 MiB, and would then skip the row."""

TEXT_CUT_CHARS = 65_536
"""What is kept of each text in a row over that limit."""

_EPOCH_CACHE_LIMIT = 4096
_STEP_CACHE_LIMIT = 4096
_GROUP_CACHE_LIMIT = 64
_GROUP_CACHE_BYTES = 65_536  # of one resource and scope; a longer one hardly repeats, and 64 of them would fill the memory
_KIND = ("", "internal", "server", "client", "producer", "consumer")
_TEMPORALITY = ("", "delta", "cumulative")
_STATUS = ("", "ok", "error")


_NUMBERS = (int, float, bool)


class Step(NamedTuple):
    """What is known about an attribute name."""

    column: str  # empty when it has none
    read: Reader
    exact: type | None  # values of this type go into the column as they are and need not be kept a second time
    bit: int
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
        passes = self._redactor.policy.rule_for(key).action in (Action.KEEP, Action.SCAN)
        step = self[key] = Step(column, read, exact, bit, self._redactor.handler(key), self._redactor.name(key), passes)
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
        self._steps = {signal: Steps(plan(signal), redactor) for signal in Signal}
        self._events: dict[tuple[str, str], tuple[str, str | None, str | None]] = {}
        self._tags = {signal: tags(signal) for signal in Signal}
        self._groups: dict[bytes, tuple[Row, Row]] = {}
        self._seconds: dict[int, str] = {}

    def request_id(self, request: RawRequest) -> str:
        """Name of a request: a retried one is byte-identical and gets the same name. 32 hex digits."""
        digest = blake2b(request.signal.encode(), key=self._request_key, digest_size=16)
        digest.update(request.body)
        return digest.hexdigest()

    def sanitize(self, batch: Batch, request_id: str) -> SanitizedBatch:
        """Make the rows that may be kept."""
        shape = {Signal.LOGS: self._log, Signal.METRICS: self._metric, Signal.TRACES: self._span}[batch.signal]
        seen: dict[str, int] = {}
        lines = tuple(
            _line(row)
            for group in batch.groups
            for row in self._rows(group, batch.signal, batch.received_at_ns, seen, shape)
        )
        return SanitizedBatch(batch.signal, lines, batch.received_at_ns, request_id)

    def _rows(
        self,
        group: Group,
        signal: Signal,
        received_at_ns: int,
        seen: dict[str, int],
        shape: Callable[[Row, dict[str, Attribute], str], None],
    ) -> list[Row]:
        envelope = _dumps([group.resource, group.scope])
        shared, fallback = self._shared(envelope, group, signal)
        hasher = blake2b(envelope, key=self._row_key, digest_size=ID_BYTES)
        scope_name = str(group.scope.get("name", ""))
        steps = self._steps[signal]
        received_us = received_at_ns // 1000
        rows = []
        for record in group.records:
            row: Row = {"id": _row_id(hasher, record, seen), "received_at": received_us}
            _set_time(row, record, received_at_ns)
            row.update(shared)
            self._attributes(row, record.pop("attributes"), steps)  # type: ignore[arg-type]  # always a dict here
            for column, value in fallback.items():
                row.setdefault(column, value)
            for name in ("dropped_attributes_count", "flags"):
                if record.get(name) and is_int64(record[name]):
                    row[name] = record[name]
            shape(row, record, scope_name)
            rows.append(row)
        return rows

    # -- what the records of a group share ---------------------------------------------------------------------

    def _shared(self, envelope: bytes, group: Group, signal: Signal) -> tuple[Row, Row]:
        """Columns of resource and scope, and the tags that stand in for a record's own; cached, for a client repeats them."""
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
        resource = self._clean(group.resource.get("attributes"))
        row: Row = {"resource": orjson.Fragment(_dumps(resource))}
        for column, holder in (("resource_meta", group.resource), ("scope_meta", group.scope)):
            kept = {name: value for name, value in holder.items() if name not in _PLAIN[column]}
            if kept:
                row[column] = self._clean_part(kept)
        for column, name in (("scope_name", "name"), ("scope_version", "version")):
            if value := group.scope.get(name):
                row[column] = text(str(value))
        fallback: Row = {}
        for tag in self._tags[signal]:
            value = next((resource[name] for name in tag.attributes if isinstance(resource.get(name), str)), None)
            if value:
                fallback[tag.name] = value
        version = resource.get("service.version")
        if isinstance(version, str) and not str(group.scope.get("name", "")).startswith("gemini"):
            fallback["app_version"] = version
        return row, fallback

    # -- attributes --------------------------------------------------------------------------------------------

    def _attributes(self, row: Row, attributes: Attributes, steps: Steps) -> None:
        """Fill the columns, `attributes` with what no column represents, and the bits of what one does.

        The innermost loop of the house, twenty turns a record. What is known about a name is looked up once (`Step`), and
        the two commonest cases, a text and a number, are decided here rather than in calls.
        """
        rest: Attributes = {}
        promoted = as_text = 0
        twin = "prompt_text" in attributes and attributes["prompt_text"] == attributes.get("prompt")
        for key, value in attributes.items():
            column, read, exact, bit, judge, name, passes = steps[key]
            kind = type(value)
            if kind is str:
                if twin and key == "prompt_text":
                    promoted |= bit
                    continue
                kept: Any = judge(value)  # type: ignore[arg-type]  # a str
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
            rest[name] = kept if kind is str else _plain(kept)
        row["attributes"] = rest
        row["promoted"] = promoted
        if as_text:
            row["promoted_as_text"] = as_text

    def _clean(self, attributes: Attribute) -> dict[str, Any]:
        """Attributes under their policy, ready for JSON."""
        cleaned = {}
        for key, value in attributes.items() if isinstance(attributes, dict) else ():
            kept = self.redactor.attribute(key, value)
            if kept is not DROPPED:
                cleaned[self.redactor.name(key)] = _plain(kept)
        return cleaned

    def _clean_part(self, part: Attribute) -> dict[str, Any]:
        """A resource's or scope's extras, a span event, a link, an exemplar: attributes below plain members."""
        cleaned: dict[str, Any] = {}
        for name, value in part.items() if isinstance(part, dict) else ():
            if name == "attributes":
                cleaned[name] = self._clean(value)
            elif name in ("trace_id", "span_id"):
                cleaned[name] = value
            elif isinstance(value, str):
                cleaned[name] = self.redactor.text(value)
            elif isinstance(value, list):
                cleaned[name] = [self._clean_part(item) if isinstance(item, dict) else self._clean_item(item) for item in value]
            else:
                cleaned[name] = _plain(value)
        return cleaned

    def _clean_item(self, item: Attribute) -> Attribute:
        """An item of a plain list, such as the keys of an entity reference."""
        return self.redactor.text(item) if isinstance(item, str) else item

    # -- the three signals -------------------------------------------------------------------------------------

    def _log(self, row: Row, record: dict[str, Attribute], scope_name: str) -> None:
        text = self.redactor.text
        if (body := record.get("body")) is not None:
            if isinstance(body, str) and clients.is_event_name(body):
                row["body"] = text(body)
            elif (kept := self.redactor.attribute("body", body)) is not DROPPED:
                row["body"] = kept if isinstance(body, str) else _dumps(_plain(kept)).decode()
                if not isinstance(body, str):
                    row["body_type"] = "json"
        self._set_event(row, scope_name)
        self._set_event_timestamp(row)
        if observed := record.get("observed_time_unix_nano"):
            _set_offset(row, int(str(observed)), "observed_lag_us", "observed_rem_ns", 1)
        for name in ("trace_id", "span_id"):
            if name in record:
                row[name] = record[name]
        if is_int64(record.get("severity_number")):
            row["severity_number"] = record["severity_number"]
        for name, column in (("severity_text", "severity_text"), ("event_name", "otlp_event_name")):
            if value := record.get(name):
                row[column] = text(str(value))
        if row.get("client") not in ("claude_code", None):
            clients.normalize(row, row["attributes"])  # type: ignore[arg-type]  # made by _attributes

    def _set_event(self, row: Row, scope_name: str) -> None:
        """Event name, client and canonical type: from the attribute, else from a body that is a name."""
        name, body = row.get("event_name"), row.get("body")
        if type(name) is not str:
            name = body if type(body) is str and clients.is_event_name(body) else ""
        known = self._events.get((scope_name, name))
        if known is None:
            if len(self._events) >= _STEP_CACHE_LIMIT:
                self._events.clear()
            known = self._events[scope_name, name] = clients.classify(scope_name, name)
        bare, client, event_type = known
        if client:
            row["client"] = client
        if not bare:
            return
        if "event_name" in row and bare != name:
            row["attributes"]["event.name"] = name  # type: ignore[index]  # made by _attributes
            row["promoted"] &= ~BIT["event_name"]  # type: ignore[operator]  # an int
        row["event_name"] = bare
        if event_type:
            row["event_type"] = event_type

    def _set_event_timestamp(self, row: Row) -> None:
        """`event.timestamp` says in text what `time` says; it is kept only when it says something else."""
        if "event_timestamp" not in row:
            return
        time_us = row["time"]
        second, rest = divmod(time_us, 1_000_000)  # type: ignore[operator]  # an int, set by _set_time
        prefix = self._seconds.get(second)
        if prefix is None:
            if len(self._seconds) >= _EPOCH_CACHE_LIMIT:
                self._seconds.clear()
            prefix = self._seconds[second] = _second_text(second)
        if row["event_timestamp"] == f"{prefix}.{rest // 1000:03d}Z":
            del row["event_timestamp"]

    def _metric(self, row: Row, record: dict[str, Attribute], scope_name: str) -> None:
        text = self.redactor.text
        name = str(record["name"])
        row["metric"] = text(name)
        if client := clients.client_of(scope_name, name):
            row["client"] = client
        row["kind"] = record["kind"]
        for member in ("description", "unit"):
            if value := record.get(member):
                row[member] = text(str(value))
        if metadata := record.get("metadata"):
            row["metric_meta"] = self._clean(metadata)
        if temporality := record.get("aggregation_temporality"):
            row["temporality"] = _named(_TEMPORALITY, temporality)
        if "is_monotonic" in record:
            row["monotonic"] = record["is_monotonic"]
        if start := record.get("start_time_unix_nano"):
            _set_offset(row, int(str(start)), "start_lag_us", "start_rem_ns", -1)
        _set_value(row, record)
        for member in ("exponential", "quantiles"):
            if member in record:
                row[member] = _plain(record[member])
        if exemplars := record.get("exemplars"):
            row["exemplars"] = self._parts(exemplars)

    def _span(self, row: Row, record: dict[str, Attribute], scope_name: str) -> None:
        text = self.redactor.text
        name = str(record["name"])
        row["name"] = text(name)
        if client := clients.client_of(scope_name, name):
            row["client"] = client
        for member in ("trace_id", "span_id", "parent_span_id"):
            if value := record.get(member):
                row[member] = value
        if kind := record.get("kind"):
            row["kind"] = _named(_KIND, kind)
        duration_ns = max(0, int(str(record["end_time_unix_nano"])) - int(str(record["time_unix_nano"])))
        if is_int64(duration_ns):
            row["span_duration_ns"] = duration_ns
        if code := record.get("status_code"):
            row["status"] = _named(_STATUS, code)
        for member in ("status_message", "trace_state"):
            if value := record.get(member):
                row[member] = text(str(value))
        for member in ("events", "links"):
            if parts := record.get(member):
                row[member] = self._parts(parts)
        for member in ("dropped_events_count", "dropped_links_count"):
            if record.get(member) and is_int64(record[member]):
                row[member] = record[member]

    def _parts(self, parts: Attribute) -> list[dict[str, Any]]:
        return [self._clean_part(part) for part in parts] if isinstance(parts, list) else []


_PLAIN = {"resource_meta": ("attributes",), "scope_meta": ("name", "version")}


def _set_time(row: Row, record: dict[str, Attribute], received_at_ns: int) -> None:
    """A time of 0 is none (Codex sends that): the observed time, else the arrival, takes its place."""
    time_ns = record["time_unix_nano"]
    if not time_ns:
        time_ns = record.get("observed_time_unix_nano") or record.get("end_time_unix_nano")
        row["time_from"] = "observed" if time_ns else "received"
        time_ns = time_ns or received_at_ns
    row["time"], rest = divmod(time_ns, 1000)  # type: ignore[operator]  # an int, checked by the decoders
    if rest:
        row["time_rem_ns"] = rest


def _set_offset(row: Row, time_ns: int, lag: str, rest: str, sign: int) -> None:
    """A second time stamp, as its distance from `time`: mostly 0 or small, which Parquet packs to nothing."""
    time_us, rem_ns = divmod(time_ns, 1000)
    row[lag] = sign * (time_us - row["time"])  # type: ignore[operator]  # an int
    if rem_ns:
        row[rest] = rem_ns


def _set_value(row: Row, record: dict[str, Attribute]) -> None:
    if "as_int" in record:
        value = record["as_int"]
        row["value"] = value
        if is_int64(value):
            row["value_int"] = value
    elif "as_double" in record:
        row["value"] = _plain(record["as_double"])
    if "count" in record:
        row["count"] = max(0, int(str(record["count"])))
    for name in ("sum", "min", "max", "bucket_counts", "explicit_bounds"):
        if name in record:
            row[name] = _plain(record[name])


def _row_id(hasher: Any, record: dict[str, Attribute], seen: dict[str, int]) -> str:
    """Keyed digest of resource, scope, record, and the ordinal among identical records of the request."""
    digest = hasher.copy()
    digest.update(_dumps(record))
    row_id = _text(digest)
    ordinal = seen.get(row_id, 0)
    seen[row_id] = ordinal + 1
    if ordinal:
        digest.update(b"#%d" % ordinal)
        row_id = _text(digest)
    return row_id


def _text(digest: Any) -> str:
    return base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()


def _named(names: tuple[str, ...], number: Attribute) -> str:
    """An enum's name; a number OTLP does not know yet is kept as its digits."""
    return names[number] if isinstance(number, int) and 0 < number < len(names) else str(number)


def _plain(value: Any) -> Any:
    """What JSON has no word for: bytes as base64, NaN and infinities as the words protobuf's mapping uses."""
    if isinstance(value, float):
        return value if value - value == 0 else _WORDS.get(value, "NaN")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


_WORDS = {float("inf"): "Infinity", float("-inf"): "-Infinity"}


def _second_text(second: int) -> str:
    try:
        return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return ""


def _line(row: Row) -> bytes:
    line = _dumps(row)
    if len(line) > LINE_LIMIT_BYTES:
        row = {name: _cut(value) for name, value in row.items()}
        line = _dumps(row)
    if len(line) > LINE_LIMIT_BYTES:
        line = _dumps(_without_bulk(row, len(line)))
    return line


def _without_bulk(row: Row, size: int) -> Row:
    """Lists and objects that are long without holding a long text are left out; `telem.cut` says how long the row was."""
    kept = {name: value for name, value in row.items() if isinstance(value, str) or len(_dumps(value)) <= TEXT_CUT_CHARS}
    attributes = kept.get("attributes")
    kept["attributes"] = {**(attributes if isinstance(attributes, dict) else {}), "telem.cut": size}
    return kept


def _cut(value: Any) -> Any:
    """Long texts of a row over the limit, cut with a note of how many characters they had."""
    if isinstance(value, str) and len(value) > TEXT_CUT_CHARS:
        return f"{value[:TEXT_CUT_CHARS]}[CUT:{len(value)}]"
    if isinstance(value, list):
        return [_cut(item) for item in value]
    if isinstance(value, dict):
        return {key: _cut(item) for key, item in value.items()}
    return value


def _dumps(value: Any) -> bytes:
    return orjson.dumps(value, default=_plain)
