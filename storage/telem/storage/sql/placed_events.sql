-- Events with the project, chapter, repository and branch of their session where the record itself names none.
CREATE OR REPLACE VIEW placed_events AS
SELECT
    events.id,
    events.time,
    events.ingest_day,
    events.utc_day,
    events.utc_hour,
    events.client,
    events.event_type,
    events.event,
    events.session_id,
    events."user",
    events.user_id,
    events.account_id,
    events.team,
    coalesce(events.project, session_context.project) AS project, -- Project tag, else the project the session was in at that moment.
    coalesce(events.chapter, session_context.chapter) AS chapter, -- Chapter tag, else the chapter the session was in at that moment.
    coalesce(events.repository, session_context.repository) AS repository, -- Repository, else the one the session was in at that moment.
    coalesce(events.branch, session_context.branch) AS branch, -- Git branch, else the one the session was on at that moment.
    events.prompt_id,
    events.request_id,
    events.tool_use_id,
    events.message_id,
    events.agent_id,
    events.agent_name,
    events.model,
    events.query_source,
    events.effort,
    events.speed,
    events.input_tokens,
    events.cache_read_tokens,
    events.cache_creation_tokens,
    events.cache_creation_5m_tokens,
    events.cache_creation_1h_tokens,
    events.output_tokens,
    events.reasoning_tokens,
    events.total_input_tokens,
    events.cost_usd,
    events.duration_ms,
    events.ttft_ms,
    events.attempt,
    events.status_code,
    events.success,
    events.error,
    events.error_type,
    events.tool_name,
    events.mcp_server,
    events.mcp_tool,
    events.skill_name,
    events.plugin_name,
    events.command_name,
    events.tool_input_size_bytes,
    events.tool_result_size_bytes,
    events.decision,
    events.decision_source,
    events.prompt,
    events.prompt_length,
    events.app_version,
    events.entrypoint,
    events.terminal_type,
    events.attributes,
    events.resource,
    events.source,
    events.sample_ratio
FROM events
LEFT JOIN session_context
    ON
        session_context.session_id = events.session_id
        AND events.time >= session_context.valid_from
        AND events.time < session_context.valid_until;
