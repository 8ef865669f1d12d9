-- Error rate
-- Requests and tools that failed, as a share, by hour or day, the latest first; with the rate of seven together.
-- param by: day | hour = day: what a row stands for
-- param limit: integer = 31: rows at most
WITH attempts AS (
    SELECT
        CASE $by
            WHEN 'day' THEN CAST(utc_day AS VARCHAR)
            WHEN 'hour' THEN substr(CAST(utc_hour AS VARCHAR), 1, 13) || ':00'
        END AS "by",
        count(*) FILTER (WHERE event_type IN ('api_request', 'api_error')) AS requests,
        count(*) FILTER (WHERE event_type = 'api_error') AS request_errors,
        count(*) FILTER (WHERE event_type = 'api_error' AND status_code = 429) AS rate_limited,
        count(*) FILTER (WHERE event_type = 'api_error' AND status_code = 529) AS overloaded,
        count(*) FILTER (WHERE event_type = 'tool_call') AS tool_calls,
        count(*) FILTER (WHERE event_type = 'tool_call' AND NOT success) AS tool_errors
    FROM events
    WHERE
        ingest_day >= $since_day AND time >= $since
        AND event_type IN ('api_request', 'api_error', 'tool_call')
    GROUP BY 1
)

SELECT
    "by",
    requests,
    request_errors,
    round(100.0 * request_errors / nullif(requests, 0), 2) AS request_error_percent,
    round(
        100.0 * sum(request_errors) OVER seven / nullif(sum(requests) OVER seven, 0), 2
    ) AS request_error_percent_of_seven,
    rate_limited,
    overloaded,
    tool_calls,
    tool_errors,
    round(100.0 * tool_errors / nullif(tool_calls, 0), 2) AS tool_error_percent
FROM attempts
WINDOW seven AS (ORDER BY "by" ROWS BETWEEN 6 PRECEDING AND CURRENT ROW)
ORDER BY "by" DESC
LIMIT $limit;
