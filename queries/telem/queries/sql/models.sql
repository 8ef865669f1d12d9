-- Models
-- Each model's requests, errors, speed and cost a request.
-- param limit: integer = 30: models at most
SELECT
    model,
    count(*) FILTER (WHERE event_type = 'api_request') AS requests,
    count(*) FILTER (WHERE event_type = 'api_error') AS errors,
    round(median(duration_ms) FILTER (WHERE event_type = 'api_request'), 0) AS median_ms,
    round(quantile_cont(duration_ms, 0.95) FILTER (WHERE event_type = 'api_request'), 0) AS p95_ms,
    round(median(ttft_ms) FILTER (WHERE event_type = 'api_request'), 0) AS median_ttft_ms,
    TRY_CAST(sum(total_input_tokens) FILTER (WHERE event_type = 'api_request') AS BIGINT) AS total_input_tokens,
    TRY_CAST(sum(output_tokens) FILTER (WHERE event_type = 'api_request') AS BIGINT) AS output_tokens,
    sum(cost_usd) FILTER (WHERE event_type = 'api_request') AS cost_usd,
    round(avg(cost_usd) FILTER (WHERE event_type = 'api_request'), 6) AS usd_per_request,
    count(*) FILTER (WHERE event_type = 'api_request' AND cost_usd IS NULL) AS unpriced_requests,
    max(time) AS last_used
FROM events
WHERE
    ingest_day >= $since_day AND time >= $since
    AND event_type IN ('api_request', 'api_error')
GROUP BY model
ORDER BY requests DESC, model
LIMIT $limit;
