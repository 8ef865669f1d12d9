"""`telem-agent feedback`: a judgement of a session's work, recorded by hand as a `validation_result`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click
import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from telem.agent.errors import AgentError
from telem.agent.transcripts.folders import config_folders, identity
from telem.agent.transcripts.sending import open_door
from telem.queries.run import run

if TYPE_CHECKING:
    from telem.agent.config import Config

SCHEMA = 1
SCOPE = "telem-agent.hand"
DECISIONS = {"approve": "accept", "reject": "reject", "modify": "modify"}
TEXT_CHARS_MAX = 10_000

_LATEST = """
SELECT session_id FROM events
WHERE session_id IS NOT NULL AND source IS DISTINCT FROM 'hand' ORDER BY time DESC LIMIT 1
"""


def feedback(config: Config, decision: str, text: str, session_id: str | None, *, as_json: bool) -> None:
    """Record it through the daemon's own door.

    Raises:
        AgentError: there is no session to judge, or the text is too long.
    """
    if len(text) > TEXT_CHARS_MAX:
        raise AgentError(f"the text has {len(text):,} characters, more than {TEXT_CHARS_MAX:,}", "Say it shorter")
    session = session_id or _latest(config)
    attributes = {
        "event.name": "validation_result",
        "session.id": session,
        "decision": DECISIONS[decision],
        "source": "hand",
        **({"text": text} if text else {}),
        **(identity(folders[0]) if (folders := config_folders()) else {}),
    }
    with open_door(config.layout) as door:
        door.send(_request(attributes))
    if as_json:
        click.echo(orjson.dumps({"schema": SCHEMA, "session_id": session, "decision": DECISIONS[decision]}).decode())
    else:
        click.echo(f"recorded: {DECISIONS[decision]}, session {session}", err=True)


def _latest(config: Config) -> str:
    rows = run(config.layout, _LATEST).rows
    if not rows:
        raise AgentError("there is no session yet to say something about", "Name one: --session ID")
    return str(rows[0][0])


def _request(attributes: dict[str, str]) -> bytes:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    scope.scope.name = SCOPE
    record = scope.log_records.add(time_unix_nano=time.time_ns())
    record.body.string_value = "validation_result"
    for name, value in attributes.items():
        attribute = record.attributes.add(key=name)
        attribute.value.string_value = value.encode("utf-8", "replace").decode()
    return bytes(request.SerializeToString())
