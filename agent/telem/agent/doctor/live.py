"""A test event through the whole pipeline: sent as a client sends, sanitized, stored, read back by SQL, purged."""

from __future__ import annotations

import http.client
import json
import time
import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from telem.agent import control
from telem.agent.errors import AgentError
from telem.sanitize.tombs import SESSION
from telem.storage import intent
from telem.storage.disk import Disk

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
        "test-event-stays",
        Level.NOTE,
        "Events named `self_test` stand in the tables.",
        "A test event of `doctor --live` could not be taken out again. It counts for no sum and no session.",
        "`telem-agent purge --resume`, then `telem-agent doctor --live` once more",
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
    mark = str(uuid.uuid4())
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
    if text is not None:
        yield from _remove(situation, mark)


def _remove(situation: Situation, mark: str) -> Iterator[Finding]:
    """Purge the session that consists of the test event."""
    layout = situation.config.layout
    try:
        intent.note(layout, Disk(), intent.target_of(SESSION, mark))
        control.ask(situation.running, layout.token, "POST", "/purge")  # type: ignore[arg-type]  # check() has looked
    except (OSError, RuntimeError) as error:
        yield TROUBLES.found("test-event-stays", f"the event {mark} was not taken out: {error}")
        return
    if find(situation, mark) is not None:
        yield TROUBLES.found("test-event-stays", f"the event {mark} is still there")
    else:
        yield well("live", "it was taken out again")


def send(endpoint: str, mark: str) -> None:
    """Send the test event.

    Raises:
        AgentError: it was answered with anything but 200.
        OSError: nobody answers.
    """
    attributes = {"event.name": EVENT, "session.id": mark, "note": f"a made-up address: {SECRET}"}
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

    sql = "SELECT attributes::VARCHAR FROM raw_logs WHERE event_name = $event AND session_id = $mark"
    rows = ask(situation.config.layout, sql, {"event": EVENT, "mark": mark}).rows
    return str(rows[0][0]) if rows else None
