-- Tools
-- How often each tool ran, failed and was rejected, and how long it took.
-- param by: calls | failures | time = calls: what comes first
-- param limit: integer = 30: tools at most
SELECT
    tool_name AS tool,
    count(*) FILTER (WHERE event_type = 'tool_call') AS calls,
    count(*) FILTER (WHERE event_type = 'tool_call' AND NOT success) AS failures,
    round(100.0 * failures / nullif(calls, 0), 1) AS failure_percent,
    count(*) FILTER (WHERE event_type = 'validation_result' AND decision = 'reject') AS rejections,
    round(median(duration_ms) FILTER (WHERE event_type = 'tool_call'), 1) AS median_ms,
    round(quantile_cont(duration_ms, 0.95) FILTER (WHERE event_type = 'tool_call'), 1) AS p95_ms,
    round(sum(duration_ms) FILTER (WHERE event_type = 'tool_call') / 1000, 1) AS total_seconds
FROM events
WHERE
    ingest_day >= $since_day AND time >= $since
    AND event_type IN ('tool_call', 'validation_result')
GROUP BY tool_name
ORDER BY CASE $by WHEN 'calls' THEN calls WHEN 'failures' THEN failures ELSE total_seconds END DESC NULLS LAST, tool
LIMIT $limit;
