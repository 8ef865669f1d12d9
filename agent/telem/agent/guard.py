"""Who may talk to a port on loopback: any local program, but no web page.

Every page a browser shows can send requests to 127.0.0.1, and read the answers once its name resolves there (DNS
rebinding). A page cannot choose its Host, Origin and Sec-Fetch-Site headers, and the programs that export telemetry
send no Origin at all; so these three headers tell them apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


class Guard:
    """Checks requests to one port.

    Args:
        port: the port we listen on; a Host that names another one is not ours.
        extra_names: further host names by which this machine may be addressed.
    """

    def __init__(self, port: int, extra_names: Iterable[str] = ()) -> None:
        names = (*LOOPBACK_NAMES, *(name.lower() for name in extra_names))
        self._hosts = frozenset(host for name in names for host in (name, f"{name}:{port}"))
        self._origins = frozenset(f"http://{host}" for host in self._hosts)

    def refusal(self, headers: Mapping[str, str]) -> str | None:
        """Why this request is refused, or None. Reads headers only, so it comes before the body."""
        host = headers.get("Host", "").lower()
        if host not in self._hosts:
            return f"Host {host or '(none)'} is not this agent; address it as 127.0.0.1 or localhost with its own port"
        origin = headers.get("Origin")
        if origin is not None and origin.lower() not in self._origins:
            return "requests from web pages are refused (Origin header)"
        if headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            return "requests from web pages are refused (Sec-Fetch-Site header)"
        return None
