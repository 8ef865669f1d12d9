-- Data health
-- How far the figures can be trusted: what is missing, late, doubled or unknown, a line for each doubt.
-- param limit: integer = 50: lines at most
WITH seen AS (
    SELECT
        count(*) AS events,
        count(*) FILTER (WHERE client IS NULL) AS no_client,
        count(*) FILTER (WHERE session_id IS NULL) AS no_session,
        count(*) FILTER (WHERE "user" IS NULL) AS no_user,
        count(*) FILTER (WHERE event_type = 'api_request') AS requests,
        count(*) FILTER (WHERE event_type = 'api_request' AND cost_usd IS NULL) AS unpriced,
        count(*) FILTER (WHERE event_type = 'api_request' AND output_tokens IS NULL) AS no_tokens,
        count(*) FILTER (WHERE event_type = 'api_request' AND model IS NULL) AS no_model,
        count(DISTINCT CASE WHEN event_type = 'api_request' THEN model END) AS models,
        count(DISTINCT session_id) AS sessions,
        count(DISTINCT CASE WHEN event_type = 'user_prompt' THEN session_id END) AS sessions_with_prompts
    FROM events
    WHERE ingest_day >= $since_day AND time >= $since
),

known AS (
    SELECT count(*) AS requests_of_unknown_models
    FROM events
    WHERE
        ingest_day >= $since_day AND time >= $since AND event_type = 'api_request' AND model IS NOT NULL
        AND regexp_replace(model, '(-20[0-9]{6}|-20[0-9]{2}-[0-9]{2}-[0-9]{2})?(\[1m\])?$', '')
        NOT IN (SELECT model FROM model_prices)
),

priced AS (
    SELECT count(*) AS computed
    FROM computed_costs
    WHERE ingest_day >= $since_day AND time >= $since
),

lines AS (
    SELECT 1 AS place, 'events' AS what, events AS found, events AS of_all, 'all of the time asked for' AS meaning
    FROM seen
    UNION ALL
    SELECT 2, 'requests without a reported cost', unpriced, requests, 'left out of every sum of cost_usd' FROM seen
    UNION ALL
    SELECT 3, 'of these, with a computed cost', computed, unpriced, 'priced by list prices, beside cost_usd'
    FROM priced CROSS JOIN seen
    UNION ALL
    SELECT 4, 'requests of models without a price', requests_of_unknown_models, requests,
        'Claude Code prices a model it does not know like its default model'
    FROM known CROSS JOIN seen
    UNION ALL
    SELECT 5, 'requests without tokens', no_tokens, requests, 'left out of every sum of tokens' FROM seen
    UNION ALL
    SELECT 6, 'requests without a model', no_model, requests, 'they stand in groups without a name' FROM seen
    UNION ALL
    SELECT 7, 'events without a session', no_session, events, 'in no session; the client may be told to leave it out'
    FROM seen
    UNION ALL
    SELECT 8, 'events without a user', no_user, events, 'nobody can be named for them, not even a pseudonym'
    FROM seen
    UNION ALL
    SELECT 9, 'events of unknown clients', no_client, events, 'neither their scope nor their name is known' FROM seen
    UNION ALL
    SELECT 10, 'sessions without a prompt', sessions - sessions_with_prompts, sessions,
        'begun before the time asked for, or their beginning was lost'
    FROM seen
)

SELECT
    what,
    found,
    of_all,
    round(100.0 * found / nullif(of_all, 0), 2) AS percent,
    meaning
FROM lines
WHERE (SELECT events FROM seen) > 0
ORDER BY place
LIMIT $limit;
