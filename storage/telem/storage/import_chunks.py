"""What of an archive is imported at once: files of one signal up to so many rows, or part of a larger file."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pyarrow.parquet as pq

from telem.sanitize.columns import SCHEMA_VERSION
from telem.sanitize.records import Signal

from .archive import ArchiveError
from .layout import parquet_span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .archive import Manifest

CHUNK_ROWS = 100_000
"""Files of the archive are taken together up to this many rows, which become one Parquet file. Of a larger file, as
merging a day makes them, whole row groups are: one of 1,000,000 rows took 340 MB at once. So it takes 242, and one of
3,000,000 rows 247."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Unpacked files whose rows are taken together.

    Args:
        rows: which rows, by number, of the one Parquet file that there is; None for all.
    """

    signal: Signal
    paths: Sequence[Path]
    rows: range | None = None


class Chunks:
    """Collects unpacked files of one signal until they are enough, hands them on, and removes them.

    Args:
        begin: called once all sums are unpacked; returns the files that are not to be read.
    """

    def __init__(
        self, folder: Path, manifest: Manifest, take: Callable[[Chunk], None], begin: Callable[[], set[str]]
    ) -> None:
        self._folder = folder
        self._files = manifest.files
        self._take = take
        self._begin = begin
        self._without: set[str] | None = None  # known once the sums are
        self._signal: Signal | None = None
        self._paths: list[Path] = []
        self._rows = 0

    def open(self, name: str) -> BinaryIO | None:
        """Where a file of the archive goes; None for what is neither rows nor sums. Sums come before rows."""
        if name.startswith("rollups/") and self._without is None:
            parts = Path(name).parts
            return (self._folder / "-".join(parts[2:] or parts[1:])).open("xb")
        about = self._files.get(name, {})
        if "signal" not in about:
            return None
        _check_version(name)
        if name in self._left_out():
            return None
        signal, rows = Signal(about["signal"]), sum(about["days"].values())
        if signal is not self._signal or self._rows + rows > CHUNK_ROWS:
            self._hand_on()
        self._signal, self._rows = signal, self._rows + rows
        path = self._folder / f"{len(self._paths):06d}-{Path(name).name}"
        self._paths.append(path)
        return path.open("xb")

    def _left_out(self) -> set[str]:
        if self._without is None:
            self._without = self._begin()
        return self._without

    def flush(self) -> None:
        """Hand on what there is, at the end."""
        self._left_out()
        self._hand_on()

    def _hand_on(self) -> None:
        if self._paths and self._signal is not None:
            for rows in self._parts():
                self._take(Chunk(self._signal, self._paths, rows))
                shutil.rmtree(self._folder / "spill", ignore_errors=True)
        for path in self._paths:
            path.unlink()
        self._paths, self._rows = [], 0

    def _parts(self) -> Iterator[range | None]:
        if self._rows > CHUNK_ROWS and len(self._paths) == 1 and is_parquet(self._paths[0]):
            return parts_of(self._paths[0])
        return iter((None,))


def is_parquet(path: Path) -> bool:
    """Such a file is sorted already; sorting rows with all their texts takes more memory than all the rest."""
    return parquet_span(path.name.partition("-")[2]) is not None


def parts_of(path: Path) -> Iterator[range]:
    """The rows of a Parquet file in parts of whole row groups, none larger than a chunk unless one group is."""
    metadata = pq.read_metadata(path)
    first = end = 0
    for number in range(metadata.num_row_groups):
        rows = metadata.row_group(number).num_rows
        if end > first and end + rows - first > CHUNK_ROWS:
            yield range(first, end)
            first = end
        end += rows
    yield range(first, end)


def _check_version(name: str) -> None:
    version = next((part[2:] for part in Path(name).parts if part.startswith("v=")), str(SCHEMA_VERSION))
    if not version.isdigit() or int(version) > SCHEMA_VERSION:
        raise ArchiveError(f"{name} is of a newer version than {SCHEMA_VERSION}; upgrade telem-agent to import it")
