"""`telem-agent bundle`: what somebody who helps has to see, in one archive that can be shown to them.

Every text goes through the shipped sanitizing rules, whatever the profile of the data folder is, and user names in
paths become stand-ins. No telemetry is in it, no key, no token, and of clients' settings only what their exporters use.
"""

from __future__ import annotations

import io
import json
import os
import platform
import secrets
import sys
import zipfile
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from telem.agent.errors import AgentError
from telem.agent.setup import claude, codex, gemini
from telem.agent.setup.plan import FORM_ERRORS, parse
from telem.sanitize.policy import shipped_policy
from telem.sanitize.records import Profile
from telem.sanitize.redact import Redactor
from telem.storage.keys import KEY_BYTES

from .commands import findings, spoken
from .situation import look

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .situation import Situation

SCHEMA = 1
LOG_BYTES = 512 * 1024
"""Of each log, from its end."""

NAMES_MAX = 2000
_WHAT = {
    "doctor.json": "what doctor found",
    "status.json": "what the daemon says of itself",
    "versions.json": "system, Python and packages",
    "config.toml": "your settings, if there are any",
    "sanitize.toml": "your own sanitizing rules, if there are any, without values they name",
    "clients.json": "the exporter's part of the clients' settings",
    "files.txt": "names, sizes and times of the data folder's files",
}


def write(flags: Mapping[str, Any], output: Path | None, *, as_json: bool) -> None:
    """Write the archive and say what is in it.

    Raises:
        AgentError: there is a file of that name.
    """
    situation = look(flags)
    path = output or Path(f"telem-agent-bundle-{datetime.now(UTC):%Y%m%d-%H%M%S}.zip")
    packed = pack(situation)
    try:
        with path.open("xb") as file:
            path.chmod(0o600)
            file.write(packed)
    except FileExistsError as error:
        raise AgentError(f"{path} is there already", "Choose another name: --output FILE") from error
    _tell(path, packed, as_json=as_json)


def _tell(path: Path, packed: bytes, *, as_json: bool) -> None:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    if as_json:
        said = {"schema": SCHEMA, "path": str(path), "files": sizes}
        click.echo(orjson.dumps(said, option=orjson.OPT_INDENT_2).decode())
        return
    click.echo(str(path))
    for name, size in sizes.items():
        click.echo(f"  {size:>9} B  {name:24} {_WHAT.get(name, 'the end of a log')}", err=True)
    click.echo("Sanitized, and nothing was sent. Look into it before you hand it on.", err=True)


def pack(situation: Situation) -> bytes:
    """The archive's bytes."""
    redactor = Redactor(shipped_policy(Profile.STANDARD), secrets.token_bytes(KEY_BYTES))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in _texts(situation):
            archive.writestr(name, "\n".join(redactor.sanitized(line, None) for line in text.splitlines()) + "\n")
    return packed.getvalue()


def _texts(situation: Situation) -> Iterator[tuple[str, str]]:
    layout = situation.config.layout
    yield "doctor.json", _json(spoken(findings(situation), 0))
    yield "status.json", _json(situation.status or {"running": situation.running is not None})
    yield "versions.json", _json(_versions())
    for path in (layout.config, layout.policy):
        with suppress(OSError):
            yield path.name, _without_values(path.read_text(encoding="utf-8", errors="replace"))
    yield "clients.json", _json(dict(_clients(situation)))
    yield "files.txt", "\n".join(_files(layout.home))
    for path in sorted(layout.logs.glob("*.log*")) if layout.logs.is_dir() else ():
        with suppress(OSError):
            yield f"logs/{path.name}", path.read_bytes()[-LOG_BYTES:].decode("utf-8", "replace")


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, default=str)


def _versions() -> dict[str, Any]:
    packages = {found.metadata["Name"]: found.version for found in metadata.distributions()}
    return {
        "telem-agent": metadata.version("telem-agent"),
        "python": sys.version,
        "system": platform.platform(),
        "wsl": "microsoft" in platform.release().lower(),
        "packages": dict(sorted(packages.items(), key=lambda pair: str(pair[0]))),
    }


def _without_values(text: str) -> str:
    """Known values are the owner's secrets: they are left out, also from a file that cannot be read."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        return f"# left out, it is not TOML: {error}"
    for name in list(document):
        if name.startswith("known_values"):
            document[name] = "[left out]"
    return tomlkit.dumps(document)


def _clients(situation: Situation) -> Iterator[tuple[str, Any]]:
    """What clients are told about exporting; headers hold credentials and are left out."""
    for module, form, part in ((claude, "json", "env"), (codex, "toml", "otel"), (gemini, "jsonc", "telemetry")):
        path = module.settings_path(situation.environ)
        try:
            said = parse(form, path.read_text(encoding="utf-8-sig")).get()
        except OSError:
            continue
        except (*FORM_ERRORS, ValueError) as error:
            yield module.NAME, f"cannot be read: {error}"
            continue
        found = said.get(part) if isinstance(said, dict) else None
        yield module.NAME, _without_headers(found) if isinstance(found, dict) else None


def _without_headers(settings: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in settings.items():
        if "HEADERS" in name.upper():
            kept[name] = "[left out]"
        elif isinstance(value, dict):
            kept[name] = _without_headers(value)
        elif not isinstance(value, str) or name.startswith(("OTEL_", "CLAUDE_CODE_")) or name.islower():
            kept[name] = value
        else:
            kept[name] = "[left out]" if name.isupper() else value
    return kept


def _files(home: Path) -> Iterator[str]:
    count = 0
    for folder, _, names in os.walk(home):
        for name in sorted(names):
            count += 1
            if count > NAMES_MAX:
                yield f"… and more than {NAMES_MAX}"
                return
            path = Path(folder, name)
            with suppress(OSError):
                state = path.lstat()
                when = datetime.fromtimestamp(state.st_mtime, UTC)
                yield f"{state.st_mode & 0o777:04o} {state.st_size:>12} {when:%Y-%m-%d %H:%M} {path.relative_to(home)}"
