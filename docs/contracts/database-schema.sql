-- Tables and columns of the catalog, schema version 1. Generated from the code.
-- In the catalog they are views; as tables they can be filled with data of one's own.

-- Every row of the logs as it lies on disk, wherever that is at the moment; the views stand on it.
CREATE TABLE raw_logs (
    "id" VARCHAR, -- Row id, derived from the record's content under this installation's key: the same record sent twice has the same id.
    "seg" BIGINT, -- Number of the journal segment the row was acknowledged in.
    "received_at" TIMESTAMP WITH TIME ZONE, -- When the request arrived here.
    "time" TIMESTAMP WITH TIME ZONE, -- When it happened (spans: when it began).
    "time_rem_ns" BIGINT, -- [ns] Nanoseconds of `time` beyond its microsecond; NULL is 0.
    "time_from" VARCHAR, -- Where `time` was taken from when the record had none: `observed` or `received`.
    "client" VARCHAR, -- Which client sent it: `claude_code`, `codex`, `gemini_cli`, or NULL.
    "promoted" BIGINT, -- Bit set of the attributes that columns represent and `attributes` need not repeat.
    "promoted_as_text" BIGINT, -- The same for attributes that were sent as the text of the column's value; NULL is 0.
    "attributes" VARCHAR, -- The record's other attributes, typed, as one JSON object. In the views: all of them.
    "dropped_attributes_count" BIGINT, -- Attributes the client dropped itself; NULL is 0.
    "flags" BIGINT, -- W3C trace flags, or data point flags; NULL is 0.
    "resource" VARCHAR, -- Resource attributes.
    "resource_meta" VARCHAR, -- Schema URL, entity references and dropped count of the resource, if any.
    "scope_name" VARCHAR, -- Instrumentation scope.
    "scope_version" VARCHAR, -- Version of the scope.
    "scope_meta" VARCHAR, -- Schema URL, attributes and dropped count of the scope, if any.
    "source" VARCHAR, -- How the record came here: `transcript`, `hook` or `hand`; NULL for what clients export themselves.
    "sample_ratio" DOUBLE, -- Share of sessions whose records of this type are kept; NULL is 1: all.
    "event_type" VARCHAR, -- Canonical type: `user_prompt`, `tool_call`, `api_request`, `api_error`, `validation_result`; NULL for all others.
    "observed_lag_us" BIGINT, -- [µs] observed time less `time`; NULL when not sent.
    "observed_rem_ns" BIGINT, -- [ns] Nanoseconds of the observed time beyond its microsecond.
    "severity_number" BIGINT, -- OTLP severity, 1 to 24.
    "severity_text" VARCHAR, -- Severity as the client calls it.
    "body" VARCHAR, -- Body: text as it is, anything else as JSON.
    "body_type" VARCHAR, -- `json` when the body was not text.
    "otlp_event_name" VARCHAR, -- The event_name field as sent.
    "trace_id" VARCHAR, -- Trace, 32 hex digits.
    "span_id" VARCHAR, -- Span, 16 hex digits.
    "session_id" VARCHAR, -- Session.
    "user_id" VARCHAR, -- Pseudonym of the client's installation id.
    "user_email" VARCHAR, -- Pseudonym of the account's e-mail address.
    "account_id" VARCHAR, -- Pseudonym of the account.
    "organization_id" VARCHAR, -- Pseudonym of the organization.
    "team" VARCHAR, -- Team tag.
    "chapter" VARCHAR, -- Chapter tag.
    "project" VARCHAR, -- Project tag.
    "branch" VARCHAR, -- Git branch.
    "repository" VARCHAR, -- Repository.
    "terminal_type" VARCHAR, -- Terminal or editor.
    "app_version" VARCHAR, -- Version of the client; from `service.version` when the record has none.
    "entrypoint" VARCHAR, -- How the client was started (`cli`, `sdk-cli`, `claude-vscode` …).
    "event_name" VARCHAR, -- The client's name of the event, without its prefix.
    "event_timestamp" VARCHAR, -- The client's own time stamp, when it differs from `time`.
    "event_sequence" BIGINT, -- Counts the events of one client process; restarts with each process.
    "prompt_id" VARCHAR, -- Prompt the record belongs to.
    "request_id" VARCHAR, -- API request.
    "tool_use_id" VARCHAR, -- Tool call.
    "message_id" VARCHAR, -- Message.
    "agent_id" VARCHAR, -- Subagent that did it; NULL for the main agent.
    "model" VARCHAR, -- Model.
    "query_source" VARCHAR, -- What the request was made for (`sdk`, `main`, `subagent`, `compact` …).
    "effort" VARCHAR, -- Reasoning effort.
    "speed" VARCHAR, -- Speed tier.
    "agent_name" VARCHAR, -- Kind of agent.
    "skill_name" VARCHAR, -- Skill.
    "plugin_name" VARCHAR, -- Plugin.
    "mcp_server" VARCHAR, -- MCP server.
    "mcp_tool" VARCHAR, -- MCP tool.
    "input_tokens" BIGINT, -- [tokens] Fresh input, neither read from nor written to the cache.
    "output_tokens" BIGINT, -- [tokens] Output, reasoning included.
    "cache_read_tokens" BIGINT, -- [tokens] Input read from the cache.
    "cache_creation_tokens" BIGINT, -- [tokens] Input written to the cache, both lifetimes.
    "cache_creation_5m_tokens" BIGINT, -- [tokens] Of these, for five minutes.
    "cache_creation_1h_tokens" BIGINT, -- [tokens] Of these, for one hour.
    "reasoning_tokens" BIGINT, -- [tokens] Reasoning, already contained in `output_tokens`.
    "cost_usd" DECIMAL(18,9), -- [USD] Cost as the client reported it; NULL when it reported none.
    "cost_usd_micros" BIGINT, -- [µUSD] The client's own rounding of the cost.
    "duration_ms" DOUBLE, -- [ms] Duration (API requests: of the last attempt).
    "ttft_ms" DOUBLE, -- [ms] Time to the first token.
    "tool_name" VARCHAR, -- Tool.
    "decision" VARCHAR, -- What was decided about a tool call (`accept`, `reject` …).
    "decision_source" VARCHAR, -- Who decided (`config`, `user_temporary` …).
    "success" BOOLEAN, -- Did it succeed?
    "error" VARCHAR, -- Error text, sanitized.
    "error_type" VARCHAR, -- Class of the error.
    "status_code" BIGINT, -- HTTP status of the API.
    "attempt" BIGINT, -- Attempts made.
    "prompt_length" BIGINT, -- [UTF-16 units] Length of the prompt.
    "prompt" VARCHAR, -- Prompt text, if the client sends it, sanitized.
    "prompt_text" VARCHAR, -- The prompt's second copy, when it differs from `prompt`.
    "response_length" BIGINT, -- [UTF-16 units] Length of the answer.
    "command_name" VARCHAR, -- Slash command.
    "tool_input_size_bytes" BIGINT, -- [bytes] Size of the tool's input.
    "tool_result_size_bytes" BIGINT, -- [bytes] Size of the tool's result.
    "ingest_day" DATE -- UTC day in which the row's segment was closed; the Parquet files are partitioned by it.
);

-- Every row of the metrics as it lies on disk, wherever that is at the moment; the views stand on it.
CREATE TABLE raw_metrics (
    "id" VARCHAR, -- Row id, derived from the record's content under this installation's key: the same record sent twice has the same id.
    "seg" BIGINT, -- Number of the journal segment the row was acknowledged in.
    "received_at" TIMESTAMP WITH TIME ZONE, -- When the request arrived here.
    "time" TIMESTAMP WITH TIME ZONE, -- When it happened (spans: when it began).
    "time_rem_ns" BIGINT, -- [ns] Nanoseconds of `time` beyond its microsecond; NULL is 0.
    "time_from" VARCHAR, -- Where `time` was taken from when the record had none: `observed` or `received`.
    "client" VARCHAR, -- Which client sent it: `claude_code`, `codex`, `gemini_cli`, or NULL.
    "promoted" BIGINT, -- Bit set of the attributes that columns represent and `attributes` need not repeat.
    "promoted_as_text" BIGINT, -- The same for attributes that were sent as the text of the column's value; NULL is 0.
    "attributes" VARCHAR, -- The record's other attributes, typed, as one JSON object. In the views: all of them.
    "dropped_attributes_count" BIGINT, -- Attributes the client dropped itself; NULL is 0.
    "flags" BIGINT, -- W3C trace flags, or data point flags; NULL is 0.
    "resource" VARCHAR, -- Resource attributes.
    "resource_meta" VARCHAR, -- Schema URL, entity references and dropped count of the resource, if any.
    "scope_name" VARCHAR, -- Instrumentation scope.
    "scope_version" VARCHAR, -- Version of the scope.
    "scope_meta" VARCHAR, -- Schema URL, attributes and dropped count of the scope, if any.
    "source" VARCHAR, -- How the record came here: `transcript`, `hook` or `hand`; NULL for what clients export themselves.
    "sample_ratio" DOUBLE, -- Share of sessions whose records of this type are kept; NULL is 1: all.
    "metric" VARCHAR, -- Name of the metric.
    "description" VARCHAR, -- Its description.
    "unit" VARCHAR, -- Its unit.
    "metric_meta" VARCHAR, -- Its metadata, if any.
    "kind" VARCHAR, -- `sum`, `gauge`, `histogram`, `exponential_histogram` or `summary`.
    "temporality" VARCHAR, -- `delta`, `cumulative` or NULL.
    "monotonic" BOOLEAN, -- Only ever grows.
    "start_lag_us" BIGINT, -- [µs] `time` less start time; NULL when not sent.
    "start_rem_ns" BIGINT, -- [ns] Nanoseconds of the start time beyond its microsecond.
    "value" DOUBLE, -- Value of a sum or gauge.
    "value_int" BIGINT, -- The same, when it was sent as an integer.
    "count" UBIGINT, -- Histograms, summaries: number of values.
    "sum" DOUBLE, -- Histograms, summaries: their sum.
    "min" DOUBLE, -- Histograms: the smallest.
    "max" DOUBLE, -- Histograms: the largest.
    "bucket_counts" UBIGINT[], -- Histograms: values a bucket.
    "explicit_bounds" DOUBLE[], -- Histograms: upper bounds.
    "exponential" VARCHAR, -- Exponential histograms: scale, zero_count, zero_threshold, and offset and bucket_counts of positive and negative.
    "quantiles" VARCHAR, -- Summaries: list of quantile and value.
    "exemplars" VARCHAR, -- Exemplars.
    "session_id" VARCHAR, -- Session.
    "user_id" VARCHAR, -- Pseudonym of the client's installation id.
    "user_email" VARCHAR, -- Pseudonym of the account's e-mail address.
    "account_id" VARCHAR, -- Pseudonym of the account.
    "organization_id" VARCHAR, -- Pseudonym of the organization.
    "team" VARCHAR, -- Team tag.
    "chapter" VARCHAR, -- Chapter tag.
    "project" VARCHAR, -- Project tag.
    "branch" VARCHAR, -- Git branch.
    "repository" VARCHAR, -- Repository.
    "terminal_type" VARCHAR, -- Terminal or editor.
    "app_version" VARCHAR, -- Version of the client; from `service.version` when the record has none.
    "entrypoint" VARCHAR, -- How the client was started (`cli`, `sdk-cli`, `claude-vscode` …).
    "agent_id" VARCHAR, -- Subagent that did it; NULL for the main agent.
    "model" VARCHAR, -- Model.
    "query_source" VARCHAR, -- What the request was made for (`sdk`, `main`, `subagent`, `compact` …).
    "effort" VARCHAR, -- Reasoning effort.
    "speed" VARCHAR, -- Speed tier.
    "agent_name" VARCHAR, -- Kind of agent.
    "skill_name" VARCHAR, -- Skill.
    "plugin_name" VARCHAR, -- Plugin.
    "mcp_server" VARCHAR, -- MCP server.
    "mcp_tool" VARCHAR, -- MCP tool.
    "tool_name" VARCHAR, -- Tool.
    "decision" VARCHAR, -- What was decided about a tool call (`accept`, `reject` …).
    "decision_source" VARCHAR, -- Who decided (`config`, `user_temporary` …).
    "success" BOOLEAN, -- Did it succeed?
    "error_type" VARCHAR, -- Class of the error.
    "type" VARCHAR, -- The point's own type (`input`, `output`, `added`, `removed`, `cli` …).
    "start_type" VARCHAR, -- How the session began (`fresh`, `continue` …).
    "language" VARCHAR, -- Programming language of an edit.
    "ingest_day" DATE -- UTC day in which the row's segment was closed; the Parquet files are partitioned by it.
);

