"""Claude Code: are its settings what they should be, and do they hold?

How it takes settings was tried with 2.1.330: the user's settings win over the shell, an organization's over both, a
repository's cannot set the exporter; a settings file with a comment or a trailing comma is not read at all; without a
protocol HTTP is used, with one it does not know nothing is sent.
"""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from telem.agent.errors import AgentError
from telem.agent.setup import claude, variables
from telem.agent.setup.files import read_file
from telem.agent.setup.jsontext import JsonText, JsonTextError
from telem.agent.setup.variables import ENDPOINT, PROTOCOL, SIGNALS
from telem.agent.setup.wanted import LOOPBACK, shown

from .finding import Finding, Level, Trouble, Troubles, well

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from .situation import Situation

PROTOCOLS = ("http/protobuf", "http/json", "grpc")
INTERVAL_MS = 60_000
_SETUP = "telem-agent setup --client claude"

TROUBLES = Troubles(
    "Claude Code",
    Trouble(
        "claude-not-set-up",
        Level.PROBLEM,
        "Nothing arrives from Claude Code.",
        "Its telemetry is not switched on, neither in its settings nor in this shell.",
        f"`{_SETUP}`",
    ),
    Trouble(
        "claude-settings-broken",
        Level.PROBLEM,
        "Nothing arrives from Claude Code, and it says at start that settings did not load.",
        "A settings file is not JSON (a comment or a trailing comma is enough). Claude Code then uses nothing of it.",
        "mend the file at the line and column named",
    ),
    Trouble(
        "claude-other-port",
        Level.PROBLEM,
        "Nothing arrives from Claude Code, though it is set up.",
        "It sends to another port of this machine than the daemon listens on.",
        f"`{_SETUP}`",
    ),
    Trouble(
        "claude-elsewhere",
        Level.PROBLEM,
        "Nothing arrives from Claude Code; another backend has its data.",
        "It is set up to send elsewhere.",
        f"`{_SETUP}` says how to change that, or to keep both",
    ),
    Trouble(
        "claude-bad-endpoint",
        Level.PROBLEM,
        "Nothing arrives from Claude Code, and it says nothing.",
        "The endpoint is no http:// address.",
        f"`{_SETUP}`",
    ),
    Trouble(
        "claude-bad-protocol",
        Level.PROBLEM,
        "Nothing arrives from Claude Code, and it says nothing.",
        "The protocol is one that it does not know (it knows http/protobuf, http/json and grpc).",
        f"`{_SETUP}`",
    ),
    Trouble(
        "claude-grpc",
        Level.WARNING,
        "A few records are missing after each restart of the daemon.",
        "Over gRPC, Claude Code never sends a failed request again; over HTTP it does.",
        f"`{_SETUP}`",
    ),
    Trouble(
        "claude-exporter-missing",
        Level.PROBLEM,
        "Metrics arrive and events do not, or the other way round.",
        "The exporter of one signal is not otlp.",
        f"`{_SETUP}`",
    ),
    Trouble(
        "claude-managed",
        Level.PROBLEM,
        "What `setup` wrote has no effect.",
        "Your organization's managed settings say something else, and they win.",
        "ask whoever manages them; or have their receiver pass on to this one",
    ),
    Trouble(
        "claude-project-ignored",
        Level.NOTE,
        "Telemetry is asked for in a repository's .claude/settings.json, and nothing arrives.",
        "Claude Code ignores exporter, endpoint and content switches there; tags (OTEL_RESOURCE_ATTRIBUTES) it takes.",
        f"`{_SETUP}` sets it for the user; remove the variables from the repository's file",
    ),
    Trouble(
        "claude-proxy",
        Level.WARNING,
        "Nothing arrives from Claude Code behind a proxy.",
        "A proxy is set, and 127.0.0.1 is not excepted from it. 2.1.330 goes past the proxy anyway; others may not.",
        f"`{_SETUP}`",
    ),
    Trouble(
        "claude-sends-content",
        Level.NOTE,
        "Texts of prompts, answers or tools stand in the tables.",
        "Switches that send content are on. What they send is sanitized before it is stored.",
        f"`{_SETUP} --content none`",
    ),
    Trouble(
        "claude-no-sessions",
        Level.WARNING,
        "There are requests, but `sessions` is empty.",
        "OTEL_METRICS_INCLUDE_SESSION_ID=false takes the session's id off every record, events too.",
        "remove that variable from Claude Code's settings",
    ),
    Trouble(
        "claude-hook-missing",
        Level.NOTE,
        "Branch, project and chapter are empty.",
        "The hook that tells where a session works is not in Claude Code's settings.",
        f"`{_SETUP}`",
    ),
    Trouble(
        "claude-hook-gone",
        Level.WARNING,
        "Branch, project and chapter have become empty.",
        "The hook in Claude Code's settings names a program that is not there any more.",
        f"`{_SETUP}`",
    ),
    Trouble(
        "claude-hooks-off",
        Level.NOTE,
        "Branch, project and chapter are empty, though the hook is there.",
        "`disableAllHooks` is set in Claude Code's settings, or your organization allows its own hooks only.",
        "remove `disableAllHooks`, if you can; or set tags: `telem-agent setup project --tag project=NAME`",
    ),
    Trouble(
        "claude-shell-only",
        Level.NOTE,
        "Sessions of some terminals or of an editor do not arrive.",
        "Telemetry is switched on by variables of this shell only; programs started elsewhere do not have them.",
        f"`{_SETUP}`",
    ),
    Trouble(
        "claude-rare-metrics",
        Level.NOTE,
        "Lines, commits and active time of killed sessions are missing.",
        "Metrics are exported more rarely than once a minute; what was not exported when a client is killed is lost.",
        f"`{_SETUP}`",
    ),
    Trouble(
        "claude-traces-nowhere",
        Level.NOTE,
        "Spans never arrive.",
        "OTEL_TRACES_EXPORTER is set without CLAUDE_CODE_ENHANCED_TELEMETRY_BETA=1, which spans need.",
        f"`{_SETUP} --content full`, or set that variable too",
    ),
)


