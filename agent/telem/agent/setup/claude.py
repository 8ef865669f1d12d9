"""Claude Code: the exporter in the user's settings (a repository's cannot set it), and a hook."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import variables
from .files import read_file, refusal
from .passing import obstacle
from .plan import FORM_ERRORS, Editor, Plan
from .variables import ENDPOINT, NO_PROXY, PROTOCOL, PROXY, SIGNALS, Content
from .wanted import Displaced, is_loopback, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .files import ClientFile
    from .wanted import Wanted

NAME, TITLE = "claude", "Claude Code"
FORM = "json"
COMMANDS = ("claude",)
HOOK_EVENTS = ("SessionStart", "UserPromptSubmit")
"""When a session begins, is resumed or cleared; and before each prompt, when its branch or folder may be another."""

HOOK_TIMEOUT_S = 5
SENDS = {
    Content.NONE: "models, tokens, cost, durations, names of tools, lengths and sizes, error texts, the account's "
    "e-mail address (stored as a stand-in), and where a session works: folder, repository, branch",
    Content.PROMPTS: "the same and what you write, in full",
    Content.FULL: "the same and what you write, what the model answers, commands, paths, and what tools returned",
}


def folder(environ: Mapping[str, str]) -> Path:
    """Where its settings are."""
    return Path(environ.get("CLAUDE_CONFIG_DIR") or Path.home() / ".claude").expanduser()


def settings_path(environ: Mapping[str, str]) -> Path:
    """The user's settings."""
    return folder(environ) / "settings.json"


def plan(wanted: Wanted, environ: Mapping[str, str]) -> Plan:
    """What there is to do."""
    file = read_file(settings_path(environ))
    try:
        editor = Editor(FORM, file.text)
        return _planned(wanted, environ, file, editor)
    except (*FORM_ERRORS, TypeError) as error:
        hint = "Claude Code itself reads nothing of a file like this. Mend it there, then run setup again."
        return Plan(NAME, TITLE, file, FORM, refused=f"{file.path}: {error}", hint=hint)


def _planned(wanted: Wanted, environ: Mapping[str, str], file: ClientFile, editor: Editor) -> Plan:
    raw = editor.get("env")
    env: dict[str, Any] = raw if isinstance(raw, dict) else {}
    taken = elsewhere(env, wanted) or elsewhere(environ, wanted, "this shell")
    before = _displaced(env if elsewhere(env, wanted) else environ) if taken else None
    if taken and not wanted.may_displace:
        return Plan(NAME, TITLE, file, FORM, refused=taken, hint=wanted.hint_when_taken, taken=True)
    if before and wanted.pass_on and (why := obstacle(before)):
        return Plan(NAME, TITLE, file, FORM, refused=why)
    _set_exporter(editor, env, environ, wanted)
    _set_hooks(editor, wanted.hook)
    notes = tuple(_notes(env, wanted))
    why = refusal(file) if editor.edits else ""
    if why:
        hint = "Make it writable, or put in by hand what `telem-agent setup --print --client claude` shows."
        return Plan(NAME, TITLE, file, FORM, refused=why, hint=hint)
    level = wanted.content or Content.NONE
    displaced = before if wanted.pass_on else None
    edits, after = tuple(editor.edits), editor.now.text
    return Plan(NAME, TITLE, file, FORM, edits, after, SENDS[level], notes, displaced=displaced)