-- Every row of the traces as it lies on disk, wherever that is at the moment; the views stand on it.
CREATE TABLE raw_traces (
    "id" VARCHAR, -- Row id, derived from the record's content under this installation's key: the same record sent twice has the same id.
    "seg" BIGINT, -- Number of the journal segment the row was acknowledged in.
    "received_at" TIMESTAMP WITH TIME ZONE, -- When the request arrived here.
    "time" TIMESTAMP WITH TIME ZONE, -- When it happened (spans: when it began).
    "time_rem_ns" BIGINT, -- [ns] Nanoseconds of `time` beyond its microsecond; NULL is 0.
    "time_from" VARCHAR, -- Where `time` was taken from when the record had none: `observed` or `received`.
    "client" VARCHAR, -- Which client sent it: `claude_code`, `codex`, `gemini_cli`, or NULL.
    "promoted" BIGINT, -- Bit set of the attributes that columns represent and `attributes` need not repeat.
    "promoted_as_text" BIGINT, -- The same for attributes that were sent as the text of the column's value; NULL is 0.
    "attributes" VARCHAR, -- The record's other attributes, typed, as one JSON object. In the views: all of them.
    "dropped_attributes_count" BIGINT, -- Attributes the client dropped itself; NULL is 0.
    "flags" BIGINT, -- W3C trace flags, or data point flags; NULL is 0.
    "resource" VARCHAR, -- Resource attributes.
    "resource_meta" VARCHAR, -- Schema URL, entity references and dropped count of the resource, if any.
    "scope_name" VARCHAR, -- Instrumentation scope.
    "scope_version" VARCHAR, -- Version of the scope.
    "scope_meta" VARCHAR, -- Schema URL, attributes and dropped count of the scope, if any.
    "source" VARCHAR, -- How the record came here: `transcript`, `hook` or `hand`; NULL for what clients export themselves.
    "sample_ratio" DOUBLE, -- Share of sessions whose records of this type are kept; NULL is 1: all.
    "trace_id" VARCHAR, -- Trace, 32 hex digits.
    "span_id" VARCHAR, -- Span, 16 hex digits.
    "parent_span_id" VARCHAR, -- Parent span; NULL for a root.
    "trace_state" VARCHAR, -- W3C trace state.
    "name" VARCHAR, -- Name of the span.
    "kind" VARCHAR, -- `internal`, `server`, `client`, `producer`, `consumer` or NULL.
    "span_duration_ns" BIGINT, -- [ns] End less start.
    "status" VARCHAR, -- `ok`, `error` or NULL.
    "status_message" VARCHAR, -- Its message, sanitized.
    "events" VARCHAR, -- Span events.
    "links" VARCHAR, -- Span links.
    "dropped_events_count" BIGINT, -- Events the client dropped itself.
    "dropped_links_count" BIGINT, -- Links the client dropped itself.
    "session_id" VARCHAR, -- Session.
    "user_id" VARCHAR, -- Pseudonym of the client's installation id.
    "user_email" VARCHAR, -- Pseudonym of the account's e-mail address.
    "account_id" VARCHAR, -- Pseudonym of the account.
    "organization_id" VARCHAR, -- Pseudonym of the organization.
    "team" VARCHAR, -- Team tag.
    "chapter" VARCHAR, -- Chapter tag.
    "project" VARCHAR, -- Project tag.
    "branch" VARCHAR, -- Git branch.
    "repository" VARCHAR, -- Repository.
    "terminal_type" VARCHAR, -- Terminal or editor.
    "app_version" VARCHAR, -- Version of the client; from `service.version` when the record has none.
    "entrypoint" VARCHAR, -- How the client was started (`cli`, `sdk-cli`, `claude-vscode` …).
    "prompt_id" VARCHAR, -- Prompt the record belongs to.
    "request_id" VARCHAR, -- API request.
    "tool_use_id" VARCHAR, -- Tool call.
    "agent_id" VARCHAR, -- Subagent that did it; NULL for the main agent.
    "model" VARCHAR, -- Model.
    "query_source" VARCHAR, -- What the request was made for (`sdk`, `main`, `subagent`, `compact` …).
    "effort" VARCHAR, -- Reasoning effort.
    "speed" VARCHAR, -- Speed tier.
    "agent_name" VARCHAR, -- Kind of agent.
    "skill_name" VARCHAR, -- Skill.
    "plugin_name" VARCHAR, -- Plugin.
    "mcp_server" VARCHAR, -- MCP server.
    "mcp_tool" VARCHAR, -- MCP tool.
    "input_tokens" BIGINT, -- [tokens] Fresh input, neither read from nor written to the cache.
    "output_tokens" BIGINT, -- [tokens] Output, reasoning included.
    "cache_read_tokens" BIGINT, -- [tokens] Input read from the cache.
    "cache_creation_tokens" BIGINT, -- [tokens] Input written to the cache, both lifetimes.
    "duration_ms" DOUBLE, -- [ms] Duration (API requests: of the last attempt).
    "ttft_ms" DOUBLE, -- [ms] Time to the first token.
    "tool_name" VARCHAR, -- Tool.
    "decision" VARCHAR, -- What was decided about a tool call (`accept`, `reject` …).
    "decision_source" VARCHAR, -- Who decided (`config`, `user_temporary` …).
    "success" BOOLEAN, -- Did it succeed?
    "error" VARCHAR, -- Error text, sanitized.
    "error_type" VARCHAR, -- Class of the error.
    "status_code" BIGINT, -- HTTP status of the API.
    "attempt" BIGINT, -- Attempts made.
    "prompt_length" BIGINT, -- [UTF-16 units] Length of the prompt.
    "prompt" VARCHAR, -- Prompt text, if the client sends it, sanitized.
    "span_type" VARCHAR, -- Claude Code's type of the span.
    "ingest_day" DATE -- UTC day in which the row's segment was closed; the Parquet files are partitioned by it.
);

-- Every log event of every client: one row an event, its attributes as columns and complete as JSON.
CREATE TABLE events (
    "id" VARCHAR, -- Row id, derived from the record's content under this installation's key: the same record sent twice has the same id.
    "time" TIMESTAMP WITH TIME ZONE, -- When it happened (spans: when it began).
    "ingest_day" DATE, -- UTC day in which the row's segment was closed; the Parquet files are partitioned by it.
    "utc_day" DATE, -- UTC day in which it happened.
    "utc_hour" TIMESTAMP WITH TIME ZONE, -- Start of the hour in which it happened, UTC.
    "received_at" TIMESTAMP WITH TIME ZONE, -- When the request arrived here.
    "client" VARCHAR, -- Which client sent it: `claude_code`, `codex`, `gemini_cli`, or NULL.
    "event_type" VARCHAR, -- Canonical type: `user_prompt`, `tool_call`, `api_request`, `api_error`, `validation_result`; NULL for all others.
    "event" VARCHAR, -- The client's name of the event, without its prefix.
    "session_id" VARCHAR, -- Session.
    "user" VARCHAR, -- Who: pseudonym of the e-mail, else the account, else the installation.
    "user_id" VARCHAR, -- Pseudonym of the client's installation id.
    "user_email" VARCHAR, -- Pseudonym of the account's e-mail address.
    "account_id" VARCHAR, -- Pseudonym of the account.
    "organization_id" VARCHAR, -- Pseudonym of the organization.
    "team" VARCHAR, -- Team tag.
    "chapter" VARCHAR, -- Chapter tag.
    "project" VARCHAR, -- Project tag.
    "repository" VARCHAR, -- Repository.
    "branch" VARCHAR, -- Git branch.
    "prompt_id" VARCHAR, -- Prompt the record belongs to.
    "request_id" VARCHAR, -- API request.
    "tool_use_id" VARCHAR, -- Tool call.
    "message_id" VARCHAR, -- Message.
    "agent_id" VARCHAR, -- Subagent that did it; NULL for the main agent.
    "agent_name" VARCHAR, -- Kind of agent.
    "model" VARCHAR, -- Model.
    "query_source" VARCHAR, -- What the request was made for (`sdk`, `main`, `subagent`, `compact` …).
    "effort" VARCHAR, -- Reasoning effort.
    "speed" VARCHAR, -- Speed tier.
    "input_tokens" BIGINT, -- [tokens] Fresh input, neither read from nor written to the cache.
    "cache_read_tokens" BIGINT, -- [tokens] Input read from the cache.
    "cache_creation_tokens" BIGINT, -- [tokens] Input written to the cache, both lifetimes.
    "cache_creation_5m_tokens" BIGINT, -- [tokens] Of these, for five minutes.
    "cache_creation_1h_tokens" BIGINT, -- [tokens] Of these, for one hour.
    "output_tokens" BIGINT, -- [tokens] Output, reasoning included.
    "reasoning_tokens" BIGINT, -- [tokens] Reasoning, already contained in `output_tokens`.
    "total_input_tokens" BIGINT, -- [tokens] Whole input: fresh, read from the cache and written to it.
    "cost_usd" DECIMAL(18,9), -- [USD] Cost as the client reported it; NULL when it reported none.
    "cost_usd_micros" BIGINT, -- [µUSD] The client's own rounding of the cost.
    "duration_ms" DOUBLE, -- [ms] Duration (API requests: of the last attempt).
    "ttft_ms" DOUBLE, -- [ms] Time to the first token.
    "attempt" BIGINT, -- Attempts made.
    "status_code" BIGINT, -- HTTP status of the API.
    "success" BOOLEAN, -- Did it succeed?
    "error" VARCHAR, -- Error text, sanitized.
    "error_type" VARCHAR, -- Class of the error.
    "tool_name" VARCHAR, -- Tool.
    "mcp_server" VARCHAR, -- MCP server.
    "mcp_tool" VARCHAR, -- MCP tool.
    "skill_name" VARCHAR, -- Skill.
    "plugin_name" VARCHAR, -- Plugin.
    "command_name" VARCHAR, -- Slash command.
    "tool_input_size_bytes" BIGINT, -- [bytes] Size of the tool's input.
    "tool_result_size_bytes" BIGINT, -- [bytes] Size of the tool's result.
    "decision" VARCHAR, -- What was decided about a tool call (`accept`, `reject` …).
    "decision_source" VARCHAR, -- Who decided (`config`, `user_temporary` …).
    "prompt" VARCHAR, -- Prompt text, if the client sends it, sanitized.
    "prompt_length" BIGINT, -- [UTF-16 units] Length of the prompt.
    "response_length" BIGINT, -- [UTF-16 units] Length of the answer.
    "app_version" VARCHAR, -- Version of the client; from `service.version` when the record has none.
    "entrypoint" VARCHAR, -- How the client was started (`cli`, `sdk-cli`, `claude-vscode` …).
    "terminal_type" VARCHAR, -- Terminal or editor.
    "event_sequence" BIGINT, -- Counts the events of one client process; restarts with each process.
    "attributes" JSON, -- All attributes of the record, typed, under the client's own names.
    "resource" JSON, -- Resource attributes.
    "body" VARCHAR, -- Body: text as it is, anything else as JSON.
    "body_type" VARCHAR, -- `json` when the body was not text.
    "severity_number" BIGINT, -- OTLP severity, 1 to 24.
    "severity_text" VARCHAR, -- Severity as the client calls it.
    "trace_id" VARCHAR, -- Trace, 32 hex digits.
    "span_id" VARCHAR, -- Span, 16 hex digits.
    "flags" BIGINT, -- W3C trace flags, or data point flags; NULL is 0.
    "observed_time" TIMESTAMP WITH TIME ZONE, -- When the client's exporter saw it; NULL when not sent.
    "time_from" VARCHAR, -- Where `time` was taken from when the record had none: `observed` or `received`.
    "otlp_event_name" VARCHAR, -- The event_name field as sent.
    "dropped_attributes_count" BIGINT, -- Attributes the client dropped itself; NULL is 0.
    "source" VARCHAR, -- How the record came here: `transcript`, `hook` or `hand`; NULL for what clients export themselves.
    "sample_ratio" DOUBLE, -- Share of sessions whose records of this type are kept; NULL is 1: all.
    "scope_name" VARCHAR, -- Instrumentation scope.
    "scope_version" VARCHAR, -- Version of the scope.
    "scope_meta" JSON, -- Schema URL, attributes and dropped count of the scope, if any.
    "resource_meta" JSON, -- Schema URL, entity references and dropped count of the resource, if any.
    "seg" BIGINT -- Number of the journal segment the row was acknowledged in.
);

