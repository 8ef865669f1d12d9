-- Users
-- Who works how much: active days, sessions, prompts, requests, cost; people are pseudonyms.
-- param limit: integer = 50: users at most
WITH sums AS (
    SELECT
        "user",
        max(team) AS team,
        count(DISTINCT utc_day) AS active_days,
        count(DISTINCT session_id) AS sessions,
        count(*) FILTER (WHERE event_type = 'user_prompt') AS prompts,
        count(*) FILTER (WHERE event_type = 'api_request') AS requests,
        count(*) FILTER (WHERE event_type = 'api_error') AS errors,
        TRY_CAST(sum(output_tokens) FILTER (WHERE event_type = 'api_request') AS BIGINT) AS output_tokens,
        sum(cost_usd) FILTER (WHERE event_type = 'api_request') AS cost_usd,
        count(*) FILTER (WHERE event_type = 'api_request' AND cost_usd IS NULL) AS unpriced_requests,
        max(time) AS last_seen
    FROM events
    WHERE ingest_day >= $since_day AND time >= $since
    GROUP BY "user"
)

SELECT
    "user",
    team,
    active_days,
    sessions,
    prompts,
    requests,
    errors,
    output_tokens,
    cost_usd,
    round(CAST(cost_usd AS DOUBLE) / nullif(active_days, 0), 4) AS usd_an_active_day,
    unpriced_requests,
    last_seen
FROM sums
ORDER BY cost_usd DESC NULLS LAST, requests DESC, "user" NULLS LAST
LIMIT $limit;
