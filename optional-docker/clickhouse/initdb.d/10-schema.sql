-- The tables of the OpenTelemetry Collector's ClickHouse exporter, and the friendly views over them.
-- Written by: python -m tests.shared_machine.schema

CREATE DATABASE IF NOT EXISTS telemetry;
USE telemetry;

CREATE TABLE IF NOT EXISTS otel_logs (
    `Timestamp` DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    `TimestampTime` DateTime DEFAULT toDateTime(Timestamp),
    `TraceId` String CODEC(ZSTD(1)),
    `SpanId` String CODEC(ZSTD(1)),
    `TraceFlags` UInt8,
    `SeverityText` LowCardinality(String) CODEC(ZSTD(1)),
    `SeverityNumber` UInt8,
    `ServiceName` LowCardinality(String) CODEC(ZSTD(1)),
    `Body` String CODEC(ZSTD(1)),
    `ResourceSchemaUrl` LowCardinality(String) CODEC(ZSTD(1)),
    `ResourceAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `ScopeSchemaUrl` LowCardinality(String) CODEC(ZSTD(1)),
    `ScopeName` String CODEC(ZSTD(1)),
    `ScopeVersion` LowCardinality(String) CODEC(ZSTD(1)),
    `ScopeAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `LogAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `EventName` String CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(TimestampTime)
PRIMARY KEY (ServiceName, TimestampTime)
ORDER BY (ServiceName, TimestampTime, Timestamp);

CREATE TABLE IF NOT EXISTS otel_traces (
    `Timestamp` DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    `TraceId` String CODEC(ZSTD(1)),
    `SpanId` String CODEC(ZSTD(1)),
    `ParentSpanId` String CODEC(ZSTD(1)),
    `TraceState` String CODEC(ZSTD(1)),
    `SpanName` LowCardinality(String) CODEC(ZSTD(1)),
    `SpanKind` LowCardinality(String) CODEC(ZSTD(1)),
    `ServiceName` LowCardinality(String) CODEC(ZSTD(1)),
    `ResourceAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `ScopeName` String CODEC(ZSTD(1)),
    `ScopeVersion` String CODEC(ZSTD(1)),
    `SpanAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `Duration` UInt64 CODEC(ZSTD(1)),
    `StatusCode` LowCardinality(String) CODEC(ZSTD(1)),
    `StatusMessage` String CODEC(ZSTD(1)),
    `Events` Nested (
        Timestamp DateTime64(9),
        Name LowCardinality(String),
        Attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),
    `Links` Nested (
        TraceId String,
        SpanId String,
        TraceState String,
        Attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(Timestamp)
ORDER BY (ServiceName, SpanName, toDateTime(Timestamp));

CREATE TABLE IF NOT EXISTS otel_metrics_sum (
    `ResourceAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `ResourceSchemaUrl` String CODEC(ZSTD(1)),
    `ScopeName` String CODEC(ZSTD(1)),
    `ScopeVersion` String CODEC(ZSTD(1)),
    `ScopeAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `ScopeDroppedAttrCount` UInt32 CODEC(ZSTD(1)),
    `ScopeSchemaUrl` String CODEC(ZSTD(1)),
    `ServiceName` LowCardinality(String) CODEC(ZSTD(1)),
    `MetricName` String CODEC(ZSTD(1)),
    `MetricDescription` String CODEC(ZSTD(1)),
    `MetricUnit` String CODEC(ZSTD(1)),
    `Attributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `StartTimeUnix` DateTime64(9) CODEC(Delta, ZSTD(1)),
    `TimeUnix` DateTime64(9) CODEC(Delta, ZSTD(1)),
    `Value` Float64 CODEC(ZSTD(1)),
    `Flags` UInt32 CODEC(ZSTD(1)),
    `Exemplars` Nested (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix DateTime64(9),
        Value Float64,
        SpanId String,
        TraceId String
    ) CODEC(ZSTD(1)),
    `AggregationTemporality` Int32 CODEC(ZSTD(1)),
    `IsMonotonic` Boolean CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(TimeUnix)
ORDER BY (ServiceName, MetricName, Attributes, toUnixTimestamp64Nano(TimeUnix));

CREATE TABLE IF NOT EXISTS otel_metrics_gauge (
    `ResourceAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `ResourceSchemaUrl` String CODEC(ZSTD(1)),
    `ScopeName` String CODEC(ZSTD(1)),
    `ScopeVersion` String CODEC(ZSTD(1)),
    `ScopeAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `ScopeDroppedAttrCount` UInt32 CODEC(ZSTD(1)),
    `ScopeSchemaUrl` String CODEC(ZSTD(1)),
    `ServiceName` LowCardinality(String) CODEC(ZSTD(1)),
    `MetricName` String CODEC(ZSTD(1)),
    `MetricDescription` String CODEC(ZSTD(1)),
    `MetricUnit` String CODEC(ZSTD(1)),
    `Attributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `StartTimeUnix` DateTime64(9) CODEC(Delta, ZSTD(1)),
    `TimeUnix` DateTime64(9) CODEC(Delta, ZSTD(1)),
    `Value` Float64 CODEC(ZSTD(1)),
    `Flags` UInt32 CODEC(ZSTD(1)),
    `Exemplars` Nested (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix DateTime64(9),
        Value Float64,
        SpanId String,
        TraceId String
    ) CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(TimeUnix)
ORDER BY (ServiceName, MetricName, Attributes, toUnixTimestamp64Nano(TimeUnix));

CREATE TABLE IF NOT EXISTS otel_metrics_histogram (
    `ResourceAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `ResourceSchemaUrl` String CODEC(ZSTD(1)),
    `ScopeName` String CODEC(ZSTD(1)),
    `ScopeVersion` String CODEC(ZSTD(1)),
    `ScopeAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `ScopeDroppedAttrCount` UInt32 CODEC(ZSTD(1)),
    `ScopeSchemaUrl` String CODEC(ZSTD(1)),
    `ServiceName` LowCardinality(String) CODEC(ZSTD(1)),
    `MetricName` String CODEC(ZSTD(1)),
    `MetricDescription` String CODEC(ZSTD(1)),
    `MetricUnit` String CODEC(ZSTD(1)),
    `Attributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `StartTimeUnix` DateTime64(9) CODEC(Delta, ZSTD(1)),
    `TimeUnix` DateTime64(9) CODEC(Delta, ZSTD(1)),
    `Count` UInt64 CODEC(Delta, ZSTD(1)),
    `Sum` Float64 CODEC(ZSTD(1)),
    `BucketCounts` Array(UInt64) CODEC(ZSTD(1)),
    `ExplicitBounds` Array(Float64) CODEC(ZSTD(1)),
    `Exemplars` Nested (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix DateTime64(9),
        Value Float64,
        SpanId String,
        TraceId String
    ) CODEC(ZSTD(1)),
    `Flags` UInt32 CODEC(ZSTD(1)),
    `Min` Float64 CODEC(ZSTD(1)),
    `Max` Float64 CODEC(ZSTD(1)),
    `AggregationTemporality` Int32 CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(TimeUnix)
ORDER BY (ServiceName, MetricName, Attributes, toUnixTimestamp64Nano(TimeUnix));

CREATE TABLE IF NOT EXISTS sanitizer_audit (
    `day` Date,
    `rule` LowCardinality(String),
    `attribute` LowCardinality(String),
    `count` Int64
)
ENGINE = SummingMergeTree(count)
ORDER BY (day, rule, attribute);;

CREATE OR REPLACE VIEW events AS
SELECT
    lower(hex(cityHash64(attributes, all_resource, time, all_body, ifNull(span_id, '')))) AS id,
    time,
    toDate(time) AS ingest_day, -- Arrival is not in the exporter's tables.
    toDate(time) AS utc_day,
    toDateTime64(toStartOfHour(time), 6, 'UTC') AS utc_hour,
    CAST(NULL AS Nullable(DateTime64(6, 'UTC'))) AS received_at,
    client,
    event_type,
    nullIf(bare_event, '') AS event,
    session_id,
    coalesce(user_email, account_id, user_id) AS `user`,
    user_id,
    user_email,
    account_id,
    organization_id,
    team,
    chapter,
    project,
    repository,
    branch,
    prompt_id,
    request_id,
    tool_use_id,
    message_id,
    agent_id,
    agent_name,
    model,
    own_query_source AS query_source,
    effort,
    speed,
    own_input AS input_tokens,
    own_read AS cache_read_tokens,
    own_written AS cache_creation_tokens,
    cache_creation_5m_tokens,
    cache_creation_1h_tokens,
    own_output AS output_tokens,
    reasoning_tokens,
    if(
        coalesce(own_input, own_read, own_written) IS NULL,
        NULL,
        coalesce(own_input, 0) + coalesce(own_read, 0) + coalesce(own_written, 0)
    ) AS total_input_tokens,
    cost_usd,
    cost_usd_micros,
    duration_ms,
    ttft_ms,
    attempt,
    status_code,
    success,
    error,
    error_type,
    tool_name,
    mcp_server,
    mcp_tool,
    skill_name,
    plugin_name,
    command_name,
    tool_input_size_bytes,
    tool_result_size_bytes,
    own_decision AS decision,
    decision_source,
    prompt,
    prompt_length,
    response_length,
    if(coalesce(client, '') = 'gemini_cli', app_version, coalesce(app_version, service_version)) AS app_version,
    entrypoint,
    terminal_type,
    event_sequence,
    attributes,
    all_resource AS resource,
    nullIf(all_body, '') AS body,
    CAST(NULL AS Nullable(String)) AS body_type,
    severity_number,
    severity_text,
    trace_id,
    span_id,
    flags,
    time AS observed_time,
    CAST(NULL AS Nullable(String)) AS time_from,
    otlp_event_name,
    CAST(NULL AS Nullable(Int64)) AS dropped_attributes_count,
    source,
    CAST(NULL AS Nullable(Float64)) AS sample_ratio,
    scope_name,
    scope_version,
    CAST(NULL AS Nullable(String)) AS scope_meta,
    CAST(NULL AS Nullable(String)) AS resource_meta,
    CAST(NULL AS Nullable(Int64)) AS seg
FROM (
    SELECT
        *,
        multiIf(
            client = 'codex' AND has_counts, 'api_request',
            client = 'codex' AND bare_event = 'api_request'
            AND (attributes['error.message'] != '' OR coalesce(status_code, 0) >= 400), 'api_error',
            client = 'claude_code' AND bare_event = 'user_prompt', 'user_prompt',
            client = 'claude_code' AND bare_event = 'tool_result', 'tool_call',
            client = 'claude_code' AND bare_event = 'api_request', 'api_request',
            client = 'claude_code' AND bare_event = 'api_error', 'api_error',
            client = 'claude_code' AND bare_event = 'tool_decision', 'validation_result',
            client = 'codex' AND bare_event = 'user_prompt', 'user_prompt',
            client = 'codex' AND bare_event = 'tool_result', 'tool_call',
            client = 'codex' AND bare_event = 'tool_decision', 'validation_result',
            client = 'gemini_cli' AND bare_event = 'user_prompt', 'user_prompt',
            client = 'gemini_cli' AND bare_event = 'tool_call', 'tool_call',
            client = 'gemini_cli' AND bare_event = 'api_response', 'api_request',
            client = 'gemini_cli' AND bare_event = 'api_error', 'api_error',
            client IS NULL AND bare_event = 'user_prompt', 'user_prompt',
            client IS NULL AND bare_event = 'tool_call', 'tool_call',
            client IS NULL AND bare_event = 'api_request', 'api_request',
            client IS NULL AND bare_event = 'api_error', 'api_error',
            client IS NULL AND bare_event = 'validation_result', 'validation_result',
            NULL
        ) AS event_type,
        coalesce(toInt64OrNull(attributes['input_token_count']), 0) AS counted_input,
        coalesce(toInt64OrNull(attributes['output_token_count']), 0) AS counted_output,
        coalesce(toInt64OrNull(attributes['cached_token_count']), 0) AS codex_read,
        coalesce(toInt64OrNull(attributes['cache_write_token_count']), 0) AS codex_written,
        coalesce(toInt64OrNull(attributes['cached_content_token_count']), 0) AS gemini_read,
        coalesce(toInt64OrNull(attributes['thoughts_token_count']), 0) AS gemini_thoughts,
        client = 'codex' AND has_counts AS is_codex,
        client = 'gemini_cli' AND bare_event = 'api_response' AND has_counts AS is_gemini,
        multiIf(
            is_codex, greatest(0, counted_input - codex_read - codex_written),
            is_gemini, greatest(0, counted_input - gemini_read),
            input_tokens
        ) AS own_input,
        multiIf(is_codex, counted_output, is_gemini, counted_output + gemini_thoughts, output_tokens) AS own_output,
        multiIf(is_codex, codex_read, is_gemini, gemini_read, cache_read_tokens) AS own_read,
        multiIf(is_codex, codex_written, cache_creation_tokens) AS own_written,
        if(is_gemini, coalesce(query_source, nullIf(attributes['role'], '')), query_source) AS own_query_source,
        multiIf(
            client = 'codex' AND decision IN ('approved', 'approved_for_session'), 'accept',
            client = 'codex' AND decision IN ('denied', 'abort'), 'reject',
            decision
        ) AS own_decision
    FROM (
        SELECT
            toDateTime64(Timestamp, 6, 'UTC') AS time,
            LogAttributes AS attributes,
            ResourceAttributes AS all_resource,
            Body AS all_body,
            nullIf(TraceId, '') AS trace_id,
            nullIf(SpanId, '') AS span_id,
            nullIf(TraceFlags, 0) AS flags,
            nullIf(SeverityNumber, 0) AS severity_number,
            nullIf(SeverityText, '') AS severity_text,
            nullIf(EventName, '') AS otlp_event_name,
            nullIf(ScopeName, '') AS scope_name,
            nullIf(ScopeVersion, '') AS scope_version,
            nullIf(ResourceAttributes['service.version'], '') AS service_version,
            mapContains(LogAttributes, 'input_token_count') AS has_counts,
            if(
                LogAttributes['event.name'] != '',
                LogAttributes['event.name'],
                if(match(Body, '^[!-~]{1,128}$') AND position(Body, '.') > 0, Body, '')
            ) AS full_event,
            replaceRegexpOne(full_event, '^(claude_code\\.|codex\\.|gemini_cli\\.)', '') AS bare_event,
            multiIf(startsWith(ScopeName, 'com.anthropic.claude_code'), 'claude_code', startsWith(ScopeName, 'codex'), 'codex', startsWith(ScopeName, 'gemini-cli'), 'gemini_cli', startsWith(ScopeName, 'telem-agent.transcript'), 'claude_code', startsWith(ScopeName, 'telem-agent.hook'), 'claude_code', startsWith(full_event, 'claude_code.'), 'claude_code', startsWith(full_event, 'codex.'), 'codex', startsWith(full_event, 'gemini_cli.'), 'gemini_cli', NULL) AS client,
            multiIf(equals(ScopeName, 'telem-agent.transcript'), 'transcript', equals(ScopeName, 'telem-agent.hook'), 'hook', equals(ScopeName, 'telem-agent.hand'), 'hand', NULL) AS source,
            coalesce(nullIf(LogAttributes['session.id'], ''), nullIf(LogAttributes['conversation.id'], ''), nullIf(LogAttributes['gen_ai.conversation.id'], ''), nullIf(ResourceAttributes['session.id'], ''), nullIf(ResourceAttributes['conversation.id'], ''), nullIf(ResourceAttributes['gen_ai.conversation.id'], '')) AS session_id,
            coalesce(nullIf(LogAttributes['user.id'], ''), nullIf(ResourceAttributes['user.id'], '')) AS user_id,
            coalesce(nullIf(LogAttributes['user.email'], ''), nullIf(ResourceAttributes['user.email'], '')) AS user_email,
            coalesce(nullIf(LogAttributes['user.account_uuid'], ''), nullIf(LogAttributes['user.account_id'], ''), nullIf(ResourceAttributes['user.account_uuid'], ''), nullIf(ResourceAttributes['user.account_id'], '')) AS account_id,
            coalesce(nullIf(LogAttributes['organization.id'], ''), nullIf(ResourceAttributes['organization.id'], '')) AS organization_id,
            coalesce(nullIf(LogAttributes['team'], ''), nullIf(LogAttributes['team.id'], ''), nullIf(LogAttributes['team.name'], ''), nullIf(ResourceAttributes['team'], ''), nullIf(ResourceAttributes['team.id'], ''), nullIf(ResourceAttributes['team.name'], '')) AS team,
            coalesce(nullIf(LogAttributes['chapter'], ''), nullIf(ResourceAttributes['chapter'], '')) AS chapter,
            coalesce(nullIf(LogAttributes['project'], ''), nullIf(LogAttributes['project.name'], ''), nullIf(ResourceAttributes['project'], ''), nullIf(ResourceAttributes['project.name'], '')) AS project,
            coalesce(nullIf(LogAttributes['git.branch'], ''), nullIf(LogAttributes['vcs.ref.head.name'], ''), nullIf(LogAttributes['branch'], ''), nullIf(ResourceAttributes['git.branch'], ''), nullIf(ResourceAttributes['vcs.ref.head.name'], ''), nullIf(ResourceAttributes['branch'], '')) AS branch,
            coalesce(nullIf(LogAttributes['vcs.repository.url.full'], ''), nullIf(LogAttributes['vcs.repository.name'], ''), nullIf(LogAttributes['git.repository'], ''), nullIf(LogAttributes['repository'], ''), nullIf(ResourceAttributes['vcs.repository.url.full'], ''), nullIf(ResourceAttributes['vcs.repository.name'], ''), nullIf(ResourceAttributes['git.repository'], ''), nullIf(ResourceAttributes['repository'], '')) AS repository,
            nullIf(LogAttributes['terminal.type'], '') AS terminal_type,
            nullIf(LogAttributes['app.version'], '') AS app_version,
            coalesce(nullIf(LogAttributes['app.entrypoint'], ''), nullIf(LogAttributes['originator'], '')) AS entrypoint,
            toInt64OrNull(nullIf(LogAttributes['event.sequence'], '')) AS event_sequence,
            coalesce(nullIf(LogAttributes['prompt.id'], ''), nullIf(LogAttributes['prompt_id'], '')) AS prompt_id,
            coalesce(nullIf(LogAttributes['request_id'], ''), nullIf(LogAttributes['gen_ai.response.id'], '')) AS request_id,
            coalesce(nullIf(LogAttributes['tool_use_id'], ''), nullIf(LogAttributes['gen_ai.tool.call.id'], ''), nullIf(LogAttributes['call_id'], '')) AS tool_use_id,
            nullIf(LogAttributes['message.uuid'], '') AS message_id,
            nullIf(LogAttributes['agent_id'], '') AS agent_id,
            coalesce(nullIf(LogAttributes['model'], ''), nullIf(LogAttributes['gen_ai.request.model'], '')) AS model,
            coalesce(nullIf(LogAttributes['query_source'], ''), nullIf(LogAttributes['query_source_safe'], '')) AS query_source,
            nullIf(LogAttributes['effort'], '') AS effort,
            nullIf(LogAttributes['speed'], '') AS speed,
            coalesce(nullIf(LogAttributes['agent.name'], ''), nullIf(LogAttributes['agent_type'], ''), nullIf(LogAttributes['subagent_type'], '')) AS agent_name,
            nullIf(LogAttributes['skill.name'], '') AS skill_name,
            nullIf(LogAttributes['plugin.name'], '') AS plugin_name,
            coalesce(nullIf(LogAttributes['mcp_server.name'], ''), nullIf(LogAttributes['mcp_server_name'], ''), nullIf(LogAttributes['server_name'], ''), nullIf(LogAttributes['anthropic.mcp.server.name'], '')) AS mcp_server,
            nullIf(LogAttributes['mcp_tool.name'], '') AS mcp_tool,
            toInt64OrNull(nullIf(LogAttributes['input_tokens'], '')) AS input_tokens,
            toInt64OrNull(nullIf(LogAttributes['output_tokens'], '')) AS output_tokens,
            toInt64OrNull(nullIf(LogAttributes['cache_read_tokens'], '')) AS cache_read_tokens,
            toInt64OrNull(nullIf(LogAttributes['cache_creation_tokens'], '')) AS cache_creation_tokens,
            toInt64OrNull(nullIf(LogAttributes['cache_creation_5m_tokens'], '')) AS cache_creation_5m_tokens,
            toInt64OrNull(nullIf(LogAttributes['cache_creation_1h_tokens'], '')) AS cache_creation_1h_tokens,
            toInt64OrNull(coalesce(nullIf(LogAttributes['reasoning_token_count'], ''), nullIf(LogAttributes['thoughts_token_count'], ''))) AS reasoning_tokens,
            toDecimal64OrNull(toString(round(toFloat64OrNull(nullIf(LogAttributes['cost_usd'], '')), 9)), 9) AS cost_usd,
            toInt64OrNull(nullIf(LogAttributes['cost_usd_micros'], '')) AS cost_usd_micros,
            toFloat64OrNull(coalesce(nullIf(LogAttributes['duration_ms'], ''), nullIf(LogAttributes['total_duration_ms'], ''), nullIf(LogAttributes['interaction.duration_ms'], ''))) AS duration_ms,
            toFloat64OrNull(nullIf(LogAttributes['ttft_ms'], '')) AS ttft_ms,
            coalesce(nullIf(LogAttributes['tool_name'], ''), nullIf(LogAttributes['function_name'], ''), nullIf(LogAttributes['gen_ai.tool.name'], '')) AS tool_name,
            nullIf(LogAttributes['decision'], '') AS decision,
            coalesce(nullIf(LogAttributes['source'], ''), nullIf(LogAttributes['decision_source'], '')) AS decision_source,
            if(nullIf(LogAttributes['success'], '') IN ('true', 'false'), nullIf(LogAttributes['success'], '') = 'true', NULL) AS success,
            coalesce(nullIf(LogAttributes['error'], ''), nullIf(LogAttributes['error_message'], ''), nullIf(LogAttributes['error.message'], '')) AS error,
            coalesce(nullIf(LogAttributes['error_type'], ''), nullIf(LogAttributes['error.type'], ''), nullIf(LogAttributes['error_class'], '')) AS error_type,
            toInt64OrNull(coalesce(nullIf(LogAttributes['status_code'], ''), nullIf(LogAttributes['http.status_code'], ''), nullIf(LogAttributes['http.response.status_code'], ''))) AS status_code,
            toInt64OrNull(coalesce(nullIf(LogAttributes['attempt'], ''), nullIf(LogAttributes['total_attempts'], ''))) AS attempt,
            toInt64OrNull(coalesce(nullIf(LogAttributes['prompt_length'], ''), nullIf(LogAttributes['user_prompt_length'], ''))) AS prompt_length,
            coalesce(nullIf(LogAttributes['prompt'], ''), nullIf(LogAttributes['user_prompt'], '')) AS prompt,
            toInt64OrNull(nullIf(LogAttributes['response_length'], '')) AS response_length,
            nullIf(LogAttributes['command_name'], '') AS command_name,
            toInt64OrNull(nullIf(LogAttributes['tool_input_size_bytes'], '')) AS tool_input_size_bytes,
            toInt64OrNull(coalesce(nullIf(LogAttributes['tool_result_size_bytes'], ''), nullIf(LogAttributes['content_length'], ''))) AS tool_result_size_bytes
        FROM otel_logs
        -- What was read from session logs counts only where the client did not export it.
        WHERE ScopeName != 'telem-agent.transcript' OR multiIf(replaceRegexpOne(if(LogAttributes['event.name'] != '', LogAttributes['event.name'], Body), '^(claude_code\\.|codex\\.|gemini_cli\\.)', '') = 'tool_result', LogAttributes['tool_use_id'], replaceRegexpOne(if(LogAttributes['event.name'] != '', LogAttributes['event.name'], Body), '^(claude_code\\.|codex\\.|gemini_cli\\.)', '') = 'user_prompt', LogAttributes['message.uuid'], LogAttributes['request_id']) = '' OR (replaceRegexpOne(if(LogAttributes['event.name'] != '', LogAttributes['event.name'], Body), '^(claude_code\\.|codex\\.|gemini_cli\\.)', ''), multiIf(replaceRegexpOne(if(LogAttributes['event.name'] != '', LogAttributes['event.name'], Body), '^(claude_code\\.|codex\\.|gemini_cli\\.)', '') = 'tool_result', LogAttributes['tool_use_id'], replaceRegexpOne(if(LogAttributes['event.name'] != '', LogAttributes['event.name'], Body), '^(claude_code\\.|codex\\.|gemini_cli\\.)', '') = 'user_prompt', LogAttributes['message.uuid'], LogAttributes['request_id'])) GLOBAL NOT IN (
            SELECT replaceRegexpOne(if(LogAttributes['event.name'] != '', LogAttributes['event.name'], Body), '^(claude_code\\.|codex\\.|gemini_cli\\.)', ''), multiIf(replaceRegexpOne(if(LogAttributes['event.name'] != '', LogAttributes['event.name'], Body), '^(claude_code\\.|codex\\.|gemini_cli\\.)', '') = 'tool_result', LogAttributes['tool_use_id'], replaceRegexpOne(if(LogAttributes['event.name'] != '', LogAttributes['event.name'], Body), '^(claude_code\\.|codex\\.|gemini_cli\\.)', '') = 'user_prompt', LogAttributes['message.uuid'], LogAttributes['request_id']) FROM otel_logs WHERE ScopeName NOT IN ('telem-agent.transcript', 'telem-agent.hook', 'telem-agent.hand') AND multiIf(replaceRegexpOne(if(LogAttributes['event.name'] != '', LogAttributes['event.name'], Body), '^(claude_code\\.|codex\\.|gemini_cli\\.)', '') = 'tool_result', LogAttributes['tool_use_id'], replaceRegexpOne(if(LogAttributes['event.name'] != '', LogAttributes['event.name'], Body), '^(claude_code\\.|codex\\.|gemini_cli\\.)', '') = 'user_prompt', LogAttributes['message.uuid'], LogAttributes['request_id']) != ''
        )
    )
);

CREATE OR REPLACE VIEW telemetry_events AS
SELECT
    id, time, ingest_day, utc_day, utc_hour, received_at, client, event_type, event, session_id, "user", user_id, user_email,
    account_id, organization_id, team, chapter, project, repository, branch, prompt_id, request_id, tool_use_id,
    message_id, agent_id, agent_name, model, query_source, effort, speed, input_tokens, cache_read_tokens,
    cache_creation_tokens, cache_creation_5m_tokens, cache_creation_1h_tokens, output_tokens, reasoning_tokens,
    total_input_tokens, cost_usd, cost_usd_micros, duration_ms, ttft_ms, attempt, status_code, success,
    error, error_type, tool_name, mcp_server, mcp_tool, skill_name, plugin_name, command_name,
    tool_input_size_bytes, tool_result_size_bytes, decision, decision_source, prompt, prompt_length,
    response_length, app_version, entrypoint, terminal_type, event_sequence, attributes, resource, body, body_type,
    severity_number, severity_text, trace_id, span_id, flags, observed_time, time_from, otlp_event_name,
    dropped_attributes_count, source, sample_ratio, scope_name, scope_version, scope_meta, resource_meta, seg
FROM events
SETTINGS aggregate_functions_null_for_empty = 1, cast_keep_nullable = 1, join_use_nulls = 1, prefer_column_name_to_alias = 1;

CREATE OR REPLACE VIEW session_context AS
SELECT
    session_id,
    time,
    if(is_first, toDateTime64('1970-01-01 00:00:00', 6, 'UTC'), time) AS valid_from,
    coalesce(
        leadInFrame(CAST(time AS Nullable(DateTime64(6, 'UTC')))) OVER (
            PARTITION BY session_id ORDER BY time ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ),
        toDateTime64('2262-01-01 00:00:00', 6, 'UTC')
    ) AS valid_until,
    project,
    chapter,
    repository,
    branch
FROM (
    SELECT
        session_id,
        time,
        project,
        chapter,
        repository,
        branch,
        row_number() OVER told AS place,
        place = 1 AS is_first,
        concat_ws(
            '\n', coalesce(project, ''), coalesce(chapter, ''), coalesce(repository, ''), coalesce(branch, ''),
            attributes['worktree'], attributes['cwd']
        ) AS whereabouts,
        lagInFrame(whereabouts) OVER told AS whereabouts_before
    FROM events
    WHERE event = 'session_context' AND source IS NOT NULL AND session_id IS NOT NULL
    WINDOW told AS (PARTITION BY session_id ORDER BY time, id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)
WHERE is_first OR whereabouts != whereabouts_before;

CREATE OR REPLACE VIEW placed_events AS
SELECT
    e.* EXCEPT (project, chapter, repository, branch),
    coalesce(e.project, c.project) AS project,
    coalesce(e.chapter, c.chapter) AS chapter,
    coalesce(e.repository, c.repository) AS repository,
    coalesce(e.branch, c.branch) AS branch
FROM events AS e
LEFT JOIN session_context AS c
    ON c.session_id = e.session_id AND e.time >= c.valid_from AND e.time < c.valid_until;

CREATE OR REPLACE VIEW api_requests AS
SELECT
    id, time, ingest_day, utc_day, utc_hour, client, session_id, "user", team, chapter, project, repository, branch, prompt_id,
    request_id,
    agent_id, agent_name, skill_name, plugin_name, mcp_server, mcp_tool, model, query_source, effort, speed,
    input_tokens, cache_read_tokens, cache_creation_tokens, cache_creation_5m_tokens, cache_creation_1h_tokens,
    output_tokens, reasoning_tokens, total_input_tokens, cost_usd, duration_ms, ttft_ms, app_version, entrypoint,
    terminal_type, attributes, resource
FROM placed_events
WHERE event_type = 'api_request'
SETTINGS aggregate_functions_null_for_empty = 1, cast_keep_nullable = 1, join_use_nulls = 1, prefer_column_name_to_alias = 1;

CREATE OR REPLACE VIEW api_errors AS
SELECT
    id, time, ingest_day, utc_day, utc_hour, client, session_id, "user", team, chapter, project, repository, branch, prompt_id,
    request_id,
    agent_id, model, query_source, speed, error, error_type, status_code, attempt, duration_ms, app_version, entrypoint,
    terminal_type, attributes, resource
FROM placed_events
WHERE event_type = 'api_error'
SETTINGS aggregate_functions_null_for_empty = 1, cast_keep_nullable = 1, join_use_nulls = 1, prefer_column_name_to_alias = 1;

CREATE OR REPLACE VIEW tool_calls AS
SELECT
    id, time, ingest_day, utc_day, utc_hour, client, session_id, "user", team, chapter, project, repository, branch, prompt_id,
    request_id,
    tool_use_id, agent_id, tool_name, mcp_server, mcp_tool, skill_name, success, error, error_type, duration_ms,
    tool_input_size_bytes, tool_result_size_bytes, decision, decision_source, app_version, entrypoint, terminal_type,
    attributes, resource
FROM placed_events
WHERE event_type = 'tool_call'
SETTINGS aggregate_functions_null_for_empty = 1, cast_keep_nullable = 1, join_use_nulls = 1, prefer_column_name_to_alias = 1;

CREATE OR REPLACE VIEW user_prompts AS
SELECT
    id, time, ingest_day, utc_day, utc_hour, client, session_id, "user", team, chapter, project, repository, branch, prompt_id,
    message_id,
    prompt, prompt_length, command_name, app_version, entrypoint, terminal_type, attributes, resource
FROM placed_events
WHERE event_type = 'user_prompt'
SETTINGS aggregate_functions_null_for_empty = 1, cast_keep_nullable = 1, join_use_nulls = 1, prefer_column_name_to_alias = 1;

CREATE OR REPLACE VIEW validation_results AS
SELECT
    id, time, ingest_day, utc_day, utc_hour, client, session_id, "user", team, chapter, project, repository, branch, prompt_id,
    request_id,
    tool_use_id, agent_id, tool_name, decision, decision_source, app_version, entrypoint, terminal_type, attributes,
    resource
FROM placed_events
WHERE event_type = 'validation_result'
SETTINGS aggregate_functions_null_for_empty = 1, cast_keep_nullable = 1, join_use_nulls = 1, prefer_column_name_to_alias = 1;

CREATE OR REPLACE VIEW model_prices AS
WITH listed AS (
SELECT 'claude-3-5-haiku' AS model, '1970-01-01' AS valid_from, CAST(-1 AS BIGINT) AS input_above, CAST(1000000000000 AS BIGINT) AS input_up_to, CAST(0.80 AS DOUBLE) AS input_usd, CAST(0.08 AS DOUBLE) AS cache_read_usd, CAST(1 AS DOUBLE) AS cache_write_5m_usd, CAST(1.60 AS DOUBLE) AS cache_write_1h_usd, CAST(4 AS DOUBLE) AS output_usd, 'Anthropic' AS published_by
UNION ALL SELECT 'claude-3-7-sonnet' AS model, '1970-01-01' AS valid_from, CAST(-1 AS BIGINT) AS input_above, CAST(1000000000000 AS BIGINT) AS input_up_to, CAST(3 AS DOUBLE) AS input_usd, CAST(0.30 AS DOUBLE) AS cache_read_usd, CAST(3.75 AS DOUBLE) AS cache_write_5m_usd, CAST(6 AS DOUBLE) AS cache_write_1h_usd, CAST(15 AS DOUBLE) AS output_usd, 'Anthropic' AS published_by
UNION ALL SELECT 'claude-fable-5' AS model, '1970-01-01' AS valid_from, CAST(-1 AS BIGINT) AS input_above, CAST(1000000000000 AS BIGINT) AS input_up_to, CAST(10 AS DOUBLE) AS input_usd, CAST(1 AS DOUBLE) AS cache_read_usd, CAST(12.50 AS DOUBLE) AS cache_write_5m_usd, CAST(20 AS DOUBLE) AS cache_write_1h_usd, CAST(50 AS DOUBLE) AS output_usd, 'Anthropic' AS published_by
UNION ALL SELECT 'claude-fable-5-1' AS model, '1970-01-01' AS valid_from, CAST(-1 AS BIGINT) AS input_above, CAST(1000000000000 AS BIGINT) AS input_up_to, CAST(10 AS DOUBLE) AS input_usd, CAST(0.25 AS DOUBLE) AS cache_read_usd, CAST(12.50 AS DOUBLE) AS cache_write_5m_usd, CAST(20 AS DOUBLE) AS cache_write_1h_usd, CAST(50 AS DOUBLE) AS output_usd, 'Anthropic' AS published_by
UNION ALL SELECT 'claude-haiku-4-5' AS model, '1970-01-01' AS valid_from, CAST(-1 AS BIGINT) AS input_above, CAST(1000000000000 AS BIGINT) AS input_up_to, CAST(1 AS DOUBLE) AS input_usd, CAST(0.10 AS DOUBLE) AS cache_read_usd, CAST(1.25 AS DOUBLE) AS cache_write_5m_usd, CAST(2 AS DOUBLE) AS cache_write_1h_usd, CAST(5 AS DOUBLE) AS output_usd, 'Anthropic' AS published_by
UNION ALL SELECT 'claude-haiku-5-5' AS model, '1970-01-01' AS valid_from, CAST(-1 AS BIGINT) AS input_above, CAST(100000 AS BIGINT) AS input_up_to, CAST(0.10 AS DOUBLE) AS input_usd, CAST(0.01 AS DOUBLE) AS cache_read_usd, CAST(0.125 AS DOUBLE) AS cache_write_5m_usd, CAST(0.20 AS DOUBLE) AS cache_write_1h_usd, CAST(0.50 AS DOUBLE) AS output_usd, 'Anthropic' AS published_by
UNION ALL SELECT 'claude-haiku-5-5' AS model, '1970-01-01' AS valid_from, CAST(100000 AS BIGINT) AS input_above, CAST(1000000000000 AS BIGINT) AS input_up_to, CAST(0.50 AS DOUBLE) AS input_usd, CAST(0.05 AS DOUBLE) AS cache_read_usd, CAST(0.625 AS DOUBLE) AS cache_write_5m_usd, CAST(1 AS DOUBLE) AS cache_write_1h_usd, CAST(2.50 AS DOUBLE) AS output_usd, 'Anthropic' AS published_by
UNION ALL SELECT 'claude-opus-4' AS model, '1970-01-01' AS valid_from, CAST(-1 AS BIGINT) AS input_above, CAST(1000000000000 AS BIGINT) AS input_up_to, CAST(15 AS DOUBLE) AS input_usd, CAST(1.50 AS DOUBLE) AS cache_read_usd, CAST(18.75 AS DOUBLE) AS cache_write_5m_usd, CAST(30 AS DOUBLE) AS cache_write_1h_usd, CAST(75 AS DOUBLE) AS output_usd, 'Anthropic' AS published_by
UNION ALL SELECT 'claude-opus-4-1' AS model, '1970-01-01' AS valid_from, CAST(-1 AS BIGINT) AS input_above, CAST(1000000000000 AS BIGINT) AS input_up_to, CAST(15 AS DOUBLE) AS input_usd, CAST(1.50 AS DOUBLE) AS cache_read_usd, CAST(18.75 AS DOUBLE) AS cache_write_5m_usd, CAST(30 AS DOUBLE) AS cache_write_1h_usd, CAST(75 AS DOUBLE) AS output_usd, 'Anthropic' AS published_by
UNION ALL SELECT 'claude-opus-4-5' AS model, '1970-01-01' AS valid_from, CAST(-1 AS BIGINT) AS input_above, CAST(1000000000000 AS BIGINT) AS input_up_to, CAST(5 AS DOUBLE) AS input_usd, CAST(0.50 AS DOUBLE) AS cache_read_usd, CAST(6.25 AS DOUBLE) AS cache_write_5m_usd, CAST(10 AS DOUBLE) AS cache_write_1h_usd, CAST(25 AS DOUBLE) AS output_usd, 'Anthropic' AS published_by
UNION ALL SELECT 'claude-opus-4-6' AS model, '1970-01-01' AS valid_from, CAST(-1 AS BIGINT) AS input_above, CAST(1000000000000 AS BIGINT) AS input_up_to, CAST(5 AS DOUBLE) AS input_usd, CAST(0.50 AS DOUBLE) AS cache_read_usd, CAST(6.25 AS DOUBLE) AS cache_write_5m_usd, CAST(10 AS DOUBLE) AS cache_write_1h_usd, CAST(25 AS DOUBLE) AS output_usd, 'Anthropic' AS published_by
UNION ALL SELECT 'claude-opus-4-7' AS model, '1970-01-01' AS valid_from, CAST(-1 AS BIGINT) AS input_above, CAST(1000000000000 AS BIGINT) AS input_up_to, CAST(5 AS DOUBLE) AS input_usd, CAST(0.50 AS DOUBLE) AS cache_read_usd, CAST(6.25 AS DOUBLE) AS cache_write_5m_usd, CAST(10 AS DOUBLE) AS cache_write_1h_usd, CAST(25 AS DOUBLE) AS output_usd, 'Anthropic' AS published_by
UNION ALL SELECT 'claude-opus-4-8' AS model, '1970-01-01' AS valid_from, CAST(-1 AS BIGINT) AS input_above, CAST(1000000000000 AS BIGINT) AS input_up_to, CAST(5 AS DOUBLE) AS input_usd, CAST(0.50 AS DOUBLE) AS cache_read_usd, CAST(6.25 AS DOUBLE) AS cache_write_5m_usd, CAST(10 AS DOUBLE) AS cache_write_1h_usd, CAST(25 AS DOUBLE) AS output_usd, 'Anthropic' AS published_by
UNION ALL SELECT 'claude-opus-5' AS model, '1970-01-01' AS valid_from, CAST(-1 AS BIGINT) AS input_above, CAST(1000000000000 AS BIGINT) AS input_up_to, CAST(5 AS DOUBLE) AS input_usd, CAST(0.50 AS DOUBLE) AS cache_read_usd, CAST(6.25 AS DOUBLE) AS cache_write_5m_usd, CAST(10 AS DOUBLE) AS cache_write_1h_usd, CAST(25 AS DOUBLE) AS output_usd, 'Anthropic' AS published_by
UNION ALL SELECT 'claude-opus-5-5' AS model, '1970-01-01' AS valid_from, CAST(-1 AS BIGINT) AS input_above, CAST(1000000000000 AS BIGINT) AS input_up_to, CAST(4 AS DOUBLE) AS input_usd, CAST(0.20 AS DOUBLE) AS cache_read_usd, CAST(5 AS DOUBLE) AS cache_write_5m_usd, CAST(8 AS DOUBLE) AS cache_write_1h_usd, CAST(20 AS DOUBLE) AS output_usd, 'Anthropic' AS published_by
UNION ALL SELECT 'claude-sonnet-4' AS model, '1970-01-01' AS valid_from, CAST(-1 AS BIGINT) AS input_above, CAST(1000000000000 AS BIGINT) AS input_up_to, CAST(3 AS DOUBLE) AS input_usd, CAST(0.30 AS DOUBLE) AS cache_read_usd, CAST(3.75 AS DOUBLE) AS cache_write_5m_usd, CAST(6 AS DOUBLE) AS cache_write_1h_usd, CAST(15 AS DOUBLE) AS output_usd, 'Anthropic' AS published_by
UNION ALL SELECT 'claude-sonnet-4-5' AS model, '1970-01-01' AS valid_from, CAST(-1 AS BIGINT) AS input_above, CAST(1000000000000 AS BIGINT) AS input_up_to, CAST(3 AS DOUBLE) AS input_usd, CAST(0.30 AS DOUBLE) AS cache_read_usd, CAST(3.75 AS DOUBLE) AS cache_write_5m_usd, CAST(6 AS DOUBLE) AS cache_write_1h_usd, CAST(15 AS DOUBLE) AS output_usd, 'Anthropic' AS published_by
UNION ALL SELECT 'claude-sonnet-4-6' AS model, '1970-01-01' AS valid_from, CAST(-1 AS BIGINT) AS input_above, CAST(1000000000000 AS BIGINT) AS input_up_to, CAST(3 AS DOUBLE) AS input_usd, CAST(0.30 AS DOUBLE) AS cache_read_usd, CAST(3.75 AS DOUBLE) AS cache_write_5m_usd, CAST(6 AS DOUBLE) AS cache_write_1h_usd, CAST(15 AS DOUBLE) AS output_usd, 'Anthropic' AS published_by
UNION ALL SELECT 'claude-sonnet-5' AS model, '1970-01-01' AS valid_from, CAST(-1 AS BIGINT) AS input_above, CAST(1000000000000 AS BIGINT) AS input_up_to, CAST(2 AS DOUBLE) AS input_usd, CAST(0.20 AS DOUBLE) AS cache_read_usd, CAST(2.50 AS DOUBLE) AS cache_write_5m_usd, CAST(4 AS DOUBLE) AS cache_write_1h_usd, CAST(10 AS DOUBLE) AS output_usd, 'Anthropic' AS published_by
UNION ALL SELECT 'claude-sonnet-5-5' AS model, '1970-01-01' AS valid_from, CAST(-1 AS BIGINT) AS input_above, CAST(1000000000000 AS BIGINT) AS input_up_to, CAST(2 AS DOUBLE) AS input_usd, CAST(0.20 AS DOUBLE) AS cache_read_usd, CAST(2.50 AS DOUBLE) AS cache_write_5m_usd, CAST(4 AS DOUBLE) AS cache_write_1h_usd, CAST(10 AS DOUBLE) AS output_usd, 'Anthropic' AS published_by
UNION ALL SELECT 'claude-sonnet-5-5' AS model, '2026-10-07' AS valid_from, CAST(-1 AS BIGINT) AS input_above, CAST(1000000000000 AS BIGINT) AS input_up_to, CAST(2 AS DOUBLE) AS input_usd, CAST(0.10 AS DOUBLE) AS cache_read_usd, CAST(2.50 AS DOUBLE) AS cache_write_5m_usd, CAST(4 AS DOUBLE) AS cache_write_1h_usd, CAST(10 AS DOUBLE) AS output_usd, 'Anthropic' AS published_by
UNION ALL SELECT 'gpt-5' AS model, '1970-01-01' AS valid_from, CAST(-1 AS BIGINT) AS input_above, CAST(1000000000000 AS BIGINT) AS input_up_to, CAST(1.25 AS DOUBLE) AS input_usd, CAST(0.125 AS DOUBLE) AS cache_read_usd, CAST(1.25 AS DOUBLE) AS cache_write_5m_usd, CAST(1.25 AS DOUBLE) AS cache_write_1h_usd, CAST(10 AS DOUBLE) AS output_usd, 'OpenAI' AS published_by
UNION ALL SELECT 'gpt-5-codex' AS model, '1970-01-01' AS valid_from, CAST(-1 AS BIGINT) AS input_above, CAST(1000000000000 AS BIGINT) AS input_up_to, CAST(1.25 AS DOUBLE) AS input_usd, CAST(0.125 AS DOUBLE) AS cache_read_usd, CAST(1.25 AS DOUBLE) AS cache_write_5m_usd, CAST(1.25 AS DOUBLE) AS cache_write_1h_usd, CAST(10 AS DOUBLE) AS output_usd, 'OpenAI' AS published_by
)

SELECT
    model, -- Model, without the date at its end.
    CAST(valid_from AS DATE) AS valid_from, -- First day of the price; 1970-01-01 when no earlier one is known.
    coalesce(
        nullif(lead(CAST(valid_from AS DATE)) OVER periods, CAST('1970-01-01' AS DATE)), CAST('2100-01-01' AS DATE)
    ) AS valid_until, -- First day on which it holds no longer.
    input_above, -- [tokens] Holds for requests with more input than this, cached input included.
    input_up_to, -- [tokens] And for no more than this.
    input_usd, -- [USD / 1M tokens] Fresh input.
    cache_read_usd, -- [USD / 1M tokens] Input read from the cache.
    cache_write_5m_usd, -- [USD / 1M tokens] Input written to the cache for five minutes, or without a lifetime.
    cache_write_1h_usd, -- [USD / 1M tokens] Input written to the cache for one hour.
    output_usd, -- [USD / 1M tokens] Output, reasoning included.
    published_by -- Whose list it is.
FROM listed
WINDOW periods AS (PARTITION BY model, input_above ORDER BY CAST(valid_from AS DATE))
SETTINGS aggregate_functions_null_for_empty = 1, cast_keep_nullable = 1, join_use_nulls = 1, prefer_column_name_to_alias = 1;

CREATE OR REPLACE VIEW computed_costs AS
SELECT
    r.id AS id,
    r.time AS time,
    r.ingest_day AS ingest_day,
    r.utc_day AS utc_day,
    r.utc_hour AS utc_hour,
    r.client AS client,
    r.session_id AS session_id,
    r."user" AS "user",
    r.team AS team,
    r.chapter AS chapter,
    r.project AS project,
    r.repository AS repository,
    r.branch AS branch,
    r.prompt_id AS prompt_id,
    r.model AS model,
    r.query_source AS query_source,
    CAST(
        (sign(CAST((
                coalesce(r.input_tokens, 0) * p.input_usd
                + coalesce(r.cache_read_tokens, 0) * p.cache_read_usd
                + (coalesce(r.cache_creation_tokens, 0) - coalesce(r.cache_creation_1h_tokens, 0)) * p.cache_write_5m_usd
                + coalesce(r.cache_creation_1h_tokens, 0) * p.cache_write_1h_usd
                + coalesce(r.output_tokens, 0) * p.output_usd
            ) / 1000000 AS DOUBLE)) * floor(abs(CAST((
                coalesce(r.input_tokens, 0) * p.input_usd
                + coalesce(r.cache_read_tokens, 0) * p.cache_read_usd
                + (coalesce(r.cache_creation_tokens, 0) - coalesce(r.cache_creation_1h_tokens, 0)) * p.cache_write_5m_usd
                + coalesce(r.cache_creation_1h_tokens, 0) * p.cache_write_1h_usd
                + coalesce(r.output_tokens, 0) * p.output_usd
            ) / 1000000 AS DOUBLE)) * 1e9 + 0.5) / 1e9) AS DECIMAL(18, 9)
    ) AS computed_cost_usd, -- [USD] Tokens at the list price.
    p.valid_from AS price_valid_from, -- Since when that price held.
    p.published_by AS price_published_by -- Whose list price it is.
FROM api_requests AS r
INNER JOIN model_prices AS p
    ON p.model = regexp_replace(r.model, '(-20[0-9]{6}|-20[0-9]{2}-[0-9]{2}-[0-9]{2})?(\[1m\])?$', '')
WHERE
    r.cost_usd IS NULL
    AND coalesce(r.total_input_tokens, r.output_tokens) IS NOT NULL
    AND r.utc_day >= p.valid_from AND r.utc_day < p.valid_until
    AND coalesce(r.total_input_tokens, 0) > p.input_above AND coalesce(r.total_input_tokens, 0) <= p.input_up_to
    AND coalesce(r.total_input_tokens, 0) < 1000000000000 AND coalesce(r.output_tokens, 0) < 1000000000000
SETTINGS aggregate_functions_null_for_empty = 1, cast_keep_nullable = 1, join_use_nulls = 1, prefer_column_name_to_alias = 1;

CREATE OR REPLACE VIEW metrics AS
SELECT
    lower(hex(cityHash64(attributes, resource, time, start_time, metric, ifNull(value, 0)))) AS id,
    *,
    toDate(time) AS ingest_day,
    toDate(time) AS utc_day,
    coalesce(user_email, account_id, user_id) AS `user`
FROM (
    SELECT
        toDateTime64(TimeUnix, 6, 'UTC') AS time,
        multiIf(startsWith(ScopeName, 'com.anthropic.claude_code'), 'claude_code', startsWith(ScopeName, 'codex'), 'codex', startsWith(ScopeName, 'gemini-cli'), 'gemini_cli', startsWith(ScopeName, 'telem-agent.transcript'), 'claude_code', startsWith(ScopeName, 'telem-agent.hook'), 'claude_code', startsWith(MetricName, 'claude_code.'), 'claude_code', startsWith(MetricName, 'codex.'), 'codex', startsWith(MetricName, 'gemini_cli.'), 'gemini_cli', NULL) AS client,
        MetricName AS metric,
        'sum' AS kind,
        nullIf(transform(AggregationTemporality, [1, 2], ['delta', 'cumulative'], ''), '') AS temporality,
        IsMonotonic AS monotonic,
        nullIf(MetricUnit, '') AS unit,
        toDateTime64(StartTimeUnix, 6, 'UTC') AS start_time,
        CAST(Value AS Nullable(Float64)) AS value,
        CAST(NULL AS Nullable(UInt64)) AS `count`,
        CAST(NULL AS Nullable(Float64)) AS `sum`,
        Attributes AS attributes,
        ResourceAttributes AS resource,
        ScopeName AS scope_name,
        ScopeVersion AS scope_version,
        coalesce(nullIf(Attributes['session.id'], ''), nullIf(Attributes['conversation.id'], ''), nullIf(Attributes['gen_ai.conversation.id'], ''), nullIf(ResourceAttributes['session.id'], ''), nullIf(ResourceAttributes['conversation.id'], ''), nullIf(ResourceAttributes['gen_ai.conversation.id'], '')) AS session_id,
            coalesce(nullIf(Attributes['user.id'], ''), nullIf(ResourceAttributes['user.id'], '')) AS user_id,
            coalesce(nullIf(Attributes['user.email'], ''), nullIf(ResourceAttributes['user.email'], '')) AS user_email,
            coalesce(nullIf(Attributes['user.account_uuid'], ''), nullIf(Attributes['user.account_id'], ''), nullIf(ResourceAttributes['user.account_uuid'], ''), nullIf(ResourceAttributes['user.account_id'], '')) AS account_id,
            coalesce(nullIf(Attributes['organization.id'], ''), nullIf(ResourceAttributes['organization.id'], '')) AS organization_id,
            coalesce(nullIf(Attributes['team'], ''), nullIf(Attributes['team.id'], ''), nullIf(Attributes['team.name'], ''), nullIf(ResourceAttributes['team'], ''), nullIf(ResourceAttributes['team.id'], ''), nullIf(ResourceAttributes['team.name'], '')) AS team,
            coalesce(nullIf(Attributes['chapter'], ''), nullIf(ResourceAttributes['chapter'], '')) AS chapter,
            coalesce(nullIf(Attributes['project'], ''), nullIf(Attributes['project.name'], ''), nullIf(ResourceAttributes['project'], ''), nullIf(ResourceAttributes['project.name'], '')) AS project,
            coalesce(nullIf(Attributes['git.branch'], ''), nullIf(Attributes['vcs.ref.head.name'], ''), nullIf(Attributes['branch'], ''), nullIf(ResourceAttributes['git.branch'], ''), nullIf(ResourceAttributes['vcs.ref.head.name'], ''), nullIf(ResourceAttributes['branch'], '')) AS branch,
            coalesce(nullIf(Attributes['vcs.repository.url.full'], ''), nullIf(Attributes['vcs.repository.name'], ''), nullIf(Attributes['git.repository'], ''), nullIf(Attributes['repository'], ''), nullIf(ResourceAttributes['vcs.repository.url.full'], ''), nullIf(ResourceAttributes['vcs.repository.name'], ''), nullIf(ResourceAttributes['git.repository'], ''), nullIf(ResourceAttributes['repository'], '')) AS repository,
            nullIf(Attributes['terminal.type'], '') AS terminal_type,
            nullIf(Attributes['app.version'], '') AS app_version,
            coalesce(nullIf(Attributes['app.entrypoint'], ''), nullIf(Attributes['originator'], '')) AS entrypoint,
            nullIf(Attributes['agent_id'], '') AS agent_id,
            coalesce(nullIf(Attributes['model'], ''), nullIf(Attributes['gen_ai.request.model'], '')) AS model,
            coalesce(nullIf(Attributes['query_source'], ''), nullIf(Attributes['query_source_safe'], '')) AS query_source,
            nullIf(Attributes['effort'], '') AS effort,
            nullIf(Attributes['speed'], '') AS speed,
            coalesce(nullIf(Attributes['agent.name'], ''), nullIf(Attributes['agent_type'], ''), nullIf(Attributes['subagent_type'], '')) AS agent_name,
            nullIf(Attributes['skill.name'], '') AS skill_name,
            nullIf(Attributes['plugin.name'], '') AS plugin_name,
            coalesce(nullIf(Attributes['mcp_server.name'], ''), nullIf(Attributes['mcp_server_name'], ''), nullIf(Attributes['server_name'], ''), nullIf(Attributes['anthropic.mcp.server.name'], '')) AS mcp_server,
            nullIf(Attributes['mcp_tool.name'], '') AS mcp_tool,
            coalesce(nullIf(Attributes['tool_name'], ''), nullIf(Attributes['function_name'], ''), nullIf(Attributes['gen_ai.tool.name'], '')) AS tool_name,
            nullIf(Attributes['decision'], '') AS decision,
            coalesce(nullIf(Attributes['source'], ''), nullIf(Attributes['decision_source'], '')) AS decision_source,
            if(nullIf(Attributes['success'], '') IN ('true', 'false'), nullIf(Attributes['success'], '') = 'true', NULL) AS success,
            coalesce(nullIf(Attributes['error_type'], ''), nullIf(Attributes['error.type'], ''), nullIf(Attributes['error_class'], '')) AS error_type,
            coalesce(nullIf(Attributes['type'], ''), nullIf(Attributes['token_type'], '')) AS type,
            nullIf(Attributes['start_type'], '') AS start_type,
            nullIf(Attributes['language'], '') AS language
    FROM otel_metrics_sum
    UNION ALL
    SELECT
        toDateTime64(TimeUnix, 6, 'UTC') AS time,
        multiIf(startsWith(ScopeName, 'com.anthropic.claude_code'), 'claude_code', startsWith(ScopeName, 'codex'), 'codex', startsWith(ScopeName, 'gemini-cli'), 'gemini_cli', startsWith(ScopeName, 'telem-agent.transcript'), 'claude_code', startsWith(ScopeName, 'telem-agent.hook'), 'claude_code', startsWith(MetricName, 'claude_code.'), 'claude_code', startsWith(MetricName, 'codex.'), 'codex', startsWith(MetricName, 'gemini_cli.'), 'gemini_cli', NULL) AS client,
        MetricName AS metric,
        'gauge' AS kind,
        CAST(NULL AS Nullable(String)) AS temporality,
        false AS monotonic,
        nullIf(MetricUnit, '') AS unit,
        toDateTime64(StartTimeUnix, 6, 'UTC') AS start_time,
        CAST(Value AS Nullable(Float64)) AS value,
        CAST(NULL AS Nullable(UInt64)) AS `count`,
        CAST(NULL AS Nullable(Float64)) AS `sum`,
        Attributes AS attributes,
        ResourceAttributes AS resource,
        ScopeName AS scope_name,
        ScopeVersion AS scope_version,
        coalesce(nullIf(Attributes['session.id'], ''), nullIf(Attributes['conversation.id'], ''), nullIf(Attributes['gen_ai.conversation.id'], ''), nullIf(ResourceAttributes['session.id'], ''), nullIf(ResourceAttributes['conversation.id'], ''), nullIf(ResourceAttributes['gen_ai.conversation.id'], '')) AS session_id,
            coalesce(nullIf(Attributes['user.id'], ''), nullIf(ResourceAttributes['user.id'], '')) AS user_id,
            coalesce(nullIf(Attributes['user.email'], ''), nullIf(ResourceAttributes['user.email'], '')) AS user_email,
            coalesce(nullIf(Attributes['user.account_uuid'], ''), nullIf(Attributes['user.account_id'], ''), nullIf(ResourceAttributes['user.account_uuid'], ''), nullIf(ResourceAttributes['user.account_id'], '')) AS account_id,
            coalesce(nullIf(Attributes['organization.id'], ''), nullIf(ResourceAttributes['organization.id'], '')) AS organization_id,
            coalesce(nullIf(Attributes['team'], ''), nullIf(Attributes['team.id'], ''), nullIf(Attributes['team.name'], ''), nullIf(ResourceAttributes['team'], ''), nullIf(ResourceAttributes['team.id'], ''), nullIf(ResourceAttributes['team.name'], '')) AS team,
            coalesce(nullIf(Attributes['chapter'], ''), nullIf(ResourceAttributes['chapter'], '')) AS chapter,
            coalesce(nullIf(Attributes['project'], ''), nullIf(Attributes['project.name'], ''), nullIf(ResourceAttributes['project'], ''), nullIf(ResourceAttributes['project.name'], '')) AS project,
            coalesce(nullIf(Attributes['git.branch'], ''), nullIf(Attributes['vcs.ref.head.name'], ''), nullIf(Attributes['branch'], ''), nullIf(ResourceAttributes['git.branch'], ''), nullIf(ResourceAttributes['vcs.ref.head.name'], ''), nullIf(ResourceAttributes['branch'], '')) AS branch,
            coalesce(nullIf(Attributes['vcs.repository.url.full'], ''), nullIf(Attributes['vcs.repository.name'], ''), nullIf(Attributes['git.repository'], ''), nullIf(Attributes['repository'], ''), nullIf(ResourceAttributes['vcs.repository.url.full'], ''), nullIf(ResourceAttributes['vcs.repository.name'], ''), nullIf(ResourceAttributes['git.repository'], ''), nullIf(ResourceAttributes['repository'], '')) AS repository,
            nullIf(Attributes['terminal.type'], '') AS terminal_type,
            nullIf(Attributes['app.version'], '') AS app_version,
            coalesce(nullIf(Attributes['app.entrypoint'], ''), nullIf(Attributes['originator'], '')) AS entrypoint,
            nullIf(Attributes['agent_id'], '') AS agent_id,
            coalesce(nullIf(Attributes['model'], ''), nullIf(Attributes['gen_ai.request.model'], '')) AS model,
            coalesce(nullIf(Attributes['query_source'], ''), nullIf(Attributes['query_source_safe'], '')) AS query_source,
            nullIf(Attributes['effort'], '') AS effort,
            nullIf(Attributes['speed'], '') AS speed,
            coalesce(nullIf(Attributes['agent.name'], ''), nullIf(Attributes['agent_type'], ''), nullIf(Attributes['subagent_type'], '')) AS agent_name,
            nullIf(Attributes['skill.name'], '') AS skill_name,
            nullIf(Attributes['plugin.name'], '') AS plugin_name,
            coalesce(nullIf(Attributes['mcp_server.name'], ''), nullIf(Attributes['mcp_server_name'], ''), nullIf(Attributes['server_name'], ''), nullIf(Attributes['anthropic.mcp.server.name'], '')) AS mcp_server,
            nullIf(Attributes['mcp_tool.name'], '') AS mcp_tool,
            coalesce(nullIf(Attributes['tool_name'], ''), nullIf(Attributes['function_name'], ''), nullIf(Attributes['gen_ai.tool.name'], '')) AS tool_name,
            nullIf(Attributes['decision'], '') AS decision,
            coalesce(nullIf(Attributes['source'], ''), nullIf(Attributes['decision_source'], '')) AS decision_source,
            if(nullIf(Attributes['success'], '') IN ('true', 'false'), nullIf(Attributes['success'], '') = 'true', NULL) AS success,
            coalesce(nullIf(Attributes['error_type'], ''), nullIf(Attributes['error.type'], ''), nullIf(Attributes['error_class'], '')) AS error_type,
            coalesce(nullIf(Attributes['type'], ''), nullIf(Attributes['token_type'], '')) AS type,
            nullIf(Attributes['start_type'], '') AS start_type,
            nullIf(Attributes['language'], '') AS language
    FROM otel_metrics_gauge
    UNION ALL
    SELECT
        toDateTime64(TimeUnix, 6, 'UTC') AS time,
        multiIf(startsWith(ScopeName, 'com.anthropic.claude_code'), 'claude_code', startsWith(ScopeName, 'codex'), 'codex', startsWith(ScopeName, 'gemini-cli'), 'gemini_cli', startsWith(ScopeName, 'telem-agent.transcript'), 'claude_code', startsWith(ScopeName, 'telem-agent.hook'), 'claude_code', startsWith(MetricName, 'claude_code.'), 'claude_code', startsWith(MetricName, 'codex.'), 'codex', startsWith(MetricName, 'gemini_cli.'), 'gemini_cli', NULL) AS client,
        MetricName AS metric,
        'histogram' AS kind,
        nullIf(transform(AggregationTemporality, [1, 2], ['delta', 'cumulative'], ''), '') AS temporality,
        false AS monotonic,
        nullIf(MetricUnit, '') AS unit,
        toDateTime64(StartTimeUnix, 6, 'UTC') AS start_time,
        CAST(NULL AS Nullable(Float64)) AS value,
        CAST(Count AS Nullable(UInt64)) AS `count`,
        CAST(Sum AS Nullable(Float64)) AS `sum`,
        Attributes AS attributes,
        ResourceAttributes AS resource,
        ScopeName AS scope_name,
        ScopeVersion AS scope_version,
        coalesce(nullIf(Attributes['session.id'], ''), nullIf(Attributes['conversation.id'], ''), nullIf(Attributes['gen_ai.conversation.id'], ''), nullIf(ResourceAttributes['session.id'], ''), nullIf(ResourceAttributes['conversation.id'], ''), nullIf(ResourceAttributes['gen_ai.conversation.id'], '')) AS session_id,
            coalesce(nullIf(Attributes['user.id'], ''), nullIf(ResourceAttributes['user.id'], '')) AS user_id,
            coalesce(nullIf(Attributes['user.email'], ''), nullIf(ResourceAttributes['user.email'], '')) AS user_email,
            coalesce(nullIf(Attributes['user.account_uuid'], ''), nullIf(Attributes['user.account_id'], ''), nullIf(ResourceAttributes['user.account_uuid'], ''), nullIf(ResourceAttributes['user.account_id'], '')) AS account_id,
            coalesce(nullIf(Attributes['organization.id'], ''), nullIf(ResourceAttributes['organization.id'], '')) AS organization_id,
            coalesce(nullIf(Attributes['team'], ''), nullIf(Attributes['team.id'], ''), nullIf(Attributes['team.name'], ''), nullIf(ResourceAttributes['team'], ''), nullIf(ResourceAttributes['team.id'], ''), nullIf(ResourceAttributes['team.name'], '')) AS team,
            coalesce(nullIf(Attributes['chapter'], ''), nullIf(ResourceAttributes['chapter'], '')) AS chapter,
            coalesce(nullIf(Attributes['project'], ''), nullIf(Attributes['project.name'], ''), nullIf(ResourceAttributes['project'], ''), nullIf(ResourceAttributes['project.name'], '')) AS project,
            coalesce(nullIf(Attributes['git.branch'], ''), nullIf(Attributes['vcs.ref.head.name'], ''), nullIf(Attributes['branch'], ''), nullIf(ResourceAttributes['git.branch'], ''), nullIf(ResourceAttributes['vcs.ref.head.name'], ''), nullIf(ResourceAttributes['branch'], '')) AS branch,
            coalesce(nullIf(Attributes['vcs.repository.url.full'], ''), nullIf(Attributes['vcs.repository.name'], ''), nullIf(Attributes['git.repository'], ''), nullIf(Attributes['repository'], ''), nullIf(ResourceAttributes['vcs.repository.url.full'], ''), nullIf(ResourceAttributes['vcs.repository.name'], ''), nullIf(ResourceAttributes['git.repository'], ''), nullIf(ResourceAttributes['repository'], '')) AS repository,
            nullIf(Attributes['terminal.type'], '') AS terminal_type,
            nullIf(Attributes['app.version'], '') AS app_version,
            coalesce(nullIf(Attributes['app.entrypoint'], ''), nullIf(Attributes['originator'], '')) AS entrypoint,
            nullIf(Attributes['agent_id'], '') AS agent_id,
            coalesce(nullIf(Attributes['model'], ''), nullIf(Attributes['gen_ai.request.model'], '')) AS model,
            coalesce(nullIf(Attributes['query_source'], ''), nullIf(Attributes['query_source_safe'], '')) AS query_source,
            nullIf(Attributes['effort'], '') AS effort,
            nullIf(Attributes['speed'], '') AS speed,
            coalesce(nullIf(Attributes['agent.name'], ''), nullIf(Attributes['agent_type'], ''), nullIf(Attributes['subagent_type'], '')) AS agent_name,
            nullIf(Attributes['skill.name'], '') AS skill_name,
            nullIf(Attributes['plugin.name'], '') AS plugin_name,
            coalesce(nullIf(Attributes['mcp_server.name'], ''), nullIf(Attributes['mcp_server_name'], ''), nullIf(Attributes['server_name'], ''), nullIf(Attributes['anthropic.mcp.server.name'], '')) AS mcp_server,
            nullIf(Attributes['mcp_tool.name'], '') AS mcp_tool,
            coalesce(nullIf(Attributes['tool_name'], ''), nullIf(Attributes['function_name'], ''), nullIf(Attributes['gen_ai.tool.name'], '')) AS tool_name,
            nullIf(Attributes['decision'], '') AS decision,
            coalesce(nullIf(Attributes['source'], ''), nullIf(Attributes['decision_source'], '')) AS decision_source,
            if(nullIf(Attributes['success'], '') IN ('true', 'false'), nullIf(Attributes['success'], '') = 'true', NULL) AS success,
            coalesce(nullIf(Attributes['error_type'], ''), nullIf(Attributes['error.type'], ''), nullIf(Attributes['error_class'], '')) AS error_type,
            coalesce(nullIf(Attributes['type'], ''), nullIf(Attributes['token_type'], '')) AS type,
            nullIf(Attributes['start_type'], '') AS start_type,
            nullIf(Attributes['language'], '') AS language
    FROM otel_metrics_histogram
);

CREATE OR REPLACE VIEW metric_increments AS
SELECT
    id,
    time,
    ingest_day,
    utc_day,
    client,
    metric,
    unit,
    type,
    start_type,
    language,
    session_id,
    `user`,
    team,
    chapter,
    project,
    repository,
    branch,
    agent_id,
    agent_name,
    model,
    query_source,
    effort,
    tool_name,
    decision,
    decision_source,
    if(temporality = 'delta', value, greatest(value - coalesce(max(value) OVER earlier, 0), 0)) AS increment
FROM (
    SELECT
        *,
        if(temporality = 'delta', id, concat(toString(mapSort(attributes)), toString(mapSort(resource)))) AS series
    FROM metrics
    WHERE kind = 'sum' AND isFinite(value) AND (temporality = 'delta' OR (temporality = 'cumulative' AND monotonic))
)
WINDOW earlier AS (
    PARTITION BY metric, start_time, series ORDER BY time, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
);

CREATE OR REPLACE VIEW usage_facts AS
SELECT
    time,
    time AS first_time,
    CAST(time AS Nullable(DateTime64(6, 'UTC'))) AS event_time,
    event_time AS first_event_time,
    utc_day AS day,
    ingest_day,
    client,
    session_id,
    `user`,
    team,
    chapter,
    project,
    repository,
    branch,
    app_version,
    model,
    query_source,
    sample_ratio,
    CAST(coalesce(event_type, '') = 'user_prompt' AS Nullable(Int64)) AS prompts,
    CAST(coalesce(event_type, '') = 'api_request' AS Nullable(Int64)) AS requests,
    CAST(coalesce(event_type, '') = 'api_error' AS Nullable(Int64)) AS errors,
    CAST(coalesce(event_type, '') = 'tool_call' AS Nullable(Int64)) AS tool_calls,
    CAST(coalesce(event_type, '') = 'tool_call' AND NOT coalesce(success, true) AS Nullable(Int64)) AS failed_tool_calls,
    CAST(coalesce(event_type, '') = 'validation_result' AND coalesce(decision, '') = 'reject' AS Nullable(Int64))
        AS rejected_tool_calls,
    if(requests = 1, input_tokens, NULL) AS input_tokens,
    if(requests = 1, cache_read_tokens, NULL) AS cache_read_tokens,
    if(requests = 1, cache_creation_tokens, NULL) AS cache_creation_tokens,
    if(requests = 1, output_tokens, NULL) AS output_tokens,
    if(requests = 1, cost_usd, NULL) AS cost_usd,
    CAST(requests = 1 AND cost_usd IS NULL AS Nullable(Int64)) AS unpriced_requests,
    CAST(NULL AS Nullable(Float64)) AS active_seconds,
    CAST(NULL AS Nullable(Float64)) AS lines_added,
    CAST(NULL AS Nullable(Float64)) AS lines_removed,
    CAST(NULL AS Nullable(Float64)) AS commits,
    CAST(NULL AS Nullable(Float64)) AS pull_requests
FROM placed_events
WHERE coalesce(source, '') != 'hook'
UNION ALL
SELECT
    m.time,
    m.time,
    NULL,
    NULL,
    m.utc_day,
    m.ingest_day,
    m.client,
    m.session_id,
    m.`user`,
    m.team,
    coalesce(m.chapter, c.chapter),
    coalesce(m.project, c.project),
    coalesce(m.repository, c.repository),
    coalesce(m.branch, c.branch),
    NULL,
    NULL,
    NULL,
    NULL,
    NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL,
    if(m.metric = 'claude_code.active_time.total', m.increment, 0),
    if(m.metric = 'claude_code.lines_of_code.count' AND m.type = 'added', m.increment, 0),
    if(m.metric = 'claude_code.lines_of_code.count' AND m.type = 'removed', m.increment, 0),
    if(m.metric = 'claude_code.commit.count', m.increment, 0),
    if(m.metric = 'claude_code.pull_request.count', m.increment, 0)
FROM metric_increments AS m
LEFT JOIN session_context AS c
    ON c.session_id = m.session_id AND m.time >= c.valid_from AND m.time < c.valid_until
WHERE startsWith(m.metric, 'claude_code.');

CREATE OR REPLACE VIEW usage_days AS
SELECT *
FROM usage_facts;

CREATE OR REPLACE VIEW sessions AS
SELECT
    session_id,
    argMax(client, time) AS client, -- Which client: the last one known, as for the following.
    argMax("user", time) AS "user", -- Who.
    argMax(team, time) AS team, -- Team tag.
    argMax(chapter, time) AS chapter, -- Chapter tag.
    argMax(project, time) AS project, -- Project tag.
    argMax(repository, time) AS repository, -- Repository.
    argMax(branch, time) AS branch, -- Git branch.
    argMax(app_version, time) AS app_version, -- Version of the client.
    coalesce(min(first_event_time), min(first_time)) AS started_at, -- Its first event.
    coalesce(max(event_time), max(time)) AS ended_at, -- Its last event so far.
    arraySort(groupUniqArrayIf(model, model IS NOT NULL AND requests > 0))
        AS models, -- Models that answered its requests; NULL when none did.
    accurateCastOrNull(sum(prompts), 'Int64') AS prompts, -- Prompts; NULL when only metrics arrived, as for the following.
    accurateCastOrNull(sum(requests), 'Int64') AS requests, -- Answered requests to a model.
    accurateCastOrNull(sum(errors), 'Int64') AS errors, -- Requests given up.
    accurateCastOrNull(sum(tool_calls), 'Int64') AS tool_calls, -- Tools that ran.
    accurateCastOrNull(sum(failed_tool_calls), 'Int64') AS failed_tool_calls, -- Of these, those that failed.
    accurateCastOrNull(sum(rejected_tool_calls), 'Int64') AS rejected_tool_calls, -- Tool calls rejected; they never ran.
    accurateCastOrNull(sum(input_tokens), 'Int64') AS input_tokens, -- [tokens] Fresh input; NULL when no request told.
    accurateCastOrNull(sum(cache_read_tokens), 'Int64') AS cache_read_tokens, -- [tokens] Input read from the cache.
    accurateCastOrNull(sum(cache_creation_tokens), 'Int64') AS cache_creation_tokens, -- [tokens] Input written to the cache.
    accurateCastOrNull(sum(output_tokens), 'Int64') AS output_tokens, -- [tokens] Output, reasoning included.
    sum(cost_usd) AS cost_usd, -- [USD] Cost as the clients reported it; NULL when none was reported.
    accurateCastOrNull(sum(unpriced_requests), 'Int64') AS unpriced_requests, -- Requests without a reported cost: what `cost_usd` leaves out.
    (sign(CAST(sum(active_seconds) AS DOUBLE)) * floor(abs(CAST(sum(active_seconds) AS DOUBLE)) * 1e3 + 0.5) / 1e3) AS active_seconds, -- [s] Active time; NULL when no metrics arrived, as for the following.
    accurateCastOrNull((sign(CAST(sum(lines_added) AS DOUBLE)) * floor(abs(CAST(sum(lines_added) AS DOUBLE)) * 1e0 + 0.5) / 1e0), 'Int64') AS lines_added, -- Lines added.
    accurateCastOrNull((sign(CAST(sum(lines_removed) AS DOUBLE)) * floor(abs(CAST(sum(lines_removed) AS DOUBLE)) * 1e0 + 0.5) / 1e0), 'Int64') AS lines_removed, -- Lines removed.
    accurateCastOrNull((sign(CAST(sum(commits) AS DOUBLE)) * floor(abs(CAST(sum(commits) AS DOUBLE)) * 1e0 + 0.5) / 1e0), 'Int64') AS commits, -- Commits.
    accurateCastOrNull((sign(CAST(sum(pull_requests) AS DOUBLE)) * floor(abs(CAST(sum(pull_requests) AS DOUBLE)) * 1e0 + 0.5) / 1e0), 'Int64') AS pull_requests, -- Pull requests.
    min(sample_ratio) AS sample_ratio -- Smallest share of sessions kept of any type counted here; NULL: all of them. Tokens and cost are never sampled.
FROM usage_days
WHERE session_id IS NOT NULL
GROUP BY session_id
SETTINGS aggregate_functions_null_for_empty = 1, cast_keep_nullable = 1, join_use_nulls = 1, prefer_column_name_to_alias = 1;

CREATE OR REPLACE VIEW users AS
SELECT
    "user",
    argMax(team, time) AS team, -- Last team tag known.
    arraySort(groupUniqArrayIf(client, client IS NOT NULL)) AS clients, -- Clients used.
    min(first_time) AS first_seen, -- First event or point.
    max(time) AS last_seen, -- Last event or point.
    count(DISTINCT session_id) AS sessions, -- Distinct sessions.
    accurateCastOrNull(sum(prompts), 'Int64') AS prompts, -- Prompts; NULL when only metrics arrived, as for the following.
    accurateCastOrNull(sum(requests), 'Int64') AS requests, -- Answered requests to a model.
    accurateCastOrNull(sum(errors), 'Int64') AS errors, -- Requests given up.
    accurateCastOrNull(sum(tool_calls), 'Int64') AS tool_calls, -- Tools that ran.
    accurateCastOrNull(sum(failed_tool_calls), 'Int64') AS failed_tool_calls, -- Of these, those that failed.
    accurateCastOrNull(sum(rejected_tool_calls), 'Int64') AS rejected_tool_calls, -- Tool calls rejected; they never ran.
    accurateCastOrNull(sum(input_tokens), 'Int64') AS input_tokens, -- [tokens] Fresh input; NULL when no request told.
    accurateCastOrNull(sum(cache_read_tokens), 'Int64') AS cache_read_tokens, -- [tokens] Input read from the cache.
    accurateCastOrNull(sum(cache_creation_tokens), 'Int64') AS cache_creation_tokens, -- [tokens] Input written to the cache.
    accurateCastOrNull(sum(output_tokens), 'Int64') AS output_tokens, -- [tokens] Output, reasoning included.
    sum(cost_usd) AS cost_usd, -- [USD] Cost as the clients reported it; NULL when none was reported.
    accurateCastOrNull(sum(unpriced_requests), 'Int64') AS unpriced_requests, -- Requests without a reported cost: what `cost_usd` leaves out.
    (sign(CAST(sum(active_seconds) AS DOUBLE)) * floor(abs(CAST(sum(active_seconds) AS DOUBLE)) * 1e3 + 0.5) / 1e3) AS active_seconds, -- [s] Active time; NULL when no metrics arrived, as for the following.
    accurateCastOrNull((sign(CAST(sum(lines_added) AS DOUBLE)) * floor(abs(CAST(sum(lines_added) AS DOUBLE)) * 1e0 + 0.5) / 1e0), 'Int64') AS lines_added, -- Lines added.
    accurateCastOrNull((sign(CAST(sum(lines_removed) AS DOUBLE)) * floor(abs(CAST(sum(lines_removed) AS DOUBLE)) * 1e0 + 0.5) / 1e0), 'Int64') AS lines_removed, -- Lines removed.
    accurateCastOrNull((sign(CAST(sum(commits) AS DOUBLE)) * floor(abs(CAST(sum(commits) AS DOUBLE)) * 1e0 + 0.5) / 1e0), 'Int64') AS commits, -- Commits.
    accurateCastOrNull((sign(CAST(sum(pull_requests) AS DOUBLE)) * floor(abs(CAST(sum(pull_requests) AS DOUBLE)) * 1e0 + 0.5) / 1e0), 'Int64') AS pull_requests, -- Pull requests.
    min(sample_ratio) AS sample_ratio -- Smallest share of sessions kept of any type counted here; NULL: all of them. Tokens and cost are never sampled.
FROM usage_days
GROUP BY "user"
SETTINGS aggregate_functions_null_for_empty = 1, cast_keep_nullable = 1, join_use_nulls = 1, prefer_column_name_to_alias = 1;

CREATE OR REPLACE VIEW daily_metrics AS
SELECT
    day,
    "user",
    team,
    chapter,
    repository,
    branch,
    client,
    model,
    query_source,
    count(DISTINCT session_id) AS sessions, -- Distinct sessions; a session counts in every row it touches.
    accurateCastOrNull(sum(prompts), 'Int64') AS prompts, -- Prompts; NULL when only metrics arrived, as for the following.
    accurateCastOrNull(sum(requests), 'Int64') AS requests, -- Answered requests to a model.
    accurateCastOrNull(sum(errors), 'Int64') AS errors, -- Requests given up.
    accurateCastOrNull(sum(tool_calls), 'Int64') AS tool_calls, -- Tools that ran.
    accurateCastOrNull(sum(failed_tool_calls), 'Int64') AS failed_tool_calls, -- Of these, those that failed.
    accurateCastOrNull(sum(rejected_tool_calls), 'Int64') AS rejected_tool_calls, -- Tool calls rejected; they never ran.
    accurateCastOrNull(sum(input_tokens), 'Int64') AS input_tokens, -- [tokens] Fresh input; NULL when no request told.
    accurateCastOrNull(sum(cache_read_tokens), 'Int64') AS cache_read_tokens, -- [tokens] Input read from the cache.
    accurateCastOrNull(sum(cache_creation_tokens), 'Int64') AS cache_creation_tokens, -- [tokens] Input written to the cache.
    accurateCastOrNull(sum(output_tokens), 'Int64') AS output_tokens, -- [tokens] Output, reasoning included.
    sum(cost_usd) AS cost_usd, -- [USD] Cost as the clients reported it; NULL when none was reported.
    accurateCastOrNull(sum(unpriced_requests), 'Int64') AS unpriced_requests, -- Requests without a reported cost: what `cost_usd` leaves out.
    (sign(CAST(sum(active_seconds) AS DOUBLE)) * floor(abs(CAST(sum(active_seconds) AS DOUBLE)) * 1e3 + 0.5) / 1e3) AS active_seconds, -- [s] Active time; NULL when no metrics arrived, as for the following.
    accurateCastOrNull((sign(CAST(sum(lines_added) AS DOUBLE)) * floor(abs(CAST(sum(lines_added) AS DOUBLE)) * 1e0 + 0.5) / 1e0), 'Int64') AS lines_added, -- Lines added.
    accurateCastOrNull((sign(CAST(sum(lines_removed) AS DOUBLE)) * floor(abs(CAST(sum(lines_removed) AS DOUBLE)) * 1e0 + 0.5) / 1e0), 'Int64') AS lines_removed, -- Lines removed.
    accurateCastOrNull((sign(CAST(sum(commits) AS DOUBLE)) * floor(abs(CAST(sum(commits) AS DOUBLE)) * 1e0 + 0.5) / 1e0), 'Int64') AS commits, -- Commits.
    accurateCastOrNull((sign(CAST(sum(pull_requests) AS DOUBLE)) * floor(abs(CAST(sum(pull_requests) AS DOUBLE)) * 1e0 + 0.5) / 1e0), 'Int64') AS pull_requests, -- Pull requests.
    min(sample_ratio) AS sample_ratio -- Smallest share of sessions kept of any type counted here; NULL: all of them. Tokens and cost are never sampled.
FROM usage_days
GROUP BY day, "user", team, chapter, repository, branch, client, model, query_source
SETTINGS aggregate_functions_null_for_empty = 1, cast_keep_nullable = 1, join_use_nulls = 1, prefer_column_name_to_alias = 1;
