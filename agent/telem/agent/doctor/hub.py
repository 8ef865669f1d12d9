"""A hub: does its door answer, how long does its certificate count, and may its members still come in?"""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from telem.agent.errors import AgentError
from telem.agent.hub.members import Members
from telem.storage.disk import Disk

from .finding import Finding, Level, Trouble, Troubles, well

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telem.agent.hub.members import Member

    from .situation import Situation

DAY_S = 86_400.0
SOON_DAYS = 14
FULL = 0.9
TIMEOUT_S = 5.0
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (where it may listen, and where we then find it)

TROUBLES = Troubles(
    "hub",
    Trouble(
        "hub-silent",
        Level.PROBLEM,
        "No member gets through to the hub, although it runs.",
        "Its own address does not answer from the machine it runs on.",
        "`telem-agent logs`, then `telem-agent restart`",
    ),
    Trouble(
        "hub-certificate",
        Level.PROBLEM,
        "Members' laptops say that the hub's certificate is not trusted.",
        "It has run out, or does not count yet. Laptops keep what they have to send, and send it once it is renewed.",
        "renew the certificate in its place; the hub takes it over within seconds",
    ),
    Trouble(
        "hub-certificate-due",
        Level.WARNING,
        "Nothing yet: the hub's certificate runs out within two weeks.",
        "Whatever renews it has not done so.",
        "renew the certificate in its place; the hub takes it over within seconds",
    ),
    Trouble(
        "hub-member-full",
        Level.WARNING,
        "A member's laptop says that the hub answers 429.",
        "Her folder on the hub holds nine tenths or more of what she may keep there.",
        "less is kept with `retention_logs_days` in config.toml, or in hers; she can `telem-agent purge --on HUB`",
    ),
    Trouble(
        "hub-token-due",
        Level.WARNING,
        "A member's laptop says that the hub answers 401.",
        "Her token has run out, or does within two weeks.",
        "`telem-agent hub member rotate NAME` makes another",
    ),
    Trouble(
        "hub-empty",
        Level.NOTE,
        "The hub runs, and nobody sends anything.",
        "It knows no member.",
        "`telem-agent hub member add NAME`",
    ),
)


def check(situation: Situation) -> Iterator[Finding]:
    """Door, certificate, members."""
    if situation.running and not situation.status_error:
        yield from _door(urlsplit(situation.running.endpoints.get("hub", "")), situation)
    try:
        members = [one for one in Members(situation.config.layout.hub_members, Disk()) if one.revoked_at_s is None]
    except (AgentError, OSError, ValueError):
        return  # `hub member list` says what is wrong with the file, and so does whoever comes in
    if not members:
        yield TROUBLES.found("hub-empty", "it has no members")
    sizes = {said["id"]: said["bytes"] for said in situation.status.get("members", ())}
    for member in members:
        yield from _member(member, sizes.get(member.id, 0), situation.now_s)


def _door(url: SplitResult, situation: Situation) -> Iterator[Finding]:
    host = url.hostname or ""
    address = (EVERYWHERE.get(host, host), url.port or 0)
    try:
        if url.scheme != "https":
            socket.create_connection(address, TIMEOUT_S).close()
            yield well("hub", f"{url.geturl()} answers, without TLS of its own")
            return
        ends_s = _ends_s(address)
    except ssl.SSLCertVerificationError as error:
        yield TROUBLES.found("hub-certificate", f"{url.geturl()}: {error.verify_message}")
        return
    except OSError as error:
        yield TROUBLES.found("hub-silent", f"{url.geturl()}: {error}")
        return
    until = _day(ends_s)
    if ends_s - situation.now_s <= SOON_DAYS * DAY_S:
        yield TROUBLES.found("hub-certificate-due", f"its certificate runs out on {until}")
    else:
        yield well("hub", f"{url.geturl()} answers, with a certificate until {until}")


def _ends_s(address: tuple[str, int]) -> float:
    """When the certificate that is shown there runs out.

    It is trusted for that, since Python tells only of a trusted one what stands in it; only its times are judged.

    Raises:
        SSLCertVerificationError: it counts no longer, or not yet.
    """
    shown = ssl.get_server_certificate(address, timeout=TIMEOUT_S)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=shown)
    with socket.create_connection(address, TIMEOUT_S) as plain, context.wrap_socket(plain) as connection:
        said = connection.getpeercert() or {}
    return ssl.cert_time_to_seconds(str(said["notAfter"]))


def _member(member: Member, held_bytes: int, now_s: float) -> Iterator[Finding]:
    if held_bytes >= FULL * member.quota_bytes:
        share = f"{100 * held_bytes / member.quota_bytes:.0f} %"
        yield TROUBLES.found("hub-member-full", f"{member.name} has filled {share} of {member.quota_bytes >> 20} MiB")
    if member.expires_at_s is not None and member.expires_at_s - now_s <= SOON_DAYS * DAY_S:
        ends = "ran out" if member.expires_at_s <= now_s else "runs out"
        text = f"the token of {member.name} {ends} on {_day(member.expires_at_s)}"
        yield TROUBLES.found("hub-token-due", text, f"`telem-agent hub member rotate {member.name}` makes another")


def _day(at_s: float) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d}"
