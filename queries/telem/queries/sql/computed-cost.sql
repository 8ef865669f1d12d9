-- Computed cost
-- Requests whose client reported no cost: what they would cost at list prices, and which models have no price here.
-- param by: model | user | team | chapter | repository | day | session | client = model: what a row stands for
-- param limit: integer = 50: rows at most
WITH unreported AS (
    SELECT
        CASE $by
            WHEN 'model' THEN model
            WHEN 'user' THEN "user"
            WHEN 'team' THEN team
            WHEN 'chapter' THEN chapter
            WHEN 'repository' THEN repository
            WHEN 'day' THEN CAST(utc_day AS VARCHAR)
            WHEN 'session' THEN session_id
            WHEN 'client' THEN client
        END AS "by",
        1 AS requests,
        0 AS computed_requests,
        total_input_tokens,
        output_tokens,
        CAST(NULL AS DECIMAL(18, 9)) AS computed_cost_usd
    FROM api_requests
    WHERE ingest_day >= $since_day AND time >= $since AND cost_usd IS NULL
    UNION ALL
    SELECT
        CASE $by
            WHEN 'model' THEN model
            WHEN 'user' THEN "user"
            WHEN 'team' THEN team
            WHEN 'chapter' THEN chapter
            WHEN 'repository' THEN repository
            WHEN 'day' THEN CAST(utc_day AS VARCHAR)
            WHEN 'session' THEN session_id
            WHEN 'client' THEN client
        END AS "by",
        0 AS requests,
        1 AS computed_requests,
        NULL AS total_input_tokens,
        NULL AS output_tokens,
        computed_cost_usd
    FROM computed_costs
    WHERE ingest_day >= $since_day AND time >= $since
)

SELECT
    "by",
    TRY_CAST(sum(requests) AS BIGINT) AS unreported_requests,
    TRY_CAST(sum(total_input_tokens) AS BIGINT) AS input_and_cache_tokens,
    TRY_CAST(sum(output_tokens) AS BIGINT) AS all_output_tokens,
    sum(computed_cost_usd) AS computed_usd,
    TRY_CAST(sum(requests) - sum(computed_requests) AS BIGINT) AS unpriced_requests
FROM unreported
GROUP BY "by"
ORDER BY computed_usd DESC NULLS LAST, unreported_requests DESC, "by" NULLS LAST
LIMIT $limit;
