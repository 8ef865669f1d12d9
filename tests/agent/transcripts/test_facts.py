"""What a line of a session log says, and what it does not say."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from telem.agent.transcripts.facts import CONTEXT, Fact, Reader

TIME = "2026-03-01T09:00:00.035Z"
TIME_NS = 1_772_355_600_035_000_000
SESSION = "0b0e4a52-4c5f-4a7e-9d6a-1d0c3c2f5a10"


def line(kind: str, **members: Any) -> dict[str, Any]:
    common = {"type": kind, "sessionId": SESSION, "version": "2.1.330", "cwd": "/src/book", "gitBranch": "main"}
    return {**common, "uuid": "u1", "timestamp": TIME, **members}


def answer(output: int = 7, **members: Any) -> dict[str, Any]:
    usage = {"input_tokens": 3, "output_tokens": output, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 2}
    usage["cache_creation"] = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 2}  # type: ignore[assignment]
    message = {
        "id": "msg_1",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "usage": usage,
        "stop_reason": "end_turn",
    }
    return line("assistant", **{"message": message, "requestId": "req_1", **members})


def said(content: Any, **members: Any) -> dict[str, Any]:
    return line("user", **{"message": {"role": "user", "content": content}, **members})


def read(*lines: dict[str, Any], with_prompts: bool = False) -> list[Fact]:
    reader = Reader(with_prompts)
    return [fact for each in lines for fact in reader.facts(orjson.dumps(each)) if fact.name != CONTEXT]


def test_a_place_is_told_when_it_changes() -> None:
    """Directory and branch, by session: a fork's lines are of another one."""
    other = {"sessionId": "11111111-2222-4333-8444-555555555555"}
    said_ = [
        said("a"),
        said("b"),
        said("c", gitBranch="fix-7"),
        said("d", gitBranch="fix-7", **other),
        said("e", cwd=""),
    ]
    reader = Reader()
    found = [fact for each in said_ for fact in reader.facts(orjson.dumps(each)) if fact.name == CONTEXT]
    assert [(fact.session_id, fact.place[2]) for fact in found] == [
        (SESSION, "main"),
        (SESSION, "fix-7"),
        (other["sessionId"], "fix-7"),
    ]
    assert found[0].values["cwd"] == "/src/book"


def test_a_request_has_its_tokens_and_its_names() -> None:
    """As the client exports it; what is not in the log (cost, duration) is not made up."""
    (fact,) = read(answer(entrypoint="cli"))
    assert (fact.name, fact.time_ns, fact.place) == ("api_request", TIME_NS, ("2.1.330", "/src/book", "main"))
    assert fact.values == {
        "input_tokens": 3,
        "output_tokens": 7,
        "cache_read_tokens": 5,
        "cache_creation_tokens": 2,
        "cache_creation_5m_tokens": 0,
        "cache_creation_1h_tokens": 2,
        "model": "claude-sonnet-4-5",
        "request_id": "req_1",
        "session.id": SESSION,
        "app.entrypoint": "cli",
    }


def test_older_logs_told_the_cost() -> None:
    """`costUSD` is what the client reckoned then."""
    assert read(answer(costUSD=0.25))[0].values["cost_usd"] == 0.25
    assert "cost_usd" not in read(answer(costUSD=True))[0].values


def test_a_request_is_known_by_message_and_request() -> None:
    """Gateways leave out the request's id; then the message's is enough, and then the line's."""
    (both,), (one,), (none,) = (
        read(answer()),
        read(answer(requestId=None)),
        read(line("assistant", message={"usage": {"input_tokens": 1}})),
    )
    assert (both.key, one.key, none.key) == ("r:msg_1:req_1", "r:msg_1:", "r:u1")
    assert one.values["message.id"] == "msg_1"


@pytest.mark.parametrize(
    "nothing",
    [
        answer(isApiErrorMessage=True),
        line("assistant", message={"model": "<synthetic>", "usage": {"input_tokens": 0, "output_tokens": 0}}),
        line("assistant", message={"model": "m", "usage": None}),
        line("assistant", message={"model": "m", "usage": {"input_tokens": "12", "output_tokens": -1}}),
        line("assistant", message="text"),
        line("user", message=None),
        line("summary"),
        {"type": "file-history-snapshot"},
    ],
)
def test_what_used_nothing_is_no_request(nothing: dict[str, Any]) -> None:
    assert read(nothing) == []


def test_tools_have_the_name_from_the_answer() -> None:
    """The result's line names the tool by its id only."""
    use = answer()
    use["message"]["content"] = [
        {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "make all"}}
    ]
    result = said([{"type": "tool_result", "tool_use_id": "toolu_1", "is_error": True, "content": "no"}])
    result["toolUseResult"] = {"stdout": "", "durationMs": 12}
    _, fact = read(use, result)
    assert (fact.name, fact.key) == ("tool_result", "t:toolu_1")
    assert fact.values["tool_name"] == "Bash"
    assert fact.values["success"] is False
    assert fact.values["duration_ms"] == 12
    assert "make" not in str(fact.values)


@pytest.mark.parametrize(
    "denied",
    [
        {"toolDenialKind": "user-rejected"},
        {"text": "The user doesn't want to proceed with this tool use. The tool use was rejected"},
        {"text": [{"type": "text", "text": "Permission to use Bash has been denied."}]},
    ],
)
def test_a_denied_tool_never_ran(denied: dict[str, Any]) -> None:
    block = {"type": "tool_result", "tool_use_id": "toolu_1", "content": denied.pop("text", ""), "is_error": True}
    assert read(said([block], **denied)) == []


def test_a_prompt_is_its_length_unless_asked_for() -> None:
    """In UTF-16 units, as the client counts."""
    (fact,) = read(said("Say é😀", promptId="p1"))
    assert (fact.name, fact.key, fact.values["prompt_length"]) == ("user_prompt", "p:u1", 7)
    assert fact.values["message.uuid"] == "u1"
    assert fact.values["prompt.id"] == "p1"
    assert "prompt" not in fact.values
    assert read(said([{"type": "text", "text": "a"}, {"type": "image"}]), with_prompts=True)[0].values["prompt"] == "a"


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("", {}),
        ("note", {"isMeta": True}),
        ("task", {"isSidechain": True}),
        ("summary", {"isCompactSummary": True}),
        ("<command-name>/clear</command-name>", {}),
        ("<local-command-stdout>x</local-command-stdout>", {}),
        ("[Request interrupted by user for tool use]", {}),
        ("Caveat: The messages below were generated by the user while running local commands.", {}),
    ],
)
def test_what_nobody_typed_is_no_prompt(text: str, members: dict[str, Any]) -> None:
    assert read(said(text, **members)) == []


def test_requests_say_what_for_and_by_whom() -> None:
    """From the line about the request, and from the subagent's mark."""
    purpose = line("api-request", id="ref-1", querySource="sdk")
    (main,) = read(purpose, answer(requestRef="ref-1"))
    (sub,) = read(answer(isSidechain=True, agentId="a1", attributionAgent="Explore"))
    assert main.values["query_source"] == "sdk"
    assert (sub.values["query_source"], sub.values["agent_id"], sub.values["agent.name"]) == (
        "subagent",
        "a1",
        "Explore",
    )


@pytest.mark.parametrize("time", [None, 17, "yesterday", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_line_without_a_time_is_refused(time: Any) -> None:
    with pytest.raises(ValueError, match=r"time|isoformat"):
        read(answer(timestamp=time))


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\n", b"{", b"[1]", b'"x"', b"null"])
def test_what_is_no_line_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        list(Reader().facts(data))
