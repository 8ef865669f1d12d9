"""Settings: one table of name, default and sentence, from which flags, environment, file, help and docs come.

Precedence: flag > environment > `config.toml` > default. `home` says where `config.toml` lies, so it comes from the
flag or the environment only.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telem.sanitize.records import Profile
from telem.storage.layout import Layout

from .homes import HOME_ENV, default_home

if TYPE_CHECKING:
    from collections.abc import Mapping

ENV_PREFIX = "TELEM_AGENT_"
PORT_MAX = 65535


class ConfigError(ValueError):
    """A setting cannot be used; the message names it, where it stands and what it may be."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. The type of `default` is the setting's type."""

    name: str
    default: str | int | tuple[str, ...]
    sentence: str

    @property
    def env(self) -> str:
        """Name of its environment variable."""
        return ENV_PREFIX + self.name.upper()

    @property
    def flag(self) -> str:
        """Name of its flag."""
        return "--" + self.name.replace("_", "-")


SETTINGS: tuple[Setting, ...] = (
    Setting("home", "", "Folder that holds data, configuration, logs and state; empty means the user's data folder."),
    Setting("bind", "127.0.0.1", "Address to listen on. Anything but a loopback address is refused."),
    Setting("otlp_http_port", 4318, "Port for OTLP over HTTP; 0 takes any free one."),
    Setting("otlp_grpc_port", 4317, "Port for OTLP over gRPC; 0 takes any free one."),
    Setting("query_port", 8123, "Port for what the commands ask of a running daemon; 0 takes any free one."),
    Setting(
        "sockets",
        "",
        "Private folder for Unix sockets; if given, the daemon listens there and on no port, as a hub's members do.",
    ),
    Setting("body_limit_bytes", 64 * 1024 * 1024, "Largest request accepted, also after decompression."),
    Setting(
        "profile",
        "",
        "How strictly to sanitize: standard, strict (content becomes its length) or off; "
        "empty means what sanitize.toml says, else standard.",
    ),
    Setting("segment_age_s", 3600, "A journal segment is closed and becomes Parquet when it is this old."),
    Setting(
        "retention_logs_days", 90, "Days for which raw log rows are kept; 0 keeps them. Their totals stay for good."
    ),
    Setting("retention_metrics_days", 90, "The same for metric points."),
    Setting("retention_traces_days", 90, "The same for spans."),
    Setting("size_limit_gb", 100, "Beyond so many GB of data the oldest days' raw rows go; 0 knows no limit."),
    Setting("allowed_hosts", (), "Further names by which HTTP clients may address this machine, beside loopback."),
    Setting(
        "watch_session_logs",
        "auto",
        "Import what was missed from Claude Code's session logs by itself: on, off, or auto: if "
        "`telem-agent import claude --watch` was said.",
    ),
    Setting("mode", "agent", "agent keeps one person's telemetry; hub is the shared machine of a team."),
    Setting("hub_listen", "127.0.0.1:8443", "Address and port a hub listens on; beyond this machine only with TLS."),
    Setting("hub_cert", "", "Certificate chain of a hub, a PEM file; empty means no TLS of its own."),
    Setting("hub_cert_key", "", "The certificate's key, a PEM file; empty if it stands in the same file."),
    Setting("hub_client_ca", "", "Authority of client certificates, a PEM file; if given, members need one."),
    Setting("hub_behind_proxy", 0, "1 if a proxy in front of the hub does TLS; it may then listen without."),
    Setting("hub_group_size", 3, "Smallest group of members whose figures a hub shows to coordinators."),
    Setting("metrics", 0, "1 answers Prometheus at /metrics on the query port, with a token."),
    Setting("accept_row_ids", 0, "1 lets rows that another agent forwards keep their ids, each stored once."),
    Setting("report_schedule", "", "Which reports the daemon writes by itself: month, week, both; empty means none."),
    Setting("report_shared", 0, "1 if these are for others to read: people are then named in groups only."),
    Setting("report_min_people", 3, "Smallest group in which a report for others names people, by pseudonym."),
    Setting(
        "report_command", "", "Command told about a report the daemon wrote, as JSON on its standard input; no shell."
    ),
    Setting("report_webhook", "", "Address told about it by POST: path and totals only."),
    Setting("log_level", "info", "How much the daemon's own log says: debug, info, warning or error."),
)

TABLES: dict[str, str] = {
    "chapters": "Which chapter a session counts for, by the path it works in: a pattern and the chapter's name.",
}
"""Names in `config.toml` that hold pairs of texts: without flag or variable, read where they are used."""

HUB = "hub"
"""A table in `config.toml`: its `listen` is `hub_listen`, and so on. Whoever writes it means a hub."""

PATHS = ("hub_cert", "hub_cert_key", "hub_client_ca")
"""Files; relative to `config.toml` if they stand there, else to where the command was given."""

_CHOICES = {
    "profile": ("", *(profile.value for profile in Profile)),
    "mode": ("agent", "hub"),
    "watch_session_logs": ("auto", "on", "off"),
    "report_schedule": ("", "month", "week", "both"),
    "log_level": ("debug", "info", "warning", "error"),
    "bind": ("127.0.0.1", "::1", "localhost"),
}
_RANGES = {
    **dict.fromkeys((f"retention_{signal}_days" for signal in ("logs", "metrics", "traces")), (0, 100_000)),
    "size_limit_gb": (0, 1_000_000),
    "hub_behind_proxy": (0, 1),
    "accept_row_ids": (0, 1),
    "metrics": (0, 1),
    "hub_group_size": (2, 1000),
    "report_shared": (0, 1),
    "report_min_people": (1, 1000),
}


