"""Gemini CLI: `telemetry` in settings.json, in which comments are allowed. Seen with Gemini CLI 0.61.0."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .files import read_file, refusal
from .jsontext import MISSING
from .passing import obstacle
from .plan import FORM_ERRORS, Editor, Plan
from .variables import Content
from .wanted import Displaced, is_loopback, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .files import ClientFile
    from .wanted import Wanted

NAME, TITLE = "gemini", "Gemini CLI"
FORM = "jsonc"
COMMANDS = ("gemini",)
_ALWAYS = (
    "model, tokens, durations, names of tools, host and process, also the words of its command line "
    "(a prompt given with -p among them; secrets are taken out before storing); no cost, which it does not know"
)
SENDS = {
    Content.NONE: _ALWAYS,
    Content.PROMPTS: f"what you write and whole requests; {_ALWAYS}",
    Content.FULL: f"as with prompts, it has no further switch: what you write and whole requests; {_ALWAYS}",
}


def folder(environ: Mapping[str, str]) -> Path:
    """Where its settings are."""
    return Path(environ.get("GEMINI_CLI_HOME") or Path.home()).expanduser() / ".gemini"


def settings_path(environ: Mapping[str, str]) -> Path:
    """The user's settings."""
    return folder(environ) / "settings.json"


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
    said = editor.get("telemetry")
    other = elsewhere(said if isinstance(said, dict) else {}, wanted)
    if other and not wanted.may_displace:
        refused = f"{TITLE} sends its telemetry elsewhere already: {other}"
        return Plan(NAME, TITLE, file, FORM, refused=refused, hint=wanted.hint_when_taken, taken=True)
    before = _displaced(said) if other and wanted.pass_on else None
    if before and (why := obstacle(before)):
        return Plan(NAME, TITLE, file, FORM, refused=why)
    for key, value in _options(wanted).items():
        if key != "logPrompts" or wanted.content is not None or editor.get("telemetry", key) is MISSING:
            editor.set(("telemetry", key), value)
    if wanted.may_displace:
        for key in ("outfile", "useCollector"):
            editor.remove(("telemetry", key))
    if why := refusal(file) if editor.edits else "":
        hint = "Make it writable, or put in by hand what `telem-agent setup --print --client gemini` shows."
        return Plan(NAME, TITLE, file, FORM, refused=why, hint=hint)
    sends = SENDS[wanted.content or Content.NONE]
    return Plan(NAME, TITLE, file, FORM, tuple(editor.edits), editor.now.text, sends, displaced=before)


def forget(editor: Editor) -> None:
    """Take out what a set-up of which nothing is known any more has left: a target on loopback in our form."""
    telemetry = editor.get("telemetry")
    address = str(telemetry.get("otlpEndpoint", "")) if isinstance(telemetry, dict) else ""
    if is_loopback(address) and telemetry.get("target") == "local" and telemetry.get("otlpProtocol") == "http":
        for key in _OURS:
            editor.remove(("telemetry", key))
        editor.prune(("telemetry",))


_OURS = ("enabled", "target", "otlpProtocol", "otlpEndpoint", "logPrompts")


def elsewhere(telemetry: Mapping[str, Any], wanted: Wanted) -> str:
    """A phrase when this block sends telemetry to somebody else."""
    if telemetry.get("enabled") is not True:
        return ""
    if telemetry.get("target") == "gcp":
        return 'telemetry.target is "gcp"'
    if telemetry.get("outfile"):
        return f"telemetry.outfile is {telemetry['outfile']}"
    address = str(telemetry.get("otlpEndpoint") or "")
    return f"telemetry.otlpEndpoint is {shown(address)}" if address and not wanted.is_ours(address) else ""


def _displaced(telemetry: dict[str, Any]) -> Displaced:
    """The receiver of this block; a file or Google Cloud has no address."""
    is_otlp = telemetry.get("target") != "gcp" and not telemetry.get("outfile")
    url = str(telemetry.get("otlpEndpoint", "")).rstrip("/") if is_otlp else ""
    return Displaced(url, {}, "http/protobuf" if telemetry.get("otlpProtocol") == "http" else "grpc")


def _options(wanted: Wanted) -> dict[str, Any]:
    return {
        "enabled": True,
        "target": "local",
        "otlpProtocol": "http",
        "otlpEndpoint": wanted.endpoint,
        "logPrompts": wanted.content not in (None, Content.NONE),
    }


def command_shown(wanted: Wanted) -> str:
    """What to put into the settings by hand."""
    return json.dumps({"telemetry": _options(wanted)}, indent=2)
