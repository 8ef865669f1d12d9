"""Fresh Claude-Code-like log requests: no two records alike, so nothing is measured that only a cache can do."""

from __future__ import annotations

import random
import time
import uuid
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

MODELS = (("claude-sonnet-4-5", 3, 15), ("claude-haiku-4-5", 1, 5), ("claude-opus-5-5", 4, 20))
TOOLS = ("Bash", "Read", "Edit", "Write", "Grep", "Glob", "Agent")
CLIENT_VERSION = "2.1.330"
START_NS = 1_795_000_000_000_000_000
RECORD_STEP_NS = 40_000_000


class Sessions:
    """A few users at work; every record belongs to a session and a prompt of one of them."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._users = [self._random.randbytes(32).hex() for _ in range(8)]
        self._sessions = [self._session() for _ in range(8)]
        self._now_ns = START_NS

    def _session(self) -> dict[str, str]:
        return {"session.id": self._uuid(), "user.id": self._random.choice(self._users), "prompt.id": self._uuid()}

    def _uuid(self) -> str:
        return str(uuid.UUID(bytes=self._random.randbytes(16), version=4))

    def request(self, records: int) -> ExportLogsServiceRequest:
        """One export of one session."""
        made = ExportLogsServiceRequest()
        whole = made.resource_logs.add()
        for key, value in _RESOURCE.items():
            whole.resource.attributes.add(key=key).value.string_value = value
        part = whole.scope_logs.add()
        part.scope.name, part.scope.version = "com.anthropic.claude_code.events", CLIENT_VERSION
        index = self._random.randrange(len(self._sessions))
        for sequence in range(records):
            if self._random.random() < 0.1:
                self._sessions[index]["prompt.id"] = self._uuid()
            if self._random.random() < 0.005:
                self._sessions[index] = self._session()
            self._record(part.log_records.add(), self._sessions[index], sequence)
        return made

    def _record(self, record: LogRecord, session: dict[str, str], sequence: int) -> None:
        self._now_ns += RECORD_STEP_NS
        millis = self._now_ns // 1_000_000
        name = self._random.choices(("api_request", "tool_result", "tool_decision", "user_prompt"), (5, 4, 4, 1))[0]
        record.time_unix_nano = record.observed_time_unix_nano = millis * 1_000_000
        record.body.string_value = f"claude_code.{name}"
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(millis // 1000)) + f".{millis % 1000:03d}Z"
        attributes: dict[str, str | int | float | bool] = {
            **_TAGS,
            "user.id": session["user.id"],
            "session.id": session["session.id"],
            "anthropic.provider": "firstParty",
            "terminal.type": "xterm-256color",
            "event.name": name,
            "event.timestamp": stamp,
            "event.sequence": sequence,
            "prompt.id": session["prompt.id"],
            **getattr(self, f"_{name}")(),
        }
        for key, value in attributes.items():
            into = record.attributes.add(key=key).value
            if isinstance(value, bool):
                into.bool_value = value
            elif isinstance(value, int):
                into.int_value = value
            elif isinstance(value, float):
                into.double_value = value
            else:
                into.string_value = value

    def _api_request(self) -> dict[str, str | int | float]:
        chance = self._random
        model, price_in, price_out = chance.choice(MODELS)
        fresh, output = chance.randrange(1, 2000), chance.randrange(5, 1500)
        read, written = chance.randrange(0, 150_000), chance.randrange(0, 6000)
        micros = fresh * price_in + output * price_out + written * price_in * 1.25 + read * price_in * 0.1
        return {
            "model": model,
            "input_tokens": fresh,
            "output_tokens": output,
            "cache_read_tokens": read,
            "cache_creation_tokens": written,
            "cost_usd": round(micros / 1e6, 6),
            "duration_ms": chance.randrange(300, 60_000),
            "request_id": f"req_011{chance.randbytes(10).hex()}",
            "speed": "normal",
            "query_source": "repl_main_thread",
        }

    def _tool_result(self) -> dict[str, str | int]:
        chance = self._random
        return {
            "tool_name": chance.choice(TOOLS),
            "tool_use_id": f"toolu_01{chance.randbytes(11).hex()}",
            "success": "true" if chance.random() < 0.95 else "false",
            "duration_ms": str(chance.randrange(1, 20_000)),
            "tool_input_size_bytes": str(chance.randrange(20, 4000)),
            "tool_result_size_bytes": str(chance.randrange(0, 60_000)),
        }

    def _tool_decision(self) -> dict[str, str]:
        return {
            "decision": "accept",
            "source": "config",
            "tool_name": self._random.choice(TOOLS),
            "tool_use_id": f"toolu_01{self._random.randbytes(11).hex()}",
            "tool_source": "builtin",
        }

    def _user_prompt(self) -> dict[str, str]:
        length = str(self._random.randrange(3, 3000))
        return {"prompt_length": length, "prompt": "<REDACTED>", "message.uuid": self._uuid()}


_TAGS = {"team": "book", "chapter": "ch07", "git.branch": "main"}
_RESOURCE = {
    **_TAGS,
    "host.arch": "amd64",
    "os.type": "linux",
    "os.version": "6.1.0",
    "service.name": "claude-code",
    "service.version": CLIENT_VERSION,
}


def requests(total: int, batch: int, seed: int = 1) -> Iterator[bytes]:
    """Bodies of log requests that hold `total` records together."""
    sessions = Sessions(seed)
    for first in range(0, total, batch):
        yield sessions.request(min(batch, total - first)).SerializeToString()
