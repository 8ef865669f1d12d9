-- Timeline of a session
-- What happened in one session, in its order, with the running cost; without a session: the latest one.
-- param session: text = latest: session id, or its beginning
-- param limit: integer = 500: events at most
WITH chosen AS (
    SELECT session_id
    FROM events
    WHERE
        ingest_day >= $since_day AND time >= $since AND session_id IS NOT NULL
        AND ($session = 'latest' OR session_id LIKE $session || '%')
    ORDER BY time DESC, session_id
    LIMIT 1
),

happened AS (
    SELECT
        e.time AS time,
        e.session_id AS session_id,
        e.event AS event,
        coalesce(e.model, e.tool_name, e.command_name, e.plugin_name, e.skill_name) AS subject,
        coalesce(e.error, e.decision, CASE WHEN e.success THEN 'ok' WHEN NOT e.success THEN 'failed' END) AS outcome,
        e.prompt AS prompt,
        e.total_input_tokens AS total_input_tokens,
        e.output_tokens AS output_tokens,
        e.duration_ms AS duration_ms,
        CASE WHEN e.event_type = 'api_request' THEN e.cost_usd END AS cost_usd,
        e.agent_id AS agent_id,
        coalesce(e.event_sequence, -1) AS place,
        e.id AS id
    FROM events AS e
    WHERE e.ingest_day >= $since_day AND e.time >= $since AND e.session_id IN (SELECT session_id FROM chosen)
)

SELECT
    session_id,
    time,
    round(date_diff('millisecond', min(time) OVER (), time) / 1000.0, 3) AS at_seconds,
    event,
    subject,
    outcome,
    prompt,
    total_input_tokens,
    output_tokens,
    duration_ms,
    cost_usd,
    sum(cost_usd) OVER (ORDER BY time, place, event, id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
        AS cost_so_far_usd,
    agent_id
FROM happened
ORDER BY time, place, event, id
LIMIT $limit;
