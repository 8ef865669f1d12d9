"""Parquet, Arrow and ArrowStream: imports pyarrow (child only)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import parquet

if TYPE_CHECKING:
    from collections.abc import Callable

    from telem.queries.sandbox.database import Answer

BATCH_ROWS = 32_768
ROW_GROUP_ROWS = 122_880


class Pipe:
    """A file that can only be written, piece by piece, as pyarrow wants one."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self.closed = False

    def write(self, data: Any) -> int:
        """Pass it on."""
        self._send(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """No more of it."""
        self.closed = True


def write(form: str, answer: Answer, send: Callable[[bytes], None]) -> None:
    """Write an answer as it comes, in bounded memory."""
    reader = answer.arrow(BATCH_ROWS)
    schema = reader.schema
    sink: Any = pa.PythonFile(Pipe(send), mode="w")  # type: ignore[arg-type]
    writer: Any
    match form:
        case "Parquet":
            writer = parquet.ParquetWriter(sink, schema, compression="zstd", write_page_checksum=True)
        case "Arrow":
            writer = pa.ipc.new_file(sink, schema)
        case _:
            writer = pa.ipc.new_stream(sink, schema)
    with writer:
        for batch in answer.limited(reader):
            writer.write_batch(batch)
