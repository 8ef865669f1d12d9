-- Failing commands
-- Shell commands by their first word: runs, failures, time. Clients name commands only when they are told to.
-- param limit: integer = 30: commands at most
WITH calls AS (
    SELECT
        CASE WHEN json_valid(parameters) THEN parameters ->> '$.bash_command' END AS command,
        success,
        duration_ms,
        session_id,
        time,
        coalesce(error, error_type) AS error
    FROM (
        SELECT *, attributes ->> '$.tool_parameters' AS parameters
        FROM events
        WHERE
            ingest_day >= $since_day AND time >= $since
            AND event_type = 'tool_call' AND tool_name = 'Bash'
    ) AS ran
)

SELECT
    command,
    count(*) AS runs,
    count(*) FILTER (WHERE NOT success) AS failures,
    round(100.0 * count(*) FILTER (WHERE NOT success) / count(*), 1) AS failure_percent,
    count(DISTINCT session_id) AS sessions,
    round(median(duration_ms), 1) AS median_ms,
    max(error) FILTER (WHERE NOT success) AS an_error,
    max(time) FILTER (WHERE NOT success) AS last_failure
FROM calls
WHERE command IS NOT NULL AND command <> ''
GROUP BY command
ORDER BY failures DESC, runs DESC, command
LIMIT $limit;
