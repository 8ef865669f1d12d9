-- Answered requests to a model: tokens, cost and duration; the facts for all sums of tokens and cost.
CREATE OR REPLACE VIEW api_requests AS
SELECT
    id, time, ingest_day, utc_day, utc_hour, client, session_id, "user", team, chapter, project, repository, branch, prompt_id,
    request_id,
    agent_id, agent_name, skill_name, plugin_name, mcp_server, mcp_tool, model, query_source, effort, speed,
    input_tokens, cache_read_tokens, cache_creation_tokens, cache_creation_5m_tokens, cache_creation_1h_tokens,
    output_tokens, reasoning_tokens, total_input_tokens, cost_usd, duration_ms, ttft_ms, app_version, entrypoint,
    terminal_type, attributes, resource
FROM placed_events
WHERE event_type = 'api_request';
