"""Every physical column of the three tables: name, type, unit, meaning, source.

Field name = journal member = Parquet column = SQL column. The row maker (`shape`), the Parquet schema
(`telem.storage.schema`), the views and `docs/data-model.md` are all derived from this one table.

An attribute that a column represents exactly is not written a second time into `attributes`; the bit of that column
is set in `promoted` or `promoted_as_text` instead, and the views put the complete attributes together again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .records import Signal


class Type(StrEnum):
    """What a column holds; `telem.storage.schema` says how Parquet and DuckDB spell it."""

    TEXT = "text"
    INT = "int"
    UINT = "uint"
    FLOAT = "float"
    BOOL = "bool"
    TIME = "time"  # microseconds since 1970 UTC in the journal, TIMESTAMPTZ in Parquet and SQL
    MONEY = "money"  # decimal text in the journal, DECIMAL(18,9) in Parquet and SQL
    JSON = "json"
    UINTS = "uints"
    FLOATS = "floats"


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `attributes` are the attribute names it is read from, the first one being represented exactly."""

    name: str
    type: Type
    meaning: str
    unit: str = ""
    source: str = ""
    attributes: tuple[str, ...] = ()
    tag: bool = False  # looked up on the resource too, when the record has none


LOGS, METRICS, TRACES = Signal.LOGS, Signal.METRICS, Signal.TRACES
T = Type

ENVELOPE: tuple[Column, ...] = (
    Column(
        "id",
        T.TEXT,
        "Row id, derived from the record's content under this installation's key: the same record "
        "sent twice has the same id.",
        source="keyed SHA-256, its first 80 bits, hex",
    ),
    Column("seg", T.INT, "Number of the journal segment the row was acknowledged in.", source="journal"),
    Column("received_at", T.TIME, "When the request arrived here.", source="this machine's clock"),
    Column(
        "time",
        T.TIME,
        "When it happened (spans: when it began).",
        source="time_unix_nano, else observed_time_unix_nano, else arrival",
    ),
    Column("time_rem_ns", T.INT, "Nanoseconds of `time` beyond its microsecond; NULL is 0.", "ns", "time_unix_nano"),
    Column("time_from", T.TEXT, "Where `time` was taken from when the record had none: `observed` or `received`."),
    Column(
        "client",
        T.TEXT,
        "Which client sent it: `claude_code`, `codex`, `gemini_cli`, or NULL.",
        source="scope name, event name or metric name; never the service name alone, which anybody can set",
    ),
    Column("promoted", T.INT, "Bit set of the attributes that columns represent and `attributes` need not repeat."),
    Column(
        "promoted_as_text",
        T.INT,
        "The same for attributes that were sent as the text of the column's value; NULL is 0.",
    ),
    Column(
        "attributes",
        T.JSON,
        "The record's other attributes, typed, as one JSON object. In the views: all of them.",
        source="attributes",
    ),
    Column(
        "dropped_attributes_count",
        T.INT,
        "Attributes the client dropped itself; NULL is 0.",
        source="dropped_attributes_count",
    ),
    Column("flags", T.INT, "W3C trace flags, or data point flags; NULL is 0.", source="flags"),
    Column("resource", T.JSON, "Resource attributes.", source="resource.attributes"),
    Column(
        "resource_meta",
        T.JSON,
        "Schema URL, entity references and dropped count of the resource, if any.",
        source="resource.*, schema_url",
    ),
    Column("scope_name", T.TEXT, "Instrumentation scope.", source="scope.name"),
    Column("scope_version", T.TEXT, "Version of the scope.", source="scope.version"),
    Column(
        "scope_meta",
        T.JSON,
        "Schema URL, attributes and dropped count of the scope, if any.",
        source="scope.*, schema_url",
    ),
    Column(
        "source",
        T.TEXT,
        "How the record came here: `transcript`, `hook` or `hand`; NULL for what clients export themselves.",
        source="scope name",
    ),
    Column(
        "sample_ratio",
        T.FLOAT,
        "Share of sessions whose records of this type are kept; NULL is 1: all.",
        source="the sampling in force when it was stored",
    ),
)

