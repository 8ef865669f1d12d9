"""What parent and child say to each other: frames of a kind, a length and a payload (pure but for the reading)."""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from telem.queries.table import ColumnInfo, Limits, Problem, QueryError
from telem.queries.values import decoded, encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HEADER = struct.Struct(">BI")
PAYLOAD_LIMIT_BYTES = 1 << 28
"""A longer frame is none of ours."""

ROWS = "rows"
"""The form in which `run` wants its rows: lists in JSON, which become a `Table` again."""


class Kind(IntEnum):
    """Kinds of frames: the first three go to the child, the others come from it."""

    QUESTION = 1
    INTERRUPT = 2
    READY = 3
    HEAD = 4
    DATA = 5
    END = 6
    ERROR = 7


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame."""

    kind: Kind
    payload: bytes = b""

    def packed(self) -> bytes:
        """As it goes through the pipe."""
        return HEADER.pack(self.kind, len(self.payload)) + self.payload

    def said(self) -> dict[str, Any]:
        """The payload, if it is JSON."""
        return dict(json.loads(self.payload))


class FrameError(RuntimeError):
    """What came through a pipe is no frame."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a child. `form` is `ROWS` or the name of a format of `telem.queries.formats`.

    `private` tables (the access log) are the owner's alone.
    """

    sql: str
    params: Mapping[str, object] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    form: str = ROWS
    overflow: str = "break"
    private: bool = True

    def frame(self) -> Frame:
        """As a frame."""
        said = {
            "sql": self.sql,
            "params": {name: encoded(value) for name, value in self.params.items()},
            "limits": asdict(self.limits),
            "form": self.form,
            "overflow": self.overflow,
            "private": self.private,
        }
        return Frame(Kind.QUESTION, json.dumps(said).encode())

    @classmethod
    def read(cls, payload: bytes) -> Question:
        """Back from a frame's payload.

        Raises:
            ValueError: it is not a question.
        """
        try:
            said = json.loads(payload)
            params = {str(name): decoded(value) for name, value in said["params"].items()}
            limits = Limits(**said["limits"])
            form, overflow = str(said["form"]), str(said["overflow"])
            return cls(str(said["sql"]), params, limits, form, overflow, said["private"] is True)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this is not a question: {error!r}") from error


def head(columns: tuple[ColumnInfo, ...]) -> Frame:
    """The columns of an answer."""
    said = {"columns": [[column.name, column.type] for column in columns]}
    return Frame(Kind.HEAD, json.dumps(said).encode())


def columns_of(frame: Frame) -> tuple[ColumnInfo, ...]:
    """The columns that a head names."""
    return tuple(ColumnInfo(name, kind) for name, kind in frame.said()["columns"])


def failure(error: QueryError) -> Frame:
    """A question without an answer."""
    said = {"message": error.message, "hint": error.hint, "problem": error.problem, "position": error.position}
    return Frame(Kind.ERROR, json.dumps(said).encode())


def error_of(frame: Frame) -> QueryError:
    """The error that a failure holds."""
    said = frame.said()
    return QueryError(said["message"], said["hint"], Problem(said["problem"]), said["position"])


def read_frame(read: Callable[[int], bytes]) -> Frame | None:
    """The next frame, or None at the end. `read` returns at most as many bytes as asked for, none at the end.

    Raises:
        FrameError: the bytes are no frame, or end within one.
    """
    start = _exactly(read, HEADER.size)
    if not start:
        return None
    number, length = HEADER.unpack(start)
    if length > PAYLOAD_LIMIT_BYTES or number not in iter(Kind):
        raise FrameError(f"a frame of kind {number} and {length} bytes")
    payload = _exactly(read, length)
    if len(payload) != length:
        raise FrameError("the pipe ended within a frame")
    return Frame(Kind(number), payload)


def _exactly(read: Callable[[int], bytes], size: int) -> bytes:
    parts: list[bytes] = []
    while size:
        part = read(min(size, 1 << 20))
        if not part:
            if parts:
                raise FrameError("the pipe ended within a frame")
            return b""
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
