"""What a line of a session log says of use (pure): requests with their tokens, tools by name, prompts by length.

A request is written as several lines, one for each block of its answer, in older versions with token counts that
grow: the line with the most output counts. Lines come again in forks and resumed sessions; each thing has a key by
which it is known wherever it stands. What people and models wrote is not taken, but for prompts when asked for.

Outside facts, observed on Claude Code 2.1.330 and in logs of earlier versions:
`requestId`, `message.id` and tool ids are those the client exports as `request_id`, `message.id`, `tool_use_id`; the
`uuid` of a prompt's line is exported as `message.uuid`. Errors of the API stand as messages of the model `<synthetic>`.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

    Line = dict[str, Any]
    Values = dict[str, str | int | float | bool]

TOKENS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_input_tokens": "cache_read_tokens",
    "cache_creation_input_tokens": "cache_creation_tokens",
}
_BY_LIFETIME = {
    "ephemeral_5m_input_tokens": "cache_creation_5m_tokens",
    "ephemeral_1h_input_tokens": "cache_creation_1h_tokens",
}
_NOT_A_PROMPT = ("isMeta", "isSidechain", "isCompactSummary", "isVisibleInTranscriptOnly", "toolUseResult")
_NOT_TYPED = ("<", "[Request interrupted by user", "Caveat: The messages below")
"""Beginnings of what stands as a user's message but is commands, their output, reminders and notes of the client."""

_DENIALS = ("The user doesn't want to proceed with this tool use", "[Request interrupted by user", "Permission to use ")
"""How results of tools that never ran began, before `toolDenialKind` said so."""

CONTEXT = "session_context"
"""The event by which `telem-agent hook` tells where a session works."""

PENDING_MAX = 1000
"""Tools of one log whose result has not been seen yet, and requests whose purpose is remembered."""

INT64_MAX = (1 << 63) - 1
_YEARS = (2000, 2200)


class Fact(NamedTuple):
    """One thing that happened."""

    key: str  # by which it is known in every log, and to the store
    name: str  # of the event, as the client exports it
    time_ns: int
    place: tuple[str, str, str]  # client version, directory, branch
    values: Values
    ended: bool = True  # False: a request whose answer may go on in the next line

    @property
    def session_id(self) -> str:
        """The session it belongs to."""
        return str(self.values.get("session.id", ""))


