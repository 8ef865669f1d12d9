-- Latency
-- How long requests took and how soon the first token came: median, 95th and 99th percentile.
-- param by: model | hour | day | hour_of_day | query_source | user | client = model: what a row stands for
-- param limit: integer = 50: rows at most
WITH requests AS (
    SELECT
        CASE $by
            WHEN 'model' THEN model
            WHEN 'hour' THEN substr(CAST(utc_hour AS VARCHAR), 1, 13) || ':00'
            WHEN 'day' THEN CAST(utc_day AS VARCHAR)
            WHEN 'hour_of_day' THEN substr(CAST(utc_hour AS VARCHAR), 12, 2) || ':00'
            WHEN 'query_source' THEN query_source
            WHEN 'user' THEN "user"
            WHEN 'client' THEN client
        END AS "by",
        duration_ms,
        ttft_ms
    FROM events
    WHERE ingest_day >= $since_day AND time >= $since AND event_type = 'api_request'
)

SELECT
    "by",
    count(*) AS requests,
    round(median(duration_ms), 1) AS median_ms,
    round(quantile_cont(duration_ms, 0.95), 2) AS p95_ms,
    round(quantile_cont(duration_ms, 0.99), 2) AS p99_ms,
    round(median(ttft_ms), 1) AS first_token_median_ms,
    round(quantile_cont(ttft_ms, 0.95), 2) AS first_token_p95_ms,
    round(quantile_cont(ttft_ms, 0.99), 2) AS first_token_p99_ms
FROM requests
GROUP BY "by"
ORDER BY CASE WHEN $by IN ('hour', 'day', 'hour_of_day') THEN "by" END DESC, requests DESC, "by" NULLS LAST
LIMIT $limit;
