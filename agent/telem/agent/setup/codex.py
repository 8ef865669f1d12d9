"""Codex CLI: `[otel]` in config.toml. It has one exporter of logs, and uses its endpoint as it stands, path and all.

Seen with Codex 0.169.0; arguments and output of tools are always sent in full.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .files import read_file, refusal
from .jsontext import MISSING
from .passing import obstacle
from .plan import FORM_ERRORS, Editor, Plan
from .variables import Content
from .wanted import Displaced, is_loopback, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .files import ClientFile
    from .wanted import Wanted

NAME, TITLE = "codex", "Codex CLI"
FORM = "toml"
COMMANDS = ("codex",)
EXPORTERS = {"exporter": "logs", "metrics_exporter": "metrics"}
"""Key of `[otel]` -> the signal it exports. Spans are not asked for: one turn has 500 internal ones."""

_TOOLS = "arguments and output of tools in full, which this client always sends (secrets are taken out before storing)"
SENDS = {
    Content.NONE: f"models, tokens, durations, sizes, {_TOOLS}; no cost, which it does not know",
    Content.PROMPTS: f"the same and what you write; {_TOOLS}",
    Content.FULL: f"as with prompts, it has no further switch: what you write; {_TOOLS}",
}


def folder(environ: Mapping[str, str]) -> Path:
    """Where its settings are."""
    return Path(environ.get("CODEX_HOME") or Path.home() / ".codex").expanduser()


def settings_path(environ: Mapping[str, str]) -> Path:
    """The user's settings."""
    return folder(environ) / "config.toml"


def plan(wanted: Wanted, environ: Mapping[str, str]) -> Plan:
    """What there is to do."""
    file = read_file(settings_path(environ))
    try:
        editor = Editor(FORM, file.text)
        return _planned(wanted, file, editor)
    except (*FORM_ERRORS, TypeError) as error:
        hint = "Mend it there, then run setup again."
        return Plan(NAME, TITLE, file, FORM, refused=f"{file.path}: {error}", hint=hint)


def _planned(wanted: Wanted, file: ClientFile, editor: Editor) -> Plan:
    for key in EXPORTERS:
        other = elsewhere(editor.get("otel", key), wanted)
        if other and not wanted.may_displace:
            said = f"{TITLE} sends its telemetry elsewhere already: otel.{key} of {file.path} is {other}"
            return Plan(NAME, TITLE, file, FORM, refused=said, hint=wanted.hint_when_taken, taken=True)
    before = _displaced(editor.get("otel", "exporter")) if wanted.pass_on else None
    before = None if before is None or wanted.is_ours(before.url) else before
    if before and (why := obstacle(before)):
        return Plan(NAME, TITLE, file, FORM, refused=why)
    for key, value in _options(wanted, editor):
        editor.set(("otel", key), value)
    if why := refusal(file) if editor.edits else "":
        hint = "Make it writable, or put in by hand what `telem-agent setup --print --client codex` shows."
        return Plan(NAME, TITLE, file, FORM, refused=why, hint=hint)
    sends = SENDS[wanted.content or Content.NONE]
    return Plan(NAME, TITLE, file, FORM, tuple(editor.edits), editor.now.text, sends, displaced=before)


def forget(editor: Editor) -> None:
    """Take out what a set-up of which nothing is known any more has left: exporters to loopback in our form."""
    for key, signal in EXPORTERS.items():
        options = editor.get("otel", key, "otlp-http")
        address = str(options.get("endpoint", "")) if isinstance(options, dict) else ""
        if is_loopback(address) and address.endswith(f"/v1/{signal}"):
            editor.remove(("otel", key))
            if editor.get("otel", "log_user_prompt") is False:
                editor.remove(("otel", "log_user_prompt"))


def elsewhere(exporter: Any, wanted: Wanted) -> str:
    """Where an exporter sends, when that is not here; nothing for `none` and for no exporter."""
    if exporter is MISSING or exporter in ("none", {}):
        return ""
    for options in exporter.values() if isinstance(exporter, dict) else ():
        address = options.get("endpoint", "") if isinstance(options, dict) else ""
        return "" if wanted.is_ours(str(address)) else shown(str(address))
    return f"{exporter!r}"


def _displaced(exporter: Any) -> Displaced | None:
    """The receiver of an exporter."""
    for kind, options in exporter.items() if isinstance(exporter, dict) else ():
        if isinstance(options, dict):
            url = str(options.get("endpoint", "")).removesuffix("/v1/logs")
            headers = options.get("headers")
            said = {str(key): str(value) for key, value in headers.items()} if isinstance(headers, dict) else {}
            return Displaced(url, said, "grpc" if kind == "otlp-grpc" else "http/protobuf")
    return None


def _options(wanted: Wanted, editor: Editor | None = None) -> Iterator[tuple[str, Any]]:
    for key, signal in EXPORTERS.items():
        value = {"otlp-http": {"endpoint": f"{wanted.endpoint}/v1/{signal}", "protocol": "binary"}}
        if editor is None or not _serves(editor.get("otel", key), value):
            yield key, value
    if wanted.content is not None:
        yield "log_user_prompt", wanted.content is not Content.NONE
    elif editor is None or editor.get("otel", "log_user_prompt") is MISSING:
        yield "log_user_prompt", False


def _serves(found: Any, wanted: dict[str, Any]) -> bool:
    """Is this exporter as good as ours? It may have more options than we ask for."""
    options = found.get("otlp-http") if isinstance(found, dict) else None
    return isinstance(options, dict) and all(options.get(key) == item for key, item in wanted["otlp-http"].items())


def command_shown(wanted: Wanted) -> str:
    """What to put into the settings by hand."""
    editor = Editor("toml", "")
    for key, value in _options(wanted):
        editor.set(("otel", key), value)
    return str(editor.now.text).strip()
