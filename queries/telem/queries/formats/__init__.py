"""ClickHouse's output formats: the names, what they are over HTTP, and how rows are written in them.

Rows become bytes in the sandbox's child; the daemon and the command line pass them on. `docs/contracts/query-api.md`
says where they differ from ClickHouse's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from telem.queries.table import Problem, QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from telem.queries.table import ColumnInfo

DEFAULT = "TabSeparated"


class Writer(Protocol):
    """Writes an answer piece by piece."""

    def start(self) -> str:
        """What stands above the rows."""
        ...

    def rows(self, batch: Sequence[tuple[object, ...]]) -> str:
        """Some rows."""
        ...

    def finish(self, rows: int, elapsed_s: float) -> str:
        """What stands below them."""
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """One format: its name, its media type, and how a file of it is called."""

    name: str
    media_type: str
    suffix: str


_TEXT = "text/plain; charset=UTF-8"
_TSV = "text/tab-separated-values; charset=UTF-8"
_JSON = "application/json; charset=UTF-8"
_LINES = "application/x-ndjson; charset=UTF-8"
_BYTES = "application/octet-stream"

FORMATS = {
    found.name: found
    for found in (
        Format("TabSeparated", _TSV, "tsv"),
        Format("TabSeparatedWithNames", _TSV, "tsv"),
        Format("TabSeparatedWithNamesAndTypes", _TSV, "tsv"),
        Format("CSV", "text/csv; charset=UTF-8; header=absent", "csv"),
        Format("CSVWithNames", "text/csv; charset=UTF-8; header=present", "csv"),
        Format("JSON", _JSON, "json"),
        Format("JSONCompact", _JSON, "json"),
        Format("JSONEachRow", _LINES, "ndjson"),
        Format("JSONCompactEachRow", _LINES, "ndjson"),
        Format("Pretty", _TEXT, "txt"),
        Format("Vertical", _TEXT, "txt"),
        Format("Markdown", "text/markdown; charset=UTF-8", "md"),
        Format("Parquet", _BYTES, "parquet"),
        Format("Arrow", _BYTES, "arrow"),
        Format("ArrowStream", _BYTES, "arrows"),
        Format("Null", _TEXT, "txt"),
    )
}
_ALIASES = {
    "TSV": "TabSeparated",
    "TSVWithNames": "TabSeparatedWithNames",
    "TSVWithNamesAndTypes": "TabSeparatedWithNamesAndTypes",
    "JSONLines": "JSONEachRow",
    "NDJSON": "JSONEachRow",
}
_BY_NAME = {name.lower(): FORMATS[_ALIASES.get(name, name)] for name in (*FORMATS, *_ALIASES)}


def find(name: str) -> Format:
    """A format by its name, in any case.

    Raises:
        QueryError: there is none of that name.
    """
    found = _BY_NAME.get(name.lower())
    if found is None:
        raise QueryError(f"Unknown format {name}.", f"Formats: {', '.join(FORMATS)}.", Problem.FORMAT)
    return found


def is_binary(name: str) -> bool:
    """Whether it is written by pyarrow."""
    return name in ("Parquet", "Arrow", "ArrowStream")


def writer(name: str, columns: Sequence[ColumnInfo]) -> Writer | None:
    """How to write an answer in a textual format; None where nothing is written.

    Raises:
        QueryError: there is no such format.
    """
    from . import json, tabular

    makers: dict[str, Callable[[Sequence[ColumnInfo]], Writer]] = {
        "TabSeparated": tabular.TabSeparated,
        "TabSeparatedWithNames": partial(tabular.TabSeparated, names=True),
        "TabSeparatedWithNamesAndTypes": partial(tabular.TabSeparated, names=True, types=True),
        "CSV": tabular.Csv,
        "CSVWithNames": partial(tabular.Csv, names=True),
        "JSON": json.Document,
        "JSONCompact": partial(json.Document, compact=True),
        "JSONEachRow": json.EachRow,
        "JSONCompactEachRow": partial(json.EachRow, compact=True),
        "Vertical": tabular.Vertical,
        "Markdown": tabular.Markdown,
        "Pretty": tabular.Pretty,
    }
    make = makers.get(find(name).name)
    return make(columns) if make else None