@dataclass(slots=True)
class Reader:
    """Reads the lines of one log in order; what one line says about a later one is kept here, and may be stored."""

    with_prompts: bool = False
    prompt_id: str = ""
    where: tuple[str, str, str] = ("", "", "")  # session, directory and branch of the line before
    tools: OrderedDict[str, str] = field(default_factory=OrderedDict)  # id -> name, until the result comes
    purposes: OrderedDict[str, str] = field(default_factory=OrderedDict)  # request's reference -> query source

    def facts(self, data: bytes) -> Iterator[Fact]:
        """What one line says.

        Raises:
            ValueError: it is not what the client writes; the line can be left out, nothing else depends on it.
        """
        line = orjson.loads(data)
        if not isinstance(line, dict):
            raise ValueError("not an object")  # noqa: TRY004 (a value, as far as a caller is concerned)
        kind = line.get("type")
        if kind in ("assistant", "user"):
            yield from self._moved(line)
        if kind == "assistant":
            yield from self._answer(line)
        elif kind == "user":
            yield from self._said(line)
        elif kind == "api-request" and isinstance(line.get("querySource"), str):
            _remember(self.purposes, str(line.get("id")), line["querySource"])

    def _moved(self, line: Line) -> Iterator[Fact]:
        """Where the session works, when that has changed: for what the client exported without saying so."""
        where = (_text(line.get("sessionId")), _text(line.get("cwd")), _text(line.get("gitBranch")))
        if where != self.where and where[0] and where[1]:
            self.where = where
            yield self._fact(line, CONTEXT, f"c:{where[0]}:{_text(line.get('uuid'))}", {"cwd": where[1]})

    def _answer(self, line: Line) -> Iterator[Fact]:
        message = line.get("message")
        if not isinstance(message, dict):
            return
        for block in _blocks(message):
            if block.get("type") == "tool_use" and isinstance(block.get("id"), str):
                _remember(self.tools, block["id"], str(block.get("name", "")))
        usage, model = message.get("usage"), message.get("model")
        if not isinstance(usage, dict) or model == "<synthetic>" or line.get("isApiErrorMessage"):
            return
        tokens = {name: _count(usage.get(member)) for member, name in TOKENS.items()}
        lifetimes = usage.get("cache_creation")
        if isinstance(lifetimes, dict):
            tokens |= {name: _count(lifetimes.get(member)) for member, name in _BY_LIFETIME.items()}
        values: Values = {name: count for name, count in tokens.items() if count is not None}
        if not values:
            return
        message_id, request_id = _text(message.get("id")), _text(line.get("requestId"))
        if isinstance(model, str):
            values["model"] = model
        if request_id:
            values["request_id"] = request_id
        elif message_id:
            values["message.id"] = message_id
        if isinstance(line.get("costUSD"), int | float) and not isinstance(line["costUSD"], bool):
            values["cost_usd"] = float(line["costUSD"])
        if purpose := self.purposes.get(str(line.get("requestRef"))):
            values["query_source"] = purpose
        if isinstance(line.get("attributionAgent"), str):
            values["agent.name"] = line["attributionAgent"]
        named = f"{message_id}:{request_id}" if message_id or request_id else _text(line.get("uuid"))
        ended = message.get("stop_reason") is not None
        yield self._fact(line, "api_request", f"r:{named}", values)._replace(ended=ended)

    def _said(self, line: Line) -> Iterator[Fact]:
        message = line.get("message")
        if not isinstance(message, dict):
            return
        if prompt_id := _text(line.get("promptId")):
            self.prompt_id = prompt_id
        results = [block for block in _blocks(message) if block.get("type") == "tool_result"]
        for block in results:
            yield from self._result(line, block)
        if results or any(line.get(member) for member in _NOT_A_PROMPT):
            return
        text = _typed(message)
        if not text or text.lstrip().startswith(_NOT_TYPED):
            return
        values: Values = {"prompt_length": len(text.encode("utf-16-le", "surrogatepass")) // 2}
        if uuid := _text(line.get("uuid")):
            values["message.uuid"] = uuid
        if self.with_prompts:
            values["prompt"] = text
        yield self._fact(line, "user_prompt", f"p:{uuid or line.get('timestamp')}", values)

    def _result(self, line: Line, block: Line) -> Iterator[Fact]:
        tool_id = _text(block.get("tool_use_id"))
        name = self.tools.pop(tool_id, "")
        if not tool_id or line.get("toolDenialKind") or _begins(block.get("content"), _DENIALS):
            return
        values: Values = {"tool_use_id": tool_id, "success": not block.get("is_error")}
        if name:
            values["tool_name"] = name
        result = line.get("toolUseResult")
        if isinstance(result, dict):
            duration = next((result[each] for each in ("durationMs", "totalDurationMs") if each in result), None)
            if (duration_ms := _count(duration)) is not None:
                values["duration_ms"] = duration_ms
        yield self._fact(line, "tool_result", f"t:{tool_id}", values)

    def _fact(self, line: Line, name: str, key: str, values: Values) -> Fact:
        for member, attribute in (
            ("sessionId", "session.id"),
            ("agentId", "agent_id"),
            ("entrypoint", "app.entrypoint"),
        ):
            if found := _text(line.get(member)):
                values[attribute] = found
        if self.prompt_id:
            values["prompt.id"] = self.prompt_id
        if line.get("isSidechain") and "query_source" not in values and name == "api_request":
            values["query_source"] = "subagent"
        place = (_text(line.get("version")), _text(line.get("cwd")), _text(line.get("gitBranch")))
        return Fact(key, name, _time_ns(line.get("timestamp")), place, values)


def _blocks(message: Line) -> list[Line]:
    content = message.get("content")
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _typed(message: Line) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "\n".join(str(block["text"]) for block in _blocks(message) if isinstance(block.get("text"), str))


def _begins(content: object, beginnings: tuple[str, ...]) -> bool:
    if isinstance(content, list) and content and isinstance(content[0], dict):
        content = content[0].get("text")
    return isinstance(content, str) and content.startswith(beginnings)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(value: object) -> int | None:
    """A count as it can be stored; NULL for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= INT64_MAX:
        return None
    return int(value)


def _time_ns(text: object) -> int:
    """When it happened. A line without a time that can be read says nothing about any day."""
    if not isinstance(text, str):
        raise ValueError("no timestamp")  # noqa: TRY004 (as above)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if not _YEARS[0] <= moment.year < _YEARS[1]:
        raise ValueError("not a time of this program's life")
    return round(moment.timestamp() * 1000) * 1_000_000


def _remember(known: OrderedDict[str, str], key: str, value: str) -> None:
    known[key] = value
    while len(known) > PENDING_MAX:
        known.popitem(last=False)
