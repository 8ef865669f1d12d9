"""`telem-agent hook`: tells the daemon where a session works, each time Claude Code calls it.

Claude Code hands a hook the session's id and directory, and waits for it. So this takes some 40 ms, ends within a
second whatever happens, prints nothing (what a hook prints becomes part of the conversation), and always succeeds. Of
what it is handed it uses the session's id, the directory and the name of the event; the prompt is not kept or sent.

What it tells goes through the daemon's OTLP door and its sanitizer, like everything. When no daemon runs it is lost;
the next prompt tells it again.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

from .homes import home_of
from .places import place_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .places import Place

LIMIT_S = 1.0
ANSWER_S = 0.5
EVENT = "session_context"
SCOPE = "telem-agent.hook"


def main(arguments: Sequence[str]) -> None:
    """Tell, and end with status 0. Never raises and never takes longer than a second."""
    try:
        signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
        signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
        tell(home_of(arguments), sys.stdin.buffer.read())
    except BaseException:  # noqa: BLE001, S110 (the client must not notice, whatever it was)
        pass
    os._exit(0)


def tell(home: str, handed: bytes) -> None:
    """Send what a client handed the hook to the daemon of a data folder.

    Raises:
        OSError: no daemon runs there, or it does not answer.
        ValueError: what was handed is not a hook's input.
    """
    said = json.loads(handed)
    session, cwd = said.get("session_id"), said.get("cwd") or os.getcwd()
    if not isinstance(session, str) or not session or not isinstance(cwd, str):
        raise ValueError("a hook is handed a session_id and a cwd")
    with open(os.path.join(home, "daemon.json"), encoding="utf-8") as file:
        endpoint = json.load(file)["endpoints"]["otlp_http"]
    place = place_of(cwd, _chapters(home))
    post(endpoint, request(place, session, said))


def _chapters(home: str) -> dict[str, str]:
    """The rules `chapters` of config.toml; none if there are none, or none that can be read."""
    path = os.path.join(home, "config.toml")
    if not os.path.exists(path):
        return {}
    import tomllib

    try:
        with open(path, "rb") as file:
            found = tomllib.load(file).get("chapters", {})
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def request(place: Place, session: str, said: dict[str, Any]) -> bytes:
    """The log event, as an OTLP request in JSON. Tags are not in it: Claude Code hides `OTEL_*` from hooks."""
    attributes = {
        "event.name": EVENT,
        "session.id": session,
        "hook_event": said.get("hook_event_name"),
        "start_type": said.get("source"),
        "cwd": place.cwd,
        "worktree": place.worktree,
        "git.branch": place.branch,
        "vcs.repository.url.full": place.repository,
        "project": place.project,
        "chapter": place.chapter,
    }
    record = {
        "timeUnixNano": str(time.time_ns()),
        "body": {"stringValue": f"telem_agent.{EVENT}"},
        "attributes": [_pair(key, value) for key, value in attributes.items() if value and isinstance(value, str)],
    }
    scope = {"scope": {"name": SCOPE}, "logRecords": [record]}
    resource = {"attributes": [_pair("service.name", "telem-agent")]}
    return json.dumps({"resourceLogs": [{"resource": resource, "scopeLogs": [scope]}]}).encode()


def _pair(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}


def post(endpoint: str, body: bytes) -> None:
    """Send it and wait for the answer. Written by hand: importing an HTTP client takes as long as all the rest.

    Raises:
        OSError: the daemon is not there or does not answer in time.
    """
    host, _, port = endpoint.removeprefix("http://").rpartition(":")
    head = (
        f"POST /v1/logs HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S) as connection:
        connection.sendall(head.encode() + body)
        connection.recv(1)