-- The same as events, under the name that examples of the HTTP interface use.
CREATE TABLE telemetry_events (
    "id" VARCHAR, -- Row id, derived from the record's content under this installation's key: the same record sent twice has the same id.
    "time" TIMESTAMP WITH TIME ZONE, -- When it happened (spans: when it began).
    "ingest_day" DATE, -- UTC day in which the row's segment was closed; the Parquet files are partitioned by it.
    "utc_day" DATE, -- UTC day in which it happened.
    "utc_hour" TIMESTAMP WITH TIME ZONE, -- Start of the hour in which it happened, UTC.
    "received_at" TIMESTAMP WITH TIME ZONE, -- When the request arrived here.
    "client" VARCHAR, -- Which client sent it: `claude_code`, `codex`, `gemini_cli`, or NULL.
    "event_type" VARCHAR, -- Canonical type: `user_prompt`, `tool_call`, `api_request`, `api_error`, `validation_result`; NULL for all others.
    "event" VARCHAR, -- The client's name of the event, without its prefix.
    "session_id" VARCHAR, -- Session.
    "user" VARCHAR, -- Who: pseudonym of the e-mail, else the account, else the installation.
    "user_id" VARCHAR, -- Pseudonym of the client's installation id.
    "user_email" VARCHAR, -- Pseudonym of the account's e-mail address.
    "account_id" VARCHAR, -- Pseudonym of the account.
    "organization_id" VARCHAR, -- Pseudonym of the organization.
    "team" VARCHAR, -- Team tag.
    "chapter" VARCHAR, -- Chapter tag.
    "project" VARCHAR, -- Project tag.
    "repository" VARCHAR, -- Repository.
    "branch" VARCHAR, -- Git branch.
    "prompt_id" VARCHAR, -- Prompt the record belongs to.
    "request_id" VARCHAR, -- API request.
    "tool_use_id" VARCHAR, -- Tool call.
    "message_id" VARCHAR, -- Message.
    "agent_id" VARCHAR, -- Subagent that did it; NULL for the main agent.
    "agent_name" VARCHAR, -- Kind of agent.
    "model" VARCHAR, -- Model.
    "query_source" VARCHAR, -- What the request was made for (`sdk`, `main`, `subagent`, `compact` …).
    "effort" VARCHAR, -- Reasoning effort.
    "speed" VARCHAR, -- Speed tier.
    "input_tokens" BIGINT, -- [tokens] Fresh input, neither read from nor written to the cache.
    "cache_read_tokens" BIGINT, -- [tokens] Input read from the cache.
    "cache_creation_tokens" BIGINT, -- [tokens] Input written to the cache, both lifetimes.
    "cache_creation_5m_tokens" BIGINT, -- [tokens] Of these, for five minutes.
    "cache_creation_1h_tokens" BIGINT, -- [tokens] Of these, for one hour.
    "output_tokens" BIGINT, -- [tokens] Output, reasoning included.
    "reasoning_tokens" BIGINT, -- [tokens] Reasoning, already contained in `output_tokens`.
    "total_input_tokens" BIGINT, -- [tokens] Whole input: fresh, read from the cache and written to it.
    "cost_usd" DECIMAL(18,9), -- [USD] Cost as the client reported it; NULL when it reported none.
    "cost_usd_micros" BIGINT, -- [µUSD] The client's own rounding of the cost.
    "duration_ms" DOUBLE, -- [ms] Duration (API requests: of the last attempt).
    "ttft_ms" DOUBLE, -- [ms] Time to the first token.
    "attempt" BIGINT, -- Attempts made.
    "status_code" BIGINT, -- HTTP status of the API.
    "success" BOOLEAN, -- Did it succeed?
    "error" VARCHAR, -- Error text, sanitized.
    "error_type" VARCHAR, -- Class of the error.
    "tool_name" VARCHAR, -- Tool.
    "mcp_server" VARCHAR, -- MCP server.
    "mcp_tool" VARCHAR, -- MCP tool.
    "skill_name" VARCHAR, -- Skill.
    "plugin_name" VARCHAR, -- Plugin.
    "command_name" VARCHAR, -- Slash command.
    "tool_input_size_bytes" BIGINT, -- [bytes] Size of the tool's input.
    "tool_result_size_bytes" BIGINT, -- [bytes] Size of the tool's result.
    "decision" VARCHAR, -- What was decided about a tool call (`accept`, `reject` …).
    "decision_source" VARCHAR, -- Who decided (`config`, `user_temporary` …).
    "prompt" VARCHAR, -- Prompt text, if the client sends it, sanitized.
    "prompt_length" BIGINT, -- [UTF-16 units] Length of the prompt.
    "response_length" BIGINT, -- [UTF-16 units] Length of the answer.
    "app_version" VARCHAR, -- Version of the client; from `service.version` when the record has none.
    "entrypoint" VARCHAR, -- How the client was started (`cli`, `sdk-cli`, `claude-vscode` …).
    "terminal_type" VARCHAR, -- Terminal or editor.
    "event_sequence" BIGINT, -- Counts the events of one client process; restarts with each process.
    "attributes" JSON, -- All attributes of the record, typed, under the client's own names.
    "resource" JSON, -- Resource attributes.
    "body" VARCHAR, -- Body: text as it is, anything else as JSON.
    "body_type" VARCHAR, -- `json` when the body was not text.
    "severity_number" BIGINT, -- OTLP severity, 1 to 24.
    "severity_text" VARCHAR, -- Severity as the client calls it.
    "trace_id" VARCHAR, -- Trace, 32 hex digits.
    "span_id" VARCHAR, -- Span, 16 hex digits.
    "flags" BIGINT, -- W3C trace flags, or data point flags; NULL is 0.
    "observed_time" TIMESTAMP WITH TIME ZONE, -- When the client's exporter saw it; NULL when not sent.
    "time_from" VARCHAR, -- Where `time` was taken from when the record had none: `observed` or `received`.
    "otlp_event_name" VARCHAR, -- The event_name field as sent.
    "dropped_attributes_count" BIGINT, -- Attributes the client dropped itself; NULL is 0.
    "source" VARCHAR, -- How the record came here: `transcript`, `hook` or `hand`; NULL for what clients export themselves.
    "sample_ratio" DOUBLE, -- Share of sessions whose records of this type are kept; NULL is 1: all.
    "scope_name" VARCHAR, -- Instrumentation scope.
    "scope_version" VARCHAR, -- Version of the scope.
    "scope_meta" JSON, -- Schema URL, attributes and dropped count of the scope, if any.
    "resource_meta" JSON, -- Schema URL, entity references and dropped count of the resource, if any.
    "seg" BIGINT -- Number of the journal segment the row was acknowledged in.
);

-- Where each session worked and since when: directory, worktree, branch, repository, project and chapter, as the hook of `telem-agent setup` told them. One row for each change; the first one also stands for what came before it.
CREATE TABLE session_context (
    "session_id" VARCHAR, -- Session.
    "time" TIMESTAMP WITH TIME ZONE, -- When it was told.
    "ingest_day" DATE, -- UTC day in which the row's segment was closed; the Parquet files are partitioned by it.
    "source" VARCHAR, -- How the record came here: `transcript`, `hook` or `hand`; NULL for what clients export themselves.
    "valid_from" TIMESTAMP WITH TIME ZONE, -- From when on it counts for the session's records; the first one counts from the beginning.
    "valid_until" TIMESTAMP WITH TIME ZONE, -- Until when: that moment is not in it any more.
    "project" VARCHAR, -- Project: the tag, else the repository's name, else that of its folder.
    "chapter" VARCHAR, -- Chapter: the tag, else by the rules under `chapters` in config.toml.
    "repository" VARCHAR, -- Repository: address of its remote, without credentials.
    "branch" VARCHAR, -- Git branch; NULL on a detached head.
    "worktree" VARCHAR, -- Name of the linked worktree; NULL in the main one.
    "cwd" VARCHAR -- Working directory.
);

-- Events with the project, chapter, repository and branch of their session where the record itself names none.
CREATE TABLE placed_events (
    "id" VARCHAR, -- Row id, derived from the record's content under this installation's key: the same record sent twice has the same id.
    "time" TIMESTAMP WITH TIME ZONE, -- When it happened (spans: when it began).
    "ingest_day" DATE, -- UTC day in which the row's segment was closed; the Parquet files are partitioned by it.
    "utc_day" DATE, -- UTC day in which it happened.
    "utc_hour" TIMESTAMP WITH TIME ZONE, -- Start of the hour in which it happened, UTC.
    "client" VARCHAR, -- Which client sent it: `claude_code`, `codex`, `gemini_cli`, or NULL.
    "event_type" VARCHAR, -- Canonical type: `user_prompt`, `tool_call`, `api_request`, `api_error`, `validation_result`; NULL for all others.
    "event" VARCHAR, -- The client's name of the event, without its prefix.
    "session_id" VARCHAR, -- Session.
    "user" VARCHAR, -- Who: pseudonym of the e-mail, else the account, else the installation.
    "user_id" VARCHAR, -- Pseudonym of the client's installation id.
    "account_id" VARCHAR, -- Pseudonym of the account.
    "team" VARCHAR, -- Team tag.
    "project" VARCHAR, -- Project tag, else the project the session was in at that moment.
    "chapter" VARCHAR, -- Chapter tag, else the chapter the session was in at that moment.
    "repository" VARCHAR, -- Repository, else the one the session was in at that moment.
    "branch" VARCHAR, -- Git branch, else the one the session was on at that moment.
    "prompt_id" VARCHAR, -- Prompt the record belongs to.
    "request_id" VARCHAR, -- API request.
    "tool_use_id" VARCHAR, -- Tool call.
    "message_id" VARCHAR, -- Message.
    "agent_id" VARCHAR, -- Subagent that did it; NULL for the main agent.
    "agent_name" VARCHAR, -- Kind of agent.
    "model" VARCHAR, -- Model.
    "query_source" VARCHAR, -- What the request was made for (`sdk`, `main`, `subagent`, `compact` …).
    "effort" VARCHAR, -- Reasoning effort.
    "speed" VARCHAR, -- Speed tier.
    "input_tokens" BIGINT, -- [tokens] Fresh input, neither read from nor written to the cache.
    "cache_read_tokens" BIGINT, -- [tokens] Input read from the cache.
    "cache_creation_tokens" BIGINT, -- [tokens] Input written to the cache, both lifetimes.
    "cache_creation_5m_tokens" BIGINT, -- [tokens] Of these, for five minutes.
    "cache_creation_1h_tokens" BIGINT, -- [tokens] Of these, for one hour.
    "output_tokens" BIGINT, -- [tokens] Output, reasoning included.
    "reasoning_tokens" BIGINT, -- [tokens] Reasoning, already contained in `output_tokens`.
    "total_input_tokens" BIGINT, -- [tokens] Whole input: fresh, read from the cache and written to it.
    "cost_usd" DECIMAL(18,9), -- [USD] Cost as the client reported it; NULL when it reported none.
    "duration_ms" DOUBLE, -- [ms] Duration (API requests: of the last attempt).
    "ttft_ms" DOUBLE, -- [ms] Time to the first token.
    "attempt" BIGINT, -- Attempts made.
    "status_code" BIGINT, -- HTTP status of the API.
    "success" BOOLEAN, -- Did it succeed?
    "error" VARCHAR, -- Error text, sanitized.
    "error_type" VARCHAR, -- Class of the error.
    "tool_name" VARCHAR, -- Tool.
    "mcp_server" VARCHAR, -- MCP server.
    "mcp_tool" VARCHAR, -- MCP tool.
    "skill_name" VARCHAR, -- Skill.
    "plugin_name" VARCHAR, -- Plugin.
    "command_name" VARCHAR, -- Slash command.
    "tool_input_size_bytes" BIGINT, -- [bytes] Size of the tool's input.
    "tool_result_size_bytes" BIGINT, -- [bytes] Size of the tool's result.
    "decision" VARCHAR, -- What was decided about a tool call (`accept`, `reject` …).
    "decision_source" VARCHAR, -- Who decided (`config`, `user_temporary` …).
    "prompt" VARCHAR, -- Prompt text, if the client sends it, sanitized.
    "prompt_length" BIGINT, -- [UTF-16 units] Length of the prompt.
    "app_version" VARCHAR, -- Version of the client; from `service.version` when the record has none.
    "entrypoint" VARCHAR, -- How the client was started (`cli`, `sdk-cli`, `claude-vscode` …).
    "terminal_type" VARCHAR, -- Terminal or editor.
    "attributes" JSON, -- All attributes of the record, typed, under the client's own names.
    "resource" JSON, -- Resource attributes.
    "source" VARCHAR, -- How the record came here: `transcript`, `hook` or `hand`; NULL for what clients export themselves.
    "sample_ratio" DOUBLE -- Share of sessions whose records of this type are kept; NULL is 1: all.
);