@dataclass(slots=True)
class Settings:
    """What Claude Code reads, put together in its order. `where` says which file a variable comes from."""

    env: dict[str, str] = field(default_factory=dict)
    where: dict[str, str] = field(default_factory=dict)
    user: dict[str, Any] = field(default_factory=dict)
    managed: dict[str, Any] = field(default_factory=dict)

    @property
    def is_on(self) -> bool:
        """Does it send anything?"""
        return variables.is_on(self.env.get("CLAUDE_CODE_ENABLE_TELEMETRY", ""))

    def put(self, values: Mapping[str, Any], place: str) -> None:
        """Let these values win over what is known so far."""
        for name, value in values.items():
            self.env[name], self.where[name] = str(value), place


def check(situation: Situation) -> Iterator[Finding]:
    """Is it set up, does what was set hold, and is it enough?"""
    folder = claude.folder(situation.environ)
    if not folder.is_dir() and not shutil.which("claude", path=situation.environ.get("PATH", "")):
        return
    settings = Settings()
    broken = [*_gather(settings, situation)]
    yield from broken
    found = [*_exporter(settings, situation), *_content(settings), *_hooks(settings, situation), *_project(situation)]
    yield from found
    if not broken and not any(finding.level in (Level.PROBLEM, Level.WARNING) for finding in found):
        yield well("Claude Code", f"{settings.where.get(ENDPOINT, 'set up')}: sends to {settings.env.get(ENDPOINT)}")


def _gather(settings: Settings, situation: Situation) -> Iterator[Finding]:
    """Shell, then the user's settings, then the organization's."""
    environ = situation.environ
    settings.put({name: value for name, value in environ.items() if _is_of_interest(name)}, "this shell")
    for path, is_user in ((claude.settings_path(environ), True), *((path, False) for path in claude.managed_paths())):
        try:
            said = _loaded(path)
        except (JsonTextError, AgentError) as error:
            yield TROUBLES.found("claude-settings-broken", f"{path}: {error}", f"mend {path} there")
            continue
        env = said.get("env")
        settings.put(env if isinstance(env, dict) else {}, str(path))
        (settings.user if is_user else settings.managed).update(said)


def _is_of_interest(name: str) -> bool:
    return name.startswith(("OTEL_", "CLAUDE_CODE_E")) or name in (*variables.NO_PROXY, *variables.PROXY)


def _loaded(path: Path) -> dict[str, Any]:
    text = read_file(path).text
    said = JsonText(text).get() if text.strip() else {}
    return said if isinstance(said, dict) else {}


