-- Token efficiency
-- How much of the input came from the cache, and how much output each input token brought.
-- param by: model | session | user | team | chapter | project | repository | day | source = model: what a row is
-- param limit: integer = 50: rows at most
WITH requests AS (
    SELECT
        CASE $by
            WHEN 'model' THEN model
            WHEN 'session' THEN session_id
            WHEN 'user' THEN "user"
            WHEN 'team' THEN team
            WHEN 'chapter' THEN chapter
            WHEN 'project' THEN coalesce(project, repository)
            WHEN 'repository' THEN repository
            WHEN 'day' THEN CAST(utc_day AS VARCHAR)
            WHEN 'source' THEN query_source
        END AS "by",
        total_input_tokens,
        cache_read_tokens,
        cache_creation_tokens,
        output_tokens,
        cost_usd
    FROM api_requests
    WHERE ingest_day >= $since_day AND time >= $since
),

sums AS (
    SELECT
        "by",
        count(*) AS requests,
        TRY_CAST(sum(total_input_tokens) AS BIGINT) AS total_input_tokens,
        sum(CAST(cache_read_tokens AS DOUBLE)) AS from_cache,
        sum(CAST(cache_creation_tokens AS DOUBLE)) AS into_cache,
        TRY_CAST(sum(output_tokens) AS BIGINT) AS output_tokens,
        sum(CAST(output_tokens AS DOUBLE)) FILTER (WHERE cost_usd IS NOT NULL) AS priced_output,
        CAST(sum(cost_usd) AS DOUBLE) AS cost
    FROM requests
    GROUP BY "by"
)

SELECT
    "by",
    requests,
    total_input_tokens,
    round(100 * from_cache / nullif(total_input_tokens, 0), 1) AS cache_read_percent,
    round(100 * into_cache / nullif(total_input_tokens, 0), 1) AS cache_creation_percent,
    output_tokens,
    round(output_tokens / nullif(total_input_tokens, 0), 4) AS output_per_input,
    round(output_tokens / requests, 1) AS output_per_request,
    round(1000 * cost / nullif(priced_output, 0), 6) AS usd_per_1000_output
FROM sums
ORDER BY total_input_tokens DESC NULLS LAST, "by" NULLS LAST
LIMIT $limit;
