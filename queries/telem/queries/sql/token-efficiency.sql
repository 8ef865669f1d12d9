-- Token efficiency
-- How much of the input came from the cache, and how much output each input token brought.
-- param by: model | session | user | project | day = model: what a row stands for
-- param limit: integer = 50: rows at most
WITH requests AS (
    SELECT
        CASE $by
            WHEN 'model' THEN model
            WHEN 'session' THEN session_id
            WHEN 'user' THEN "user"
            WHEN 'project' THEN coalesce(project, repository)
            WHEN 'day' THEN make_timestamp(epoch_us(time))::DATE::VARCHAR
        END AS "by",
        total_input_tokens,
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
    TRY_CAST(sum(total_input_tokens) AS BIGINT) AS total_input_tokens,
    round(100.0 * sum(cache_read_tokens) / nullif(sum(total_input_tokens), 0), 1) AS cache_read_percent,
    round(100.0 * sum(cache_creation_tokens) / nullif(sum(total_input_tokens), 0), 1) AS cache_creation_percent,
    TRY_CAST(sum(output_tokens) AS BIGINT) AS output_tokens,
    round(sum(output_tokens) / nullif(sum(total_input_tokens), 0), 4) AS output_per_input,
    round(1000 * sum(cost_usd) / nullif(sum(output_tokens) FILTER (WHERE cost_usd IS NOT NULL), 0), 6)
        AS usd_per_1000_output
FROM requests
GROUP BY "by"
ORDER BY total_input_tokens DESC NULLS LAST, "by"
LIMIT $limit;
