-- Requests to a model that were given up, with the error's text and HTTP status.
CREATE OR REPLACE VIEW api_errors AS
SELECT
    id, time, ingest_day, utc_day, utc_hour, client, session_id, "user", team, chapter, project, repository, branch, prompt_id,
    request_id,
    agent_id, model, query_source, speed, error, error_type, status_code, attempt, duration_ms, app_version, entrypoint,
    terminal_type, attributes, resource
FROM placed_events
WHERE event_type = 'api_error';
