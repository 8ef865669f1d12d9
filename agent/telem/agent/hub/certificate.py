"""The hub's TLS: its own files, read again when they change, since certificates are renewed every few weeks."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from typing import TYPE_CHECKING

from telem.agent.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

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
        except (OSError, ssl.SSLError) as error:
            raise AgentError(
                f"the certificate {config.hub_cert} cannot be used: {error}",
                "hub_cert and hub_cert_key are PEM files that this user can read.",
            ) from error
        _want_certificates(config, context)
        return context
    if host in LOOPBACK or config.hub_behind_proxy:
        return None
    raise AgentError(
        f"the hub would listen on {host} without TLS, and tokens would cross the network in clear",
        "Give it a certificate (hub_cert, hub_cert_key), or a proxy that does TLS in front of it (hub_behind_proxy).",
    )


def _want_certificates(config: Config, context: ssl.SSLContext) -> None:
    """Let only clients in that show a certificate of the authority in the settings, if one is there."""
    if not config.hub_client_ca:
        return
    try:
        context.load_verify_locations(config.hub_client_ca)
    except (OSError, ssl.SSLError) as error:
        raise AgentError(
            f"the authority {config.hub_client_ca} cannot be used: {error}",
            "hub_client_ca is a PEM file that this user can read.",
        ) from error
    context.verify_mode = ssl.CERT_REQUIRED


async def keep_fresh(
    config: Config, host: str, replace: Callable[[ssl.SSLContext], Awaitable[None]], every_s: float = LOOK_EVERY_S
) -> None:
    """Take over renewed files for new connections, for ever; wrong ones change nothing.

    Args:
        replace: called with the new TLS, of certificate, key and clients' authority together.
    """
    stamp = _stamp(config)
    while True:
        await asyncio.sleep(every_s)
        found = _stamp(config)
        if found == stamp:
            continue
        stamp = found
        try:
            context = context_for(config, host)  # chain and key are replaced one after the other: is it a pair already?
            if context:
                await replace(context)
        except (AgentError, OSError) as error:
            log.warning("the certificate has changed and stays what it was for now: %s", error)
        else:
            log.info("the certificate has changed; new connections get the new one")


def _stamp(config: Config) -> list[tuple[int, int]]:
    found = []
    for path in filter(None, (config.hub_cert, config.hub_cert_key, config.hub_client_ca)):
        try:
            about = os.stat(path)  # noqa: PTH116 (also through the links that renewing tools set)
        except OSError:
            found.append((0, 0))
        else:
            found.append((about.st_mtime_ns, about.st_ino))
    return found
