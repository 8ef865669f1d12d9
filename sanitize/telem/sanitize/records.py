"""The vocabulary of the house: what flows from a request to a row.

    RawRequest --decode--> Batch --sanitize--> SanitizedBatch --append--> journal

`SanitizedBatch` is the only thing storage accepts, and only `gate.sanitize` makes one, so "was this
sanitized?" is a question for the type checker.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

Attribute: TypeAlias = "str | bool | int | float | bytes | list[Attribute] | dict[str, Attribute] | None"
"""An OTLP AnyValue as plain Python. `None` is an AnyValue without a value, `bytes` a bytes_value."""

Attributes: TypeAlias = dict[str, Attribute]

Row: TypeAlias = dict[str, object]
"""One row on its way to a line: column name -> JSON value, as `columns` lists them; absent means NULL."""


class Profile(StrEnum):
    """How much content is kept. Here, and not with the policy, because the command line's settings name it."""

    STANDARD = "standard"
    STRICT = "strict"
    OFF = "off"


class Signal(StrEnum):
    """The three OTLP signals we keep; the value is the folder and table name."""

    LOGS = "logs"
    METRICS = "metrics"
    TRACES = "traces"


class Encoding(StrEnum):
    """The two OTLP encodings of a request body."""

    PROTOBUF = "protobuf"
    JSON = "json"


class DecodeError(ValueError):
    """The body is not an OTLP request of this signal; the message says where it stopped making sense."""


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request as a door received it, already decompressed."""

    signal: Signal
    encoding: Encoding
    body: bytes
    received_at_ns: int


@dataclass(frozen=True, slots=True)
class Group:
    """Records that share a resource and a scope.

    `records` are dictionaries in the vocabulary of `decode`: plain envelope columns, and `attributes`, which is a list
    of OTLP's KeyValue in protobuf's bytes (see `wire`).
    """

    resource: Attributes
    scope: Attributes
    records: list[dict[str, Attribute]]


@dataclass(frozen=True, slots=True)
class Batch:
    """A decoded request, not yet safe to keep."""

    signal: Signal
    groups: list[Group]
    received_at_ns: int


@dataclass(frozen=True, slots=True)
class SanitizedBatch:
    """Rows that may be kept, each one a JSON object on a line of its own (without the line feed).

    `request_id` names the request they came in: a keyed digest of its body, 32 hex digits.
    """

    signal: Signal
    lines: tuple[bytes, ...]
    received_at_ns: int
    request_id: str
