"""What differs between the clients: who sent a record, what its event is called and which tokens it counts.

Claude Code's names are the house's names. Codex CLI and Gemini CLI say the same things differently; here their
figures are brought into the same columns. Facts observed on Claude Code 2.0.64 to 2.1.330, Codex 0.169.0 and
Gemini CLI 0.61.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .columns import BIT

if TYPE_CHECKING:
    from .records import Attributes, Row

PREFIXES = {"claude_code.": "claude_code", "codex.": "codex", "gemini_cli.": "gemini_cli"}
"""Prefix of event, metric and span names -> client."""

SCOPES = {
    "com.anthropic.claude_code": "claude_code",
    "codex": "codex",
    "gemini-cli": "gemini_cli",
    "telem-agent.transcript": "claude_code",  # only its session logs are read, only its hooks call
    "telem-agent.hook": "claude_code",
}

OWN_SCOPES = {
    "telem-agent.transcript": "transcript",
    "telem-agent.hook": "hook",
    "telem-agent.hand": "hand",
}
"""Scopes of records this program makes itself -> their `source`: read from session logs, told by a hook, by hand."""

EVENT_TYPES: dict[str | None, dict[str, str]] = {
    "claude_code": {
        "user_prompt": "user_prompt",
        "tool_result": "tool_call",
        "api_request": "api_request",
        "api_error": "api_error",
        "tool_decision": "validation_result",
    },
    "codex": {
        "user_prompt": "user_prompt",
        "tool_result": "tool_call",
        "tool_decision": "validation_result",
    },
    "gemini_cli": {
        "user_prompt": "user_prompt",
        "tool_call": "tool_call",
        "api_response": "api_request",
        "api_error": "api_error",
    },
    None: {name: name for name in ("user_prompt", "tool_call", "api_request", "api_error", "validation_result")},
}
"""Client -> its event name -> canonical type. What is not here has none."""

ERROR_STATUS_MIN = 400
EVENT_NAME_LIMIT = 128


def client_of(scope_name: str, name: str) -> str | None:
    """The client that uses this scope, or this name of an event, metric or span."""
    for prefix, client in SCOPES.items():
        if scope_name.startswith(prefix):
            return client
    for prefix, client in PREFIXES.items():
        if name.startswith(prefix):
            return client
    return None


def bare(name: str) -> str:
    """An event's name without its client's prefix."""
    for prefix in PREFIXES:
        if name.startswith(prefix):
            return name[len(prefix) :]
    return name


def is_event_name(body: str) -> bool:
    """Is a log body an event's full name (`claude_code.api_request`) rather than a sentence?"""
    return len(body) <= EVENT_NAME_LIMIT and "." in body and " " not in body and body.isascii()


def classify(scope_name: str, name: str) -> tuple[str, str | None, str | None]:
    """Bare event name, client and canonical type of a log record."""
    client = client_of(scope_name, name)
    found = bare(name)
    return found, client, EVENT_TYPES[client].get(found)


def normalize(row: Row, attributes: Attributes) -> None:
    """Bring a log row of another client into the house's columns.

    `attributes` are the sanitized ones that no column represents; a column that is changed here goes back there.
    """
    match row.get("client"):
        case "codex":
            _codex(row, attributes)
        case "gemini_cli":
            _gemini(row, attributes)


def _count(attributes: Attributes, name: str) -> int:
    value = attributes.get(name)
    if isinstance(value, str) and value.isdigit():
        return int(value)
    return value if isinstance(value, int) else 0


def _codex(row: Row, attributes: Attributes) -> None:
    """The second `response.completed` of a request carries the tokens; an api_request only how the call went."""
    if "input_token_count" in attributes:
        cached = _count(attributes, "cached_token_count")
        written = _count(attributes, "cache_write_token_count")
        row["event_type"] = "api_request"
        row["input_tokens"] = max(0, _count(attributes, "input_token_count") - cached - written)
        row["output_tokens"] = _count(attributes, "output_token_count")
        row["cache_read_tokens"] = cached
        row["cache_creation_tokens"] = written
    elif row.get("event_name") == "api_request":
        status = row.get("status_code")
        if "error.message" in attributes or (isinstance(status, int) and status >= ERROR_STATUS_MIN):
            row["event_type"] = "api_error"
    elif row.get("event_name") == "tool_decision":
        decision = row.get("decision")
        if isinstance(decision, str) and decision in _CODEX_DECISIONS:
            row["decision"] = _CODEX_DECISIONS[decision]
            row["promoted"] = int(str(row.get("promoted", 0))) & ~BIT["decision"]
            attributes["decision"] = decision


_CODEX_DECISIONS = {"approved": "accept", "approved_for_session": "accept", "denied": "reject", "abort": "reject"}


def _gemini(row: Row, attributes: Attributes) -> None:
    """Input includes what came from the cache; thoughts are counted beside the output."""
    if row.get("event_name") == "api_response" and "input_token_count" in attributes:
        cached = _count(attributes, "cached_content_token_count")
        row["input_tokens"] = max(0, _count(attributes, "input_token_count") - cached)
        row["output_tokens"] = _count(attributes, "output_token_count") + _count(attributes, "thoughts_token_count")
        row["cache_read_tokens"] = cached
        row["query_source"] = row.get("query_source", attributes.get("role"))
