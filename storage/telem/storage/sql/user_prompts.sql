-- Prompts, with their text if the client sends it.
CREATE OR REPLACE VIEW user_prompts AS
SELECT
    id, time, ingest_day, utc_day, utc_hour, client, session_id, "user", team, chapter, project, repository, branch, prompt_id,
    message_id,
    prompt, prompt_length, command_name, app_version, entrypoint, terminal_type, attributes, resource
FROM placed_events
WHERE event_type = 'user_prompt';
