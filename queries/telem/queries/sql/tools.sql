-- Tools
-- How often each tool ran, failed and was rejected, and how long it took.
-- param by: calls | failures | time = calls: what comes first
-- param limit: integer = 30: tools at most
WITH sums AS (
    SELECT
        tool_name AS tool,
        count(*) FILTER (WHERE event_type = 'tool_call') AS calls,
        count(*) FILTER (WHERE event_type = 'tool_call' AND NOT success) AS failures,
        count(*) FILTER (WHERE event_type = 'validation_result' AND decision = 'reject') AS rejections,
        count(DISTINCT session_id) AS sessions,
        median(duration_ms) FILTER (WHERE event_type = 'tool_call') AS median_ms,
        quantile_cont(duration_ms, 0.95) FILTER (WHERE event_type = 'tool_call') AS p95_ms,
        sum(duration_ms) FILTER (WHERE event_type = 'tool_call') / 1000 AS total_seconds,
        sum(CAST(tool_result_size_bytes AS DOUBLE)) FILTER (WHERE event_type = 'tool_call') / 1000000 AS result_mb
    FROM events
    WHERE
        ingest_day >= $since_day AND time >= $since
        AND event_type IN ('tool_call', 'validation_result')
    GROUP BY tool_name
)

SELECT
    tool,
    calls,
    failures,
    round(100.0 * failures / nullif(calls, 0), 1) AS failure_percent,
    rejections,
    sessions,
    round(median_ms, 1) AS median_ms,
    round(p95_ms, 2) AS p95_ms,
    round(total_seconds, 1) AS total_seconds,
    round(result_mb, 3) AS result_mb
FROM sums
ORDER BY
    CASE $by
        WHEN 'calls' THEN CAST(calls AS DOUBLE)
        WHEN 'failures' THEN CAST(failures AS DOUBLE)
        ELSE coalesce(total_seconds, 0)
    END DESC,
    tool NULLS LAST
LIMIT $limit;
