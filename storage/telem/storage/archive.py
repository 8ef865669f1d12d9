"""The form of a backup: a tar, compressed with zstd, that says of itself what it holds. Streams both ways.

    backup.json      first: format, program, day, which key its rows were made under
    parquet/…, journal/…, config.toml, …
    manifest.json    last: size and SHA-256 of every file, rows by signal and day

What does not end with a manifest that agrees with what was read is no backup. Any tar and zstd unpack it as well.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import orjson
import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FORMAT = 1
HEADER = "backup.json"
MANIFEST = "manifest.json"
CHUNK_BYTES = 1 << 20
SMALL_BYTES = 64 * 1024 * 1024
"""What the two descriptions may have at most; a hundred thousand files need a quarter of it."""

LEVEL = 3


class ArchiveError(ValueError):
    """A file is no backup of ours, or is damaged; the message says where."""


class Progress(Protocol):
    """Hears how many bytes were dealt with."""

    def __call__(self, done_bytes: int, /) -> object:
        """Add to what was done."""


def silent(_done_bytes: int, /) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class Manifest:
    """What an archive says it holds."""

    about: dict[str, Any]
    files: dict[str, dict[str, Any]] = field(default_factory=dict)  # name -> bytes, sha256, and of data: signal, days

    def rows(self) -> dict[str, dict[str, int]]:
        """Rows by signal and day: the ingest day of Parquet, the day of arrival of what is still in the journal."""
        counts: dict[str, Counter[str]] = {}
        for file in self.files.values():
            if "signal" in file:
                counts.setdefault(file["signal"], Counter()).update(file["days"])
        return {signal: dict(sorted(days.items())) for signal, days in sorted(counts.items())}

    def last_day(self) -> str:
        """The last ingest day that its rows may be of."""
        made = str(self.about.get("created_at", ""))[:10]
        return max([made, *(day for days in self.rows().values() for day in days)])

    def total_rows(self) -> int:
        """Rows of all signals."""
        return sum(sum(days.values()) for days in self.rows().values())

    def total_bytes(self) -> int:
        """Bytes of all files, unpacked."""
        return sum(int(file["bytes"]) for file in self.files.values())


class ArchiveWriter:
    """Writes an archive to a stream, a file at a time. Memory does not grow with it but for the list of files."""

    def __init__(self, target: BinaryIO, about: dict[str, Any], progress: Progress = silent) -> None:
        self.manifest = Manifest({"format": FORMAT, **about})
        self._progress = progress
        self._zstd = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).stream_writer(target, closefd=False)
        self._tar = tarfile.open(fileobj=self._zstd, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115 (see finish)
        self._add_bytes(HEADER, orjson.dumps(self.manifest.about, option=orjson.OPT_INDENT_2))

    def add(self, name: str, path: Path, **about: Any) -> None:
        """Add a file as it is now; what is appended to it meanwhile is left out.

        Raises:
            ArchiveError: it has become shorter while it was read.
        """
        with path.open("rb") as file:
            found = path.stat()
            info = _member(name, found.st_size, int(found.st_mtime))
            digesting = _Digesting(file, self._progress)
            try:
                self._tar.addfile(info, digesting)
            except OSError as error:
                if "unexpected end of data" not in str(error):
                    raise
                raise ArchiveError(f"{name} became shorter while it was being read") from error
        self.manifest.files[name] = {"bytes": found.st_size, "sha256": digesting.digest.hexdigest(), **about}

    def finish(self) -> Manifest:
        """Write what makes it whole. Without this it is no archive."""
        said = {**self.manifest.about, "files": self.manifest.files, "rows": self.manifest.rows()}
        self._add_bytes(MANIFEST, orjson.dumps(said, option=orjson.OPT_INDENT_2))
        self._tar.close()

        self._zstd.close()  # type: ignore[no-untyped-call]  # the stubs forgot its return
        return self.manifest

    def _add_bytes(self, name: str, data: bytes) -> None:
        self._tar.addfile(_member(name, len(data), 0), io.BytesIO(data))


def _member(name: str, size: int, mtime_s: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, mtime_s, 0o600
    return info


class _Digesting(io.RawIOBase):
    """Reads a file, and keeps the digest of what was read."""

    def __init__(self, file: BinaryIO, progress: Progress) -> None:
        self._file = file
        self._progress = progress
        self.digest = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        self._progress(len(data))
        return data


def read(source: BinaryIO, sink: Callable[[str], BinaryIO | None], progress: Progress = silent) -> Manifest:
    """Read a whole archive: every file is written to what `sink` opens for its name, and checked against the manifest.

    Raises:
        ArchiveError: it is no backup, one of a newer program, cut off, or damaged. What was written by then is not
            to be believed.
    """
    with _explained():
        about: dict[str, Any] | None = None
        found: dict[str, tuple[int, str]] = {}
        for info, file in _members(source):
            if about is None:
                about = _header(info, file)
            elif info.name == MANIFEST:
                manifest = Manifest(about, _small(info, file).get("files") or {})
                _compare(manifest, found)
                return manifest
            else:
                found[info.name] = (info.size, _copy(info, file, sink, progress))
    raise ArchiveError("the backup is cut off: it does not end with its manifest")


def _members(source: BinaryIO) -> Iterator[tuple[tarfile.TarInfo, BinaryIO]]:
    reader = zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True, closefd=False)
    with tarfile.open(fileobj=reader, mode="r|") as tar:
        for info in tar:
            file = tar.extractfile(info)
            if file is None or not is_safe(info.name):
                raise ArchiveError(f"the backup holds {info.name!r}, which no backup of ours does")
            yield info, file  # type: ignore[misc]  # an ExFileObject reads bytes


def is_safe(name: str) -> bool:
    """Is it the name of a file below the folder it is unpacked in?"""
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts and "\\" not in name and "\0" not in name


def _header(info: tarfile.TarInfo, file: BinaryIO) -> dict[str, Any]:
    if info.name != HEADER:
        raise ArchiveError(f"this is no backup of telem-agent: it begins with {info.name!r}")
    about = _small(info, file)
    if about.get("format") != FORMAT:
        raise ArchiveError(
            f"this backup has format {about.get('format')!r} and was made by telem-agent {about.get('program')}; "
            f"this program reads format {FORMAT}: use a newer one"
        )
    return about


def _small(info: tarfile.TarInfo, file: BinaryIO) -> dict[str, Any]:
    if info.size > SMALL_BYTES:
        raise ArchiveError(f"{info.name} has {info.size} bytes")
    try:
        return dict(orjson.loads(file.read()))
    except ValueError as error:
        raise ArchiveError(f"{info.name} in the backup cannot be read: {error}") from error


def _copy(info: tarfile.TarInfo, file: BinaryIO, sink: Callable[[str], BinaryIO | None], progress: Progress) -> str:
    digest = hashlib.sha256()
    target = sink(info.name)
    try:
        while data := file.read(CHUNK_BYTES):
            digest.update(data)
            progress(len(data))
            if target is not None:
                target.write(data)
    finally:
        if target is not None:
            target.close()
    return digest.hexdigest()


def _compare(manifest: Manifest, found: dict[str, tuple[int, str]]) -> None:
    said = {name: (file["bytes"], file["sha256"]) for name, file in manifest.files.items()}
    if missing := sorted(said.keys() - found.keys()):
        raise ArchiveError(f"{missing[0]} is missing in the backup, and {len(missing) - 1} others")
    if surplus := sorted(found.keys() - said.keys()):
        raise ArchiveError(f"the backup holds {surplus[0]}, which its manifest does not know")
    for name, (size, digest) in found.items():
        if said[name] != (size, digest):
            raise ArchiveError(f"{name} is damaged: its SHA-256 is {digest}, the manifest says {said[name][1]}")


@contextmanager
def _explained() -> Iterator[None]:
    """Errors of tar and zstd in the words of the house."""
    try:
        yield
    except zstandard.ZstdError as error:
        raise ArchiveError(f"the backup is damaged, or is none: {error}") from error
    except tarfile.TarError as error:
        raise ArchiveError(f"the backup is cut off or damaged: {error}") from error
    except (KeyError, TypeError, EOFError) as error:
        raise ArchiveError(f"the backup's manifest cannot be read: {error!r}") from error
