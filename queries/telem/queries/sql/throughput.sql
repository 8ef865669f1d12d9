-- Throughput
-- Output tokens a second while a request ran, and requests and tokens an hour.
-- param by: model | hour | day | client = model: what a row stands for
-- param limit: integer = 50: rows at most
WITH requests AS (
    SELECT
        CASE $by
            WHEN 'model' THEN model
            WHEN 'hour' THEN substr(CAST(utc_hour AS VARCHAR), 1, 13) || ':00'
            WHEN 'day' THEN CAST(utc_day AS VARCHAR)
            WHEN 'client' THEN client
        END AS "by",
        utc_hour,
        session_id,
        CAST(output_tokens AS DOUBLE) AS output,
        duration_ms,
        CASE WHEN duration_ms > 0 THEN 1000 * CAST(output_tokens AS DOUBLE) / duration_ms END AS tokens_a_second
    FROM events
    WHERE ingest_day >= $since_day AND time >= $since AND event_type = 'api_request'
)

SELECT
    "by",
    count(*) AS requests,
    count(DISTINCT session_id) AS sessions,
    count(DISTINCT utc_hour) AS hours_with_requests,
    round(1.0 * count(*) / count(DISTINCT utc_hour), 1) AS requests_an_hour,
    round(sum(output) / count(DISTINCT utc_hour), 1) AS output_tokens_an_hour,
    round(
        1000 * sum(output) FILTER (WHERE duration_ms > 0)
        / nullif(sum(duration_ms) FILTER (WHERE output IS NOT NULL), 0), 1
    ) AS output_tokens_a_second,
    round(median(tokens_a_second), 1) AS median_tokens_a_second
FROM requests
GROUP BY "by"
ORDER BY CASE WHEN $by IN ('hour', 'day') THEN "by" END DESC, requests DESC, "by" NULLS LAST
LIMIT $limit;
