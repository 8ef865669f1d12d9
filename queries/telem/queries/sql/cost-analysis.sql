-- Cost analysis
-- What requests used and cost, for each model, user, team, chapter, repository, branch, day, session or client.
-- param by: model | user | team | chapter | repository | branch | day | session | client = model: what a row stands for
-- param limit: integer = 50: rows at most
WITH requests AS (
    SELECT
        CASE $by
            WHEN 'model' THEN model
            WHEN 'user' THEN "user"
            WHEN 'team' THEN team
            WHEN 'chapter' THEN chapter
            WHEN 'repository' THEN repository
            WHEN 'branch' THEN branch
            WHEN 'day' THEN make_timestamp(epoch_us(time))::DATE::VARCHAR
            WHEN 'session' THEN session_id
            WHEN 'client' THEN client
        END AS "by",
        input_tokens,
        cache_read_tokens,
        cache_creation_tokens,
        output_tokens,
        cost_usd
    FROM api_requests
    WHERE ingest_day >= $since_day AND time >= $since
)

SELECT
    "by",
    count(*) AS requests,
    TRY_CAST(sum(input_tokens) AS BIGINT) AS input_tokens,
    TRY_CAST(sum(cache_read_tokens) AS BIGINT) AS cache_read_tokens,
    TRY_CAST(sum(cache_creation_tokens) AS BIGINT) AS cache_creation_tokens,
    TRY_CAST(sum(output_tokens) AS BIGINT) AS output_tokens,
    sum(cost_usd) AS cost_usd,
    round(100 * sum(cost_usd) / nullif(sum(sum(cost_usd)) OVER (), 0), 1) AS cost_percent,
    count(*) FILTER (WHERE cost_usd IS NULL) AS unpriced_requests
FROM requests
GROUP BY "by"
ORDER BY cost_usd DESC NULLS LAST, requests DESC, "by"
LIMIT $limit;
