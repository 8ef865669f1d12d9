-- Decisions about tool calls: accepted or rejected, and by whom.
CREATE OR REPLACE VIEW validation_results AS
SELECT
    id, time, ingest_day, utc_day, utc_hour, client, session_id, "user", team, chapter, project, repository, branch, prompt_id,
    request_id,
    tool_use_id, agent_id, tool_name, decision, decision_source, app_version, entrypoint, terminal_type, attributes,
    resource
FROM placed_events
WHERE event_type = 'validation_result';