-- Answered requests to a model: tokens, cost and duration; the facts for all sums of tokens and cost.
CREATE TABLE api_requests (
    "id" VARCHAR, -- Row id, derived from the record's content under this installation's key: the same record sent twice has the same id.
    "time" TIMESTAMP WITH TIME ZONE, -- When it happened (spans: when it began).
    "ingest_day" DATE, -- UTC day in which the row's segment was closed; the Parquet files are partitioned by it.
    "utc_day" DATE, -- UTC day in which it happened.
    "utc_hour" TIMESTAMP WITH TIME ZONE, -- Start of the hour in which it happened, UTC.
    "client" VARCHAR, -- Which client sent it: `claude_code`, `codex`, `gemini_cli`, or NULL.
    "session_id" VARCHAR, -- Session.
    "user" VARCHAR, -- Who: pseudonym of the e-mail, else the account, else the installation.
    "team" VARCHAR, -- Team tag.
    "chapter" VARCHAR, -- Chapter tag, else the chapter the session was in at that moment.
    "project" VARCHAR, -- Project tag, else the project the session was in at that moment.
    "repository" VARCHAR, -- Repository, else the one the session was in at that moment.
    "branch" VARCHAR, -- Git branch, else the one the session was on at that moment.
    "prompt_id" VARCHAR, -- Prompt the record belongs to.
    "request_id" VARCHAR, -- API request.
    "agent_id" VARCHAR, -- Subagent that did it; NULL for the main agent.
    "agent_name" VARCHAR, -- Kind of agent.
    "skill_name" VARCHAR, -- Skill.
    "plugin_name" VARCHAR, -- Plugin.
    "mcp_server" VARCHAR, -- MCP server.
    "mcp_tool" VARCHAR, -- MCP tool.
    "model" VARCHAR, -- Model.
    "query_source" VARCHAR, -- What the request was made for (`sdk`, `main`, `subagent`, `compact` …).
    "effort" VARCHAR, -- Reasoning effort.
    "speed" VARCHAR, -- Speed tier.
    "input_tokens" BIGINT, -- [tokens] Fresh input, neither read from nor written to the cache.
    "cache_read_tokens" BIGINT, -- [tokens] Input read from the cache.
    "cache_creation_tokens" BIGINT, -- [tokens] Input written to the cache, both lifetimes.
    "cache_creation_5m_tokens" BIGINT, -- [tokens] Of these, for five minutes.
    "cache_creation_1h_tokens" BIGINT, -- [tokens] Of these, for one hour.
    "output_tokens" BIGINT, -- [tokens] Output, reasoning included.
    "reasoning_tokens" BIGINT, -- [tokens] Reasoning, already contained in `output_tokens`.
    "total_input_tokens" BIGINT, -- [tokens] Whole input: fresh, read from the cache and written to it.
    "cost_usd" DECIMAL(18,9), -- [USD] Cost as the client reported it; NULL when it reported none.
    "duration_ms" DOUBLE, -- [ms] Duration (API requests: of the last attempt).
    "ttft_ms" DOUBLE, -- [ms] Time to the first token.
    "app_version" VARCHAR, -- Version of the client; from `service.version` when the record has none.
    "entrypoint" VARCHAR, -- How the client was started (`cli`, `sdk-cli`, `claude-vscode` …).
    "terminal_type" VARCHAR, -- Terminal or editor.
    "attributes" JSON, -- All attributes of the record, typed, under the client's own names.
    "resource" JSON -- Resource attributes.
);

-- Requests to a model that were given up, with the error's text and HTTP status.
CREATE TABLE api_errors (
    "id" VARCHAR, -- Row id, derived from the record's content under this installation's key: the same record sent twice has the same id.
    "time" TIMESTAMP WITH TIME ZONE, -- When it happened (spans: when it began).
    "ingest_day" DATE, -- UTC day in which the row's segment was closed; the Parquet files are partitioned by it.
    "utc_day" DATE, -- UTC day in which it happened.
    "utc_hour" TIMESTAMP WITH TIME ZONE, -- Start of the hour in which it happened, UTC.
    "client" VARCHAR, -- Which client sent it: `claude_code`, `codex`, `gemini_cli`, or NULL.
    "session_id" VARCHAR, -- Session.
    "user" VARCHAR, -- Who: pseudonym of the e-mail, else the account, else the installation.
    "team" VARCHAR, -- Team tag.
    "chapter" VARCHAR, -- Chapter tag, else the chapter the session was in at that moment.
    "project" VARCHAR, -- Project tag, else the project the session was in at that moment.
    "repository" VARCHAR, -- Repository, else the one the session was in at that moment.
    "branch" VARCHAR, -- Git branch, else the one the session was on at that moment.
    "prompt_id" VARCHAR, -- Prompt the record belongs to.
    "request_id" VARCHAR, -- API request.
    "agent_id" VARCHAR, -- Subagent that did it; NULL for the main agent.
    "model" VARCHAR, -- Model.
    "query_source" VARCHAR, -- What the request was made for (`sdk`, `main`, `subagent`, `compact` …).
    "speed" VARCHAR, -- Speed tier.
    "error" VARCHAR, -- Error text, sanitized.
    "error_type" VARCHAR, -- Class of the error.
    "status_code" BIGINT, -- HTTP status of the API.
    "attempt" BIGINT, -- Attempts made.
    "duration_ms" DOUBLE, -- [ms] Duration (API requests: of the last attempt).
    "app_version" VARCHAR, -- Version of the client; from `service.version` when the record has none.
    "entrypoint" VARCHAR, -- How the client was started (`cli`, `sdk-cli`, `claude-vscode` …).
    "terminal_type" VARCHAR, -- Terminal or editor.
    "attributes" JSON, -- All attributes of the record, typed, under the client's own names.
    "resource" JSON -- Resource attributes.
);

-- Tools that ran, with their outcome; what was rejected never ran and is in validation_results.
CREATE TABLE tool_calls (
    "id" VARCHAR, -- Row id, derived from the record's content under this installation's key: the same record sent twice has the same id.
    "time" TIMESTAMP WITH TIME ZONE, -- When it happened (spans: when it began).
    "ingest_day" DATE, -- UTC day in which the row's segment was closed; the Parquet files are partitioned by it.
    "utc_day" DATE, -- UTC day in which it happened.
    "utc_hour" TIMESTAMP WITH TIME ZONE, -- Start of the hour in which it happened, UTC.
    "client" VARCHAR, -- Which client sent it: `claude_code`, `codex`, `gemini_cli`, or NULL.
    "session_id" VARCHAR, -- Session.
    "user" VARCHAR, -- Who: pseudonym of the e-mail, else the account, else the installation.
    "team" VARCHAR, -- Team tag.
    "chapter" VARCHAR, -- Chapter tag, else the chapter the session was in at that moment.
    "project" VARCHAR, -- Project tag, else the project the session was in at that moment.
    "repository" VARCHAR, -- Repository, else the one the session was in at that moment.
    "branch" VARCHAR, -- Git branch, else the one the session was on at that moment.
    "prompt_id" VARCHAR, -- Prompt the record belongs to.
    "request_id" VARCHAR, -- API request.
    "tool_use_id" VARCHAR, -- Tool call.
    "agent_id" VARCHAR, -- Subagent that did it; NULL for the main agent.
    "tool_name" VARCHAR, -- Tool.
    "mcp_server" VARCHAR, -- MCP server.
    "mcp_tool" VARCHAR, -- MCP tool.
    "skill_name" VARCHAR, -- Skill.
    "success" BOOLEAN, -- Did it succeed?
    "error" VARCHAR, -- Error text, sanitized.
    "error_type" VARCHAR, -- Class of the error.
    "duration_ms" DOUBLE, -- [ms] Duration (API requests: of the last attempt).
    "tool_input_size_bytes" BIGINT, -- [bytes] Size of the tool's input.
    "tool_result_size_bytes" BIGINT, -- [bytes] Size of the tool's result.
    "decision" VARCHAR, -- What was decided about a tool call (`accept`, `reject` …).
    "decision_source" VARCHAR, -- Who decided (`config`, `user_temporary` …).
    "app_version" VARCHAR, -- Version of the client; from `service.version` when the record has none.
    "entrypoint" VARCHAR, -- How the client was started (`cli`, `sdk-cli`, `claude-vscode` …).
    "terminal_type" VARCHAR, -- Terminal or editor.
    "attributes" JSON, -- All attributes of the record, typed, under the client's own names.
    "resource" JSON -- Resource attributes.
);

-- Prompts, with their text if the client sends it.
CREATE TABLE user_prompts (
    "id" VARCHAR, -- Row id, derived from the record's content under this installation's key: the same record sent twice has the same id.
    "time" TIMESTAMP WITH TIME ZONE, -- When it happened (spans: when it began).
    "ingest_day" DATE, -- UTC day in which the row's segment was closed; the Parquet files are partitioned by it.
    "utc_day" DATE, -- UTC day in which it happened.
    "utc_hour" TIMESTAMP WITH TIME ZONE, -- Start of the hour in which it happened, UTC.
    "client" VARCHAR, -- Which client sent it: `claude_code`, `codex`, `gemini_cli`, or NULL.
    "session_id" VARCHAR, -- Session.
    "user" VARCHAR, -- Who: pseudonym of the e-mail, else the account, else the installation.
    "team" VARCHAR, -- Team tag.
    "chapter" VARCHAR, -- Chapter tag, else the chapter the session was in at that moment.
    "project" VARCHAR, -- Project tag, else the project the session was in at that moment.
    "repository" VARCHAR, -- Repository, else the one the session was in at that moment.
    "branch" VARCHAR, -- Git branch, else the one the session was on at that moment.
    "prompt_id" VARCHAR, -- Prompt the record belongs to.
    "message_id" VARCHAR, -- Message.
    "prompt" VARCHAR, -- Prompt text, if the client sends it, sanitized.
    "prompt_length" BIGINT, -- [UTF-16 units] Length of the prompt.
    "command_name" VARCHAR, -- Slash command.
    "app_version" VARCHAR, -- Version of the client; from `service.version` when the record has none.
    "entrypoint" VARCHAR, -- How the client was started (`cli`, `sdk-cli`, `claude-vscode` …).
    "terminal_type" VARCHAR, -- Terminal or editor.
    "attributes" JSON, -- All attributes of the record, typed, under the client's own names.
    "resource" JSON -- Resource attributes.
);