PROMOTED: tuple[Column, ...] = (
    # Order is the bit number in `promoted`: append only, never reorder.
    Column(
        "session_id",
        T.TEXT,
        "Session.",
        attributes=("session.id", "conversation.id", "gen_ai.conversation.id"),
        tag=True,
    ),
    Column("user_id", T.TEXT, "Pseudonym of the client's installation id.", attributes=("user.id",), tag=True),
    Column("user_email", T.TEXT, "Pseudonym of the account's e-mail address.", attributes=("user.email",), tag=True),
    Column(
        "account_id", T.TEXT, "Pseudonym of the account.", attributes=("user.account_uuid", "user.account_id"), tag=True
    ),
    Column("organization_id", T.TEXT, "Pseudonym of the organization.", attributes=("organization.id",), tag=True),
    Column("team", T.TEXT, "Team tag.", attributes=("team", "team.id", "team.name"), tag=True),
    Column("chapter", T.TEXT, "Chapter tag.", attributes=("chapter",), tag=True),
    Column("project", T.TEXT, "Project tag.", attributes=("project", "project.name"), tag=True),
    Column("branch", T.TEXT, "Git branch.", attributes=("git.branch", "vcs.ref.head.name", "branch"), tag=True),
    Column(
        "repository",
        T.TEXT,
        "Repository.",
        tag=True,
        attributes=("vcs.repository.url.full", "vcs.repository.name", "git.repository", "repository"),
    ),
    Column("terminal_type", T.TEXT, "Terminal or editor.", attributes=("terminal.type",)),
    Column(
        "app_version",
        T.TEXT,
        "Version of the client; from `service.version` when the record has none.",
        attributes=("app.version",),
    ),
    Column(
        "entrypoint",
        T.TEXT,
        "How the client was started (`cli`, `sdk-cli`, `claude-vscode` …).",
        attributes=("app.entrypoint", "originator"),
    ),
    Column(
        "event_name",
        T.TEXT,
        "The client's name of the event, without its prefix.",
        attributes=("event.name",),
        source="event.name, else the body, never the event_name field (Codex puts a source location there)",
    ),
    Column(
        "event_timestamp",
        T.TEXT,
        "The client's own time stamp, when it differs from `time`.",
        attributes=("event.timestamp",),
    ),
    Column(
        "event_sequence",
        T.INT,
        "Counts the events of one client process; restarts with each process.",
        attributes=("event.sequence",),
    ),
    Column("prompt_id", T.TEXT, "Prompt the record belongs to.", attributes=("prompt.id", "prompt_id")),
    Column("request_id", T.TEXT, "API request.", attributes=("request_id", "gen_ai.response.id")),
    Column("tool_use_id", T.TEXT, "Tool call.", attributes=("tool_use_id", "gen_ai.tool.call.id", "call_id")),
    Column("message_id", T.TEXT, "Message.", attributes=("message.uuid",)),
    Column("agent_id", T.TEXT, "Subagent that did it; NULL for the main agent.", attributes=("agent_id",)),
    Column("model", T.TEXT, "Model.", attributes=("model", "gen_ai.request.model")),
    Column(
        "query_source",
        T.TEXT,
        "What the request was made for (`sdk`, `main`, `subagent`, `compact` …).",
        attributes=("query_source", "query_source_safe"),
    ),
    Column("effort", T.TEXT, "Reasoning effort.", attributes=("effort",)),
    Column("speed", T.TEXT, "Speed tier.", attributes=("speed",)),
    Column("agent_name", T.TEXT, "Kind of agent.", attributes=("agent.name", "agent_type", "subagent_type")),
    Column("skill_name", T.TEXT, "Skill.", attributes=("skill.name",)),
    Column("plugin_name", T.TEXT, "Plugin.", attributes=("plugin.name",)),
    Column(
        "mcp_server",
        T.TEXT,
        "MCP server.",
        attributes=("mcp_server.name", "mcp_server_name", "server_name", "anthropic.mcp.server.name"),
    ),
    Column("mcp_tool", T.TEXT, "MCP tool.", attributes=("mcp_tool.name",)),
    Column(
        "input_tokens",
        T.INT,
        "Fresh input, neither read from nor written to the cache.",
        "tokens",
        attributes=("input_tokens",),
        source="Codex, Gemini: input_token_count less the cached",
    ),
    Column(
        "output_tokens",
        T.INT,
        "Output, reasoning included.",
        "tokens",
        attributes=("output_tokens",),
        source="Codex: output_token_count; Gemini: output_token_count + thoughts_token_count",
    ),
    Column(
        "cache_read_tokens",
        T.INT,
        "Input read from the cache.",
        "tokens",
        attributes=("cache_read_tokens",),
        source="Codex: cached_token_count; Gemini: cached_content_token_count",
    ),
    Column(
        "cache_creation_tokens",
        T.INT,
        "Input written to the cache, both lifetimes.",
        "tokens",
        attributes=("cache_creation_tokens",),
        source="Codex: cache_write_token_count",
    ),
    Column(
        "cache_creation_5m_tokens",
        T.INT,
        "Of these, for five minutes.",
        "tokens",
        attributes=("cache_creation_5m_tokens",),
    ),
    Column(
        "cache_creation_1h_tokens", T.INT, "Of these, for one hour.", "tokens", attributes=("cache_creation_1h_tokens",)
    ),
    Column(
        "reasoning_tokens",
        T.INT,
        "Reasoning, already contained in `output_tokens`.",
        "tokens",
        attributes=("reasoning_token_count", "thoughts_token_count"),
    ),
    Column(
        "cost_usd",
        T.MONEY,
        "Cost as the client reported it; NULL when it reported none.",
        "USD",
        attributes=("cost_usd",),
    ),
    Column("cost_usd_micros", T.INT, "The client's own rounding of the cost.", "µUSD", attributes=("cost_usd_micros",)),
    Column(
        "duration_ms",
        T.FLOAT,
        "Duration (API requests: of the last attempt).",
        "ms",
        attributes=("duration_ms", "total_duration_ms", "interaction.duration_ms"),
    ),
    Column("ttft_ms", T.FLOAT, "Time to the first token.", "ms", attributes=("ttft_ms",)),
    Column("tool_name", T.TEXT, "Tool.", attributes=("tool_name", "function_name", "gen_ai.tool.name")),
    Column("decision", T.TEXT, "What was decided about a tool call (`accept`, `reject` …).", attributes=("decision",)),
    Column(
        "decision_source",
        T.TEXT,
        "Who decided (`config`, `user_temporary` …).",
        attributes=("source", "decision_source"),
    ),
    Column("success", T.BOOL, "Did it succeed?", attributes=("success",)),
    Column("error", T.TEXT, "Error text, sanitized.", attributes=("error", "error_message", "error.message")),
    Column("error_type", T.TEXT, "Class of the error.", attributes=("error_type", "error.type", "error_class")),
    Column(
        "status_code",
        T.INT,
        "HTTP status of the API.",
        attributes=("status_code", "http.status_code", "http.response.status_code"),
    ),
    Column("attempt", T.INT, "Attempts made.", attributes=("attempt", "total_attempts")),
    Column(
        "prompt_length",
        T.INT,
        "Length of the prompt.",
        "UTF-16 units",
        attributes=("prompt_length", "user_prompt_length"),
    ),
    Column("prompt", T.TEXT, "Prompt text, if the client sends it, sanitized.", attributes=("prompt", "user_prompt")),
    Column(
        "prompt_text", T.TEXT, "The prompt's second copy, when it differs from `prompt`.", attributes=("prompt_text",)
    ),
    Column("response_length", T.INT, "Length of the answer.", "UTF-16 units", attributes=("response_length",)),
    Column("command_name", T.TEXT, "Slash command.", attributes=("command_name",)),
    Column("tool_input_size_bytes", T.INT, "Size of the tool's input.", "bytes", attributes=("tool_input_size_bytes",)),
    Column(
        "tool_result_size_bytes",
        T.INT,
        "Size of the tool's result.",
        "bytes",
        attributes=("tool_result_size_bytes", "content_length"),
    ),
    Column(
        "type",
        T.TEXT,
        "The point's own type (`input`, `output`, `added`, `removed`, `cli` …).",
        attributes=("type", "token_type"),
    ),
    Column("start_type", T.TEXT, "How the session began (`fresh`, `continue` …).", attributes=("start_type",)),
    Column("language", T.TEXT, "Programming language of an edit.", attributes=("language",)),
    Column("span_type", T.TEXT, "Claude Code's type of the span.", attributes=("span.type",)),
)

