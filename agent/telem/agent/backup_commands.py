"""The commands around backups: write one, make a folder of one, add another machine's."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click
import orjson

from telem.sanitize.again import Again
from telem.sanitize.records import Signal
from telem.sanitize.redact import Redactor
from telem.storage import exports, origin, tombstones
from telem.storage import restore as restoring
from telem.storage.archive import ArchiveError
from telem.storage.backup import write_backup
from telem.storage.disk import Disk
from telem.storage.import_archive import Importer, parse_users
from telem.storage.inventory import sizes
from telem.storage.keys import KEY_BYTES, KeyFileError, key_id, load_key, read_key
from telem.storage.layout import Layout
from telem.storage.resanitize import judged, judged_sums
from telem.storage.worker import run

from . import control
from .catalog_commands import safe_cutoff
from .errors import AgentError
from .homes import HOME_ENV, default_home
from .policies import load_policy
from .progress import Counted, bar
from .reserve import reserve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telem.storage.archive import Manifest
    from telem.storage.import_archive import Imported

    from .config import Config

SCHEMA = 1
STREAM = "-"

NO_KEY = """\
It has no key: who restores it gets a new one, and everybody then has another stand-in than before.
Keep the file `key` somewhere else if that matters, or back up with --with-key."""

WITH_KEY = """\
It holds the key: who has it can test whether a known address, user or host occurs in it.
Keep it as you keep the key."""

NEW_KEY = """\
The backup had no key. At its first start this folder gets a new one: from then on everybody has another stand-in,
and rows from before and after do not join. If you have the old key, put it there first: {path}"""

OTHER_KEY = """\
These rows were made under another key: the same person has another stand-in in them. telem-agent identity, asked there
and here, shows who is who; --map-user THEIRS=OURS joins them, in rows that are not imported yet."""


def backup(config: Config, file: str, *, with_key: bool, as_json: bool) -> None:
    """Write a backup."""
    layout, disk = config.layout, Disk()
    _require_home(config)
    path = file if file == STREAM else str(Path(file).absolute())
    about = {"profile": load_policy(config).policy.profile.value}
    entry = exports.record(layout, disk, "backup", path, with_key=with_key)
    total = sum(
        found.parquet_bytes + found.journal_bytes for found in (sizes(layout, signal) for signal in _present(config))
    )
    with _target(file, disk) as target, bar("Backing up", total) as advance:
        manifest = write_backup(layout, disk, target, with_key=with_key, about=about, progress=advance)
    written = None if file == STREAM else Path(path).stat().st_size
    exports.complete(layout, disk, entry, rows=manifest.rows(), bytes=written)
    _say(manifest, {"path": path, "bytes": written}, as_json=as_json, to_stderr=file == STREAM)
    if not as_json:
        click.echo(WITH_KEY if manifest.about["with_key"] else NO_KEY, err=True)


def _require_home(config: Config) -> None:
    if not config.layout.key.exists() and not config.layout.format.exists():
        raise AgentError(f"there is no telemetry at {config.home}", "Name its folder with --home.")


def _present(config: Config) -> list[Signal]:
    return [signal for signal in Signal if config.layout.journal(signal).is_dir()]


@contextmanager
def _target(file: str, disk: Disk) -> Iterator[BinaryIO]:
    """Where a backup goes: standard output, or a file that gets its name when it is whole."""
    if file == STREAM:
        if sys.stdout.isatty():
            raise click.UsageError("a backup is not for the screen; send it into a file or a pipe")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(file).absolute()
    temporary = path.with_name(f".tmp-{path.name}-{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as target:
            yield target
        disk.publish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _source(file: str, label: str) -> Iterator[BinaryIO]:
    """A backup to read, with a bar when its size is known."""
    if file == STREAM:
        yield sys.stdin.buffer
        return
    path = Path(file)
    with path.open("rb") as stream, bar(label, path.stat().st_size) as advance:
        yield Counted(stream, advance)  # type: ignore[misc]  # only read is asked of it


@contextmanager
def _with_hints() -> Iterator[None]:
    """Say what to do next about a backup that cannot be used."""
    try:
        yield
    except ArchiveError as error:
        raise AgentError(
            str(error), "Nothing of it was kept. Copy or make the backup again, or take another."
        ) from error
    except restoring.NotEmptyError as error:
        hint = "Choose a new folder with --home, or add the rows to this one: telem-agent import-archive"
        raise AgentError(str(error), hint) from error


def list_backup(file: str, *, as_json: bool) -> None:
    """Read a whole backup, check it, and say what it holds."""
    with _with_hints(), _source(file, "Checking") as source:
        manifest = restoring.check(source)
    _say(manifest, {"path": file}, as_json=as_json)


def restore(config: Config, file: str, key: Path | None, purged_in: tuple[Path, ...], *, as_json: bool) -> None:
    """Make a data folder from a backup, without what was purged since in folders that are known here.

    Raises:
        AgentError: a folder that was named has no tombstones that can be read.
    """
    given = _read_key(key)
    homes = _purged_in(config.home, purged_in)
    with _with_hints(), _source(file, "Restoring") as source:
        restoring.refuse_unless_empty(config.home)
        done = restoring.restore(source, config.home, Disk(), given, purged=list(homes.values()))
    manifest = done.manifest
    more = {"path": file, "home": str(config.home), "left_out": done.left_out}
    _say(manifest, more, as_json=as_json)
    if not as_json:
        if done.left_out:
            click.echo(f"{done.left_out} rows and sums were left out: they were purged since", err=True)
        _say_key(config, manifest)
        click.echo(f"Restored into {config.home}; start it with: telem-agent start --home {config.home}", err=True)


def _purged_in(home: Path, named: tuple[Path, ...]) -> dict[Path, restoring.Purged]:
    """What was purged in other folders: those that were named, the usual one, and those beside the new one."""
    beside = sorted(home.parent.glob("*")) if home.parent.is_dir() else []
    usual = Path(os.environ.get(HOME_ENV) or default_home())
    found = {}
    for path in (*named, usual, *(path for path in beside if Layout(path).format.is_file())):
        layout = Layout(path.expanduser().absolute())
        if path in named and not layout.tombstones.is_file():
            raise AgentError(f"nothing was purged in {path}", "Name the data folder in which something was purged")
        if layout.home == home or layout.home in found or not layout.tombstones.is_file():
            continue
        try:
            said = tombstones.said_by(layout.tombstones, read_key(layout))
            found[layout.home] = restoring.Purged(said, None if path in named else origin.read(layout))
        except (tombstones.TombstoneError, KeyFileError, OSError) as error:
            raise AgentError(
                f"what was purged in {path} cannot be read: {error}", "Mend it, or move it away"
            ) from error
    return found


def _read_key(path: Path | None) -> bytes | None:
    if path is None:
        return None
    text = path.read_bytes().strip()
    try:
        fits = len(bytes.fromhex(text.decode("ascii"))) == KEY_BYTES
    except ValueError:
        fits = False
    if not fits:
        raise AgentError(
            f"{path} does not hold a key: {KEY_BYTES} bytes in hex", "It is the file `key` of a data folder."
        )
    return text + b"\n"


def _say_key(config: Config, manifest: Manifest) -> None:
    key = read_key(config.layout)
    if key is None:
        click.echo(NEW_KEY.format(path=config.layout.key), err=True)
    elif manifest.about.get("key_id") not in (None, key_id(key)):
        click.echo("This is not the key that the rows were made under: old and new stand-ins will differ.", err=True)


def import_archive(config: Config, file: Path, pairs: tuple[str, ...], *, dry: bool, as_json: bool) -> None:
    """Add the rows of a backup to this folder, sanitized once more, by this machine's rules."""
    _require_home(config)
    layout, disk = config.layout, Disk()
    users = parse_users(pairs)
    with _with_hints(), _source(str(file), "Checking") as source:
        manifest = restoring.check(source)
    key = load_key(layout, disk)
    redactor = Redactor(load_policy(config).policy, key)
    importer = Importer(
        layout,
        disk,
        lambda signal: reserve(layout, signal),
        tombstones.read(layout, key),
        lambda signal, table: judged(table, Again(signal, redactor))[0],
        users,
        lambda table: judged_sums(table, redactor)[0],
    )
    entry = None if dry else exports.record(layout, disk, "import", str(file.absolute()))
    with _with_hints(), bar("Importing", manifest.total_bytes()) as advance:
        done = importer.add(file, manifest, dry=dry, progress=advance)
    if entry:
        exports.complete(layout, disk, entry, added=done.added, sums=done.sums.added)
    if done.sums.added and not dry and control.find(layout) is None:
        run({"job": "publish", "home": str(layout.home), "cutoff": safe_cutoff(layout)})
    _say_import(config, manifest, done, dry=dry, as_json=as_json)