-- Decisions about tool calls: accepted or rejected, and by whom.
CREATE TABLE validation_results (
    "id" VARCHAR, -- Row id, derived from the record's content under this installation's key: the same record sent twice has the same id.
    "time" TIMESTAMP WITH TIME ZONE, -- When it happened (spans: when it began).
    "ingest_day" DATE, -- UTC day in which the row's segment was closed; the Parquet files are partitioned by it.
    "utc_day" DATE, -- UTC day in which it happened.
    "utc_hour" TIMESTAMP WITH TIME ZONE, -- Start of the hour in which it happened, UTC.
    "client" VARCHAR, -- Which client sent it: `claude_code`, `codex`, `gemini_cli`, or NULL.
    "session_id" VARCHAR, -- Session.
    "user" VARCHAR, -- Who: pseudonym of the e-mail, else the account, else the installation.
    "team" VARCHAR, -- Team tag.
    "chapter" VARCHAR, -- Chapter tag, else the chapter the session was in at that moment.
    "project" VARCHAR, -- Project tag, else the project the session was in at that moment.
    "repository" VARCHAR, -- Repository, else the one the session was in at that moment.
    "branch" VARCHAR, -- Git branch, else the one the session was on at that moment.
    "prompt_id" VARCHAR, -- Prompt the record belongs to.
    "request_id" VARCHAR, -- API request.
    "tool_use_id" VARCHAR, -- Tool call.
    "agent_id" VARCHAR, -- Subagent that did it; NULL for the main agent.
    "tool_name" VARCHAR, -- Tool.
    "decision" VARCHAR, -- What was decided about a tool call (`accept`, `reject` …).
    "decision_source" VARCHAR, -- Who decided (`config`, `user_temporary` …).
    "app_version" VARCHAR, -- Version of the client; from `service.version` when the record has none.
    "entrypoint" VARCHAR, -- How the client was started (`cli`, `sdk-cli`, `claude-vscode` …).
    "terminal_type" VARCHAR, -- Terminal or editor.
    "attributes" JSON, -- All attributes of the record, typed, under the client's own names.
    "resource" JSON -- Resource attributes.
);

-- List prices a model: what a request costs whose client reports no cost. USD for a million tokens. A price holds from `valid_from` on until the model's next one, for requests whose whole input lies in its range.
CREATE TABLE model_prices (
    "model" VARCHAR, -- Model, without the date at its end.
    "valid_from" DATE, -- First day of the price; 1970-01-01 when no earlier one is known.
    "valid_until" DATE, -- First day on which it holds no longer.
    "input_above" BIGINT, -- [tokens] Holds for requests with more input than this, cached input included.
    "input_up_to" BIGINT, -- [tokens] And for no more than this.
    "input_usd" DOUBLE, -- [USD / 1M tokens] Fresh input.
    "cache_read_usd" DOUBLE, -- [USD / 1M tokens] Input read from the cache.
    "cache_write_5m_usd" DOUBLE, -- [USD / 1M tokens] Input written to the cache for five minutes, or without a lifetime.
    "cache_write_1h_usd" DOUBLE, -- [USD / 1M tokens] Input written to the cache for one hour.
    "output_usd" DOUBLE, -- [USD / 1M tokens] Output, reasoning included.
    "published_by" VARCHAR -- Whose list it is.
);

-- Requests whose client reported no cost, at list prices; those of models without a price are not in it. A computed cost stands beside the reported ones and is never part of `cost_usd`.
CREATE TABLE computed_costs (
    "id" VARCHAR, -- Row id, derived from the record's content under this installation's key: the same record sent twice has the same id.
    "time" TIMESTAMP WITH TIME ZONE, -- When it happened (spans: when it began).
    "ingest_day" DATE, -- UTC day in which the row's segment was closed; the Parquet files are partitioned by it.
    "utc_day" DATE, -- UTC day in which it happened.
    "utc_hour" TIMESTAMP WITH TIME ZONE, -- Start of the hour in which it happened, UTC.
    "client" VARCHAR, -- Which client sent it: `claude_code`, `codex`, `gemini_cli`, or NULL.
    "session_id" VARCHAR, -- Session.
    "user" VARCHAR, -- Who: pseudonym of the e-mail, else the account, else the installation.
    "team" VARCHAR, -- Team tag.
    "chapter" VARCHAR, -- Chapter tag, else the chapter the session was in at that moment.
    "project" VARCHAR, -- Project tag, else the project the session was in at that moment.
    "repository" VARCHAR, -- Repository, else the one the session was in at that moment.
    "branch" VARCHAR, -- Git branch, else the one the session was on at that moment.
    "prompt_id" VARCHAR, -- Prompt the record belongs to.
    "model" VARCHAR, -- Model.
    "query_source" VARCHAR, -- What the request was made for (`sdk`, `main`, `subagent`, `compact` …).
    "computed_cost_usd" DECIMAL(18,9), -- [USD] Tokens at the list price.
    "price_valid_from" DATE, -- Since when that price held.
    "price_published_by" VARCHAR -- Whose list price it is.
);

-- Every metric point as it was sent; to add up values use metric_increments, for some points are running totals.
CREATE TABLE metrics (
    "id" VARCHAR, -- Row id, derived from the record's content under this installation's key: the same record sent twice has the same id.
    "time" TIMESTAMP WITH TIME ZONE, -- When it happened (spans: when it began).
    "ingest_day" DATE, -- UTC day in which the row's segment was closed; the Parquet files are partitioned by it.
    "utc_day" DATE, -- UTC day in which it was measured.
    "received_at" TIMESTAMP WITH TIME ZONE, -- When the request arrived here.
    "client" VARCHAR, -- Which client sent it: `claude_code`, `codex`, `gemini_cli`, or NULL.
    "metric" VARCHAR, -- Name of the metric.
    "kind" VARCHAR, -- `sum`, `gauge`, `histogram`, `exponential_histogram` or `summary`.
    "temporality" VARCHAR, -- `delta`, `cumulative` or NULL.
    "monotonic" BOOLEAN, -- Only ever grows.
    "unit" VARCHAR, -- Its unit.
    "description" VARCHAR, -- Its description.
    "start_time" TIMESTAMP WITH TIME ZONE, -- Since when the point counts; NULL when not sent.
    "value" DOUBLE, -- Value of a sum or gauge.
    "value_int" BIGINT, -- The same, when it was sent as an integer.
    "count" UBIGINT, -- Histograms, summaries: number of values.
    "sum" DOUBLE, -- Histograms, summaries: their sum.
    "min" DOUBLE, -- Histograms: the smallest.
    "max" DOUBLE, -- Histograms: the largest.
    "bucket_counts" UBIGINT[], -- Histograms: values a bucket.
    "explicit_bounds" DOUBLE[], -- Histograms: upper bounds.
    "exponential" JSON, -- Exponential histograms: scale, zero_count, zero_threshold, positive, negative.
    "quantiles" JSON, -- Summaries: list of quantile and value.
    "exemplars" JSON, -- Exemplars.
    "type" VARCHAR, -- The point's own type (`input`, `output`, `added`, `removed`, `cli` …).
    "start_type" VARCHAR, -- How the session began (`fresh`, `continue` …).
    "language" VARCHAR, -- Programming language of an edit.
    "session_id" VARCHAR, -- Session.
    "user" VARCHAR, -- Who: pseudonym of the e-mail, else the account, else the installation.
    "user_id" VARCHAR, -- Pseudonym of the client's installation id.
    "user_email" VARCHAR, -- Pseudonym of the account's e-mail address.
    "account_id" VARCHAR, -- Pseudonym of the account.
    "organization_id" VARCHAR, -- Pseudonym of the organization.
    "team" VARCHAR, -- Team tag.
    "chapter" VARCHAR, -- Chapter tag.
    "project" VARCHAR, -- Project tag.
    "repository" VARCHAR, -- Repository.
    "branch" VARCHAR, -- Git branch.
    "agent_id" VARCHAR, -- Subagent that did it; NULL for the main agent.
    "agent_name" VARCHAR, -- Kind of agent.
    "model" VARCHAR, -- Model.
    "query_source" VARCHAR, -- What the request was made for (`sdk`, `main`, `subagent`, `compact` …).
    "effort" VARCHAR, -- Reasoning effort.
    "speed" VARCHAR, -- Speed tier.
    "tool_name" VARCHAR, -- Tool.
    "mcp_server" VARCHAR, -- MCP server.
    "mcp_tool" VARCHAR, -- MCP tool.
    "skill_name" VARCHAR, -- Skill.
    "plugin_name" VARCHAR, -- Plugin.
    "decision" VARCHAR, -- What was decided about a tool call (`accept`, `reject` …).
    "decision_source" VARCHAR, -- Who decided (`config`, `user_temporary` …).
    "success" BOOLEAN, -- Did it succeed?
    "error_type" VARCHAR, -- Class of the error.
    "app_version" VARCHAR, -- Version of the client; from `service.version` when the record has none.
    "entrypoint" VARCHAR, -- How the client was started (`cli`, `sdk-cli`, `claude-vscode` …).
    "terminal_type" VARCHAR, -- Terminal or editor.
    "attributes" JSON, -- All attributes of the point, typed, under the client's own names.
    "resource" JSON, -- Resource attributes.
    "flags" BIGINT, -- W3C trace flags, or data point flags; NULL is 0.
    "time_from" VARCHAR, -- Where `time` was taken from when the record had none: `observed` or `received`.
    "metric_meta" JSON, -- Metadata of the metric, if any.
    "source" VARCHAR, -- How the record came here: `transcript`, `hook` or `hand`; NULL for what clients export themselves.
    "sample_ratio" DOUBLE, -- Share of sessions whose records of this type are kept; NULL is 1: all.
    "scope_name" VARCHAR, -- Instrumentation scope.
    "scope_version" VARCHAR, -- Version of the scope.
    "scope_meta" JSON, -- Schema URL, attributes and dropped count of the scope, if any.
    "resource_meta" JSON, -- Schema URL, entity references and dropped count of the resource, if any.
    "seg" BIGINT -- Number of the journal segment the row was acknowledged in.
);

-- What each point of a sum adds: delta points as they are, running totals less what the series had reached before. Summing `increment` gives delta points once, and of cumulative ones the highest per series and start time. What can also fall (a cumulative sum that is not monotonic) has no total and is left out, as are NaN and infinities.
CREATE TABLE metric_increments (
    "id" VARCHAR, -- Row id, derived from the record's content under this installation's key: the same record sent twice has the same id.
    "time" TIMESTAMP WITH TIME ZONE, -- When it happened (spans: when it began).
    "ingest_day" DATE, -- UTC day in which the row's segment was closed; the Parquet files are partitioned by it.
    "utc_day" DATE, -- UTC day in which it was measured.
    "client" VARCHAR, -- Which client sent it: `claude_code`, `codex`, `gemini_cli`, or NULL.
    "metric" VARCHAR, -- Name of the metric.
    "unit" VARCHAR, -- Its unit.
    "type" VARCHAR, -- The point's own type (`input`, `output`, `added`, `removed`, `cli` …).
    "start_type" VARCHAR, -- How the session began (`fresh`, `continue` …).
    "language" VARCHAR, -- Programming language of an edit.
    "session_id" VARCHAR, -- Session.
    "user" VARCHAR, -- Who: pseudonym of the e-mail, else the account, else the installation.
    "user_id" VARCHAR, -- Pseudonym of the client's installation id.
    "account_id" VARCHAR, -- Pseudonym of the account.
    "team" VARCHAR, -- Team tag.
    "chapter" VARCHAR, -- Chapter tag.
    "project" VARCHAR, -- Project tag.
    "repository" VARCHAR, -- Repository.
    "branch" VARCHAR, -- Git branch.
    "agent_id" VARCHAR, -- Subagent that did it; NULL for the main agent.
    "agent_name" VARCHAR, -- Kind of agent.
    "model" VARCHAR, -- Model.
    "query_source" VARCHAR, -- What the request was made for (`sdk`, `main`, `subagent`, `compact` …).
    "effort" VARCHAR, -- Reasoning effort.
    "tool_name" VARCHAR, -- Tool.
    "decision" VARCHAR, -- What was decided about a tool call (`accept`, `reject` …).
    "decision_source" VARCHAR, -- Who decided (`config`, `user_temporary` …).
    "sample_ratio" DOUBLE, -- Share of sessions whose records of this type are kept; NULL is 1: all.
    "increment" DOUBLE -- [as `unit`] What this point adds to the sum of its series.
);