def elsewhere(env: Mapping[str, Any], wanted: Wanted, where: str = "its settings") -> str:
    """A sentence when these variables send telemetry to somebody else."""
    if not variables.is_on(env.get("CLAUDE_CODE_ENABLE_TELEMETRY", "")):
        return ""
    names = (ENDPOINT, *(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT" for signal in SIGNALS))
    for name in names:
        other = str(env.get(name, "")).strip()
        if other and not wanted.is_ours(other):
            return f"{TITLE} sends its telemetry elsewhere already: {name} of {where} is {shown(other)}"
    return ""


def _displaced(env: Mapping[str, Any]) -> Displaced:
    """The receiver that these variables send to."""
    url = str(env.get(ENDPOINT, ""))
    for signal in SIGNALS if not url else ():
        address = str(env.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", ""))
        url = url or address.removesuffix(f"/v1/{signal.lower()}")
    headers = variables.tags_of(str(env.get("OTEL_EXPORTER_OTLP_HEADERS", "")))
    return Displaced(url.rstrip("/"), headers, str(env.get(PROTOCOL, "http/protobuf")))


def _set_exporter(editor: Editor, env: Mapping[str, Any], environ: Mapping[str, str], wanted: Wanted) -> None:
    for name, value in variables.exporter(wanted.endpoint).items():
        editor.set(("env", name), value)
    for signal in SIGNALS:  # they would win over the common ones
        for part in ("ENDPOINT", "PROTOCOL"):
            editor.remove(("env", f"OTEL_EXPORTER_OTLP_{signal}_{part}"))
    for name, value in _without_proxy(env, environ).items():
        editor.set(("env", name), value)
    if wanted.content is Content.NONE:
        for name in variables.CONTENT_FLAGS:
            if variables.is_on(env.get(name, "")):
                editor.set(("env", name), "0")
    elif wanted.content is not None:
        for name, value in variables.content(wanted.content).items():
            editor.set(("env", name), value)


def _without_proxy(env: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """NO_PROXY with loopback in it, where there is a proxy. Settings replace what the shell says, so they repeat it."""
    if not any(env.get(name) or environ.get(name) for name in PROXY):
        return {}
    said = {name: str(env.get(name, environ.get(name, ""))) for name in NO_PROXY}
    either = said["NO_PROXY"] or said["no_proxy"]
    return {
        name: variables.without_proxy(value or either)
        for name, value in said.items()
        if not variables.spares_loopback(value)
    }


def _set_hooks(editor: Editor, command: str) -> None:
    wanted = {"type": "command", "command": command, "timeout": HOOK_TIMEOUT_S}
    for event in HOOK_EVENTS:
        mine = list(hooks_of_ours(editor.get("hooks", event)))
        if not mine:
            editor.append(("hooks", event), {"hooks": [wanted]})
        elif any(found != wanted for found in mine):
            groups = editor.get("hooks", event)
            editor.set(("hooks", event), [_renewed(group, wanted) for group in groups])


def _renewed(group: Any, wanted: dict[str, Any]) -> Any:
    """The group with our hook as it is wanted now: the program may have moved."""
    if not any(True for _ in hooks_of_ours([group])):
        return group
    return {**group, "hooks": [wanted if _is_ours(hook) else hook for hook in group["hooks"]]}


def hooks_of_ours(groups: Any) -> Iterator[dict[str, Any]]:
    """Our hooks among those of one event."""
    for group in groups if isinstance(groups, list) else ():
        found = group.get("hooks") if isinstance(group, dict) else None
        yield from (hook for hook in found or () if _is_ours(hook)) if isinstance(found, list) else ()


def _is_ours(hook: Any) -> bool:
    command = hook.get("command") if isinstance(hook, dict) else None
    return isinstance(command, str) and "telem-agent" in command and " hook" in command


def hook_command(program: str, home: str) -> str:
    """The shell line of the hook. A program that is gone must not show up in the client."""
    where = f" --home {shlex.quote(home)}" if home else ""
    return f"{shlex.quote(program)} hook{where} 2>/dev/null || :"


def forget(editor: Editor) -> None:
    """Take out what a set-up of which nothing is known any more has left: our hooks, and an exporter to loopback."""
    env = editor.get("env", ENDPOINT)
    if isinstance(env, str) and is_loopback(env):
        for name, value in variables.exporter(env).items():
            if editor.get("env", name) == value:
                editor.remove(("env", name))
        editor.prune(("env",))
    for event in HOOK_EVENTS:
        groups = editor.get("hooks", event)
        if not any(True for _ in hooks_of_ours(groups)):
            continue
        left = [_without_ours(group) for group in groups]
        editor.set(("hooks", event), [group for group in left if group.get("hooks")])
        editor.prune(("hooks", event))


def _without_ours(group: dict[str, Any]) -> dict[str, Any]:
    return {**group, "hooks": [hook for hook in group.get("hooks", ()) if not _is_ours(hook)]}


def _notes(env: Mapping[str, Any], wanted: Wanted) -> Iterator[str]:
    if wanted.content is None:
        for name, what in variables.CONTENT_FLAGS.items():
            if variables.is_on(env.get(name, "")):
                yield f"{name}=1 stays as you set it: it sends {what}. `--content none` turns it off."
    for path in managed_paths():
        if path.is_file():
            yield f"{path} is your organization's, and wins over these settings where it says something else."
    yield "Sessions that are open now go on as they were; the settings hold from the next start."


def managed_paths() -> list[Path]:
    """Where an organization's settings lie, which win over the user's."""
    mac = Path("/Library/Application Support/ClaudeCode")
    base = mac if os.uname().sysname == "Darwin" else Path("/etc/claude-code")
    drop_ins = sorted((base / "managed-settings.d").glob("*.json"))
    return [base / "managed-settings.json", *drop_ins]


def command_shown(wanted: Wanted) -> str:
    """What to put into the settings by hand."""
    hooks = [{"hooks": [{"type": "command", "command": wanted.hook, "timeout": HOOK_TIMEOUT_S}]}]
    env = variables.exporter(wanted.endpoint) | variables.content(wanted.content or Content.NONE)
    return json.dumps({"env": env, "hooks": dict.fromkeys(HOOK_EVENTS, hooks)}, indent=2)
