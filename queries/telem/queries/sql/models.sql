-- Models
-- Each model's requests, errors, speed and cost a request.
-- param limit: integer = 30: models at most
WITH sums AS (
    SELECT
        model,
        count(*) FILTER (WHERE event_type = 'api_request') AS requests,
        count(*) FILTER (WHERE event_type = 'api_error') AS errors,
        median(duration_ms) FILTER (WHERE event_type = 'api_request') AS median_ms,
        quantile_cont(duration_ms, 0.95) FILTER (WHERE event_type = 'api_request') AS p95_ms,
        median(ttft_ms) FILTER (WHERE event_type = 'api_request') AS median_ttft_ms,
        TRY_CAST(sum(total_input_tokens) FILTER (WHERE event_type = 'api_request') AS BIGINT) AS total_input_tokens,
        TRY_CAST(sum(output_tokens) FILTER (WHERE event_type = 'api_request') AS BIGINT) AS output_tokens,
        sum(cost_usd) FILTER (WHERE event_type = 'api_request') AS cost_usd,
        avg(CAST(cost_usd AS DOUBLE)) FILTER (WHERE event_type = 'api_request') AS usd_per_request,
        count(*) FILTER (WHERE event_type = 'api_request' AND cost_usd IS NULL) AS unpriced_requests,
        max(time) AS last_used
    FROM events
    WHERE
        ingest_day >= $since_day AND time >= $since
        AND event_type IN ('api_request', 'api_error')
    GROUP BY model
)

SELECT
    model,
    requests,
    errors,
    round(median_ms, 1) AS median_ms,
    round(p95_ms, 2) AS p95_ms,
    round(median_ttft_ms, 1) AS median_ttft_ms,
    total_input_tokens,
    output_tokens,
    cost_usd,
    round(usd_per_request, 6) AS usd_per_request,
    unpriced_requests,
    last_used
FROM sums
ORDER BY requests DESC, model NULLS LAST
LIMIT $limit;