-- The part of metric_increments that no rollup holds yet; the base of usage_days.
CREATE TABLE recent_increments (
    "id" VARCHAR, -- Row id, derived from the record's content under this installation's key: the same record sent twice has the same id.
    "time" TIMESTAMP WITH TIME ZONE, -- When it happened (spans: when it began).
    "ingest_day" DATE, -- UTC day in which the row's segment was closed; the Parquet files are partitioned by it.
    "utc_day" DATE, -- UTC day in which it was measured.
    "client" VARCHAR, -- Which client sent it: `claude_code`, `codex`, `gemini_cli`, or NULL.
    "metric" VARCHAR, -- Name of the metric.
    "unit" VARCHAR, -- Its unit.
    "type" VARCHAR, -- The point's own type (`input`, `output`, `added`, `removed`, `cli` …).
    "start_type" VARCHAR, -- How the session began (`fresh`, `continue` …).
    "language" VARCHAR, -- Programming language of an edit.
    "session_id" VARCHAR, -- Session.
    "user" VARCHAR, -- Who: pseudonym of the e-mail, else the account, else the installation.
    "user_id" VARCHAR, -- Pseudonym of the client's installation id.
    "account_id" VARCHAR, -- Pseudonym of the account.
    "team" VARCHAR, -- Team tag.
    "chapter" VARCHAR, -- Chapter tag.
    "project" VARCHAR, -- Project tag.
    "repository" VARCHAR, -- Repository.
    "branch" VARCHAR, -- Git branch.
    "agent_id" VARCHAR, -- Subagent that did it; NULL for the main agent.
    "agent_name" VARCHAR, -- Kind of agent.
    "model" VARCHAR, -- Model.
    "query_source" VARCHAR, -- What the request was made for (`sdk`, `main`, `subagent`, `compact` …).
    "effort" VARCHAR, -- Reasoning effort.
    "tool_name" VARCHAR, -- Tool.
    "decision" VARCHAR, -- What was decided about a tool call (`accept`, `reject` …).
    "decision_source" VARCHAR, -- Who decided (`config`, `user_temporary` …).
    "sample_ratio" DOUBLE, -- Share of sessions whose records of this type are kept; NULL is 1: all.
    "increment" DOUBLE -- [as `unit`] What this point adds to the sum of its series.
);

-- Every span as it was sent, with its parent, duration, status and events.
CREATE TABLE spans (
    "id" VARCHAR, -- Row id, derived from the record's content under this installation's key: the same record sent twice has the same id.
    "time" TIMESTAMP WITH TIME ZONE, -- When it happened (spans: when it began).
    "end_time" TIMESTAMP WITH TIME ZONE, -- When the span ended.
    "ingest_day" DATE, -- UTC day in which the row's segment was closed; the Parquet files are partitioned by it.
    "received_at" TIMESTAMP WITH TIME ZONE, -- When the request arrived here.
    "client" VARCHAR, -- Which client sent it: `claude_code`, `codex`, `gemini_cli`, or NULL.
    "name" VARCHAR, -- Name of the span.
    "span_type" VARCHAR, -- Claude Code's type of the span.
    "trace_id" VARCHAR, -- Trace, 32 hex digits.
    "span_id" VARCHAR, -- Span, 16 hex digits.
    "parent_span_id" VARCHAR, -- Parent span; NULL for a root.
    "kind" VARCHAR, -- `internal`, `server`, `client`, `producer`, `consumer` or NULL.
    "span_duration_ns" BIGINT, -- [ns] End less start.
    "status" VARCHAR, -- `ok`, `error` or NULL.
    "status_message" VARCHAR, -- Its message, sanitized.
    "session_id" VARCHAR, -- Session.
    "user" VARCHAR, -- Who: pseudonym of the e-mail, else the account, else the installation.
    "user_id" VARCHAR, -- Pseudonym of the client's installation id.
    "user_email" VARCHAR, -- Pseudonym of the account's e-mail address.
    "account_id" VARCHAR, -- Pseudonym of the account.
    "organization_id" VARCHAR, -- Pseudonym of the organization.
    "team" VARCHAR, -- Team tag.
    "chapter" VARCHAR, -- Chapter tag.
    "project" VARCHAR, -- Project tag.
    "repository" VARCHAR, -- Repository.
    "branch" VARCHAR, -- Git branch.
    "prompt_id" VARCHAR, -- Prompt the record belongs to.
    "request_id" VARCHAR, -- API request.
    "tool_use_id" VARCHAR, -- Tool call.
    "agent_id" VARCHAR, -- Subagent that did it; NULL for the main agent.
    "agent_name" VARCHAR, -- Kind of agent.
    "model" VARCHAR, -- Model.
    "query_source" VARCHAR, -- What the request was made for (`sdk`, `main`, `subagent`, `compact` …).
    "effort" VARCHAR, -- Reasoning effort.
    "speed" VARCHAR, -- Speed tier.
    "input_tokens" BIGINT, -- [tokens] Fresh input, neither read from nor written to the cache.
    "cache_read_tokens" BIGINT, -- [tokens] Input read from the cache.
    "cache_creation_tokens" BIGINT, -- [tokens] Input written to the cache, both lifetimes.
    "output_tokens" BIGINT, -- [tokens] Output, reasoning included.
    "duration_ms" DOUBLE, -- [ms] Duration (API requests: of the last attempt).
    "ttft_ms" DOUBLE, -- [ms] Time to the first token.
    "attempt" BIGINT, -- Attempts made.
    "status_code" BIGINT, -- HTTP status of the API.
    "success" BOOLEAN, -- Did it succeed?
    "error" VARCHAR, -- Error text, sanitized.
    "error_type" VARCHAR, -- Class of the error.
    "tool_name" VARCHAR, -- Tool.
    "mcp_server" VARCHAR, -- MCP server.
    "mcp_tool" VARCHAR, -- MCP tool.
    "skill_name" VARCHAR, -- Skill.
    "plugin_name" VARCHAR, -- Plugin.
    "decision" VARCHAR, -- What was decided about a tool call (`accept`, `reject` …).
    "decision_source" VARCHAR, -- Who decided (`config`, `user_temporary` …).
    "prompt" VARCHAR, -- Prompt text, if the client sends it, sanitized.
    "prompt_length" BIGINT, -- [UTF-16 units] Length of the prompt.
    "app_version" VARCHAR, -- Version of the client; from `service.version` when the record has none.
    "entrypoint" VARCHAR, -- How the client was started (`cli`, `sdk-cli`, `claude-vscode` …).
    "terminal_type" VARCHAR, -- Terminal or editor.
    "attributes" JSON, -- All attributes of the span, typed, under the client's own names.
    "resource" JSON, -- Resource attributes.
    "events" JSON, -- Span events: list of time_unix_nano, name, attributes.
    "links" JSON, -- Span links: list of trace_id, span_id, attributes.
    "time_from" VARCHAR, -- Where `time` was taken from when the record had none: `observed` or `received`.
    "trace_state" VARCHAR, -- W3C trace state.
    "flags" BIGINT, -- W3C trace flags, or data point flags; NULL is 0.
    "dropped_attributes_count" BIGINT, -- Attributes the client dropped itself; NULL is 0.
    "dropped_events_count" BIGINT, -- Events the client dropped itself.
    "dropped_links_count" BIGINT, -- Links the client dropped itself.
    "source" VARCHAR, -- How the record came here: `transcript`, `hook` or `hand`; NULL for what clients export themselves.
    "sample_ratio" DOUBLE, -- Share of sessions whose records of this type are kept; NULL is 1: all.
    "scope_name" VARCHAR, -- Instrumentation scope.
    "scope_version" VARCHAR, -- Version of the scope.
    "scope_meta" JSON, -- Schema URL, attributes and dropped count of the scope, if any.
    "resource_meta" JSON, -- Schema URL, entity references and dropped count of the resource, if any.
    "seg" BIGINT -- Number of the journal segment the row was acknowledged in.
);

-- What each event and each point of Claude Code's metrics adds to the totals, and what expired days added, summed up. Tokens and cost come from events, lines, commits, pull requests and active time from metrics: never both, never added. A row of an expired ingest day stands for all of a session's events, or points, of one day that agree in its columns.
CREATE TABLE usage_facts (
    "time" TIMESTAMP WITH TIME ZONE, -- When it happened; the last time where a row stands for several.
    "first_time" TIMESTAMP WITH TIME ZONE, -- The first time where a row stands for several.
    "event_time" TIMESTAMP WITH TIME ZONE, -- As `time` for events; NULL for points.
    "first_event_time" TIMESTAMP WITH TIME ZONE, -- As `first_time` for events; NULL for points.
    "day" DATE, -- UTC day in which it happened.
    "ingest_day" DATE, -- UTC day in which the row's segment was closed; the Parquet files are partitioned by it.
    "client" VARCHAR, -- Which client sent it: `claude_code`, `codex`, `gemini_cli`, or NULL.
    "session_id" VARCHAR, -- Session.
    "user" VARCHAR, -- Who: pseudonym of the e-mail, else the account, else the installation.
    "user_id" VARCHAR, -- Pseudonym of the client's installation id.
    "account_id" VARCHAR, -- Pseudonym of the account.
    "team" VARCHAR, -- Team tag.
    "chapter" VARCHAR, -- Chapter tag, else the chapter the session was in at that moment.
    "project" VARCHAR, -- Project tag, else the project the session was in at that moment.
    "repository" VARCHAR, -- Repository, else the one the session was in at that moment.
    "branch" VARCHAR, -- Git branch, else the one the session was on at that moment.
    "app_version" VARCHAR, -- Version of the client; from `service.version` when the record has none.
    "model" VARCHAR, -- Model; NULL for points.
    "query_source" VARCHAR, -- What the request was made for (`sdk`, `main`, `subagent`, `compact` …).
    "sample_ratio" DOUBLE, -- Share of sessions whose records of this type are kept; NULL is 1: all.
    "prompts" BIGINT, -- 1 for a prompt, 0 for other events, NULL for points.
    "requests" BIGINT, -- 1 for an answered request to a model.
    "errors" BIGINT, -- 1 for a request given up.
    "tool_calls" BIGINT, -- 1 for a tool that ran.
    "failed_tool_calls" BIGINT, -- 1 for a tool that failed.
    "rejected_tool_calls" BIGINT, -- 1 for a tool call that was rejected.
    "input_tokens" BIGINT, -- [tokens] Fresh input of a request.
    "cache_read_tokens" BIGINT, -- [tokens] Read from the cache.
    "cache_creation_tokens" BIGINT, -- [tokens] Written to the cache.
    "output_tokens" BIGINT, -- [tokens] Output of a request.
    "cost_usd" DECIMAL(38,9), -- [USD] Cost of a request, as reported.
    "unpriced_requests" BIGINT, -- 1 for a request without a reported cost.
    "active_seconds" DOUBLE, -- [s] Active time; NULL for events, as for the following.
    "lines_added" DOUBLE, -- Lines added.
    "lines_removed" DOUBLE, -- Lines removed.
    "commits" DOUBLE, -- Commits.
    "pull_requests" DOUBLE -- Pull requests.
);

-- The same as usage_facts with all closed days summed up by session; for parts of days use usage_facts.
CREATE TABLE usage_days (
    "time" TIMESTAMP WITH TIME ZONE, -- When it happened; the last time where a row stands for several.
    "first_time" TIMESTAMP WITH TIME ZONE, -- The first time where a row stands for several.
    "event_time" TIMESTAMP WITH TIME ZONE, -- As `time` for events; NULL for points.
    "first_event_time" TIMESTAMP WITH TIME ZONE, -- As `first_time` for events; NULL for points.
    "day" DATE, -- UTC day in which it happened.
    "ingest_day" DATE, -- UTC day in which the row's segment was closed; the Parquet files are partitioned by it.
    "client" VARCHAR, -- Which client sent it: `claude_code`, `codex`, `gemini_cli`, or NULL.
    "session_id" VARCHAR, -- Session.
    "user" VARCHAR, -- Who: pseudonym of the e-mail, else the account, else the installation.
    "user_id" VARCHAR, -- Pseudonym of the client's installation id.
    "account_id" VARCHAR, -- Pseudonym of the account.
    "team" VARCHAR, -- Team tag.
    "chapter" VARCHAR, -- Chapter tag, else the chapter the session was in at that moment.
    "project" VARCHAR, -- Project tag, else the project the session was in at that moment.
    "repository" VARCHAR, -- Repository, else the one the session was in at that moment.
    "branch" VARCHAR, -- Git branch, else the one the session was on at that moment.
    "app_version" VARCHAR, -- Version of the client; from `service.version` when the record has none.
    "model" VARCHAR, -- Model; NULL for points.
    "query_source" VARCHAR, -- What the request was made for (`sdk`, `main`, `subagent`, `compact` …).
    "sample_ratio" DOUBLE, -- Share of sessions whose records of this type are kept; NULL is 1: all.
    "prompts" BIGINT, -- 1 for a prompt, 0 for other events, NULL for points.
    "requests" BIGINT, -- 1 for an answered request to a model.
    "errors" BIGINT, -- 1 for a request given up.
    "tool_calls" BIGINT, -- 1 for a tool that ran.
    "failed_tool_calls" BIGINT, -- 1 for a tool that failed.
    "rejected_tool_calls" BIGINT, -- 1 for a tool call that was rejected.
    "input_tokens" BIGINT, -- [tokens] Fresh input of a request.
    "cache_read_tokens" BIGINT, -- [tokens] Read from the cache.
    "cache_creation_tokens" BIGINT, -- [tokens] Written to the cache.
    "output_tokens" BIGINT, -- [tokens] Output of a request.
    "cost_usd" DECIMAL(38,9), -- [USD] Cost of a request, as reported.
    "unpriced_requests" BIGINT, -- 1 for a request without a reported cost.
    "active_seconds" DOUBLE, -- [s] Active time; NULL for events, as for the following.
    "lines_added" DOUBLE, -- Lines added.
    "lines_removed" DOUBLE, -- Lines removed.
    "commits" DOUBLE, -- Commits.
    "pull_requests" DOUBLE -- Pull requests.
);

