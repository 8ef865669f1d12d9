-- The same as events, under the name that examples of the HTTP interface use.
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
FROM events;
