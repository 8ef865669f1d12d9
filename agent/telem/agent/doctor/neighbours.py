"""Codex CLI and Gemini CLI: are they set up, and do they send here?"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from telem.agent.errors import AgentError
from telem.agent.setup import codex, gemini
from telem.agent.setup.files import read_file
from telem.agent.setup.jsontext import MISSING, JsonTextError
from telem.agent.setup.plan import parse
from telem.agent.setup.tomltext import TomlTextError
from telem.agent.setup.wanted import LOOPBACK, shown

from .finding import Finding, Level, Trouble, Troubles, well

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from .situation import Situation

TROUBLES = Troubles(
    "Codex and Gemini",
    Trouble(
        "neighbour-not-set-up",
        Level.WARNING,
        "Nothing arrives from Codex CLI or Gemini CLI.",
        "The client is here, but its telemetry is not switched on.",
        "`telem-agent setup`",
    ),
    Trouble(
        "neighbour-settings-broken",
        Level.PROBLEM,
        "Codex CLI or Gemini CLI complains about its settings, and nothing arrives.",
        "Its settings file cannot be read.",
        "mend the file at the place named",
    ),
    Trouble(
        "neighbour-other-port",
        Level.PROBLEM,
        "Nothing arrives from Codex CLI or Gemini CLI, though it is set up.",
        "It sends to another port of this machine than the daemon listens on.",
        "`telem-agent setup`",
    ),
    Trouble(
        "neighbour-elsewhere",
        Level.WARNING,
        "Nothing arrives from Codex CLI or Gemini CLI; another backend has its data.",
        "It is set up to send elsewhere.",
        "`telem-agent setup` says how to change that, or to keep both",
    ),
    Trouble(
        "codex-path",
        Level.PROBLEM,
        "Nothing arrives from Codex CLI; the daemon answers it with 404.",
        "Codex uses its endpoint as it stands, so it must end in /v1/logs (or /v1/metrics).",
        "`telem-agent setup --client codex`",
    ),
    Trouble(
        "neighbour-sends-prompts",
        Level.NOTE,
        "Prompts given to Codex CLI or Gemini CLI stand in the tables.",
        "It is set to send them (Gemini CLI does so unless logPrompts is false). They are sanitized before storing.",
        "`telem-agent setup --content none`",
    ),
    Trouble(
        "gemini-variables",
        Level.NOTE,
        "What `setup` wrote for Gemini CLI has no effect.",
        "Variables GEMINI_TELEMETRY_… of this shell win over its settings.",
        "unset them",
    ),
)


def check(situation: Situation) -> Iterator[Finding]:
    """Each of the two, if it is here."""
    for module, form, one in ((codex, "toml", _codex), (gemini, "jsonc", _gemini)):
        if not _is_here(module, situation):
            continue
        path = module.settings_path(situation.environ)
        try:
            said = parse(form, read_file(path).text).get()
        except (JsonTextError, TomlTextError, AgentError) as error:
            yield TROUBLES.found("neighbour-settings-broken", f"{path}: {error}", f"mend {path} there")
            continue
        found = list(one(said if isinstance(said, dict) else {}, situation))
        yield from found
        if all(finding.level is Level.NOTE for finding in found):
            yield well(module.TITLE, f"{path}: sends here")


def _is_here(module: ModuleType, situation: Situation) -> bool:
    path = situation.environ.get("PATH", "")
    is_there = module.folder(situation.environ).is_dir()
    return is_there or any(shutil.which(command, path=path) for command in module.COMMANDS)


def _codex(said: dict[str, Any], situation: Situation) -> Iterator[Finding]:
    otel = said.get("otel")
    otel = otel if isinstance(otel, dict) else {}
    mend = "`telem-agent setup --client codex`"
    exporter = otel.get("exporter", MISSING)
    if exporter is MISSING or exporter in ("none", {}):
        yield TROUBLES.found("neighbour-not-set-up", "Codex CLI exports no logs: otel.exporter is not set", mend)
    for key, signal in codex.EXPORTERS.items():
        for kind, options in _options(otel.get(key)):
            address = str(options.get("endpoint", ""))
            text = f"otel.{key} of Codex CLI is {shown(address)}"
            where = _where(address, situation)
            if where:
                yield TROUBLES.found(where, text, mend)
            elif kind == "otlp-http" and not urlsplit(address).path.endswith(f"/v1/{signal}"):
                yield TROUBLES.found("codex-path", f"{text}, without /v1/{signal}")
    if otel.get("log_user_prompt") is True:
        yield TROUBLES.found("neighbour-sends-prompts", "Codex CLI: otel.log_user_prompt is true")


def _options(exporter: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind, options in exporter.items() if isinstance(exporter, dict) else ():
        if isinstance(options, dict):
            yield kind, options


def _gemini(said: dict[str, Any], situation: Situation) -> Iterator[Finding]:
    found = said.get("telemetry")
    telemetry = found if isinstance(found, dict) else {}
    mend = "`telem-agent setup --client gemini`"
    variables = sorted(name for name in situation.environ if name.startswith("GEMINI_TELEMETRY_"))
    if variables:
        yield TROUBLES.found("gemini-variables", f"{', '.join(variables)} in this shell")
    if telemetry.get("enabled") is not True:
        yield TROUBLES.found("neighbour-not-set-up", "Gemini CLI: telemetry.enabled is not true", mend)
        return
    if telemetry.get("target") == "gcp" or telemetry.get("outfile"):
        where = telemetry.get("outfile") or "Google Cloud"
        yield TROUBLES.found("neighbour-elsewhere", f"Gemini CLI sends to {where}", mend)
        return
    address = str(telemetry.get("otlpEndpoint") or "http://localhost:4317")
    if where := _where(address, situation):
        yield TROUBLES.found(where, f"telemetry.otlpEndpoint of Gemini CLI is {shown(address)}", mend)
    if telemetry.get("logPrompts", True) is not False:
        yield TROUBLES.found("neighbour-sends-prompts", f"Gemini CLI: {json.dumps('logPrompts')} is not false")


def _where(address: str, situation: Situation) -> str:
    """The trouble with where it sends, or nothing."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return "neighbour-elsewhere"
    if parts.hostname not in LOOPBACK:
        return "neighbour-elsewhere"
    return "neighbour-other-port" if situation.endpoint and port not in situation.ports else ""