-- One row a session: who, when, what it used, what it cost and what it brought.
CREATE TABLE sessions (
    "session_id" VARCHAR, -- Session.
    "client" VARCHAR, -- Which client: the last one known, as for the following.
    "user" VARCHAR, -- Who.
    "team" VARCHAR, -- Team tag.
    "chapter" VARCHAR, -- Chapter tag.
    "project" VARCHAR, -- Project tag.
    "repository" VARCHAR, -- Repository.
    "branch" VARCHAR, -- Git branch.
    "app_version" VARCHAR, -- Version of the client.
    "started_at" TIMESTAMP WITH TIME ZONE, -- Its first event.
    "ended_at" TIMESTAMP WITH TIME ZONE, -- Its last event so far.
    "models" VARCHAR[], -- Models that answered its requests; NULL when none did.
    "prompts" BIGINT, -- Prompts; NULL when only metrics arrived, as for the following.
    "requests" BIGINT, -- Answered requests to a model.
    "errors" BIGINT, -- Requests given up.
    "tool_calls" BIGINT, -- Tools that ran.
    "failed_tool_calls" BIGINT, -- Of these, those that failed.
    "rejected_tool_calls" BIGINT, -- Tool calls rejected; they never ran.
    "input_tokens" BIGINT, -- [tokens] Fresh input; NULL when no request told.
    "cache_read_tokens" BIGINT, -- [tokens] Input read from the cache.
    "cache_creation_tokens" BIGINT, -- [tokens] Input written to the cache.
    "output_tokens" BIGINT, -- [tokens] Output, reasoning included.
    "cost_usd" DECIMAL(38,9), -- [USD] Cost as the clients reported it; NULL when none was reported.
    "unpriced_requests" BIGINT, -- Requests without a reported cost: what `cost_usd` leaves out.
    "active_seconds" DOUBLE, -- [s] Active time; NULL when no metrics arrived, as for the following.
    "lines_added" BIGINT, -- Lines added.
    "lines_removed" BIGINT, -- Lines removed.
    "commits" BIGINT, -- Commits.
    "pull_requests" BIGINT, -- Pull requests.
    "sample_ratio" DOUBLE -- Smallest share of sessions kept of any type counted here; NULL: all of them. Tokens and cost are never sampled.
);

-- One row a user: sessions, prompts, tokens, cost and lines over all time; NULL gathers what names no user.
CREATE TABLE users (
    "user" VARCHAR, -- Who: pseudonym of the e-mail, else the account, else the installation.
    "team" VARCHAR, -- Last team tag known.
    "clients" VARCHAR[], -- Clients used.
    "first_seen" TIMESTAMP WITH TIME ZONE, -- First event or point.
    "last_seen" TIMESTAMP WITH TIME ZONE, -- Last event or point.
    "sessions" BIGINT, -- Distinct sessions.
    "prompts" BIGINT, -- Prompts; NULL when only metrics arrived, as for the following.
    "requests" BIGINT, -- Answered requests to a model.
    "errors" BIGINT, -- Requests given up.
    "tool_calls" BIGINT, -- Tools that ran.
    "failed_tool_calls" BIGINT, -- Of these, those that failed.
    "rejected_tool_calls" BIGINT, -- Tool calls rejected; they never ran.
    "input_tokens" BIGINT, -- [tokens] Fresh input; NULL when no request told.
    "cache_read_tokens" BIGINT, -- [tokens] Input read from the cache.
    "cache_creation_tokens" BIGINT, -- [tokens] Input written to the cache.
    "output_tokens" BIGINT, -- [tokens] Output, reasoning included.
    "cost_usd" DECIMAL(38,9), -- [USD] Cost as the clients reported it; NULL when none was reported.
    "unpriced_requests" BIGINT, -- Requests without a reported cost: what `cost_usd` leaves out.
    "active_seconds" DOUBLE, -- [s] Active time; NULL when no metrics arrived, as for the following.
    "lines_added" BIGINT, -- Lines added.
    "lines_removed" BIGINT, -- Lines removed.
    "commits" BIGINT, -- Commits.
    "pull_requests" BIGINT, -- Pull requests.
    "sample_ratio" DOUBLE -- Smallest share of sessions kept of any type counted here; NULL: all of them. Tokens and cost are never sampled.
);

-- One row for each UTC day, user, team, chapter, repository, branch, client, model and query source. All but `sessions` may be added up; what knows no model (prompts, tools, lines) stands in rows without one.
CREATE TABLE daily_metrics (
    "day" DATE, -- UTC day in which it happened.
    "user" VARCHAR, -- Who: pseudonym of the e-mail, else the account, else the installation.
    "team" VARCHAR, -- Team tag.
    "chapter" VARCHAR, -- Chapter tag, else the chapter the session was in at that moment.
    "repository" VARCHAR, -- Repository, else the one the session was in at that moment.
    "branch" VARCHAR, -- Git branch, else the one the session was on at that moment.
    "client" VARCHAR, -- Which client sent it: `claude_code`, `codex`, `gemini_cli`, or NULL.
    "model" VARCHAR, -- Model; NULL for points.
    "query_source" VARCHAR, -- What the request was made for (`sdk`, `main`, `subagent`, `compact` …).
    "sessions" BIGINT, -- Distinct sessions; a session counts in every row it touches.
    "prompts" BIGINT, -- Prompts; NULL when only metrics arrived, as for the following.
    "requests" BIGINT, -- Answered requests to a model.
    "errors" BIGINT, -- Requests given up.
    "tool_calls" BIGINT, -- Tools that ran.
    "failed_tool_calls" BIGINT, -- Of these, those that failed.
    "rejected_tool_calls" BIGINT, -- Tool calls rejected; they never ran.
    "input_tokens" BIGINT, -- [tokens] Fresh input; NULL when no request told.
    "cache_read_tokens" BIGINT, -- [tokens] Input read from the cache.
    "cache_creation_tokens" BIGINT, -- [tokens] Input written to the cache.
    "output_tokens" BIGINT, -- [tokens] Output, reasoning included.
    "cost_usd" DECIMAL(38,9), -- [USD] Cost as the clients reported it; NULL when none was reported.
    "unpriced_requests" BIGINT, -- Requests without a reported cost: what `cost_usd` leaves out.
    "active_seconds" DOUBLE, -- [s] Active time; NULL when no metrics arrived, as for the following.
    "lines_added" BIGINT, -- Lines added.
    "lines_removed" BIGINT, -- Lines removed.
    "commits" BIGINT, -- Commits.
    "pull_requests" BIGINT, -- Pull requests.
    "sample_ratio" DOUBLE -- Smallest share of sessions kept of any type counted here; NULL: all of them. Tokens and cost are never sampled.
);

-- Log records in the columns of the OpenTelemetry Collector's ClickHouse exporter. Times are TIMESTAMPTZ (microseconds), so that they compare with now() in every time zone; nothing is NULL there.
CREATE TABLE otel_logs (
    "Timestamp" TIMESTAMP WITH TIME ZONE, -- When it happened.
    "TimestampTime" TIMESTAMP WITH TIME ZONE, -- The same, in whole seconds.
    "TraceId" VARCHAR, -- Trace, 32 hex digits.
    "SpanId" VARCHAR, -- Span, 16 hex digits.
    "TraceFlags" UTINYINT, -- W3C trace flags.
    "SeverityText" VARCHAR, -- Severity as the client calls it.
    "SeverityNumber" UTINYINT, -- OTLP severity.
    "ServiceName" VARCHAR, -- The resource's service.name; anybody can set it.
    "Body" VARCHAR, -- Body as text.
    "ResourceSchemaUrl" VARCHAR, -- Schema URL of the resource.
    "ResourceAttributes" MAP(VARCHAR, VARCHAR), -- Resource attributes, as text.
    "ScopeSchemaUrl" VARCHAR, -- Schema URL of the scope.
    "ScopeName" VARCHAR, -- Instrumentation scope.
    "ScopeVersion" VARCHAR, -- Version of the scope.
    "ScopeAttributes" MAP(VARCHAR, VARCHAR), -- Attributes of the scope, as text.
    "LogAttributes" MAP(VARCHAR, VARCHAR), -- Attributes, as text.
    "EventName" VARCHAR -- The event_name field as sent; Claude Code leaves it empty.
);

-- Spans in the columns of the OpenTelemetry Collector's ClickHouse exporter; nested columns are lists of one length.
CREATE TABLE otel_traces (
    "Timestamp" TIMESTAMP WITH TIME ZONE, -- When the span began.
    "TraceId" VARCHAR, -- Trace, 32 hex digits.
    "SpanId" VARCHAR, -- Span, 16 hex digits.
    "ParentSpanId" VARCHAR, -- Parent span; empty for a root.
    "TraceState" VARCHAR, -- W3C trace state.
    "SpanName" VARCHAR, -- Name of the span.
    "SpanKind" VARCHAR, -- Kind: Internal, Server, Client, Producer, Consumer or Unspecified.
    "ServiceName" VARCHAR, -- The resource's service.name; anybody can set it.
    "ResourceAttributes" MAP(VARCHAR, VARCHAR), -- Resource attributes, as text.
    "ScopeName" VARCHAR, -- Instrumentation scope.
    "ScopeVersion" VARCHAR, -- Version of the scope.
    "SpanAttributes" MAP(VARCHAR, VARCHAR), -- Attributes, as text.
    "Duration" UBIGINT, -- [ns] End less start.
    "StatusCode" VARCHAR, -- Unset, Ok or Error.
    "StatusMessage" VARCHAR, -- Its message, sanitized.
    "Events.Timestamp" TIMESTAMP WITH TIME ZONE[], -- Span events: when.
    "Events.Name" VARCHAR[], -- Span events: name.
    "Events.Attributes" MAP(VARCHAR, VARCHAR)[], -- Span events: attributes.
    "Links.TraceId" VARCHAR[], -- Links: trace.
    "Links.SpanId" VARCHAR[], -- Links: span.
    "Links.TraceState" VARCHAR[], -- Links: trace state.
    "Links.Attributes" MAP(VARCHAR, VARCHAR)[] -- Links: attributes.
);