_TAGS = ("session_id", "user_id", "user_email", "account_id", "organization_id", "team", "chapter", "project",
         "branch", "repository", "terminal_type", "app_version", "entrypoint", "agent_id", "model", "query_source",
         "effort", "speed", "agent_name", "skill_name", "plugin_name", "mcp_server", "mcp_tool", "tool_name",
         "decision", "decision_source", "success", "error_type", "type", "start_type", "language")  # fmt: skip
_SPAN = ("prompt_id", "request_id", "tool_use_id", "input_tokens", "output_tokens", "cache_read_tokens",
         "cache_creation_tokens", "duration_ms", "ttft_ms", "error", "status_code", "attempt", "prompt_length",
         "prompt", "span_type")  # fmt: skip
_ONLY_ELSEWHERE = ("type", "start_type", "language", "span_type")


def _pick(*names: str) -> tuple[Column, ...]:
    return tuple(column for column in PROMOTED if column.name in names)


PROMOTED_BY_SIGNAL: dict[Signal, tuple[Column, ...]] = {
    LOGS: tuple(column for column in PROMOTED if column.name not in _ONLY_ELSEWHERE),
    METRICS: _pick(*_TAGS),
    TRACES: _pick(*(name for name in (*_TAGS, *_SPAN) if name not in ("type", "start_type", "language"))),
}

