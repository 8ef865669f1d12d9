"""The hub's TLS: its own files, read again when they change, since certificates are renewed every few weeks."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from typing import TYPE_CHECKING

from telem.agent.errors import AgentError

if TYPE_CHECKING:
    from telem.agent.config import Config

LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
LOOK_EVERY_S = 5.0

log = logging.getLogger(__name__)


def context_for(config: Config, host: str) -> ssl.SSLContext | None:
    """TLS as the settings want it; None for plain HTTP, on loopback or behind a proxy that the owner named.

    Raises:
        AgentError: no TLS beyond this machine, or a certificate that cannot be used.
    """
    if config.hub_cert:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(config.hub_cert, config.hub_cert_key or None)
            if config.hub_client_ca:
                context.load_verify_locations(config.hub_client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ssl.SSLError) as error:
            raise AgentError(
                f"the certificate {config.hub_cert} cannot be used: {error}",
                "hub_cert and hub_cert_key are PEM files that this user can read.",
            ) from error
        return context
    if host in LOOPBACK or config.hub_behind_proxy:
        return None
    raise AgentError(
        f"the hub would listen on {host} without TLS, and tokens would cross the network in clear",
        "Give it a certificate (hub_cert, hub_cert_key), or a proxy that does TLS in front of it (hub_behind_proxy).",
    )


async def keep_fresh(config: Config, host: str, context: ssl.SSLContext) -> None:
    """Take over a renewed certificate for new connections, for ever; a wrong one changes nothing.

    Authorities of client certificates are read at the start only: a context cannot forget one.
    """
    stamp = _stamp(config)
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        found = _stamp(config)
        if found == stamp:
            continue
        stamp = found
        try:
            context_for(config, host)  # chain and key are replaced one after the other: is it a pair already?
            context.load_cert_chain(config.hub_cert, config.hub_cert_key or None)
        except (AgentError, OSError, ssl.SSLError) as error:
            log.warning("the certificate has changed and stays what it was for now: %s", error)
        else:
            log.info("the certificate has changed; new connections get the new one")


def _stamp(config: Config) -> list[tuple[int, int]]:
    found = []
    for path in filter(None, (config.hub_cert, config.hub_cert_key)):
        try:
            about = os.stat(path)  # noqa: PTH116 (also through the links that renewing tools set)
        except OSError:
            found.append((0, 0))
        else:
            found.append((about.st_mtime_ns, about.st_ino))
    return found
