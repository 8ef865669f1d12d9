"""The undo journal: what every set-up changed, with the bytes from before, below `setup/` of the data folder.

One record a changed file, `<n>-<client>.json`, and beside it the file as it was, `<n>-<client>.before`. The record is
written before the file is: a set-up that is killed in between can be taken back too.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telem.agent.errors import AgentError

from .files import read_file, refusal, write_file
from .jsontext import MISSING
from .plan import FORM_ERRORS, Edit, Plan, take_back

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telem.storage.disk import Disk
    from telem.storage.layout import Layout

    from .files import ClientFile

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Record:
    """One changed file. `made` are the folders that had to be made for it."""

    number: int
    client: str
    path: Path
    form: str
    existed: bool
    after_digest: str
    edits: tuple[Edit, ...]
    made: tuple[Path, ...]
    at: str

    @property
    def stem(self) -> str:
        """Name of its files, without what they end in."""
        return f"{self.number:04d}-{self.client}"


def records(layout: Layout) -> list[Record]:
    """All of them, the oldest first.

    Raises:
        AgentError: one cannot be read.
    """
    return [_read(path) for path in sorted(layout.setup.glob("*.json"))]


def apply(layout: Layout, disk: Disk, plan: Plan) -> Path:
    """Change a client's file, so that it can be taken back. Returns where the file from before lies.

    Raises:
        AgentError, OSError: it could not be changed, and was not.
    """
    disk.directory(layout.home)
    disk.directory(layout.setup)
    number = max((record.number for record in records(layout)), default=0) + 1
    data = plan.file.encode(plan.after)
    made = _missing_folders(plan.file)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    record = Record(
        number, plan.client, plan.path, plan.form, plan.file.data is not None, _digest(data), plan.edits, made, now
    )
    backup = layout.setup / f"{record.stem}.before"
    disk.write(backup, plan.file.data or b"")
    disk.write(layout.setup / f"{record.stem}.json", _written(record))
    try:
        write_file(disk, plan.file, data)
    except (AgentError, OSError):
        _forget(layout, record)
        raise
    return backup


def undo(layout: Layout, disk: Disk, record: Record) -> str:
    """Take one set-up back and forget it; says what was done.

    A file that nobody touched since gets the bytes it had. In one that was changed, what is still ours goes.

    Raises:
        AgentError: it could not be taken back; the record stays.
    """
    file = read_file(record.path)
    said = _restore(layout, disk, record, file)
    for folder in reversed(record.made):
        with contextlib.suppress(OSError):
            folder.rmdir()
    _forget(layout, record)
    return said


def _restore(layout: Layout, disk: Disk, record: Record, file: ClientFile) -> str:
    before = (layout.setup / f"{record.stem}.before").read_bytes()
    original = before if record.existed else None
    if file.data == original:
        return f"{record.path}: is as it was before"
    if file.data is None:
        return f"{record.path}: has been removed meanwhile, and stays so"
    if why := refusal(file):
        raise AgentError(f"{why}, so it was not taken back", "Make it writable, and run it again.")
    if _digest(file.data) == record.after_digest:
        if original is None:
            file.target.unlink()
            return f"{record.path}: removed, it was not there before"
        write_file(disk, file, original)
        return f"{record.path}: as it was before, to the byte"
    try:
        text, kept = take_back(record.form, file.text, record.edits)
    except (*FORM_ERRORS, TypeError) as error:
        raise AgentError(
            f"{record.path}: {error}", f"It was changed by others; as it was before: {layout.setup}"
        ) from error
    if not record.existed and text.strip() in ("", "{}"):
        file.target.unlink()
        return f"{record.path}: removed, nothing of others is in it"
    write_file(disk, file, file.encode(text))
    left = f"; left as others set it: {', '.join('.'.join(edit.path) for edit in kept)}" if kept else ""
    return f"{record.path}: what was set is taken out, changes of others stay{left}"


def _missing_folders(file: ClientFile) -> tuple[Path, ...]:
    return tuple(folder for folder in reversed(file.target.parents) if not folder.exists())


def _forget(layout: Layout, record: Record) -> None:
    for end in ("json", "before"):
        (layout.setup / f"{record.stem}.{end}").unlink(missing_ok=True)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _written(record: Record) -> bytes:
    said: dict[str, Any] = {
        "schema": SCHEMA,
        "number": record.number,
        "client": record.client,
        "path": str(record.path),
        "form": record.form,
        "existed": record.existed,
        "after_sha256": record.after_digest,
        "edits": [_edit_written(edit) for edit in record.edits],
        "made": [str(folder) for folder in record.made],
        "at": record.at,
    }
    return json.dumps(said, ensure_ascii=False, indent=1).encode()


def _edit_written(edit: Edit) -> dict[str, Any]:
    said = {"verb": edit.verb, "path": edit.path, "value": edit.value}
    return said if edit.before is MISSING else {**said, "before": edit.before}


def _read(path: Path) -> Record:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        edits = tuple(
            Edit(edit["verb"], tuple(edit["path"]), edit["value"], edit.get("before", MISSING))
            for edit in said["edits"]
        )
        made = tuple(Path(folder) for folder in said["made"])
        return Record(
            said["number"],
            said["client"],
            Path(said["path"]),
            said["form"],
            said["existed"],
            said["after_sha256"],
            edits,
            made,
            said["at"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AgentError(
            f"{path} cannot be read ({error}), so what it stands for cannot be taken back",
            f"The file as it was before is {path.with_suffix('.before')}; remove both when you have used it.",
        ) from error


def earlier_endpoints(found: Sequence[Record]) -> tuple[str, ...]:
    """Every address that a set-up has put anywhere."""
    texts: set[str] = set()
    for record in found:
        for edit in record.edits:
            _collect(edit.value, texts)
    return tuple(sorted(texts))


def _collect(value: Any, texts: set[str]) -> None:
    if isinstance(value, str) and value.startswith("http://"):
        texts.add(value)
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _collect(item, texts)
