"""The environment variables by which Claude Code is pointed here: one table.

Its settings and the files of `.claude/env-config` come from it. What each does was seen with Claude Code 2.0.64
to 2.1.330.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

METRIC_INTERVAL_MS = 10_000

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
TAGS = "OTEL_RESOURCE_ATTRIBUTES"
SIGNALS = ("METRICS", "LOGS", "TRACES")
LOOPBACK = ("127.0.0.1", "localhost")
NO_PROXY = ("NO_PROXY", "no_proxy")
PROXY = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


class Content(StrEnum):
    """How much of what people and models write a client is told to send."""

    NONE = "none"
    PROMPTS = "prompts"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable and what it is for. `value` is empty where the port decides."""

    name: str
    value: str
    why: str


EXPORTER: tuple[Variable, ...] = (
    Variable("CLAUDE_CODE_ENABLE_TELEMETRY", "1", "Without it nothing is exported."),
    Variable("OTEL_METRICS_EXPORTER", "otlp", "Metrics: lines, commits, active time."),
    Variable("OTEL_LOGS_EXPORTER", "otlp", "Events: requests, tokens, cost, tools, errors."),
    Variable(
        PROTOCOL,
        "http/protobuf",
        "Of the three transports, HTTP is the one over which Claude Code sends a refused request again; "
        "over gRPC it is lost.",
    ),
    Variable(ENDPOINT, "", "Where telem-agent listens on this machine."),
    Variable(
        "OTEL_METRIC_EXPORT_INTERVAL",
        str(METRIC_INTERVAL_MS),
        "Metrics every 10 s instead of every 60 s: a session that is killed loses less.",
    ),
    Variable("OTEL_METRICS_INCLUDE_REPOSITORY", "true", "The repository's address with every record."),
)
"""What every set-up has."""

CONTENT: dict[Content, tuple[Variable, ...]] = {
    Content.NONE: (),
    Content.PROMPTS: (
        Variable("OTEL_LOG_USER_PROMPTS", "1", "Prompts."),
        Variable("OTEL_LOG_ASSISTANT_RESPONSES", "0", "Not the answers, which the switch for prompts also turns on."),
    ),
    Content.FULL: (
        Variable("OTEL_LOG_USER_PROMPTS", "1", "Prompts."),
        Variable("OTEL_LOG_ASSISTANT_RESPONSES", "1", "Answers."),
        Variable("OTEL_LOG_TOOL_DETAILS", "1", "Commands, file paths, the beginning of what is written to files."),
        Variable("OTEL_LOG_TOOL_CONTENT", "1", "What tools returned; it travels in spans."),
        Variable("CLAUDE_CODE_ENHANCED_TELEMETRY_BETA", "1", "Spans."),
        Variable("OTEL_TRACES_EXPORTER", "otlp", "Spans."),
    ),
}

CONTENT_FLAGS: dict[str, str] = {
    "OTEL_LOG_USER_PROMPTS": "prompts, and answers too unless OTEL_LOG_ASSISTANT_RESPONSES=0",
    "OTEL_LOG_TOOL_DETAILS": "commands, file paths and the beginning of what is written to files",
    "OTEL_LOG_TOOL_CONTENT": "what tools returned: file contents, output of commands (in spans)",
    "OTEL_LOG_RAW_API_BODIES": "whole requests and answers",
}
"""The switches that send content, and what each adds."""


def exporter(endpoint: str) -> dict[str, str]:
    """The variables of every set-up with their values."""
    return {variable.name: variable.value or endpoint for variable in EXPORTER}


def content(level: Content) -> dict[str, str]:
    """The variables that a level of content adds."""
    return {variable.name: variable.value for variable in CONTENT[level]}


def is_on(value: object) -> bool:
    """Does Claude Code take this value of a switch for on?"""
    return str(value).strip().lower() in ("1", "true", "yes", "on")


def without_proxy(existing: str) -> str:
    """A value of NO_PROXY that has loopback in it, whatever else it had."""
    hosts = [host.strip() for host in existing.split(",") if host.strip()]
    return ",".join([*hosts, *(host for host in LOOPBACK if host not in hosts)])


def spares_loopback(no_proxy: str) -> bool:
    """Does this value of NO_PROXY keep connections to 127.0.0.1 away from a proxy?"""
    hosts = {host.strip() for host in no_proxy.split(",")}
    return bool(hosts & {"*", "127.0.0.1"})


def tags_of(text: str) -> dict[str, str]:
    """The pairs of `OTEL_RESOURCE_ATTRIBUTES`, as they stand there."""
    pairs = (part.partition("=") for part in text.split(","))
    return {key.strip(): value.strip() for key, equals, value in pairs if equals and key.strip()}
