-- Error patterns
-- What fails, as the commonest error texts, the failing tools, the sessions that fail most, or the rate of each day.
-- param view: texts | tools | sessions | days = texts: how to look at it
-- param limit: integer = 20: rows at most
WITH attempts AS (
    SELECT
        time,
        session_id,
        CASE WHEN event_type = 'tool_call' THEN coalesce(tool_name, 'tool') ELSE 'API' END AS part,
        CASE WHEN event_type = 'tool_call' THEN tool_name END AS tool,
        event_type = 'api_error' OR (event_type = 'tool_call' AND success IS NOT DISTINCT FROM false) AS failed,
        coalesce(error, error_type, 'HTTP ' || status_code, 'no text') AS text
    FROM events
    WHERE
        ingest_day >= $since_day AND time >= $since
        AND event_type IN ('api_request', 'api_error', 'tool_call')
),

grouped AS (
    SELECT
        *,
        CASE $view
            WHEN 'texts' THEN CASE WHEN failed THEN text END
            WHEN 'tools' THEN tool
            WHEN 'sessions' THEN session_id
            WHEN 'days' THEN make_timestamp(epoch_us(time))::DATE::VARCHAR
        END AS what
    FROM attempts
)

SELECT
    what,
    list_sort(list(DISTINCT part) FILTER (WHERE failed)) AS failed_parts,
    count(*) FILTER (WHERE failed) AS failures,
    CASE WHEN $view <> 'texts' THEN count(*) END AS attempts,
    CASE WHEN $view <> 'texts' THEN round(100.0 * count(*) FILTER (WHERE failed) / count(*), 1) END AS failure_percent,
    count(DISTINCT session_id) FILTER (WHERE failed) AS failing_sessions,
    max(time) FILTER (WHERE failed) AS last_failure
FROM grouped
WHERE what IS NOT NULL
GROUP BY what
HAVING count(*) FILTER (WHERE failed) > 0 OR $view = 'days'
ORDER BY CASE WHEN $view = 'days' THEN what END DESC, failures DESC, what
LIMIT $limit;