def _exporter(settings: Settings, situation: Situation) -> Iterator[Finding]:
    env, where = settings.env, settings.where
    if not settings.is_on:
        said = env.get("CLAUDE_CODE_ENABLE_TELEMETRY")
        place = where.get("CLAUDE_CODE_ENABLE_TELEMETRY")
        yield TROUBLES.found("claude-not-set-up", f"{place} switches it off ({said})" if said else "it is not set up")
        return
    if where["CLAUDE_CODE_ENABLE_TELEMETRY"] == "this shell":
        yield TROUBLES.found("claude-shell-only", "telemetry is switched on in this shell, not in the settings")
    for name in (ENDPOINT, *(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT" for signal in SIGNALS)):
        if name in env:
            yield from _endpoint(name, env[name], where[name], situation, settings)
    yield from _protocols(env, where)
    for signal, needed in (("LOGS", "events"), ("METRICS", "metrics")):
        exporters = env.get(f"OTEL_{signal}_EXPORTER", "")
        if "otlp" not in exporters.split(","):
            text = f"OTEL_{signal}_EXPORTER is {exporters or 'not set'}, so no {needed} are sent"
            yield TROUBLES.found("claude-exporter-missing", text)
    if "otlp" in env.get("OTEL_TRACES_EXPORTER", "") and not variables.is_on(
        env.get("CLAUDE_CODE_ENHANCED_TELEMETRY_BETA", "")
    ):
        yield TROUBLES.found("claude-traces-nowhere", "spans are to be exported but are not made")
    yield from _proxy(env)
    interval = env.get("OTEL_METRIC_EXPORT_INTERVAL", "")
    if interval.isdigit() and int(interval) > INTERVAL_MS:
        yield TROUBLES.found("claude-rare-metrics", f"metrics are exported every {int(interval) // 1000} s")


def _endpoint(name: str, address: str, place: str, situation: Situation, settings: Settings) -> Iterator[Finding]:
    text = f"{name} in {place} is {shown(address)}"
    managed = settings.managed.get("env")
    by_managed = isinstance(managed, dict) and name in managed
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        yield TROUBLES.found("claude-bad-endpoint", f"{name} in {place} is {address!r}, not http://HOST:PORT")
    elif parts.hostname not in LOOPBACK:
        yield TROUBLES.found("claude-managed" if by_managed else "claude-elsewhere", text)
    elif situation.endpoint and port not in situation.ports:
        name = "claude-managed" if by_managed else "claude-other-port"
        yield TROUBLES.found(name, f"{text}, the daemon is at {situation.endpoint}")


def _protocols(env: Mapping[str, str], where: Mapping[str, str]) -> Iterator[Finding]:
    for name in (PROTOCOL, *(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL" for signal in SIGNALS)):
        protocol = env.get(name)
        if protocol is None:
            continue
        if protocol not in PROTOCOLS:
            yield TROUBLES.found("claude-bad-protocol", f"{name} in {where[name]} is {protocol!r}")
        elif protocol == "grpc":
            yield TROUBLES.found("claude-grpc", f"{name} in {where[name]} is grpc")


def _proxy(env: Mapping[str, str]) -> Iterator[Finding]:
    proxy = env.get("http_proxy") or env.get("HTTP_PROXY")
    spared = any(variables.spares_loopback(env.get(name, "")) for name in variables.NO_PROXY)
    if proxy and not spared and "127.0.0.1" in env.get(ENDPOINT, ""):
        yield TROUBLES.found("claude-proxy", "HTTP_PROXY is set, and NO_PROXY does not name 127.0.0.1")


def _content(settings: Settings) -> Iterator[Finding]:
    on = [name for name in variables.CONTENT_FLAGS if settings.env.get(name, "").lower() not in ("", "0", "false")]
    if on:
        sent = "; ".join(f"{name} sends {variables.CONTENT_FLAGS[name]}" for name in on)
        yield TROUBLES.found("claude-sends-content", sent)
    if settings.env.get("OTEL_METRICS_INCLUDE_SESSION_ID", "").lower() in ("0", "false"):
        yield TROUBLES.found("claude-no-sessions", "session ids are switched off")


def _hooks(settings: Settings, situation: Situation) -> Iterator[Finding]:
    found = settings.user.get("hooks")
    hooks = found if isinstance(found, dict) else {}
    mine = [hook for event in claude.HOOK_EVENTS for hook in claude.hooks_of_ours(hooks.get(event))]
    off = settings.user.get("disableAllHooks") or settings.managed.get("disableAllHooks")
    if off or settings.managed.get("allowManagedHooksOnly"):
        who = "in your settings" if settings.user.get("disableAllHooks") else "by your organization"
        yield TROUBLES.found("claude-hooks-off", f"hooks are switched off {who}")
    elif len(mine) < len(claude.HOOK_EVENTS) and settings.is_on:
        yield TROUBLES.found("claude-hook-missing", "the hook is not there")
    for command in {str(hook["command"]) for hook in mine}:
        program = _program(command)
        if not shutil.which(program, path=situation.environ.get("PATH", "")):
            yield TROUBLES.found("claude-hook-gone", f"{program} is not there")


def _program(command: str) -> str:
    try:
        return shlex.split(command)[0]
    except (ValueError, IndexError):
        return command


def _project(situation: Situation) -> Iterator[Finding]:
    """What the repository around the current directory asks for in vain."""
    user = claude.folder(situation.environ).resolve()
    for folder in (situation.cwd, *situation.cwd.parents):
        if (folder / ".claude").resolve() == user:
            continue
        for name in ("settings.json", "settings.local.json"):
            path = folder / ".claude" / name
            if not path.is_file():
                continue
            try:
                env = _loaded(path).get("env")
            except (JsonTextError, AgentError) as error:
                yield TROUBLES.found("claude-settings-broken", f"{path}: {error}", f"mend {path} there")
                continue
            vain = [key for key in env if _is_ignored(key)] if isinstance(env, dict) else []
            if vain:
                yield TROUBLES.found("claude-project-ignored", f"{path} sets {', '.join(vain)} in vain")


def _is_ignored(name: str) -> bool:
    return name == "CLAUDE_CODE_ENABLE_TELEMETRY" or name.startswith(("OTEL_EXPORTER_", "OTEL_LOG_"))