def _say_import(config: Config, manifest: Manifest, done: Imported, *, dry: bool, as_json: bool) -> None:
    key = read_key(config.layout)
    same_key = key is not None and manifest.about.get("key_id") == key_id(key)
    if as_json:
        said = {"schema": SCHEMA, "dry_run": dry, "same_key": same_key, **asdict(done)}
        click.echo(orjson.dumps(said, option=orjson.OPT_INDENT_2).decode())
        return
    for signal, added in done.added.items():
        verb = "would be added" if dry else "added"
        gone = f", {done.purged[signal]} purged and left out" if done.purged[signal] else ""
        click.echo(f"{signal:8} {added:>10} rows {verb}, {done.known[signal]} were here already{gone}")
    for signal, expired in done.expired.items():
        click.echo(f"{signal:8} {expired:>10} rows of days of which only the sums are kept left out")
    if done.sums.added or done.sums.known or done.sums.purged:
        verb = "would be added" if dry else "added"
        gone = f", {done.sums.purged} purged and left out" if done.sums.purged else ""
        known = f"{done.sums.known} of days that are here already"
        click.echo(f"{'sums':8} {done.sums.added:>10} of days without rows {verb}, {known}{gone}")
    if not done.added and not done.expired and not done.sums.added:
        click.echo("the backup holds no rows")
    if not same_key:
        click.echo(OTHER_KEY, err=True)


def _say(manifest: Manifest, more: dict[str, Any], *, as_json: bool, to_stderr: bool = False) -> None:
    """Print what an archive holds."""
    rows = manifest.rows()
    if as_json:
        said = {"schema": SCHEMA, **more, **manifest.about, "rows": rows, "files": len(manifest.files)}
        click.echo(orjson.dumps(said, option=orjson.OPT_INDENT_2).decode(), err=to_stderr)
        return
    for signal, days in rows.items():
        span = f"{min(days)} to {max(days)}" if days else "-"
        click.echo(f"{signal:8} {sum(days.values()):>10} rows  {span}", err=to_stderr)
    size = manifest.total_bytes()
    click.echo(f"{len(manifest.files)} files, {size} bytes unpacked, each with its SHA-256", err=to_stderr)
