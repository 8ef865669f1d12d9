"""The columns of a row that are not attributes: times, bodies, names, values, and the parts of a span.

One method a signal; each fills a row from what the decoder found. Every text among it goes through the redactor.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from . import clients
from .columns import BIT
from .lines import dumps, plain
from .redact import DROPPED
from .shape import is_int64
from .wire import raw_of

if TYPE_CHECKING:
    from .records import Attribute, Row
    from .redact import Redactor

USUAL_MEMBERS = 3
"""Time, observed time and body: what a log record has beside its attributes when it has nothing else."""

_CACHE_LIMIT = 4096
_MINUTE_US = 60_000_000
_SECONDS = [b"%02d." % second for second in range(60)]
_MILLIS = [b"%03dZ" % millis for millis in range(1000)]
_KIND = ("", "internal", "server", "client", "producer", "consumer")
_TEMPORALITY = ("", "delta", "cumulative")
_STATUS = ("", "ok", "error")


class RowFiller:
    """Fills rows under one redactor."""

    def __init__(self, redactor: Redactor) -> None:
        self.redactor = redactor
        self._events: dict[tuple[str, str], tuple[str, str | None, str | None]] = {}
        self._minutes: dict[int, bytes] = {}

    def log(self, row: Row, record: dict[str, Attribute], scope_name: str) -> None:
        """Fill the row of a log record."""
        text = self.redactor.text
        if (body := record.get("body")) is not None:
            if isinstance(body, str) and clients.is_event_name(body):
                row["body"] = text(body)
            elif (kept := self.redactor.attribute("body", body)) is not DROPPED:
                row["body"] = kept if isinstance(body, str) else dumps(plain(kept)).decode()
                if not isinstance(body, str):
                    row["body_type"] = "json"
        self._set_event(row, scope_name)
        if observed := record.get("observed_time_unix_nano"):
            _set_offset(row, int(str(observed)), "observed_lag_us", "observed_rem_ns", 1)
        if len(record) > USUAL_MEMBERS:
            self._rare(row, record)
        if row.get("client") not in ("claude_code", None):
            clients.normalize(row, row["attributes"])  # type: ignore[arg-type]  # made by _attributes

    def _rare(self, row: Row, record: dict[str, Attribute]) -> None:
        """Members that most records of coding agents do not have."""
        for name in ("trace_id", "span_id"):
            if name in record:
                row[name] = record[name]
        if is_int64(record.get("severity_number")):
            row["severity_number"] = record["severity_number"]
        for name, column in (("severity_text", "severity_text"), ("event_name", "otlp_event_name")):
            if value := record.get(name):
                row[column] = self.redactor.text(str(value))

    def _set_event(self, row: Row, scope_name: str) -> None:
        """Event name, client and canonical type: from the attribute, else from a body that is a name."""
        name, body = row.get("event_name"), row.get("body")
        if type(name) is not str:
            name = body if type(body) is str and clients.is_event_name(body) else ""
        known = self._events.get((scope_name, name))
        if known is None:
            if len(self._events) >= _CACHE_LIMIT:
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

    def stamp(self, time_us: int) -> bytes | None:
        """Return the `event.timestamp` that says in text what `time` says; it is kept only when it says something else.

        Nothing for a time beyond the calendar, or when the policy might do something to it.
        """
        minute, rest = divmod(time_us, _MINUTE_US)
        prefix = self._minutes.get(minute)
        if prefix is None:
            if len(self._minutes) >= _CACHE_LIMIT:
                self._minutes.clear()
            prefix = self._minutes[minute] = self._stamp_prefix(minute)
        return prefix + _SECONDS[rest // 1_000_000] + _MILLIS[rest // 1000 % 1000] if prefix else None

    def _stamp_prefix(self, minute: int) -> bytes:
        text = _minute_text(minute) + "00.000Z"
        if self.redactor.handler("event.timestamp")(text) != text:
            return b""
        return raw_of("event.timestamp", text).removesuffix(_SECONDS[0] + _MILLIS[0])

    def metric(self, row: Row, record: dict[str, Attribute], scope_name: str) -> None:
        """Fill the row of a data point."""
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
            row["metric_meta"] = self.clean(metadata)
        if temporality := record.get("aggregation_temporality"):
            row["temporality"] = _named(_TEMPORALITY, temporality)
        if "is_monotonic" in record:
            row["monotonic"] = record["is_monotonic"]
        if start := record.get("start_time_unix_nano"):
            _set_offset(row, int(str(start)), "start_lag_us", "start_rem_ns", -1)
        _set_value(row, record)
        for member in ("exponential", "quantiles"):
            if member in record:
                row[member] = plain(record[member])
        if exemplars := record.get("exemplars"):
            row["exemplars"] = self._parts(exemplars)

    def span(self, row: Row, record: dict[str, Attribute], scope_name: str) -> None:
        """Fill the row of a span."""
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
        return [self.clean_part(part) for part in parts] if isinstance(parts, list) else []

    def clean(self, attributes: Attribute) -> dict[str, Any]:
        """Attributes under their policy, ready for JSON."""
        cleaned: dict[str, Any] = {}
        if not isinstance(attributes, dict):
            return cleaned
        if "file_path" in attributes:
            attributes = self.redactor.without_contents(attributes)
        for key, value in attributes.items():
            kept = self.redactor.attribute(key, value)
            if kept is not DROPPED:
                cleaned[self.redactor.name(key)] = plain(kept)
        return cleaned

    def clean_part(self, part: Attribute) -> dict[str, Any]:
        """A resource's or scope's extras, a span event, a link, an exemplar: attributes below plain members."""
        cleaned: dict[str, Any] = {}
        for name, value in part.items() if isinstance(part, dict) else ():
            if name == "attributes":
                cleaned[name] = self.clean(value)
            elif name in ("trace_id", "span_id"):
                cleaned[name] = value
            elif isinstance(value, str):
                cleaned[name] = self.redactor.text(value)
            elif isinstance(value, list):
                cleaned[name] = [
                    self.clean_part(item) if isinstance(item, dict) else self._clean_item(item) for item in value
                ]
            else:
                cleaned[name] = plain(value)
        return cleaned

    def _clean_item(self, item: Attribute) -> Attribute:
        """An item of a plain list, such as the keys of an entity reference."""
        return self.redactor.text(item) if isinstance(item, str) else item


def set_time(row: Row, record: dict[str, Attribute], received_at_ns: int) -> int:
    """Set the time, and return its microseconds.

    A time of 0 is none (Codex sends that): the observed time, else the arrival, takes its place.
    """
    time_ns: Any = record["time_unix_nano"]
    if not time_ns:
        time_ns = record.get("observed_time_unix_nano") or record.get("end_time_unix_nano")
        row["time_from"] = "observed" if time_ns else "received"
        time_ns = time_ns or received_at_ns
    time_us: int
    time_us, rest = divmod(time_ns, 1000)
    row["time"] = time_us
    if rest:
        row["time_rem_ns"] = rest
    return time_us


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
        row["value"] = plain(record["as_double"])
    if "count" in record:
        row["count"] = max(0, int(str(record["count"])))
    for name in ("sum", "min", "max", "bucket_counts", "explicit_bounds"):
        if name in record:
            row[name] = plain(record[name])


def _named(names: tuple[str, ...], number: Attribute) -> str:
    """An enum's name; a number OTLP does not know yet is kept as its digits."""
    return names[number] if isinstance(number, int) and 0 < number < len(names) else str(number)


def _minute_text(minute: int) -> str:
    try:
        return f"{datetime.fromtimestamp(60 * minute, UTC):%Y-%m-%dT%H:%M:}"
    except (ValueError, OverflowError, OSError):
        return ""
