-- Every log event of every client: one row an event, its attributes as columns and complete as JSON.
CREATE OR REPLACE VIEW events AS
SELECT
    id,
    time,
    ingest_day,
    make_timestamp(epoch_us(time))::DATE AS utc_day, -- UTC day in which it happened.
    make_timestamptz(epoch_us(time) // 3600000000 * 3600000000) AS utc_hour, -- Start of the hour in which it happened, UTC.
    received_at,
    client,
    event_type,
    event_name AS event, -- The client's name of the event, without its prefix.
    session_id,
    coalesce(user_email, account_id, user_id) AS "user", -- Who: pseudonym of the e-mail, else the account, else the installation.
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
    query_source,
    effort,
    speed,
    input_tokens,
    cache_read_tokens,
    cache_creation_tokens,
    cache_creation_5m_tokens,
    cache_creation_1h_tokens,
    output_tokens,
    reasoning_tokens,
    CASE
        WHEN coalesce(input_tokens, cache_read_tokens, cache_creation_tokens) IS NOT NULL
            THEN TRY_CAST(
                coalesce(input_tokens, 0)::HUGEINT + coalesce(cache_read_tokens, 0) + coalesce(cache_creation_tokens, 0)
                AS BIGINT
            )
    END AS total_input_tokens, -- [tokens] Whole input: fresh, read from the cache and written to it.
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
    decision,
    decision_source,
    prompt,
    prompt_length,
    response_length,
    app_version,
    entrypoint,
    terminal_type,
    event_sequence,
    $attributes_of_logs AS attributes, -- All attributes of the record, typed, under the client's own names.
    resource::JSON AS resource, -- Resource attributes.
    body,
    body_type,
    severity_number,
    severity_text,
    trace_id,
    span_id,
    flags,
    make_timestamptz(epoch_us(time) + observed_lag_us) AS observed_time, -- When the client's exporter saw it; NULL when not sent.
    time_from,
    otlp_event_name,
    dropped_attributes_count,
    source,
    sample_ratio,
    scope_name,
    scope_version,
    scope_meta::JSON AS scope_meta, -- Schema URL, attributes and dropped count of the scope, if any.
    resource_meta::JSON AS resource_meta, -- Schema URL, entity references and dropped count of the resource, if any.
    seg
FROM raw_logs;
