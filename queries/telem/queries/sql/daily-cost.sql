-- Daily cost
-- Sessions, requests, tokens and cost of each UTC day, the latest first.
-- param limit: integer = 31: days at most
SELECT
    utc_day AS day,
    count(DISTINCT session_id) AS sessions,
    count(*) AS requests,
    TRY_CAST(sum(input_tokens) AS BIGINT) AS input_tokens,
    TRY_CAST(sum(cache_read_tokens) AS BIGINT) AS cache_read_tokens,
    TRY_CAST(sum(cache_creation_tokens) AS BIGINT) AS cache_creation_tokens,
    TRY_CAST(sum(output_tokens) AS BIGINT) AS output_tokens,
    sum(cost_usd) AS cost_usd,
    count(*) FILTER (WHERE cost_usd IS NULL) AS unpriced_requests
FROM events
WHERE ingest_day >= $since_day AND time >= $since AND event_type = 'api_request'
GROUP BY utc_day
ORDER BY day DESC
LIMIT $limit;
