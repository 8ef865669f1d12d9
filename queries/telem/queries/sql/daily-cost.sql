-- Daily cost
-- Sessions, requests, tokens and cost of each UTC day, the latest first.
-- param limit: integer = 31: days at most
SELECT
    day,
    count(DISTINCT session_id) AS sessions,
    TRY_CAST(sum(requests) AS BIGINT) AS requests,
    TRY_CAST(sum(input_tokens) AS BIGINT) AS input_tokens,
    TRY_CAST(sum(cache_read_tokens) AS BIGINT) AS cache_read_tokens,
    TRY_CAST(sum(cache_creation_tokens) AS BIGINT) AS cache_creation_tokens,
    TRY_CAST(sum(output_tokens) AS BIGINT) AS output_tokens,
    sum(cost_usd) AS cost_usd,
    TRY_CAST(sum(unpriced_requests) AS BIGINT) AS unpriced_requests
FROM usage_facts
WHERE ingest_day >= $since_day AND time >= $since AND requests > 0
GROUP BY day
ORDER BY day DESC
LIMIT $limit;