-- Points of sums in the columns of the OpenTelemetry Collector's ClickHouse exporter.
CREATE TABLE otel_metrics_sum (
    "ResourceAttributes" MAP(VARCHAR, VARCHAR), -- Resource attributes, as text.
    "ResourceSchemaUrl" VARCHAR, -- Schema URL of the resource.
    "ScopeName" VARCHAR, -- Instrumentation scope.
    "ScopeVersion" VARCHAR, -- Version of the scope.
    "ScopeAttributes" MAP(VARCHAR, VARCHAR), -- Attributes of the scope, as text.
    "ScopeDroppedAttrCount" UINTEGER, -- Attributes of the scope the client dropped.
    "ScopeSchemaUrl" VARCHAR, -- Schema URL of the scope.
    "ServiceName" VARCHAR, -- The resource's service.name; anybody can set it.
    "MetricName" VARCHAR, -- Name of the metric.
    "MetricDescription" VARCHAR, -- Its description.
    "MetricUnit" VARCHAR, -- Its unit.
    "Attributes" MAP(VARCHAR, VARCHAR), -- Attributes of the point, as text.
    "StartTimeUnix" TIMESTAMP WITH TIME ZONE, -- Since when the point counts; 1970 when not sent.
    "TimeUnix" TIMESTAMP WITH TIME ZONE, -- When it was measured.
    "Value" DOUBLE, -- Value of the point.
    "Flags" UINTEGER, -- Flags of the point.
    "Exemplars.FilteredAttributes" MAP(VARCHAR, VARCHAR)[], -- Exemplars: attributes.
    "Exemplars.TimeUnix" TIMESTAMP WITH TIME ZONE[], -- Exemplars: when.
    "Exemplars.Value" DOUBLE[], -- Exemplars: value.
    "Exemplars.SpanId" VARCHAR[], -- Exemplars: span.
    "Exemplars.TraceId" VARCHAR[], -- Exemplars: trace.
    "AggregationTemporality" INTEGER, -- 1 delta, 2 cumulative, 0 neither.
    "IsMonotonic" BOOLEAN -- Only ever grows.
);

-- Points of gauges in the columns of the OpenTelemetry Collector's ClickHouse exporter.
CREATE TABLE otel_metrics_gauge (
    "ResourceAttributes" MAP(VARCHAR, VARCHAR), -- Resource attributes, as text.
    "ResourceSchemaUrl" VARCHAR, -- Schema URL of the resource.
    "ScopeName" VARCHAR, -- Instrumentation scope.
    "ScopeVersion" VARCHAR, -- Version of the scope.
    "ScopeAttributes" MAP(VARCHAR, VARCHAR), -- Attributes of the scope, as text.
    "ScopeDroppedAttrCount" UINTEGER, -- Attributes of the scope the client dropped.
    "ScopeSchemaUrl" VARCHAR, -- Schema URL of the scope.
    "ServiceName" VARCHAR, -- The resource's service.name; anybody can set it.
    "MetricName" VARCHAR, -- Name of the metric.
    "MetricDescription" VARCHAR, -- Its description.
    "MetricUnit" VARCHAR, -- Its unit.
    "Attributes" MAP(VARCHAR, VARCHAR), -- Attributes of the point, as text.
    "StartTimeUnix" TIMESTAMP WITH TIME ZONE, -- Since when the point counts; 1970 when not sent.
    "TimeUnix" TIMESTAMP WITH TIME ZONE, -- When it was measured.
    "Value" DOUBLE, -- Value of the point.
    "Flags" UINTEGER, -- Flags of the point.
    "Exemplars.FilteredAttributes" MAP(VARCHAR, VARCHAR)[], -- Exemplars: attributes.
    "Exemplars.TimeUnix" TIMESTAMP WITH TIME ZONE[], -- Exemplars: when.
    "Exemplars.Value" DOUBLE[], -- Exemplars: value.
    "Exemplars.SpanId" VARCHAR[], -- Exemplars: span.
    "Exemplars.TraceId" VARCHAR[] -- Exemplars: trace.
);

-- Points of histograms in the columns of the OpenTelemetry Collector's ClickHouse exporter.
CREATE TABLE otel_metrics_histogram (
    "ResourceAttributes" MAP(VARCHAR, VARCHAR), -- Resource attributes, as text.
    "ResourceSchemaUrl" VARCHAR, -- Schema URL of the resource.
    "ScopeName" VARCHAR, -- Instrumentation scope.
    "ScopeVersion" VARCHAR, -- Version of the scope.
    "ScopeAttributes" MAP(VARCHAR, VARCHAR), -- Attributes of the scope, as text.
    "ScopeDroppedAttrCount" UINTEGER, -- Attributes of the scope the client dropped.
    "ScopeSchemaUrl" VARCHAR, -- Schema URL of the scope.
    "ServiceName" VARCHAR, -- The resource's service.name; anybody can set it.
    "MetricName" VARCHAR, -- Name of the metric.
    "MetricDescription" VARCHAR, -- Its description.
    "MetricUnit" VARCHAR, -- Its unit.
    "Attributes" MAP(VARCHAR, VARCHAR), -- Attributes of the point, as text.
    "StartTimeUnix" TIMESTAMP WITH TIME ZONE, -- Since when the point counts; 1970 when not sent.
    "TimeUnix" TIMESTAMP WITH TIME ZONE, -- When it was measured.
    "Count" UBIGINT, -- Number of values.
    "Sum" DOUBLE, -- Their sum; 0 when not sent.
    "BucketCounts" UBIGINT[], -- Values a bucket.
    "ExplicitBounds" DOUBLE[], -- Upper bounds of the buckets.
    "Exemplars.FilteredAttributes" MAP(VARCHAR, VARCHAR)[], -- Exemplars: attributes.
    "Exemplars.TimeUnix" TIMESTAMP WITH TIME ZONE[], -- Exemplars: when.
    "Exemplars.Value" DOUBLE[], -- Exemplars: value.
    "Exemplars.SpanId" VARCHAR[], -- Exemplars: span.
    "Exemplars.TraceId" VARCHAR[], -- Exemplars: trace.
    "Flags" UINTEGER, -- Flags of the point.
    "Min" DOUBLE, -- The smallest value; 0 when not sent.
    "Max" DOUBLE, -- The largest value; 0 when not sent.
    "AggregationTemporality" INTEGER -- 1 delta, 2 cumulative, 0 neither.
);

-- Points of exponential histograms in the columns of the OpenTelemetry Collector's ClickHouse exporter.
CREATE TABLE otel_metrics_exponential_histogram (
    "ResourceAttributes" MAP(VARCHAR, VARCHAR), -- Resource attributes, as text.
    "ResourceSchemaUrl" VARCHAR, -- Schema URL of the resource.
    "ScopeName" VARCHAR, -- Instrumentation scope.
    "ScopeVersion" VARCHAR, -- Version of the scope.
    "ScopeAttributes" MAP(VARCHAR, VARCHAR), -- Attributes of the scope, as text.
    "ScopeDroppedAttrCount" UINTEGER, -- Attributes of the scope the client dropped.
    "ScopeSchemaUrl" VARCHAR, -- Schema URL of the scope.
    "ServiceName" VARCHAR, -- The resource's service.name; anybody can set it.
    "MetricName" VARCHAR, -- Name of the metric.
    "MetricDescription" VARCHAR, -- Its description.
    "MetricUnit" VARCHAR, -- Its unit.
    "Attributes" MAP(VARCHAR, VARCHAR), -- Attributes of the point, as text.
    "StartTimeUnix" TIMESTAMP WITH TIME ZONE, -- Since when the point counts; 1970 when not sent.
    "TimeUnix" TIMESTAMP WITH TIME ZONE, -- When it was measured.
    "Count" UBIGINT, -- Number of values.
    "Sum" DOUBLE, -- Their sum; 0 when not sent.
    "Scale" INTEGER, -- Resolution of the buckets.
    "ZeroCount" UBIGINT, -- Values that count as zero.
    "PositiveOffset" INTEGER, -- First bucket above zero.
    "PositiveBucketCounts" UBIGINT[], -- Values a bucket above zero.
    "NegativeOffset" INTEGER, -- First bucket below zero.
    "NegativeBucketCounts" UBIGINT[], -- Values a bucket below zero.
    "Exemplars.FilteredAttributes" MAP(VARCHAR, VARCHAR)[], -- Exemplars: attributes.
    "Exemplars.TimeUnix" TIMESTAMP WITH TIME ZONE[], -- Exemplars: when.
    "Exemplars.Value" DOUBLE[], -- Exemplars: value.
    "Exemplars.SpanId" VARCHAR[], -- Exemplars: span.
    "Exemplars.TraceId" VARCHAR[], -- Exemplars: trace.
    "Flags" UINTEGER, -- Flags of the point.
    "Min" DOUBLE, -- The smallest value; 0 when not sent.
    "Max" DOUBLE, -- The largest value; 0 when not sent.
    "AggregationTemporality" INTEGER -- 1 delta, 2 cumulative, 0 neither.
);

-- Points of summaries in the columns of the OpenTelemetry Collector's ClickHouse exporter.
CREATE TABLE otel_metrics_summary (
    "ResourceAttributes" MAP(VARCHAR, VARCHAR), -- Resource attributes, as text.
    "ResourceSchemaUrl" VARCHAR, -- Schema URL of the resource.
    "ScopeName" VARCHAR, -- Instrumentation scope.
    "ScopeVersion" VARCHAR, -- Version of the scope.
    "ScopeAttributes" MAP(VARCHAR, VARCHAR), -- Attributes of the scope, as text.
    "ScopeDroppedAttrCount" UINTEGER, -- Attributes of the scope the client dropped.
    "ScopeSchemaUrl" VARCHAR, -- Schema URL of the scope.
    "ServiceName" VARCHAR, -- The resource's service.name; anybody can set it.
    "MetricName" VARCHAR, -- Name of the metric.
    "MetricDescription" VARCHAR, -- Its description.
    "MetricUnit" VARCHAR, -- Its unit.
    "Attributes" MAP(VARCHAR, VARCHAR), -- Attributes of the point, as text.
    "StartTimeUnix" TIMESTAMP WITH TIME ZONE, -- Since when the point counts; 1970 when not sent.
    "TimeUnix" TIMESTAMP WITH TIME ZONE, -- When it was measured.
    "Count" UBIGINT, -- Number of values.
    "Sum" DOUBLE, -- Their sum; 0 when not sent.
    "ValueAtQuantiles.Quantile" DOUBLE[], -- Quantiles: which.
    "ValueAtQuantiles.Value" DOUBLE[], -- Quantiles: value.
    "Flags" UINTEGER -- Flags of the point.
);

-- What the sanitizer replaced: one row for each UTC day, rule and attribute. Counts only; no value, no digest.
CREATE TABLE sanitizer_audit (
    "day" DATE, -- UTC day in which it was counted; the counts of a minute are added together.
    "rule" VARCHAR, -- Rule that replaced something; `sanitizer-error` where a value could not be judged and was replaced whole.
    "attribute" VARCHAR, -- Attribute in which it stood, `text` for what has no name (bodies, messages), `attribute name` for names.
    "count" BIGINT -- Replacements.
);

-- Records that were not stored on purpose: one row for each UTC day, client, event and rule. Counts only.
CREATE TABLE dropped_records (
    "day" DATE, -- UTC day in which they arrived.
    "client" VARCHAR, -- Client that sent them; empty when unknown.
    "event" VARCHAR, -- Their event, span or metric.
    "rule" VARCHAR, -- Rule by which they are noise; `sampling`, or `purged` for what a purge keeps from coming back.
    "count" BIGINT -- Records.
);

-- Every question that was asked: who, when, from where, and what came of it; never anything of an answer. The owner's alone.
CREATE TABLE access_log (
    "n" BIGINT, -- Number of the line in the log, from 1, without gaps.
    "time" TIMESTAMP WITH TIME ZONE, -- When the question came.
    "day" DATE, -- UTC day.
    "caller" VARCHAR, -- `owner`, the name of a program's token, or the user of this machine who ran a command; empty for a wrong token.
    "via" VARCHAR, -- `http`, or by which of our own programs: `cli`, `mcp`, `report`.
    "address" VARCHAR, -- Address it came from, for `http`; for `mcp` the client, as it calls itself.
    "query_id" VARCHAR, -- Id that the client gave, or was given.
    "statement" VARCHAR, -- The statement as it was asked, through the sanitizer: what must not be stored is not stored here either.
    "format" VARCHAR, -- Format of the answer.
    "outcome" VARCHAR, -- `answered`, `refused` (before anything was read), `stopped` (time or memory), `failed`, or `gone` (nobody waited for it).
    "problem" VARCHAR, -- Kind of error, if there was one.
    "rows" BIGINT, -- Rows that were answered.
    "bytes" BIGINT, -- [bytes] Size of the answer before compression.
    "elapsed_ms" DOUBLE -- [ms] From the question to the end of the answer.
);
