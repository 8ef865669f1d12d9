-- Cost analysis
-- What requests used and cost, by model, user, team, chapter, repository, branch, day, hour, session and more.
-- param by: model | user | team | chapter | project | repository | branch | day | hour | weekday | session | client | source | version = model: what a row is
-- param limit: integer = 50: rows at most
WITH requests AS (
    SELECT
        CASE $by
            WHEN 'model' THEN model
            WHEN 'user' THEN "user"
            WHEN 'team' THEN team
            WHEN 'chapter' THEN chapter
            WHEN 'project' THEN project
            WHEN 'repository' THEN repository
            WHEN 'branch' THEN branch
            WHEN 'day' THEN CAST(day AS VARCHAR)
            -- What expired is kept by day: its hour is not known.
            WHEN 'hour' THEN CASE
                WHEN first_time = time THEN substr(CAST(date_trunc('hour', time) AS VARCHAR), 1, 13) || ':00'
            END
            WHEN 'weekday' THEN substr('1 Mon2 Tue3 Wed4 Thu5 Fri6 Sat7 Sun', isodow(day) * 5 - 4, 5)
            WHEN 'session' THEN session_id
            WHEN 'client' THEN client
            WHEN 'source' THEN query_source
            WHEN 'version' THEN app_version
        END AS "by",
        input_tokens,
        cache_read_tokens,
        cache_creation_tokens,
        output_tokens,
        cost_usd,
        requests,
        unpriced_requests
    FROM usage_facts
    WHERE ingest_day >= $since_day AND time >= $since AND requests > 0
),

sums AS (
    SELECT
        "by",
        TRY_CAST(sum(requests) AS BIGINT) AS requests,
        TRY_CAST(sum(input_tokens) AS BIGINT) AS input_tokens,
        TRY_CAST(sum(cache_read_tokens) AS BIGINT) AS cache_read_tokens,
        TRY_CAST(sum(cache_creation_tokens) AS BIGINT) AS cache_creation_tokens,
        TRY_CAST(sum(output_tokens) AS BIGINT) AS output_tokens,
        sum(cost_usd) AS cost_usd,
        TRY_CAST(sum(unpriced_requests) AS BIGINT) AS unpriced_requests
    FROM requests
    GROUP BY "by"
)

SELECT
    "by",
    requests,
    input_tokens,
    cache_read_tokens,
    cache_creation_tokens,
    output_tokens,
    cost_usd,
    round(100 * CAST(cost_usd AS DOUBLE) / nullif(sum(CAST(cost_usd AS DOUBLE)) OVER (), 0), 1) AS cost_percent,
    unpriced_requests
FROM sums
ORDER BY cost_usd DESC NULLS LAST, requests DESC, "by" NULLS LAST
LIMIT $limit;