@dataclass(frozen=True, slots=True)
class Config:
    """The settings in force, validated."""

    home: Path
    bind: str
    otlp_http_port: int
    otlp_grpc_port: int
    query_port: int
    sockets: str
    body_limit_bytes: int
    profile: str
    segment_age_s: int
    retention_logs_days: int
    retention_metrics_days: int
    retention_traces_days: int
    size_limit_gb: int
    allowed_hosts: tuple[str, ...]
    watch_session_logs: str
    mode: str
    hub_listen: str
    hub_cert: str
    hub_cert_key: str
    hub_client_ca: str
    hub_behind_proxy: int
    hub_group_size: int
    metrics: int
    accept_row_ids: int
    report_schedule: str
    report_shared: int
    report_min_people: int
    report_command: str
    report_webhook: str
    log_level: str

    @property
    def layout(self) -> Layout:
        """Every path below the home folder."""
        return Layout(self.home)


def load(flags: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Config:
    """Put the settings together.

    Args:
        flags: what the command line gave; None stands for not given.
        environ: environment variables; the process's own if None.

    Raises:
        ConfigError: a value is of the wrong kind or out of range, or `config.toml` has a name we do not know.
    """
    environ = os.environ if environ is None else environ
    home_text = flags.get("home") or environ.get(HOME_ENV) or ""
    home = Path(home_text).expanduser().absolute() if home_text else default_home()
    file = _read_file(home / "config.toml")
    values: dict[str, Any] = {"home": home}
    for setting in SETTINGS[1:]:
        if flags.get(setting.name) is not None:
            values[setting.name] = _check(setting, flags[setting.name], setting.flag)
        elif setting.env in environ:
            values[setting.name] = _check(setting, environ[setting.env], setting.env)
        elif setting.name in file:
            values[setting.name] = _check(setting, file[setting.name], str(home / "config.toml"))
        else:
            values[setting.name] = setting.default
        if setting.name in PATHS and (path := values[setting.name]):
            by_file = flags.get(setting.name) is None and setting.env not in environ
            values[setting.name] = str((home if by_file else Path.cwd()) / Path(path).expanduser())
    return Config(**values)


def without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process over another folder: what was set for this one is not meant for it."""
    return {name: value for name, value in environ.items() if not name.startswith(ENV_PREFIX)}


def _read_file(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    found = _without_hub_table(found, path)
    known = {setting.name for setting in SETTINGS[1:]} | set(TABLES)
    for name, value in found.items():
        if name in TABLES and not _is_table(value):
            raise ConfigError(f'{path}: {name} is a table of texts, as in {name} = {{ "docs/07-*" = "ch07" }}')
        if name not in known:
            raise ConfigError(f"{path}: there is no setting {name!r}; there are {', '.join(sorted(known))}")
    return found


def _without_hub_table(found: dict[str, Any], path: Path) -> dict[str, Any]:
    """The same with the names of `[hub]` in full, and `mode = "hub"` where there is that table."""
    if HUB not in found:
        return found
    table, rest = found[HUB], {name: value for name, value in found.items() if name != HUB}
    known = [setting.name.removeprefix(f"{HUB}_") for setting in SETTINGS if setting.name.startswith(f"{HUB}_")]
    if not isinstance(table, dict):
        raise ConfigError(f'{path}: hub is a table, as in\n[hub]\nlisten = "0.0.0.0:8443"')
    for name, value in table.items():
        if name not in known:
            raise ConfigError(f"{path}: there is no setting {name!r} in [hub]; there are {', '.join(known)}")
        if f"{HUB}_{name}" in rest:
            raise ConfigError(f"{path}: {HUB}_{name} stands there twice, also as {name} in [hub]; remove one of them")
        rest[f"{HUB}_{name}"] = value
    if rest.setdefault("mode", HUB) != HUB:
        raise ConfigError(f"{path}: mode is {rest['mode']!r}, and there is a table [hub]; remove one of them")
    return rest


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _check(setting: Setting, value: Any, where: str) -> Any:
    if isinstance(setting.default, tuple):
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
            raise ConfigError(f"{where}: {setting.name} is a list of names, this is {value!r}")
        return tuple(item.strip() for item in items if item.strip())
    if isinstance(setting.default, int):
        return _check_int(setting, value, where)
    if not isinstance(value, str):
        raise ConfigError(f"{where}: {setting.name} is a text, this is {value!r}")
    choices = _CHOICES.get(setting.name)
    if choices and value not in choices:
        raise ConfigError(f"{where}: {setting.name} is one of {', '.join(filter(None, choices))}; this is {value!r}")
    return value


def _check_int(setting: Setting, value: Any, where: str) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: {setting.name} is a number, this is {value!r}") from error
    low, high = _RANGES.get(setting.name, (0, PORT_MAX) if setting.name.endswith("_port") else (1, 1 << 40))
    if (isinstance(value, bool) and (low, high) != (0, 1)) or not low <= number <= high:
        raise ConfigError(f"{where}: {setting.name} lies between {low} and {high}, this is {value!r}")
    return number
