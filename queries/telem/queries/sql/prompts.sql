-- Prompts
-- The prompts that cost most, with the requests, tools and tokens they led to.
-- param limit: integer = 20: prompts at most
SELECT
    min(time) AS started_at,
    arg_max(session_id, time) AS session_id,
    prompt_id,
    max(prompt) FILTER (WHERE event_type = 'user_prompt') AS prompt,
    max(prompt_length) FILTER (WHERE event_type = 'user_prompt') AS prompt_length,
    count(*) FILTER (WHERE event_type = 'api_request') AS requests,
    count(*) FILTER (WHERE event_type = 'tool_call') AS tool_calls,
    TRY_CAST(sum(total_input_tokens) FILTER (WHERE event_type = 'api_request') AS BIGINT) AS total_input_tokens,
    TRY_CAST(sum(output_tokens) FILTER (WHERE event_type = 'api_request') AS BIGINT) AS output_tokens,
    sum(cost_usd) FILTER (WHERE event_type = 'api_request') AS cost_usd,
    count(*) FILTER (WHERE event_type = 'api_request' AND cost_usd IS NULL) AS unpriced_requests
FROM events
WHERE ingest_day >= $since_day AND time >= $since AND prompt_id IS NOT NULL
GROUP BY prompt_id
ORDER BY cost_usd DESC NULLS LAST, total_input_tokens DESC NULLS LAST, prompt_id
LIMIT $limit;
