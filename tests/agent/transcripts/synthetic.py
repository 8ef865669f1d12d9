"""Session logs as Claude Code writes them, made up: growing token counts, subagents, forks, repeated lines."""

from __future__ import annotations

import json
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

MODELS = ("claude-sonnet-4-5", "claude-opus-4-5", "claude-haiku-4-5")
TOOLS = ("Bash", "Read", "Edit", "Grep", "mcp__toy__shout")
BEGIN = datetime(2026, 3, 1, 9, tzinfo=UTC)


class Session:
    """Lines of one session, and what they hold, counted while they were written."""

    def __init__(self, seed: int, *, filler_chars: int = 60) -> None:
        self.chance = random.Random(seed)
        self.id = self._uuid()
        self.now = BEGIN + timedelta(hours=seed * 5)
        self.filler_chars = filler_chars
        self.lines: list[dict[str, Any]] = []
        self.requests: dict[str, dict[str, int]] = {}
        self.tools: set[str] = set()
        self.prompts: set[str] = set()

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self.chance.getrandbits(128), version=4))

    def _filler(self, factor: float = 1.0) -> str:
        size = int(self.filler_chars * factor * self.chance.random() * 2)
        return ("some text of no use " * (size // 20 + 1))[:size]

    def add(self, kind: str, **members: Any) -> dict[str, Any]:
        """A line with the members that all have."""
        self.now += timedelta(milliseconds=self.chance.randrange(50, 9000))
        line = {
            "parentUuid": None,
            "isSidechain": False,
            "userType": "external",
            "cwd": "/home/dev/book",
            "sessionId": self.id,
            "version": "2.1.195",
            "gitBranch": "main",
            "type": kind,
            "uuid": self._uuid(),
            "timestamp": self.now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            **members,
        }
        self.lines.append(line)
        return line

    def prompt(self) -> None:
        line = self.add("user", message={"role": "user", "content": "Please go on. " + self._filler()})
        self.prompts.add(line["uuid"])

    def answer(self, *, tools: int = 1, agent: str = "") -> None:
        """One request: a text, then tools, each a line of its own; output grows, the last line has all of it."""
        message_id, request_id = f"msg_{self._uuid()[:20]}", f"req_{self._uuid()[:20]}"
        model = self.chance.choice(MODELS)
        output = self.chance.randrange(20, 4000)
        written = self.chance.randrange(4000)
        usage: dict[str, Any] = {
            "input_tokens": self.chance.randrange(3, 50),
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": self.chance.randrange(90000),
            "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
        }
        aside = {"isSidechain": True, "agentId": agent} if agent else {}
        names = [f"toolu_{self._uuid()[:20]}" for _ in range(tools)]
        blocks: list[dict[str, Any]] = [{"type": "text", "text": self._filler()}]
        blocks += [
            {"type": "tool_use", "id": name, "name": self.chance.choice(TOOLS), "input": {"command": self._filler()}}
            for name in names
        ]
        for number, block in enumerate(blocks):
            last = number == len(blocks) - 1
            message = {
                "id": message_id,
                "type": "message",
                "role": "assistant",
                "model": model,
                "content": [block],
                "stop_reason": ("tool_use" if tools else "end_turn") if last else None,
                "usage": {**usage, "output_tokens": output if last else 1 + number},
            }
            self.add("assistant", message=message, requestId=request_id, **aside)
        self.requests[request_id] = {
            "input": usage["input_tokens"],
            "output": output,
            "read": usage["cache_read_input_tokens"],
            "written": usage["cache_creation_input_tokens"],
        }
        for name in names:
            result: dict[str, Any] = {"tool_use_id": name, "type": "tool_result", "content": self._filler(4)}
            if self.chance.random() < 0.1:
                result["is_error"] = True
            said = {"stdout": result["content"], "stderr": "", "interrupted": False}
            self.add("user", message={"role": "user", "content": [result]}, toolUseResult=said, **aside)
            self.tools.add(name)

    def talk(self, turns: int) -> Session:
        """A usual conversation."""
        for _ in range(turns):
            self.prompt()
            for _ in range(self.chance.randrange(1, 6)):
                self.answer(tools=self.chance.randrange(3))
            self.answer(tools=0)
        return self

    def fork(self, seed: int) -> Session:
        """A session that repeats this one's lines under its own id, and goes on."""
        other = Session(seed, filler_chars=self.filler_chars)
        other.lines = [{**line, "sessionId": other.id} for line in self.lines]
        other.requests, other.tools, other.prompts = dict(self.requests), set(self.tools), set(self.prompts)
        other.now = self.now
        return other

    def write(self, folder: Path) -> Path:
        """Write the log; returns its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.id}.jsonl"
        path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in self.lines))
        return path


def totals(*sessions: Session) -> dict[str, int]:
    """What all of them used, each request once."""
    requests = {name: usage for session in sessions for name, usage in session.requests.items()}
    sums = {name: sum(usage[name] for usage in requests.values()) for name in ("input", "output", "read", "written")}
    tools = set().union(*(session.tools for session in sessions))
    prompts = set().union(*(session.prompts for session in sessions))
    return {"requests": len(requests), "tools": len(tools), "prompts": len(prompts), **sums}
