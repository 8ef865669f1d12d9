"""What every check looks at, gathered once."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from telem.agent import control
from telem.agent.config import ConfigError, load
from telem.agent.homes import HOME_ENV, default_home

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telem.agent.config import Config
    from telem.agent.control import Running


@dataclass(slots=True)
class Situation:
    """One machine at one moment, as far as telem-agent is concerned."""

    config: Config
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    now_s: float = field(default_factory=time.time)
    cwd: Path = field(default_factory=Path.cwd)
    config_error: str = ""
    running: Running | None = None
    status: dict[str, Any] = field(default_factory=dict)
    status_error: str = ""

    @property
    def endpoint(self) -> str:
        """Where clients should send OTLP over HTTP; empty if nobody knows."""
        if self.running and self.running.endpoints.get("otlp_http", "").startswith("http"):
            return self.running.endpoints["otlp_http"]
        return f"http://127.0.0.1:{self.config.otlp_http_port}" if self.config.otlp_http_port else ""

    @property
    def is_hub(self) -> bool:
        """Is this the folder of a shared machine? What runs knows better than the settings, which a flag may change."""
        return bool(self.status.get("hub")) if self.status else self.config.mode == "hub"

    @property
    def ports(self) -> set[int | None]:
        """Ports on which OTLP is taken; both take both protocols."""
        if self.running and self.running.endpoints:
            return {urlsplit(self.running.endpoints.get(name, "")).port for name in ("otlp_http", "otlp_grpc")}
        return {self.config.otlp_http_port, self.config.otlp_grpc_port}


def look(flags: Mapping[str, Any]) -> Situation:
    """Read the settings and ask the daemon, whatever state they are in."""
    try:
        situation = Situation(load(flags))
    except ConfigError as error:
        situation = Situation(_defaults(flags), config_error=str(error))
    try:
        situation.running = control.find(situation.config.layout)
        if situation.running:
            token = situation.config.layout.token
            situation.status = control.ask(situation.running, token, "GET", "/status")
    except (OSError, RuntimeError, ValueError) as error:
        situation.status_error = str(error)
    return situation


def _defaults(flags: Mapping[str, Any]) -> Config:
    """The default settings over the folder that was asked for; its config.toml cannot be read."""
    found = load({"home": "/nonexistent"}, {})
    home = flags.get("home") or os.environ.get(HOME_ENV)
    return replace(found, home=Path(home).expanduser().absolute() if home else default_home())
