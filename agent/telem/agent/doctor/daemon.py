"""The daemon and its ports."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telem.agent import control
from telem.agent.config import SETTINGS
from telem.sanitize.policy import PolicyError
from telem.sanitize.records import Profile

from .finding import Finding, Level, Trouble, Troubles, well
from .ports import holder_of, is_free

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .situation import Situation

DEFAULTS = {setting.name: setting.default for setting in SETTINGS}
PORTS = {"otlp_http_port": "otlp_http", "otlp_grpc_port": "otlp_grpc", "query_port": "query"}

TROUBLES = Troubles(
    "daemon",
    Trouble(
        "daemon-stopped",
        Level.PROBLEM,
        "Nothing arrives, and `telem-agent status` says that it does not run.",
        "The daemon is stopped. Clients keep nothing to send later: what they send now is lost.",
        "`telem-agent start`",
    ),
    Trouble(
        "service-failed",
        Level.PROBLEM,
        "The daemon was started by a service, and is not there any more.",
        "The service manager has given up: the daemon ended too often in a short time.",
        "`telem-agent logs` says why; then `telem-agent start`",
    ),
    Trouble(
        "service-gone",
        Level.WARNING,
        "After a login, or an upgrade, the daemon does not start by itself any more.",
        "The service names a program that is not there, or its file was removed.",
        "`telem-agent service install`",
    ),
    Trouble(
        "daemon-silent",
        Level.PROBLEM,
        "Commands say that the daemon does not answer.",
        "A process holds the data folder but does not answer on its query port: it hangs, or is still starting.",
        "`telem-agent logs`, then `telem-agent restart`",
    ),
    Trouble(
        "daemon-older",
        Level.WARNING,
        "A new version was installed, and nothing has changed.",
        "The daemon that runs is the version from before the upgrade.",
        "`telem-agent restart`",
    ),
    Trouble(
        "daemon-elsewhere",
        Level.WARNING,
        "A port was changed in the settings, and clients do not reach the new one.",
        "Settings are read when the daemon starts; it still listens where it did.",
        "`telem-agent restart`",
    ),
    Trouble(
        "port-held",
        Level.PROBLEM,
        "`telem-agent start` says that a port cannot be used.",
        "Another program listens there: often an OpenTelemetry Collector, or a telem-agent with another data folder.",
        "stop that program, or give telem-agent other ports in config.toml and run `telem-agent setup` again",
    ),
    Trouble(
        "config-broken",
        Level.PROBLEM,
        "Every command ends with a line about config.toml.",
        "`config.toml` has a name or value that is not a setting.",
        "`telem-agent settings` shows what there is; correct the file",
    ),
    Trouble(
        "policy-broken",
        Level.PROBLEM,
        "The daemon does not start, or `status` says that the policy cannot be used.",
        "`sanitize.toml` is wrong. At start that keeps the daemon from starting, since it must not be less strict than "
        "it was asked to be; later the policy from before stays in force.",
        "correct the file at the line named, or move it away",
    ),
    Trouble(
        "sanitizer-off",
        Level.WARNING,
        "Secrets and addresses stand in the tables.",
        "The profile is `off`: everything is stored as it comes.",
        'set `profile = "standard"` in config.toml, then `telem-agent restart`',
    ),
    Trouble(
        "sanitizer-errors",
        Level.WARNING,
        "Values are `[REDACTED:sanitizer-error]`.",
        "Judging a value failed, so it was replaced as a whole.",
        "`telem-agent logs`; `telem-agent bundle` for a report of it",
    ),
    Trouble(
        "requests-refused",
        Level.WARNING,
        "Some of what a client sends is missing.",
        "Requests were refused or failed since the daemon started: too large, not OTLP, or the disk was full.",
        "`telem-agent logs` names each kind once",
    ),
    Trouble(
        "wrong-port",
        Level.NOTE,
        "`status` says that connections spoke gRPC on the HTTP port, or the other way round.",
        "A client was given the other protocol's port. It is served all the same.",
        "`telem-agent setup` writes port and protocol that fit",
    ),
    Trouble(
        "recovered",
        Level.NOTE,
        "`status` shows lines about recovery.",
        "The last life of the daemon ended without a word (a crash, or power was lost); what was not acknowledged "
        "was cut, what was damaged lies in quarantine.",
        "nothing to do; `telem-agent logs` says what was found",
    ),
)


def check(situation: Situation) -> Iterator[Finding]:
    """Does it run, as it is set, and does it take what comes?"""
    if situation.config_error:
        yield TROUBLES.found("config-broken", situation.config_error)
    yield from _policy_file(situation)
    yield from _service(situation)
    if situation.running is None:
        yield TROUBLES.found("daemon-stopped", "the daemon does not run", fix=lambda: _start(situation))
        yield from _held_ports(situation)
        return
    if situation.status_error:
        yield TROUBLES.found("daemon-silent", situation.status_error)
        return
    yield well("daemon", f"runs (process {situation.running.pid}) and answers")
    yield from _versions(situation)
    yield from _moved(situation)
    yield from _counts(situation)


def _service(situation: Situation) -> Iterator[Finding]:
    """Is the service that looks after the daemon still able to?"""
    path = situation.config.layout.service
    if not path.exists():
        return
    from telem.agent.service.managers import manager

    chosen = manager(situation.environ)
    program = str(_loaded(path).get("program", ""))
    if not Path(program).exists() or not chosen.is_installed():
        gone = program if chosen.is_installed() else chosen.path
        yield TROUBLES.found("service-gone", f"{gone} is not there")
    elif chosen.state() == "failed":
        yield TROUBLES.found("service-failed", f"{chosen.name} says that it failed")
    else:
        yield well("daemon", f"looked after by {chosen.name}")


def _loaded(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _start(situation: Situation) -> str:
    from telem.agent.daemon_commands import as_flags

    said = control.start(["run", *as_flags(situation.config)], situation.config.layout)
    return f"started (process {said['pid']})"


def _held_ports(situation: Situation) -> Iterator[Finding]:
    wanted = [(setting, situation.config.bind, getattr(situation.config, setting)) for setting in PORTS]
    if situation.is_hub:
        host, _, number = situation.config.hub_listen.rpartition(":")
        wanted = [("hub_listen", host.strip("[]"), int(number) if number.isdigit() else 0)]
    for setting, host, port in wanted:
        if port and not is_free(host, port):
            text = f"port {port} ({setting}) is held by {holder_of(port)}"
            yield TROUBLES.found("port-held", text)


def _policy_file(situation: Situation) -> Iterator[Finding]:
    from telem.agent.policies import load_policy

    try:
        load_policy(situation.config)
    except (PolicyError, OSError) as error:
        yield TROUBLES.found("policy-broken", str(error))


def _versions(situation: Situation) -> Iterator[Finding]:
    runs, installed = situation.status.get("versions", {}).get("telem-agent"), metadata.version("telem-agent")
    if runs != installed:
        yield TROUBLES.found("daemon-older", f"version {runs} runs, {installed} is installed")


def _moved(situation: Situation) -> Iterator[Finding]:
    for setting, name in PORTS.items():
        wanted = getattr(situation.config, setting)
        address = situation.running.endpoints.get(name, "") if situation.running else ""
        chosen = wanted and wanted != DEFAULTS[setting]  # a daemon may have been started with flags of its own
        if chosen and address.startswith("http") and int(address.rpartition(":")[2]) != wanted:
            yield TROUBLES.found("daemon-elsewhere", f"{setting} is {wanted}, the daemon listens at {address}")


def _counts(situation: Situation) -> Iterator[Finding]:
    status = situation.status
    for signal, counts in status.get("signals", {}).items():
        bad = counts.get("refused", 0) + counts.get("failed", 0)
        if bad:
            yield TROUBLES.found("requests-refused", f"{bad} of {counts['requests'] + bad} requests with {signal}")
    for what, count in status.get("misdialled", {}).items():
        yield TROUBLES.found("wrong-port", f"{count} connections spoke {what}")
    if messages := status.get("recovery", []):
        yield TROUBLES.found("recovered", messages[0] if len(messages) == 1 else f"{messages[0]} (and more)")
    sanitizer = status.get("sanitizer", {})
    if sanitizer.get("profile") == Profile.OFF:
        yield TROUBLES.found("sanitizer-off", "the sanitizer is off")
    if sanitizer.get("policy_error") and not situation.config_error:
        yield TROUBLES.found("policy-broken", sanitizer["policy_error"])
    if sanitizer.get("errors"):
        yield TROUBLES.found("sanitizer-errors", f"{sanitizer['errors']} values could not be judged")
