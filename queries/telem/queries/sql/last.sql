-- Last events
-- What happened last, the newest first: to see at a glance whether telemetry arrives.
-- param limit: integer = 20: events at most
SELECT
    time,
    client,
    event,
    coalesce(model, tool_name, command_name, plugin_name) AS subject,
    coalesce(error, decision, CASE WHEN success THEN 'ok' WHEN NOT success THEN 'failed' END) AS outcome,
    output_tokens,
    cost_usd,
    duration_ms,
    session_id
FROM events
WHERE ingest_day >= $since_day AND time >= $since
ORDER BY time DESC, event_sequence DESC NULLS LAST, event, id
LIMIT $limit;
