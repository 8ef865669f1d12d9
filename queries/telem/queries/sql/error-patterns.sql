-- Error patterns
-- What fails, as the commonest error texts, the failing tools, the sessions that fail most, or the rate of each day.
-- param view: texts | tools | sessions | days | models | users = texts: how to look at it
-- param limit: integer = 20: rows at most
WITH attempts AS (
    SELECT
        time,
        session_id,
        utc_day,
        model,
        "user",
        CASE WHEN event_type = 'tool_call' THEN coalesce(tool_name, 'tool') ELSE 'API' END AS part,
        CASE WHEN event_type = 'tool_call' THEN tool_name END AS tool,
        event_type = 'api_error' OR (event_type = 'tool_call' AND coalesce(NOT success, false)) AS failed,
        coalesce(error, error_type, 'HTTP ' || CAST(status_code AS VARCHAR), 'no text') AS text
    FROM events
    WHERE
        ingest_day >= $since_day AND time >= $since
        AND event_type IN ('api_request', 'api_error', 'tool_call')
),

grouped AS (
    SELECT
        time,
        session_id,
        failed,
        CASE WHEN failed THEN part END AS failed_part,
        CASE $view
            WHEN 'texts' THEN CASE WHEN failed THEN text END
            WHEN 'tools' THEN tool
            WHEN 'sessions' THEN session_id
            WHEN 'days' THEN CAST(utc_day AS VARCHAR)
            WHEN 'models' THEN model
            WHEN 'users' THEN "user"
        END AS what
    FROM attempts
),

sums AS (
    SELECT
        what,
        string_agg(DISTINCT failed_part, ', ' ORDER BY failed_part) AS failed_parts,
        count(*) FILTER (WHERE failed) AS failures,
        count(*) AS all_attempts,
        count(DISTINCT session_id) FILTER (WHERE failed) AS failing_sessions,
        max(time) FILTER (WHERE failed) AS last_failure
    FROM grouped
    WHERE what IS NOT NULL
    GROUP BY what
)

SELECT
    what,
    failed_parts,
    failures,
    CASE WHEN $view <> 'texts' THEN all_attempts END AS attempts,
    CASE WHEN $view <> 'texts' THEN round(100.0 * failures / all_attempts, 1) END AS failure_percent,
    failing_sessions,
    last_failure
FROM sums
WHERE failures > 0 OR $view = 'days'
ORDER BY CASE WHEN $view = 'days' THEN what END DESC, failures DESC, what
LIMIT $limit;
