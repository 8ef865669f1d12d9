"""A test event through the whole pipeline: sent as a client sends, sanitized, stored, read back by SQL."""

from __future__ import annotations

import http.client
import json
import secrets
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from telem.agent.errors import AgentError

from .finding import Finding, Level, Trouble, Troubles, well

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .situation import Situation

EVENT = "self_test"
SCOPE = "telem-agent.hand"
SECRET = "ada@example.com"  # noqa: S105 (made up; the test is whether it disappears)
SEND_TIMEOUT_S = 5.0

TROUBLES = Troubles(
    "live",
    Trouble(
        "test-event-refused",
        Level.PROBLEM,
        "`doctor --live` says that the test event was refused.",
        "The daemon's door does not take a valid request.",
        "`telem-agent logs`; `telem-agent bundle` for a report of it",
    ),
    Trouble(
        "test-event-lost",
        Level.PROBLEM,
        "`doctor --live` says that the test event was not found.",
        "It was acknowledged and is not in the tables.",
        "`telem-agent logs`; `telem-agent bundle` for a report of it",
    ),
    Trouble(
        "test-event-unsanitized",
        Level.PROBLEM,
        "`doctor --live` says that the made-up address in the test event is stored.",
        "The sanitizer let a plain e-mail address through; the profile is off, or a rule is.",
        "`telem-agent status` shows the profile; `telem-agent sanitize --explain TEXT`",
    ),
)


def check(situation: Situation) -> Iterator[Finding]:
    """Send one, find it, remove it."""
    if situation.running is None:
        return
    mark = secrets.token_hex(8)
    began_s = time.monotonic()
    try:
        send(situation.endpoint, mark)
    except (OSError, AgentError) as error:
        yield TROUBLES.found("test-event-refused", str(error))
        return
    text = find(situation, mark)
    took_ms = (time.monotonic() - began_s) * 1000
    if text is None:
        yield TROUBLES.found("test-event-lost", f"the event {mark} was acknowledged but is not there")
    elif SECRET in text:
        yield TROUBLES.found("test-event-unsanitized", f"the event {mark} holds its made-up address")
    else:
        yield well("live", f"a test event was sent, sanitized, stored and read back in {took_ms:.0f} ms")


def send(endpoint: str, mark: str) -> None:
    """Send the test event.

    Raises:
        AgentError: it was answered with anything but 200.
        OSError: nobody answers.
    """
    attributes = {"event.name": EVENT, "mark": mark, "note": f"a made-up address: {SECRET}"}
    record = {
        "timeUnixNano": str(time.time_ns()),
        "body": {"stringValue": f"telem_agent.{EVENT}"},
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()],
    }
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"scope": {"name": SCOPE}, "logRecords": [record]}]}]})
    url = urlsplit(endpoint)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=SEND_TIMEOUT_S)
    try:
        connection.request("POST", "/v1/logs", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise AgentError(f"{endpoint} answered {response.status}: {text.strip()}")


def find(situation: Situation, mark: str) -> str | None:
    """What is stored of the event; None when it is not there."""
    from telem.queries.commands import ask

    sql = "SELECT attributes::VARCHAR FROM raw_logs WHERE event_name = $event AND attributes ->> '$.mark' = $mark"
    rows = ask(situation.config.layout, sql, {"event": EVENT, "mark": mark}).rows
    return str(rows[0][0]) if rows else None