OWN: dict[Signal, tuple[Column, ...]] = {
    LOGS: (
        Column("event_type", T.TEXT, "Canonical type: `user_prompt`, `tool_call`, `api_request`, `api_error`, "
               "`validation_result`; NULL for all others.", source="derived from client and event name"),
        Column("observed_lag_us", T.INT, "observed time less `time`; NULL when not sent.", "µs",
               "observed_time_unix_nano"),
        Column("observed_rem_ns", T.INT, "Nanoseconds of the observed time beyond its microsecond.", "ns",
               "observed_time_unix_nano"),
        Column("severity_number", T.INT, "OTLP severity, 1 to 24.", source="severity_number"),
        Column("severity_text", T.TEXT, "Severity as the client calls it.", source="severity_text"),
        Column("body", T.TEXT, "Body: text as it is, anything else as JSON.", source="body"),
        Column("body_type", T.TEXT, "`json` when the body was not text.", source="body"),
        Column("otlp_event_name", T.TEXT, "The event_name field as sent.", source="event_name"),
        Column("trace_id", T.TEXT, "Trace, 32 hex digits.", source="trace_id"),
        Column("span_id", T.TEXT, "Span, 16 hex digits.", source="span_id"),
    ),
    METRICS: (
        Column("metric", T.TEXT, "Name of the metric.", source="name"),
        Column("description", T.TEXT, "Its description.", source="description"),
        Column("unit", T.TEXT, "Its unit.", source="unit"),
        Column("metric_meta", T.JSON, "Its metadata, if any.", source="metadata"),
        Column("kind", T.TEXT, "`sum`, `gauge`, `histogram`, `exponential_histogram` or `summary`.", source="data"),
        Column("temporality", T.TEXT, "`delta`, `cumulative` or NULL.", source="aggregation_temporality"),
        Column("monotonic", T.BOOL, "Only ever grows.", source="is_monotonic"),
        Column("start_lag_us", T.INT, "`time` less start time; NULL when not sent.", "µs", "start_time_unix_nano"),
        Column("start_rem_ns", T.INT, "Nanoseconds of the start time beyond its microsecond.", "ns",
               "start_time_unix_nano"),
        Column("value", T.FLOAT, "Value of a sum or gauge.", source="as_double, as_int"),
        Column("value_int", T.INT, "The same, when it was sent as an integer.", source="as_int"),
        Column("count", T.UINT, "Histograms, summaries: number of values.", source="count"),
        Column("sum", T.FLOAT, "Histograms, summaries: their sum.", source="sum"),
        Column("min", T.FLOAT, "Histograms: the smallest.", source="min"),
        Column("max", T.FLOAT, "Histograms: the largest.", source="max"),
        Column("bucket_counts", T.UINTS, "Histograms: values a bucket.", source="bucket_counts"),
        Column("explicit_bounds", T.FLOATS, "Histograms: upper bounds.", source="explicit_bounds"),
        Column("exponential", T.JSON, "Exponential histograms: scale, zero_count, zero_threshold, and offset and "
               "bucket_counts of positive and negative.", source="scale … negative"),
        Column("quantiles", T.JSON, "Summaries: list of quantile and value.", source="quantile_values"),
        Column("exemplars", T.JSON, "Exemplars.", source="exemplars"),
    ),
    TRACES: (
        Column("trace_id", T.TEXT, "Trace, 32 hex digits.", source="trace_id"),
        Column("span_id", T.TEXT, "Span, 16 hex digits.", source="span_id"),
        Column("parent_span_id", T.TEXT, "Parent span; NULL for a root.", source="parent_span_id"),
        Column("trace_state", T.TEXT, "W3C trace state.", source="trace_state"),
        Column("name", T.TEXT, "Name of the span.", source="name"),
        Column("kind", T.TEXT, "`internal`, `server`, `client`, `producer`, `consumer` or NULL.", source="kind"),
        Column("span_duration_ns", T.INT, "End less start.", "ns", "end_time_unix_nano"),
        Column("status", T.TEXT, "`ok`, `error` or NULL.", source="status.code"),
        Column("status_message", T.TEXT, "Its message, sanitized.", source="status.message"),
        Column("events", T.JSON, "Span events.", source="events"),
        Column("links", T.JSON, "Span links.", source="links"),
        Column("dropped_events_count", T.INT, "Events the client dropped itself.", source="dropped_events_count"),
        Column("dropped_links_count", T.INT, "Links the client dropped itself.", source="dropped_links_count"),
    ),
}  # fmt: skip

COLUMNS: dict[Signal, tuple[Column, ...]] = {
    signal: (*ENVELOPE, *OWN[signal], *PROMOTED_BY_SIGNAL[signal]) for signal in Signal
}
"""All columns of a table, in their order."""

BIT: dict[str, int] = {column.name: 1 << number for number, column in enumerate(PROMOTED)}
"""Column name -> its bit in `promoted`."""

SCHEMA_VERSION = 1
"""Raised whenever a column is added or changed; it names the `v=` folder Parquet files lie in."""

DROPPED_ON_PURPOSE: dict[str, str] = {
    "common.v1.KeyValue.key_strindex": "only the profiles signal has a string table; there is nothing to look up here",
    "common.v1.AnyValue.string_value_strindex": "as above; such a value is kept as null",
}
"""OTLP fields without a place here, with the reason; a test walks the descriptors and allows no others."""
