-- Tools that ran, with their outcome; what was rejected never ran and is in validation_results.
CREATE OR REPLACE VIEW tool_calls AS
SELECT
    id, time, ingest_day, utc_day, utc_hour, client, session_id, "user", team, chapter, project, repository, branch, prompt_id,
    request_id,
    tool_use_id, agent_id, tool_name, mcp_server, mcp_tool, skill_name, success, error, error_type, duration_ms,
    tool_input_size_bytes, tool_result_size_bytes, decision, decision_source, app_version, entrypoint, terminal_type,
    attributes, resource
FROM placed_events
WHERE event_type = 'tool_call';
