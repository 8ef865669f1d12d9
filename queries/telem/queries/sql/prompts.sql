-- Prompts
-- The prompts that cost most, with the requests, tools and tokens they led to.
-- param limit: integer = 20: prompts at most
WITH sums AS (
    SELECT
        prompt_id,
        min(time) AS started_at,
        max(session_id) AS session_id,
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
)

SELECT
    started_at,
    session_id,
    prompt_id,
    prompt,
    prompt_length,
    requests,
    tool_calls,
    total_input_tokens,
    output_tokens,
    cost_usd,
    unpriced_requests
FROM sums
ORDER BY cost_usd DESC NULLS LAST, total_input_tokens DESC NULLS LAST, prompt_id
LIMIT $limit;
